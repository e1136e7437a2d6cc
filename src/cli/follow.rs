//! `barepod logs --follow`: what a container prints from now on, as its log grows, until the pod has ended.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::time::Timespec;

use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{ControlError, News, Watcher};
use crate::log::{Follower, ReadOptions};
use crate::store::read::{Found, Life};

/// How often it is looked whether the pod has ended where its supervisor has no place for those who only watch.
const BUSY: Duration = Duration::from_secs(1);

/// Which log.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    /// The pod's full name.
    pub pod: &'a str,
    /// The container's.
    pub container: &'a str,
    /// Where the logs of its attempts are.
    pub folder: &'a Path,
}

/// Prints the newest attempt's log, then what comes, also of later attempts.
pub fn follow(found: &Found, log: Log<'_>, options: ReadOptions<'_>) -> Result<Exit, CliError> {
    match go_on(found, log, options) {
        Err(CliError::Log { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        done => done,
    }
}

fn go_on(found: &Found, log: Log<'_>, options: ReadOptions<'_>) -> Result<Exit, CliError> {
    let missing = |what| CliError::NoLog { container: log.container.to_owned(), pod: log.pod.to_owned(), what };
    // Before the first look: nothing is missed after it.
    let mut watched = attempts(log.folder).max().ok_or_else(|| missing("has not started yet: it has no log"))?;
    let changes = watch(log.folder)?;
    let mut news = Watcher::begin(&found.dir, || found.runs_on())?;
    let mut ended = false;
    let path = |attempt: u32| log.folder.join(format!("{attempt}.log"));
    let failed = |attempt| move |source| CliError::Log { path: path(attempt), source };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut follower = Follower::begin(&path(watched), options, &mut out).map_err(failed(watched))?;
    let mut told = false;
    loop {
        // Asked before the look: what was printed until then is found by it.
        ended |= news.is_none() && recover::life(found)? != Life::Running;
        drain(&changes);
        let later = attempts(log.folder).filter(|attempt| *attempt > watched).min();
        let looked = follower.look().map_err(failed(watched))?;
        if looked.lost && !told {
            told = true;
            tell!("note: lines are missing: the log is rotated faster than it is shown");
        }
        if looked.is_over {
            break;
        }
        // One attempt's log is whole before the next one's begins.
        if let Some(later) = later {
            follower.go_on_with(&path(later)).map_err(failed(watched))?;
            watched = later;
            continue;
        }
        if ended {
            break;
        }
        match wait(&changes, news.as_mut()) {
            Ok(true) => ended = true,
            Ok(false) => {}
            Err(ControlError::Busy) => news = None,
            Err(error) => return Err(error.into()),
        }
    }
    follower.end().map_err(failed(watched))?;
    Ok(Exit::Success)
}

/// Until something has changed; whether the pod has ended.
fn wait(changes: &OwnedFd, news: Option<&mut Watcher>) -> Result<bool, ControlError> {
    let limit = if news.is_some() { None } else { Timespec::try_from(BUSY).ok() };
    let mut sources = vec![PollFd::new(changes, PollFlags::IN)];
    if let Some(news) = news.as_ref() {
        sources.push(PollFd::from_borrowed_fd(news.as_fd(), PollFlags::IN));
    }
    // Interrupted: it is looked again, which is never wrong.
    let _ = poll(&mut sources, limit.as_ref());
    let has_news = sources.get(1).is_some_and(|one| !one.revents().is_empty());
    drop(sources);
    match news.filter(|_| has_news).map(Watcher::news).transpose()? {
        Some(News::Ended(_) | News::Gone) => Ok(true),
        Some(News::Changed) | None => Ok(false),
    }
}

/// The attempts that have a log.
pub(super) fn attempts(folder: &Path) -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok())
}

/// Becomes readable when a log grows, is rotated or begins.
fn watch(folder: &Path) -> Result<OwnedFd, CliError> {
    let fail = |errno: Errno| CliError::Read { path: folder.to_owned(), source: errno.into() };
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).map_err(fail)?;
    let what = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&watch, folder, what).map_err(fail)?;
    Ok(watch)
}

fn drain(changes: &OwnedFd) {
    let mut part = [0; 4096];
    while let Ok(1..) = rustix::io::read(changes, &mut part) {}
}
