//! Whether the kernel reports that memory is short (`Documentation/accounting/psi.rst`).

use serde::Serialize;

use super::finding::Finding;
use crate::board::{Family, Root};

const SUBJECT: &str = "pressure";

/// Tasks waited for memory in this many hundredths of the last minute: it is short.
const SHORT: f64 = 10.0;

/// Shares of time that tasks waited for memory, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pressure {
    /// At least one task waited, in the last 10 s.
    pub some_avg10: f64,
    /// At least one task waited, in the last minute.
    pub some_avg60: f64,
    /// All tasks waited, in the last minute.
    pub full_avg60: f64,
}

impl Pressure {
    /// None where the kernel does not report it: built without, or switched off.
    #[must_use]
    pub fn read(root: &Root) -> Option<Self> {
        // With psi=0 there is no such file, or it can't be read (EOPNOTSUPP).
        Self::parse(&root.text("/proc/pressure/memory")?)
    }

    fn parse(text: &str) -> Option<Self> {
        let share = |line: &str, key: &str| {
            let fields = text.lines().find_map(|found| found.strip_prefix(line))?;
            let mut fields = fields.split_whitespace();
            fields
                .find_map(|field| field.strip_prefix(key))?
                .parse()
                .ok()
        };
        Some(Self {
            some_avg10: share("some ", "avg10=")?,
            some_avg60: share("some ", "avg60=")?,
            full_avg60: share("full ", "avg60=")?,
        })
    }
}

/// Pressure must be reported, and low.
#[must_use]
pub fn judge(pressure: Option<&Pressure>, family: Family) -> Finding {
    let Some(pressure) = pressure else {
        return Finding::degraded(
            SUBJECT,
            "the kernel does not report pressure on memory: it is seen late that memory is short",
            format!(
                "add psi=1 to {} and restart; a kernel without CONFIG_PSI needs it built in",
                family.kernel_command_line()
            ),
        );
    };
    let what = format!(
        "reported; tasks waited for memory in {:.1} % of the last minute",
        pressure.some_avg60
    );
    if pressure.some_avg60 >= SHORT {
        return Finding::degraded(
            SUBJECT,
            what,
            "memory is short now: stop what else runs (`ps aux --sort=-rss | head` shows what has \
             most)",
        );
    }
    Finding::good(SUBJECT, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    const CALM: &str = "some avg10=0.00 avg60=1.25 avg300=0.00 total=0\n\
                        full avg10=0.00 avg60=0.50 avg300=0.00 total=0";

    #[test]
    fn calm_short_and_silent_are_told_apart() {
        let calm = Pressure::parse(CALM).unwrap();
        assert_eq!((calm.some_avg60, calm.full_avg60), (1.25, 0.5));
        let finding = judge(Some(&calm), Family::Unknown);
        assert_eq!(finding.grade(), Grade::Good);
        assert!(finding.what().contains("1.2 %"), "{finding:?}");

        let short = Pressure {
            some_avg60: 10.0,
            ..calm
        };
        let finding = judge(Some(&short), Family::Unknown);
        assert_eq!(finding.grade(), Grade::Degraded);

        let silent = judge(None, Family::RaspberryPi);
        assert_eq!(silent.grade(), Grade::Degraded);
        let advice = silent.advice().unwrap();
        assert!(advice.contains("psi=1") && advice.contains("/boot/firmware/cmdline.txt"));
    }

    #[test]
    fn what_is_not_a_report_is_none() {
        for text in [
            "",
            "some",
            "some avg10=x avg60=1 avg300=0 total=0",
            "some avg10=1.00 avg60=1.00",
        ] {
            assert_eq!(Pressure::parse(text), None, "{text}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Pressure::read(&Root::at(folder.path())), None);
    }
}
