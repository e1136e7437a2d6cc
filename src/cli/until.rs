//! Waits until a pod is as somebody wants it, or can't become so any more. Nothing is looked at again and again: the pod's
//! supervisor tells when there is something new.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::changes::{Changes, WatchFlags};
use super::error::CliError;
use super::recover;
use crate::control::{ControlError, News, Watcher};
use crate::report::ending;
use crate::report::wanted::Wanted;
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};
use crate::supervisor::saved::State;

/// After how long a supervisor that has no place for those who only watch is asked again.
const BUSY: Duration = Duration::from_secs(1);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// It is so.
    Met,
    /// The time has run out.
    Late,
    /// It can't come true any more: the pod has ended.
    Never {
        /// In words.
        why: String,
    },
    /// It can't come true by itself: nobody supervises the pod any more, which has not ended.
    Unsupervised,
}

/// How long there is to wait.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// A time that can't be reckoned with is no limit.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// None.
    pub fn never() -> Self {
        Self(None)
    }

    /// How much of it is left; `None`: there is no limit.
    fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Waits until there is something to read; `false`: it is too late.
    pub fn wait_for(self, fd: impl AsFd) -> bool {
        loop {
            let left = self.left();
            let limit = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&fd, PollFlags::IN)], limit.as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return false,
                Ok(0) | Err(Errno::INTR) => {}
                // Whatever is wrong with it, reading it says.
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Whether it is too late.
    pub fn is_over(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }
}

/// What a status can be waited for to say.
pub trait Aim {
    /// Whether it says so.
    ///
    /// # Errors
    /// Where time would not mend what it can't be compared with.
    fn holds(&self, pod: &v1::Pod) -> Result<bool, String>;

    /// Whether that of a pod did that has ended in this phase, and been forgotten.
    fn held_in(&self, phase: &str) -> bool;

    /// Why it doesn't, where there is a word to be said.
    fn why_not(&self, pod: &v1::Pod) -> String;
}

impl Aim for Wanted {
    fn holds(&self, pod: &v1::Pod) -> Result<bool, String> {
        self.holds(Some(pod))
    }

    fn held_in(&self, phase: &str) -> bool {
        self.held_in(phase)
    }

    fn why_not(&self, pod: &v1::Pod) -> String {
        self.why_not(pod)
    }
}

/// Waits until the pod that `name` means is as it is wanted.
///
/// # Errors
/// Where there is no such pod, or its state can't be read.
pub fn until(layout: &Layout, name: &str, wanted: &Wanted, deadline: Deadline) -> Result<Waited, CliError> {
    match wanted {
        Wanted::Deleted => until_gone(layout, name, deadline),
        wanted => until_status(layout, name, wanted, deadline),
    }
}

/// As [`until`].
///
/// # Errors
/// As of [`until`].
pub fn until_status(layout: &Layout, name: &str, wanted: &impl Aim, deadline: Deadline) -> Result<Waited, CliError> {
    let found = recover::look(layout, name)?;
    let mut ended = None;
    let mut watch = begin(&found)?;
    loop {
        let life = recover::life(&found)?;
        let unreadable = |cause| recover::unreadable(&found, cause);
        let pod = match found.pod().map_err(unreadable)? {
            Some(pod) => Some(recover::as_it_is(&found, life, pod).map_err(unreadable)?.0),
            None => None,
        };
        match &pod {
            Some(pod) if wanted.holds(pod).map_err(CliError::Template)? => return Ok(Waited::Met),
            // It has been forgotten with its end.
            None if ended.as_ref().is_some_and(|phase: &String| wanted.held_in(phase)) => return Ok(Waited::Met),
            Some(_) | None => {}
        }
        let Some(open) = &mut watch else {
            if life == Life::Lost {
                return Ok(Waited::Unsupervised);
            }
            let not = pod.as_ref().map(|pod| wanted.why_not(pod)).unwrap_or_default();
            let how = how_it_ended(&found, ended.as_deref());
            return Ok(Waited::Never { why: if not.is_empty() { how } else { format!("{how}; {not}") } });
        };
        if !deadline.wait_for(&*open) {
            return Ok(Waited::Late);
        }
        match open.news() {
            Ok(News::Changed) => {}
            Ok(News::Ended(how)) => (watch, ended) = (None, Some(how.phase)),
            Ok(News::Gone) => watch = None,
            Err(ControlError::Busy) => {
                // Its hanging up: nothing comes any more, but the end of the process.
                if !pause(deadline) {
                    return Ok(Waited::Late);
                }
                watch = begin(&found)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn begin(found: &Found) -> Result<Option<Watcher>, CliError> {
    Ok(Watcher::begin(&found.dir, || found.runs_on())?)
}

/// For a while; `false`: it is too late.
fn pause(deadline: Deadline) -> bool {
    let time = deadline.left().map_or(BUSY, |left| left.min(BUSY));
    if let Ok(limit) = Timespec::try_from(time) {
        let _ = poll(&mut [], Some(&limit));
    }
    !deadline.is_over()
}

/// How a pod that nobody supervises any more has ended, in words.
fn how_it_ended(found: &Found, phase: Option<&str>) -> String {
    match found.state::<State<'_>>() {
        Ok(Some(state)) => {
            let status = state.engine.status();
            let (phase, why) = (format!("{:?}", status.phase), ending::why(&status));
            if why.is_empty() { phase } else { format!("{phase}: {why}") }
        }
        Ok(None) | Err(_) => phase.unwrap_or("it is gone").to_owned(),
    }
}

/// Until it is forgotten. Its folder goes then, whoever takes it away.
fn until_gone(layout: &Layout, name: &str, deadline: Deadline) -> Result<Waited, CliError> {
    const LEAVING: WatchFlags =
        WatchFlags::MOVED_FROM.union(WatchFlags::DELETE).union(WatchFlags::MOVE_SELF).union(WatchFlags::DELETE_SELF);
    let mut name = name.to_owned();
    let mut changes = None;
    loop {
        match read::find(layout, &name) {
            Err(Error::NotFound(_)) => return Ok(Waited::Met),
            Err(error) => return Err(error.into()),
            // From now on it is this one, whatever pods of its name come to be in other namespaces.
            Ok(found) => name = recover::full_name(&found),
        }
        let Some(changes) = &changes else {
            // Looked at again once nothing can be missed.
            changes = match Changes::of(&layout.pods_dir(), LEAVING) {
                // It has gone just now, and the pod with it.
                Err(CliError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(Waited::Met),
                watched => Some(watched?),
            };
            continue;
        };
        if !deadline.wait_for(changes) {
            return Ok(Waited::Late);
        }
        changes.drain();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::*;
    use crate::store::identity;

    /// Whether somebody in this process watches a folder (proc_pid_fdinfo(5)).
    fn is_watched(folder: &Path) -> bool {
        let watch = format!("ino:{:x} ", fs::metadata(folder).unwrap().ino());
        let infos = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
        infos.filter_map(|info| fs::read_to_string(info.path()).ok()).any(|info| info.contains(&watch))
    }

    /// Another pod may get the name while somebody waits.
    #[test]
    fn a_name_means_the_pod_that_it_meant_at_first() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let pod = |namespace| identity::state_dir(&layout, namespace, "web");
        fs::create_dir_all(pod("default")).unwrap();
        let time = Duration::from_secs(20);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| until(&layout, "web", &Wanted::Deleted, Deadline::after(time)));
            let end = Instant::now() + time;
            while !is_watched(&layout.pods_dir()) {
                assert!(Instant::now() < end && !waiting.is_finished(), "nothing watches the folder of the pods");
                std::thread::yield_now();
            }
            fs::create_dir(pod("ops")).unwrap();
            fs::remove_dir(pod("default")).unwrap();
            assert_eq!(waiting.join().unwrap().unwrap(), Waited::Met);
        });
    }
}
