//! What of a run is shown, as its options say.

use crate::supervisor::PullsShown;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// `--quiet`: no lifecycle lines; output, what went wrong, and why the pod failed.
    pub quiet: bool,
    /// Of what containers print.
    pub output: Output,
    /// Each step of the engine (`--log-level debug`).
    pub steps: bool,
    /// How far pulls are.
    pub pulls: PullsShown,
}

/// Whose output is shown, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Each line behind its container's name.
    Named,
    /// `--no-prefix`.
    Plain,
    /// `--attach`: of this container alone, as it is.
    Only(usize),
    /// `--detach`: nobody's; the logs have it.
    None,
}
