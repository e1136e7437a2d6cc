//! A container's image that is brought here before its turn (R8.15).

use serde::{Deserialize, Serialize};

use crate::time::Instant;

/// How far that is. While it is under way, the container itself is at nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub(crate) enum Ahead {
    /// Nothing was done.
    #[default]
    No,
    /// `PrepareImage` is under way.
    Looking,
    /// `PullImage` is under way.
    Pulling { since: Instant },
    /// One of the two is under way and was told to end.
    Abandoned,
    /// It is there, by a pull for this container or for another that waits for the same.
    There,
    /// It could not be had; that is nobody's business before its turn.
    Failed,
}

impl Ahead {
    /// Nothing was done.
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }

    /// An answer is still to come.
    pub fn is_under_way(self) -> bool {
        match self {
            Self::Looking | Self::Pulling { .. } | Self::Abandoned => true,
            Self::No | Self::There | Self::Failed => false,
        }
    }
}
