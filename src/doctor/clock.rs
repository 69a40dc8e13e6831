//! Whether the wall clock is right: tokens, certificates and the names of recordings need it.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ask::ask;
use super::finding::Finding;
use crate::board::Root;
use crate::storage::retention::FIRST_PLAUSIBLE;

const SUBJECT: &str = "clock";

/// How long another program may take to say whether the clock is synchronised.
const LIMIT: Duration = Duration::from_secs(3);

/// The wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// What it says.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
    /// Whether something has set it by time servers; none when nobody knows.
    pub synchronised: Option<bool>,
    /// Who says so.
    pub by: Option<&'static str>,
    /// Whether there is a clock that runs while the box is off.
    pub rtc: bool,
}

impl Clock {
    /// Reads what is known. Blocks for some seconds at most.
    #[must_use]
    pub fn read(root: &Root, now: OffsetDateTime) -> Self {
        Self::asked(root, now, |program, arguments| {
            ask(program, arguments, LIMIT)
        })
    }

    fn asked(
        root: &Root,
        now: OffsetDateTime,
        ask: impl Fn(&str, &[&str]) -> Option<String>,
    ) -> Self {
        let rtc = root.has("/dev/rtc0") || root.has("/sys/class/rtc/rtc0");
        let (synchronised, by) = synchronised(root, ask).unzip();
        Self {
            now,
            synchronised,
            by,
            rtc,
        }
    }
}

fn synchronised(
    root: &Root,
    ask: impl Fn(&str, &[&str]) -> Option<String>,
) -> Option<(bool, &'static str)> {
    // Made by systemd-timesyncd once it has set the clock (systemd-timesyncd.service(8)).
    if root.has("/run/systemd/timesync/synchronized") {
        return Some((true, "systemd-timesyncd"));
    }
    // The kernel's own word, whoever told it (adjtimex(2)).
    let kernel = ask("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]);
    match kernel.as_deref() {
        Some("yes") => return Some((true, "timedatectl")),
        Some("no") => return Some((false, "timedatectl")),
        _ => {}
    }
    // The last field is the leap status (chronyc(1), tracking).
    let tracking = ask("chronyc", &["-c", "tracking"])?;
    let status = tracking.rsplit(',').next()?.to_owned();
    match status.as_str() {
        "Normal" | "Insert second" | "Delete second" => Some((true, "chrony")),
        "Not synchronised" => Some((false, "chrony")),
        _ => None,
    }
}

/// The clock must be set, and kept right.
#[must_use]
pub fn judge(clock: &Clock) -> Finding {
    let now = clock.now.replace_nanosecond(0).unwrap_or(clock.now);
    let now = now.format(&Rfc3339).unwrap_or_else(|_| now.to_string());
    if clock.now < FIRST_PLAUSIBLE {
        return Finding::bad(
            SUBJECT,
            format!("{now}: it has never been set"),
            "let time servers set it: `timedatectl set-ntp true`, or install chrony; until then \
             certificates and tokens are refused",
        );
    }
    let rtc = if clock.rtc {
        ""
    } else {
        "; no RTC: wrong after a start until there is a network"
    };
    match clock.synchronised {
        Some(true) => {
            let by = clock.by.unwrap_or("unknown");
            Finding::good(SUBJECT, format!("{now}, synchronised ({by}){rtc}"))
        }
        Some(false) => Finding::degraded(
            SUBJECT,
            format!("{now}, not synchronised{rtc}"),
            "`timedatectl set-ntp true`; then `timedatectl timesync-status` or `chronyc sources` \
             says whether servers answer (UDP port 123)",
        ),
        None => Finding::degraded(
            SUBJECT,
            format!("{now}, nobody says whether it is synchronised{rtc}"),
            "install systemd-timesyncd or chrony, unless something else keeps it right",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;
    use std::fs;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 04:17:00.5 UTC);

    /// What `chronyc -c tracking` prints (chrony 4.3), up to the leap status.
    const TRACKING: &str = "A29FC87B,time.cloudflare.com,4,1763784900.1,0.000012,0.00001,0.00002,\
                            -12.3,0.001,0.02,0.01,0.002,64.5,";

    fn told(timedatectl: Option<&str>, leap: Option<&str>) -> Clock {
        let folder = tempfile::tempdir().unwrap();
        Clock::asked(&Root::at(folder.path()), NOW, |program, _| match program {
            "timedatectl" => timedatectl.map(str::to_owned),
            _ => leap.map(|leap| format!("{TRACKING}{leap}")),
        })
    }

    #[test]
    fn timesyncd_the_kernel_and_chrony_are_asked_in_this_order() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run/systemd/timesync");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("synchronized"), "").unwrap();
        let clock = Clock::asked(&Root::at(folder.path()), NOW, |_, _| {
            panic!("nobody else need be asked")
        });
        assert_eq!(clock.by, Some("systemd-timesyncd"));

        for (timedatectl, leap, synchronised, by) in [
            (Some("yes"), None, Some(true), Some("timedatectl")),
            (Some("no"), Some("Normal"), Some(false), Some("timedatectl")),
            (None, Some("Normal"), Some(true), Some("chrony")),
            (None, Some("Not synchronised"), Some(false), Some("chrony")),
            (Some("rubbish"), Some("rubbish"), None, None),
            (None, None, None, None),
        ] {
            let clock = told(timedatectl, leap);
            assert_eq!((clock.synchronised, clock.by), (synchronised, by));
        }
    }

    #[test]
    fn a_clock_is_judged_by_its_time_and_by_who_sets_it() {
        let good = judge(&told(Some("yes"), None));
        assert_eq!(good.grade(), Grade::Good);
        assert_eq!(
            good.what(),
            "2026-11-22T04:17:00Z, synchronised (timedatectl); no RTC: wrong after a start until \
             there is a network"
        );
        let idle = judge(&told(Some("no"), None));
        assert_eq!(idle.grade(), Grade::Degraded);
        assert!(idle.advice().unwrap().contains("set-ntp"));
        assert_eq!(judge(&told(None, None)).grade(), Grade::Degraded);

        let never = Clock {
            now: datetime!(1970-01-01 00:04 UTC),
            ..told(Some("yes"), None)
        };
        assert_eq!(judge(&never).grade(), Grade::Bad);
        let kept = Clock {
            rtc: true,
            ..told(Some("yes"), None)
        };
        assert!(!judge(&kept).what().contains("RTC"));
    }
}
