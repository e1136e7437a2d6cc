//! What tells that something of pods may have changed: their folders, and their supervisors. For commands that show pods for as long
//! as somebody looks.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::changes::{Changes, WatchFlags, WatchId};
use super::error::CliError;
use crate::control::{News, Watcher};
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// How often pods are looked at whose supervisor can't tell that it was killed: it has no place for those who only watch, or
/// doesn't listen yet.
const UNTOLD: Duration = Duration::from_secs(1);

/// Folders that come or go.
const FOLDERS: WatchFlags =
    WatchFlags::CREATE.union(WatchFlags::MOVED_TO).union(WatchFlags::MOVED_FROM).union(WatchFlags::DELETE);

/// Files that are replaced: so all of a pod's are written that have its state.
const FILES: WatchFlags = WatchFlags::MOVED_TO;

/// Listens to pods.
pub struct PodChanges {
    pods_dir: PathBuf,
    folders: Changes,
    /// The watch for the folder of pods, or for the nearest one above that is there.
    above: Option<WatchId>,
    /// Of pods that run, by their folders; `None`: it has no place for us, for now.
    supervisors: BTreeMap<PathBuf, Option<Watcher>>,
}

impl PodChanges {
    /// Hears of nothing yet but of new pods.
    pub fn begin(layout: &Layout) -> Result<Self, CliError> {
        let pods_dir = layout.pods_dir();
        let folders = Changes::of_none()?;
        let mut changes = Self { pods_dir, folders, above: None, supervisors: BTreeMap::new() };
        changes.listen(&[])?;
        Ok(changes)
    }

    /// Listens to these pods from now on, and to none else. What is read of them afterwards is as new as what is heard.
    pub fn listen(&mut self, pods: &[Found]) -> Result<(), CliError> {
        self.watch_for_pods()?;
        self.supervisors.retain(|dir, _| pods.iter().any(|pod| pod.dir == *dir));
        for pod in pods {
            // A watch that there is stays as it is; one of a folder that is gone went with that.
            self.folders.add(&pod.dir, FILES)?;
            match pod.life() {
                Ok(Life::Running) if !self.supervisors.contains_key(&pod.dir) => {
                    // Whoever doesn't answer at once is asked again later: no pod holds up the others.
                    let watcher = Watcher::begin(&pod.dir, || false).ok().flatten();
                    self.supervisors.insert(pod.dir.clone(), watcher);
                }
                Ok(Life::Running) => {}
                Ok(Life::Ended | Life::Left | Life::Lost) | Err(_) => _ = self.supervisors.remove(&pod.dir),
            }
        }
        Ok(())
    }

    /// Waits until something may have changed. `false`: nobody reads what we print any more.
    pub fn wait(&mut self) -> bool {
        let out = std::io::stdout();
        !self.wait_beside(&[(out.as_fd(), PollFlags::empty())], None)[0]
            .intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }

    /// Waits until something may have changed, or something is to be said of `others`: gives what; or until the time is over.
    pub fn wait_beside(&mut self, others: &[(BorrowedFd<'_>, PollFlags)], limit: Option<Duration>) -> Vec<PollFlags> {
        let told: Vec<&PathBuf> =
            self.supervisors.iter().filter(|(_, one)| one.is_some()).map(|(dir, _)| dir).collect();
        let untold = Some(UNTOLD).filter(|_| told.len() < self.supervisors.len());
        let limit = [untold, limit].into_iter().flatten().min().and_then(|limit| Timespec::try_from(limit).ok());
        let mut sources = vec![PollFd::new(&self.folders, PollFlags::IN)];
        sources.extend(others.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)));
        sources.extend(
            self.supervisors.values().flatten().map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN)),
        );
        let ready = poll(&mut sources, limit.as_ref());
        let (of_others, of_supervisors) = sources[1..].split_at(others.len());
        // Interrupted: to look is never wrong.
        let said = |source: &PollFd<'_>| if ready.is_ok() { source.revents() } else { PollFlags::empty() };
        let said: Vec<PollFlags> = of_others.iter().map(said).collect();
        let has_news = of_supervisors.iter().zip(told).filter(|(source, _)| !source.revents().is_empty());
        let with_news: Vec<PathBuf> = has_news.map(|(_, dir)| dir.clone()).collect();
        drop(sources);
        self.folders.drain();
        match ready {
            Ok(0) => self.supervisors.retain(|_, one| one.is_some()),
            Ok(_) => {
                for dir in with_news {
                    self.hear(dir);
                }
            }
            Err(_) => {}
        }
        said
    }

    fn hear(&mut self, dir: PathBuf) {
        let Some(Some(watcher)) = self.supervisors.get_mut(&dir) else { return };
        if !matches!(watcher.news(), Ok(News::Changed)) {
            // It has ended, was killed or needs the place: that the pod doesn't run any more is seen in a moment at the latest.
            self.supervisors.insert(dir, None);
        }
    }

    /// Where there has never been a pod, waits for the folder that will have them.
    fn watch_for_pods(&mut self) -> Result<(), CliError> {
        loop {
            let Some(nearest) = self.pods_dir.ancestors().find(|dir| dir.is_dir()) else { return Ok(()) };
            let Some(watch) = self.folders.add(nearest, FOLDERS)? else { continue };
            let is_nearest = nearest == self.pods_dir || !next_below(nearest, &self.pods_dir).exists();
            if let Some(before) = self.above.replace(watch).filter(|before| *before != watch) {
                self.folders.remove(before);
            }
            if is_nearest {
                return Ok(());
            }
        }
    }
}

/// The folder in `above` on the way to `below`.
fn next_below(above: &Path, below: &Path) -> PathBuf {
    let next = below.strip_prefix(above).ok().and_then(|rest| rest.components().next());
    next.map_or_else(|| below.to_owned(), |next| above.join(next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    /// Whether there is something to be heard.
    fn has_heard(changes: &PodChanges) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let heard = poll(&mut [PollFd::new(&changes.folders, PollFlags::IN)], Some(&now)).unwrap() > 0;
        changes.folders.drain();
        heard
    }

    #[test]
    fn new_pods_are_heard_of_where_there_was_none() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(&tmp.path().join("deep/root"));
        let mut changes = PodChanges::begin(&layout).unwrap();
        assert!(!has_heard(&changes));
        for folder in ["deep", "deep/root", "deep/root/pods", "deep/root/pods/default_web"] {
            fs::create_dir(tmp.path().join(folder)).unwrap();
            assert!(has_heard(&changes), "{folder}");
            changes.listen(&[]).unwrap();
        }
        let dir = layout.pods_dir().join("default_web");
        let pod = Found { namespace: "default".to_owned(), name: "web".to_owned(), dir: dir.clone() };
        changes.listen(std::slice::from_ref(&pod)).unwrap();
        fs::write(dir.join("new"), "").unwrap();
        fs::rename(dir.join("new"), dir.join("pod.json")).unwrap();
        assert!(has_heard(&changes));
        // That somebody reads it is no change.
        fs::read(dir.join("pod.json")).unwrap();
        assert!(!has_heard(&changes));
        fs::remove_dir_all(&dir).unwrap();
        assert!(has_heard(&changes));
        // It may be gone before we listen.
        changes.listen(&[pod]).unwrap();
    }
}
