//! The clock references of a program (ISO/IEC 13818-1, 2.4.2.2 and 2.7.2).

use super::finding::{Notes, Pid, Warning};
use crate::timebase::{Pts, PtsUnwrapper, TICKS_PER_SECOND};

/// The standard's upper limit between two references: 100 ms, in ticks.
const LONGEST: i64 = TICKS_PER_SECOND.cast_signed() / 10;

/// The references on one PID, by their 33-bit base alone: that is the clock of PTS.
#[derive(Debug, Default)]
pub(super) struct References {
    unwrapper: PtsUnwrapper,
    last: Option<i64>,
}

impl References {
    pub(super) fn any(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn push(
        &mut self,
        offset: u64,
        pid: Pid,
        base: Pts,
        declared_break: bool,
        notes: &mut Notes,
    ) {
        let ticks = self.unwrapper.unwrap(base);
        let last = self.last.replace(ticks).filter(|_| !declared_break);
        match last.map(|last| ticks - last) {
            Some(step) if step < 0 => {
                notes.warning(offset, pid, Warning::PcrBack { by_ticks: -step });
            }
            Some(step) if step > LONGEST => {
                notes.warning(offset, pid, Warning::PcrGap { ticks: step });
            }
            _ => {}
        }
    }
}
