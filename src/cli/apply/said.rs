//! What `apply` says of each pod, and what it ends with.

use std::collections::BTreeSet;

use super::super::args::{ApplyArgs, ApplyOutput, DryRun};
use super::super::diff;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::output::{print, show};
use crate::plan::Difference;
use crate::runtime::detach::Above;

/// What was done with a pod: kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Created,
    Configured,
    Replaced,
    Unchanged,
    Pruned,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
        }
    }
}

/// Speaks, and remembers the first exit code that isn't 0. With `--watch` what was said in the round before isn't said again.
pub(super) struct Said {
    output: Option<ApplyOutput>,
    dry_run: DryRun,
    is_watch: bool,
    exit: Exit,
    last: BTreeSet<String>,
    now: BTreeSet<String>,
    /// How many errors of this round are known.
    errors: usize,
    begun: Vec<Above>,
}

impl Said {
    pub(super) fn new(args: &ApplyArgs) -> Self {
        Self {
            output: args.output,
            dry_run: args.dry_run,
            is_watch: args.watch,
            exit: Exit::Success,
            last: BTreeSet::new(),
            now: BTreeSet::new(),
            errors: 0,
            begun: Vec::new(),
        }
    }

    /// What was done with a pod (`NAMESPACE/NAME`) or a Job (`job/NAMESPACE/NAME`), or would be; then with what is different.
    pub(super) fn of(&self, name: &str, outcome: Outcome, differences: &[Difference]) -> Result<Exit, CliError> {
        if self.is_watch && outcome == Outcome::Unchanged {
            return Ok(Exit::Success);
        }
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
        if self.is_news(error.to_string()) {
            show(error);
        }
        self.errors += 1;
        self.ends(error.exit());
    }

    pub(super) fn note(&mut self, line: String) {
        if self.is_news(line.clone()) {
            tell!("{line}");
        }
    }

    fn is_news(&mut self, text: String) -> bool {
        let is_known = self.last.contains(&text);
        let is_first = self.now.insert(text);
        !self.is_watch || (is_first && !is_known)
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

    /// Of a pod that was begun: the process above it, which hears of its end if it lives so long.
    pub(super) fn begun(&mut self, above: Above) {
        if self.is_watch {
            self.begun.push(above);
        }
    }

    /// Those of this round, once.
    pub(super) fn take_begun(&mut self) -> Vec<Above> {
        std::mem::take(&mut self.begun)
    }

    /// How the round went, for the service manager.
    pub(super) fn status(&self) -> String {
        match self.errors {
            0 => "all manifests are applied".to_owned(),
            1 => "applied but for 1 error, which the journal has".to_owned(),
            count => format!("applied but for {count} errors, which the journal has"),
        }
    }

    /// The next one begins.
    pub(super) fn end_round(&mut self) {
        self.last = std::mem::take(&mut self.now);
        self.errors = 0;
        self.exit = Exit::Success;
    }
}
