//! What of a run is shown, as its options say.

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Of what happens.
    pub verbosity: Verbosity,
    /// Of what containers print.
    pub output: Output,
    /// Of barepod's own work.
    pub steps: Steps,
}

/// Whether lifecycle lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Output and lifecycle lines.
    Normal,
    /// `--quiet`: output, what went wrong, and why the pod failed.
    Quiet,
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

/// Whether each step of the engine is shown (`--log-level debug`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Steps {
    Shown,
    Hidden,
}
