//! `apply --watch`: the manifests are applied again whenever something of them changes (inotify(7)), and nothing happens in between.
//!
//! A signal ends the watching alone. The pods are none of this process's business then: each has its own supervisor.

mod settling;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::super::args::ApplyArgs;
use super::super::changes::{Changes, ReadFlags, WatchFlags};
use super::super::error::CliError;
use super::super::files::{Depth, is_stdin};
use super::super::terminal::warn;
use super::begin::After;
use super::said::Said;
use crate::runtime::detach::{Above, Outcome};
use crate::runtime::service::ServiceManager;

use settling::{Happened, Settling};

/// What can happen to a manifest, and to the folder itself.
const KINDS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Goes through `round`, and again after each change. Returns in a process that is to run a pod, and where it can't go on.
///
/// # Errors
/// Where a folder isn't there, or can't be watched. What is wrong with manifests is said, and no reason to end.
pub(super) fn watch(
    args: &ApplyArgs,
    round: &mut dyn FnMut(&mut Said) -> Result<After, CliError>,
) -> Result<After, CliError> {
    if args.filename.iter().any(|given| is_stdin(given)) {
        return Err(CliError::Usage("--watch is for files and folders, and standard input can't be read again"));
    }
    let mut service = service();
    let changes = Changes::of_none()?;
    let mut said = Said::new(args);
    let mut begun: Vec<Above> = Vec::new();
    loop {
        // First: what changes while files are read is read again.
        for folder in folders(args)? {
            if changes.add(&folder, KINDS)?.is_none() {
                return Err(gone(&folder));
            }
        }
        match round(&mut said) {
            Ok(After::Done(_)) => {}
            Ok(after @ After::Stopped(_)) => return Ok(after),
            Ok(after @ (After::Supervise(..) | After::RunJob(..))) => {
                // The report of a pod that is ready closes by number what was open when this process began. Closed here already, a
                // number might be another file's by then.
                std::mem::forget((changes, begun, said, service));
                return Ok(after);
            }
            Err(error) => said.error(&error),
        }
        begun.append(&mut said.take_begun());
        if let Some(service) = &mut service {
            let status = said.status();
            if let Err(error) = service.tell(&format!("READY=1\nSTATUS={status}\n")) {
                warn(&format!("$NOTIFY_SOCKET: {error}; the service manager isn't told that the pods are applied"));
            }
        }
        said.end_round();
        wait(&changes, &mut begun)?;
    }
}

/// Who started this process as a service and waits for its word.
fn service() -> Option<ServiceManager> {
    ServiceManager::of_environment().unwrap_or_else(|error| {
        warn(&format!("$NOTIFY_SOCKET: {error}; the service manager is told nothing"));
        None
    })
}

/// Those that are given, with those below them where these count, and those that files are in.
fn folders(args: &ApplyArgs) -> Result<BTreeSet<PathBuf>, CliError> {
    let mut all = BTreeSet::new();
    for given in &args.filename {
        match given.is_dir() {
            true => add(given, Depth::of(args.recursive), &mut all)?,
            false => {
                let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty());
                all.insert(folder.unwrap_or(Path::new(".")).to_owned());
            }
        }
    }
    Ok(all)
}

fn add(folder: &Path, depth: Depth, all: &mut BTreeSet<PathBuf>) -> Result<(), CliError> {
    all.insert(folder.to_owned());
    if depth == Depth::Folder {
        return Ok(());
    }
    let read = std::fs::read_dir(folder).map_err(|source| CliError::Read { path: folder.to_owned(), source })?;
    for entry in read.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add(&entry.path(), depth, all)?;
        }
    }
    Ok(())
}

fn gone(folder: &Path) -> CliError {
    CliError::Words(format!("{}: the folder that is watched is gone; its pods run on", folder.display()))
}

/// Waits until something has changed and can be read. Supervisors that end meanwhile are taken notice of: they were begun here.
fn wait(changes: &Changes, begun: &mut Vec<Above>) -> Result<(), CliError> {
    let mut settling = Settling::default();
    loop {
        let rest = settling.rest(Instant::now());
        if rest.is_some_and(|rest| rest.is_zero()) {
            return Ok(());
        }
        let limit = rest.and_then(|rest| Timespec::try_from(rest).ok());
        let mut sources = vec![PollFd::new(changes, PollFlags::IN)];
        sources.extend(begun.iter().flat_map(Above::sources).map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN)));
        // Interrupted: to look is never wrong.
        let _ = poll(&mut sources, limit.as_ref());
        drop(sources);
        begun.retain_mut(|above| matches!(above.look(), Ok(None | Some(Outcome::Ready(_)))));
        let now = Instant::now();
        let mut is_mounted = true;
        changes.hear(|watch, kinds, name| {
            is_mounted &= !kinds.contains(ReadFlags::UNMOUNT);
            let happened = match kinds {
                kinds if kinds.contains(ReadFlags::MODIFY) => Happened::Written,
                kinds if kinds.contains(ReadFlags::CLOSE_WRITE) => Happened::Closed,
                _ => Happened::Changed,
            };
            settling.hear(watch, name, happened, now);
        });
        if !is_mounted {
            // What is below isn't the folder that was meant, and nothing in it says so.
            return Err(CliError::Words("the folder that is watched was unmounted; its pods run on".to_owned()));
        }
    }
}
