//! What `apply` says of each pod, and what it ends with.

use super::super::args::{ApplyArgs, ApplyOutput, DryRun};
use super::super::diff;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::output::{print, show};
use crate::plan::Difference;

/// What was done with a pod: kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Configured,
    Replaced,
    Unchanged,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Speaks, and remembers the first exit code that isn't 0.
pub(super) struct Said {
    output: Option<ApplyOutput>,
    dry_run: DryRun,
    exit: Exit,
}

impl Said {
    pub(super) fn new(args: &ApplyArgs) -> Self {
        Self { output: args.output, dry_run: args.dry_run, exit: Exit::Success }
    }

    /// What was done with a pod (`NAMESPACE/NAME`) or a Job (`job/NAMESPACE/NAME`), or would be; then with what is different.
    pub(super) fn of(&self, name: &str, outcome: Outcome, differences: &[Difference]) -> Result<Exit, CliError> {
        let bare = name.rsplit('/').next().unwrap_or(name);
        let kind = if name.matches('/').count() > 1 { "job.batch" } else { "pod" };
        if self.output == Some(ApplyOutput::Name) {
            return print(&format!("{kind}/{bare}\n"));
        }
        let (mode, shown) = match self.dry_run {
            DryRun::None => ("", String::new()),
            DryRun::Client => (" (dry run)", diff::words_of_all(differences)),
            DryRun::Server => (" (server dry run)", diff::words_of_all(differences)),
        };
        print(&format!("{kind}/{bare} {}{mode}\n{shown}", outcome.word()))
    }

    pub(super) fn error(&mut self, error: &CliError) {
        show(error);
        self.ends(error.exit());
    }

    /// A part of the work has ended with this.
    pub(super) fn ends(&mut self, exit: Exit) {
        if self.exit.code() == 0 {
            self.exit = exit;
        }
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}
