//! `barepod logs --follow`: what a container prints from now on, as its log grows, until the pod has ended.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::changes::{Changes, WatchFlags};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{ControlError, News, Watcher};
use crate::log::{self, Follower, ReadOptions};
use crate::store::read::{Found, Life};

/// How often it is looked whether the pod has ended where its supervisor has no place for those who only watch.
const BUSY: Duration = Duration::from_secs(1);

/// Prints the log of an attempt, the newest there is in the folder of a container's logs, then what comes, also of later
/// attempts.
pub fn follow(found: &Found, folder: &Path, attempt: u32, options: ReadOptions<'_>) -> Result<Exit, CliError> {
    // Before the first look: nothing is missed after it.
    let changes = Changes::of(folder, WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
    let mut news = Watcher::begin(&found.dir, || found.runs_on())?;
    let mut watched = attempt;
    let mut ended = false;
    let path = |attempt| log::path_of(folder, attempt);
    let failed = |attempt| move |source| CliError::Log { path: path(attempt), source };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut follower = Follower::begin(&path(watched), options, &mut out).map_err(failed(watched))?;
    let mut told = false;
    loop {
        // Asked before the look: what was printed until then is found by it.
        ended |= news.is_none() && recover::life(found)? != Life::Running;
        changes.drain();
        let later = log::attempts(folder).filter(|attempt| *attempt > watched).min();
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
fn wait(changes: &Changes, news: Option<&mut Watcher>) -> Result<bool, ControlError> {
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
