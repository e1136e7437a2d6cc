//! What a Job's process does next, and when now is.

use super::super::exit_code::Exit;
use super::super::given::Given;
use crate::runtime::detach::Report;
use crate::supervisor;

/// What is to be done next by this process.
pub(in crate::cli) enum Next {
    /// It ends with this.
    End(Exit),
    /// It is one that was made for a pod of the Job.
    RunPod(Box<Given>, Report),
}

/// By the engine's clock.
pub(super) fn now() -> barepod_engine::time::Now {
    supervisor::now()
}
