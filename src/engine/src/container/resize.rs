//! What a container remembers of a resize (KEP-1287).

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// A resize that is complete when the container has been restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resizing {
    /// When it was begun.
    pub since: WallTime,
    /// What is changed, for the event.
    pub summary: String,
}

/// Limits in cgroups that are older than the manifest's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutdatedLimits {
    /// Those of the instance that is being created: it had its config before the resize.
    pub own: bool,
    /// The pod's: they still have room for the instance that is being restarted with less.
    pub pod: bool,
}
