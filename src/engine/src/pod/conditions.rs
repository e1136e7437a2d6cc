//! When each condition of a pod last changed (R8.2).

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// When each condition last changed (R8.2): all of a condition that can't be worked out anew.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Transitions {
    pub sandbox: Transition,
    pub initialized: Transition,
    pub ready: Transition,
    pub containers_ready: Transition,
    pub scheduled: Transition,
    pub restarting: Transition,
}

/// What a condition has been, and since when; `None`: never noted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Transition(pub Option<(bool, WallTime)>);

impl Transition {
    pub fn note(&mut self, status: bool, now: WallTime) {
        if self.0.is_none_or(|(before, _)| before != status) {
            self.0 = Some((status, now));
        }
    }

    pub fn known(self) -> bool {
        self.0.is_some()
    }

    pub fn holds(self) -> bool {
        self.0.is_some_and(|(status, _)| status)
    }
}
