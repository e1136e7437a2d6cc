//! The end of pods that came from a folder and are no longer in it.
//!
//! A pod came from a folder if `apply` has begun it from a file there: its ledger says so. One that somebody has run by hand didn't,
//! whatever its name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::args::{ApplyArgs, DryRun, Global};
use super::super::error::CliError;
use super::super::files::{Depth, is_stdin};
use super::super::recover;
use super::said::{Outcome, Said};
use crate::store::layout::Layout;
use crate::store::ledger::Ledger;
use crate::store::read::{self, Found};

/// The folder that a manifest is in, where it was found there and not given by itself.
pub(super) fn origin(args: &ApplyArgs, file: &Path) -> Option<PathBuf> {
    let is_of = |given: &PathBuf| !is_stdin(given) && given.is_dir() && file.starts_with(given);
    file.parent().filter(|_| args.filename.iter().any(is_of))?.canonicalize().ok()
}

/// Folders that are given, of which it is known what came from them.
pub(super) struct Folders(Vec<Folder>);

struct Folder {
    path: PathBuf,
    depth: Depth,
}

impl Folders {
    /// Those of `--prune`; none without that.
    ///
    /// # Errors
    /// Where something else is given, or one isn't there.
    pub(super) fn of(args: &ApplyArgs) -> Result<Self, CliError> {
        let folder = |given: &PathBuf| {
            let path = given.canonicalize().map_err(|source| CliError::Read { path: given.clone(), source })?;
            match path.is_dir() {
                true => Ok(Folder { path, depth: Depth::of(args.recursive) }),
                false => Err(CliError::Words(format!(
                    "--prune: {} is no folder, and only of folders it is known what came from them",
                    given.display()
                ))),
            }
        };
        let given = if args.prune { &args.filename[..] } else { &[] };
        if given.iter().any(|given| is_stdin(given)) {
            return Err(CliError::Usage("--prune is for folders, and standard input is none"));
        }
        given.iter().map(folder).collect::<Result<_, _>>().map(Self)
    }

    /// Pods that came from them and aren't among those that they have now.
    pub(super) fn gone(
        &self,
        args: &ApplyArgs,
        layout: &Layout,
        wanted: &[(String, Option<PathBuf>)],
    ) -> Result<Vec<Gone>, CliError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        let mut gone = Vec::new();
        for found in read::list(layout)? {
            let is_in_namespace = args.namespace.as_ref().is_none_or(|asked| *asked == found.namespace);
            if !is_in_namespace || names.contains(recover::full_name(&found).as_str()) {
                continue;
            }
            match found.ledger() {
                Ok(Some(Ledger { applied_from: Some(folder), .. })) if self.0.iter().any(|one| one.has(&folder)) => {
                    gone.push(Gone { found, folder });
                }
                // Of one that can't be read nobody knows where it came from.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(gone)
    }

    /// Where one of the folders has no Pod at all any more somebody may have emptied it by mistake, or it isn't mounted.
    ///
    /// # Errors
    /// So it is, and that isn't allowed.
    pub(super) fn refuse_empty(
        &self,
        args: &ApplyArgs,
        gone: &[Gone],
        wanted: &[(String, Option<PathBuf>)],
    ) -> Result<(), CliError> {
        for folder in self.0.iter().filter(|_| !args.allow_empty) {
            let has_some = wanted.iter().any(|(_, from)| from.as_ref().is_some_and(|from| folder.has(from)));
            let its: Vec<&Gone> = gone.iter().filter(|one| folder.has(&one.folder)).collect();
            if !(has_some || its.is_empty()) {
                return Err(CliError::Words(format!(
                    "{} has no Pod any more, and these came from it: {}; nothing is done, as that may be an accident: \
                     --allow-empty ends them",
                    folder.path.display(),
                    listed(its.into_iter())
                )));
            }
        }
        Ok(())
    }
}

impl Folder {
    fn has(&self, folder: &Path) -> bool {
        match self.depth {
            Depth::Folder => self.path == folder,
            Depth::All => folder.starts_with(&self.path),
        }
    }
}

/// A pod that is to end.
pub(super) struct Gone {
    found: Found,
    /// From where it came.
    folder: PathBuf,
}

/// Their names.
pub(super) fn listed<'g>(gone: impl IntoIterator<Item = &'g Gone>) -> String {
    gone.into_iter().map(|one| recover::full_name(&one.found)).collect::<Vec<_>>().join(", ")
}

/// Ends them all together, in order, and forgets them.
pub(super) fn end(args: &ApplyArgs, global: &Global, gone: &[Gone], said: &mut Said) -> Result<(), CliError> {
    let names: Vec<String> = gone.iter().map(|one| recover::full_name(&one.found)).collect();
    if args.dry_run == DryRun::None && !names.is_empty() {
        // What that can't do the removal of each says.
        let _ = barepod(global, &["stop", "--ignore-not-found"]).args(&names).status();
    }
    for name in names {
        if args.dry_run == DryRun::None {
            let why = match barepod(global, &["rm", "--ignore-not-found", &name]).output() {
                Ok(removed) if removed.status.success() => None,
                Ok(removed) => Some(String::from_utf8_lossy(&removed.stderr).trim().replace('\n', "; ")),
                Err(cause) => Some(format!("/proc/self/exe can't be executed: {cause}")),
            };
            if let Some(why) = why {
                let why = why.trim_start_matches("error: ").to_owned();
                said.error(&CliError::Refused { what: "prune", pod: name, why });
                continue;
            }
        }
        said.of(&name, Outcome::Pruned, &[])?;
    }
    Ok(())
}

/// Another command of this program: to clean up after pods may make a process the root of a user namespace, in which it can begin no
/// others.
fn barepod(global: &Global, words: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(global.root.iter().flat_map(|root| ["--root".as_ref(), root.as_os_str()])).args(words);
    command.stdin(Stdio::null());
    command
}
