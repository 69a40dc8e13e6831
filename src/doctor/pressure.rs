//! Whether the kernel reports that memory is short, and whether it is.

use super::finding::Finding;
use crate::board::Family;
use crate::governor::Pressure;

const SUBJECT: &str = "pressure";

/// Tasks waited for memory in this many hundredths of the last minute: it is short.
const SHORT: f64 = 10.0;

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
}
