//! Numbers of pods that may be percentages (R13.7).

use serde::{Deserialize, Serialize};

/// `maxSurge`, `maxUnavailable`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// Of those that are wanted.
    Percent(u32),
}

/// What is done with half a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Rounding {
    Up,
    Down,
}

impl Amount {
    /// Of so many that are wanted.
    pub fn of(self, wanted: u32, rounding: Rounding) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let hundredths = u64::from(percent) * u64::from(wanted);
                let rounded = match rounding {
                    Rounding::Up => hundredths.div_ceil(100),
                    Rounding::Down => hundredths / 100,
                };
                u32::try_from(rounded).unwrap_or(u32::MAX)
            }
        }
    }
}
