//! `barepod logs --follow`: what containers print from now on, as their logs grow, until their pods have ended.

use std::cell::RefCell;
use std::io::{self, BufWriter, StdoutLock};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::changes::{Changes, WatchFlags};
use super::error::CliError;
use super::exit_code::Exit;
use super::joined::{Joined, Part};
use super::recover;
use crate::control::{ControlError, News, Watcher};
use crate::log::{self, Follower, ReadOptions};
use crate::store::read::{Found, Life};

/// How often it is looked whether a pod has ended where its supervisor has no place for those who only watch.
const BUSY: Duration = Duration::from_secs(1);

/// The log of a container that is followed.
pub struct Followed<'a> {
    /// Its pod, which runs.
    pub found: &'a Found,
    /// The container's name, with that of its pod.
    pub name: String,
    /// The folder of the container's logs. It may not be there yet.
    pub folder: PathBuf,
    /// Which lines, and how.
    pub options: ReadOptions<'a>,
}

/// Standard output, which all logs share.
type Out<'a> = Joined<BufWriter<StdoutLock<'a>>>;

/// Prints the log of the newest attempt of each container, then what comes, also of later attempts. A container that hasn't
/// started yet is waited for. Lines of several logs are whole, in the order in which they are found.
pub fn follow(logs: &[Followed<'_>]) -> Result<Exit, CliError> {
    let out: RefCell<Out<'_>> = RefCell::new(Joined::new(BufWriter::new(io::stdout().lock())));
    let mut parts: Vec<_> = (0..logs.len()).map(|number| Part::of(&out, number)).collect();
    let changes = Changes::of_none()?;
    let mut pods: Vec<Pod<'_>> = Vec::new();
    let mut streams = Vec::new();
    for (log, part) in logs.iter().zip(&mut parts) {
        let pod = match pods.iter().position(|pod| pod.found == log.found) {
            Some(known) => known,
            None => {
                pods.push(Pod::begin(log.found)?);
                pods.len() - 1
            }
        };
        streams.push(Stream { log, pod, state: State::Awaited(part), has_lost: false });
    }
    for stream in &mut streams {
        stream.begin(&changes, First::Newest)?;
    }
    loop {
        // Asked before the look: what was printed until then is found by it.
        for pod in &mut pods {
            pod.ended |= pod.news.is_none() && recover::life(pod.found)? != Life::Running;
        }
        changes.drain();
        let mut is_behind = false;
        for stream in &mut streams {
            is_behind |= stream.look(&changes, pods[stream.pod].ended)? == Progress::Behind;
        }
        streams.retain(|stream| !matches!(stream.state, State::Over));
        if streams.is_empty() {
            return Ok(Exit::Success);
        }
        if !is_behind && !wait(&changes, &mut pods)? {
            return Ok(Exit::Success);
        }
    }
}

/// A pod of which something is followed.
struct Pod<'a> {
    found: &'a Found,
    /// `None`: its supervisor is gone, or has no place for us.
    news: Option<Watcher>,
    ended: bool,
}

impl<'a> Pod<'a> {
    fn begin(found: &'a Found) -> Result<Self, CliError> {
        Ok(Self { found, news: Watcher::begin(&found.dir, || found.runs_on())?, ended: false })
    }

    /// Takes what its supervisor tells.
    fn hear(&mut self) -> Result<(), ControlError> {
        match self.news.as_mut().map(Watcher::news).transpose() {
            Ok(Some(News::Ended(_) | News::Gone)) => (self.news, self.ended) = (None, true),
            Ok(Some(News::Changed) | None) => {}
            Err(ControlError::Busy) => self.news = None,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Which attempt is the first to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Of a container that has started before.
    Newest,
    /// Of one that starts while it is followed.
    Oldest,
}

/// What a look has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// All that there is was shown.
    Done,
    /// There is more.
    Behind,
}

struct Stream<'a, 'o> {
    log: &'a Followed<'a>,
    pod: usize,
    state: State<'a, 'o>,
    /// Whether it was said that lines are missing.
    has_lost: bool,
}

/// A log on its way to the output.
type Shown<'a, 'o> = Follower<'a, Part<'a, BufWriter<StdoutLock<'o>>>>;

enum State<'a, 'o> {
    /// It has no log yet.
    Awaited(&'a mut Part<'a, BufWriter<StdoutLock<'o>>>),
    /// This attempt's log is shown.
    Shown(Box<Shown<'a, 'o>>, u32),
    /// Nothing more comes.
    Over,
}

impl Stream<'_, '_> {
    /// Begins with the log that there is, if there is one.
    fn begin(&mut self, changes: &Changes, first: First) -> Result<(), CliError> {
        let folder = &self.log.folder;
        // Before the first look: nothing is missed after it.
        let kinds = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let _ = changes.add(folder, kinds)?;
        let attempt = match first {
            First::Newest => log::attempts(folder).max(),
            First::Oldest => log::attempts(folder).min(),
        };
        match (attempt, std::mem::replace(&mut self.state, State::Over)) {
            (Some(attempt), State::Awaited(out)) => {
                let path = log::path_of(folder, attempt);
                // What was to be the end of the log at first: all of it has come since.
                let tail = self.log.options.tail.filter(|_| first == First::Newest);
                let begun = Follower::begin(&path, ReadOptions { tail, ..self.log.options }, out);
                self.state = State::Shown(Box::new(begun.map_err(failed(folder, attempt))?), attempt);
            }
            (None, State::Awaited(out)) => {
                if first == First::Newest {
                    tell!("note: {} has not started yet, and is waited for", self.log.name);
                }
                self.state = State::Awaited(out);
            }
            (_, other) => self.state = other,
        }
        Ok(())
    }

    /// Shows what has come; `ended`: nothing more comes behind that.
    fn look(&mut self, changes: &Changes, ended: bool) -> Result<Progress, CliError> {
        if matches!(self.state, State::Awaited(_)) {
            self.begin(changes, First::Oldest)?;
        }
        let folder = &self.log.folder;
        match &mut self.state {
            State::Awaited(_) if ended => {
                tell!("note: {} has never started: it has no log", self.log.name);
                self.state = State::Over;
            }
            State::Awaited(_) | State::Over => {}
            State::Shown(follower, attempt) => loop {
                // One attempt's log is whole before the next one's begins.
                let later = log::attempts(folder).filter(|later| later > attempt).min();
                let looked = follower.look().map_err(failed(folder, *attempt))?;
                if looked.lost && !std::mem::replace(&mut self.has_lost, true) {
                    tell!("note: lines of {} are missing: its log is rotated faster than it is shown", self.log.name);
                }
                match later {
                    _ if looked.is_over => return self.end(),
                    _ if looked.is_behind => return Ok(Progress::Behind),
                    Some(later) => {
                        follower.go_on_with(&log::path_of(folder, later)).map_err(failed(folder, *attempt))?;
                        *attempt = later;
                    }
                    None if ended => return self.end(),
                    None => break,
                }
            },
        }
        Ok(Progress::Done)
    }

    fn end(&mut self) -> Result<Progress, CliError> {
        if let State::Shown(follower, attempt) = std::mem::replace(&mut self.state, State::Over) {
            follower.end().map_err(failed(&self.log.folder, attempt))?;
        }
        Ok(Progress::Done)
    }
}

fn failed(folder: &Path, attempt: u32) -> impl FnOnce(io::Error) -> CliError {
    let path = log::path_of(folder, attempt);
    move |source| CliError::Log { path, source }
}

/// Until something has changed. `false`: nobody reads what is printed any more.
fn wait(changes: &Changes, pods: &mut [Pod<'_>]) -> Result<bool, ControlError> {
    let out = io::stdout();
    let is_untold = pods.iter().any(|pod| pod.news.is_none() && !pod.ended);
    let limit = Timespec::try_from(BUSY).ok().filter(|_| is_untold);
    let mut sources = vec![PollFd::new(&out, PollFlags::empty()), PollFd::new(changes, PollFlags::IN)];
    let told = pods.iter().filter_map(|pod| pod.news.as_ref());
    sources.extend(told.map(|news| PollFd::from_borrowed_fd(news.as_fd(), PollFlags::IN)));
    // Interrupted: it is looked again, which is never wrong.
    if poll(&mut sources, limit.as_ref()).is_err() {
        return Ok(true);
    }
    let has_left = sources[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    let mut ready: std::collections::VecDeque<bool> =
        sources[2..].iter().map(|one| !one.revents().is_empty()).collect();
    drop(sources);
    for pod in pods.iter_mut().filter(|pod| pod.news.is_some()) {
        if ready.pop_front() == Some(true) {
            pod.hear()?;
        }
    }
    Ok(!has_left)
}
