//! Which pods of this root have cpus for themselves. Each pod's are in its own folder, so that they go with it, and count
//! only while its supervisor holds the pod's lock, so that a dead one's are free. One lock keeps two pods from taking
//! the same; it is held for a moment each time.
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::lock::{pause, whole_file};
use super::read::{self, Found, Life};
use super::{Error, atomic, io_error};

/// In a pod's folder.
const FILE: &str = "cpus.json";
/// In the root: there from the first pod on that asked for cpus of its own.
const LOCK: &str = "cpus.lock";

/// How often the lock is tried: for two seconds.
const TRIES: u32 = 400;

/// The format this barepod writes.
const VERSION: u32 = 1;

/// Container to its cpus, as the kernel writes lists of them.
pub type Exclusive = BTreeMap<String, String>;

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    containers: Exclusive,
}

/// The record of a root, locked as long as this lives.
#[derive(Debug)]
pub struct CpuBook<'a> {
    layout: &'a Layout,
    _lock: File,
}

/// A pod that is supervised now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// Its folder.
    pub dir: PathBuf,
    /// Its cgroup, relative to the hierarchies' roots.
    pub cgroup: PathBuf,
    /// What its containers have for themselves.
    pub exclusive: Exclusive,
}

impl<'a> CpuBook<'a> {
    /// Waits for the lock.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn open(layout: &'a Layout) -> Result<Self, Error> {
        super::make_dir(&layout.root, 0o711)?;
        let path = layout.root.join(LOCK);
        loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            let file = file.map_err(io_error(&path, "open"))?;
            if lock(&path, &file)? {
                return Ok(Self { layout, _lock: file });
            }
        }
    }

    /// As [`Self::open`], where some pod of this root has cpus for itself.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_if_used(layout: &'a Layout) -> Result<Option<Self>, Error> {
        let path = layout.root.join(LOCK);
        loop {
            match OpenOptions::new().read(true).write(true).open(&path) {
                Ok(file) if lock(&path, &file)? => return Ok(Some(Self { layout, _lock: file })),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(io_error(&path, "open")(error)),
            }
        }
    }

    /// Lets go of the lock, and takes its file away where no pod has cpus for itself.
    ///
    /// # Errors
    /// Where a pod's files can't be read.
    pub fn close(self) -> Result<(), Error> {
        if self.living()?.iter().all(|pod| pod.exclusive.is_empty()) {
            // Still locked: whoever waits for it finds that it locks nothing any more.
            let _ = fs::remove_file(self.layout.root.join(LOCK));
        }
        Ok(())
    }

    /// All pods that are supervised now.
    ///
    /// # Errors
    /// Where a pod's files can't be read.
    pub fn living(&self) -> Result<Vec<Living>, Error> {
        let mut living = Vec::new();
        for found in read::list(self.layout)? {
            if found.life()? == Life::Running
                && let Some(ledger) = found.ledger()?
            {
                let exclusive = exclusive(&found.dir)?;
                living.push(Living { dir: found.dir, cgroup: ledger.cgroup, exclusive });
            }
        }
        Ok(living)
    }

    /// Writes down what a pod has, whose lock the caller holds.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn note(&self, dir: &Path, exclusive: &Exclusive) -> Result<(), Error> {
        atomic::replace(dir, FILE, &Record { version: VERSION, containers: exclusive.clone() })
    }

    /// It has none any more.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn forget(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path, "unlink")(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Pods whose supervisor died while they had cpus for themselves: what is left of them may still use these.
///
/// # Errors
/// Where a pod's files can't be read.
pub fn lost(layout: &Layout) -> Result<Vec<Found>, Error> {
    let mut lost = Vec::new();
    for found in read::list(layout)? {
        if found.dir.join(FILE).exists() && found.life()? == Life::Lost {
            lost.push(found);
        }
    }
    Ok(lost)
}

/// Waits for the lock, not for ever; `false`: its file was taken away meanwhile.
fn lock(path: &Path, file: &File) -> Result<bool, Error> {
    let mut tries = 0;
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => break,
            // Held for a millisecond or so; whoever holds it for longer is stuck, and must not make others so.
            Err(Errno::EAGAIN | Errno::EACCES) if tries < TRIES => pause(),
            Err(errno) => return Err(io_error(path, "lock")(errno.into())),
        }
        tries += 1;
    }
    let mine = file.metadata().map_err(io_error(path, "stat"))?;
    match path.metadata() {
        Ok(named) => Ok((mine.dev(), mine.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error(path, "stat")(error)),
    }
}

fn exclusive(dir: &Path) -> Result<Exclusive, Error> {
    match atomic::load::<Record>(dir, FILE)? {
        None => Ok(Exclusive::new()),
        Some(Record { version: VERSION, containers }) => Ok(containers),
        Some(Record { version, .. }) => Err(Error::Version { path: dir.join(FILE), version }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::PodStore;
    use crate::store::identity::Identity;
    use crate::store::ledger::Ledger;

    fn pod(layout: &Layout, name: &str) -> PodStore {
        let pod = Identity::new(layout, "default", name, name);
        let ledger = Ledger { supervisor_pid: 1, ..Ledger::new(&pod, format!("/barepod/pod{name}").into()) };
        PodStore::create(layout, ledger).unwrap()
    }

    fn names(pods: &[Living]) -> Vec<String> {
        let name = |pod: &Living| format!("{} {:?}", pod.cgroup.display(), pod.exclusive);
        pods.iter().map(name).collect()
    }

    /// What a pod has counts as long as its supervisor lives; what is left of a killed one can be found.
    #[test]
    fn the_dead_have_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        assert!(CpuBook::open_if_used(&layout).unwrap().is_none());
        let (one, other) = (pod(&layout, "one"), pod(&layout, "other"));
        let book = CpuBook::open(&layout).unwrap();
        book.note(one.dir(), &Exclusive::from([("web".into(), "1-2".into())])).unwrap();
        assert_eq!(names(&book.living().unwrap()), [r#"/barepod/podone {"web": "1-2"}"#, "/barepod/podother {}"]);
        book.close().unwrap();
        let book = CpuBook::open_if_used(&layout).unwrap().unwrap();
        assert!(lost(&layout).unwrap().is_empty());
        drop(one);
        assert_eq!(names(&book.living().unwrap()), ["/barepod/podother {}"]);
        assert_eq!(lost(&layout).unwrap().len(), 1);
        book.forget(&layout.pod_dir("default", "one")).unwrap();
        assert!(lost(&layout).unwrap().is_empty());
        book.close().unwrap();
        assert!(CpuBook::open_if_used(&layout).unwrap().is_none(), "nobody has any");
        drop(other);
    }

    /// A file that its holder took away locks nothing: who waited for it makes a new one.
    #[test]
    fn a_lock_that_was_taken_away_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        let path = dir.path().join(LOCK);
        let book = CpuBook::open(&layout).unwrap();
        let old = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        book.close().unwrap();
        assert!(!path.exists() && !lock(&path, &old).unwrap());
        let _new = CpuBook::open(&layout).unwrap();
        assert!(path.exists());
    }
}
