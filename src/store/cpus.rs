//! Which pods of this root have cpus for themselves. Each pod's are in its own folder, so that they go with it, and count
//! until the pod's ledger says that all of it is gone, as its ids do ([`super::ids`]): whatever became of its sandbox or of
//! its supervisor, processes of it may still use them. One lock keeps two pods from taking the same; it is held for a
//! moment each time.
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};

use super::error::{Error, io_error};
use super::layout::Layout;
use super::ledger::{Ledger, Stage};
use super::lock::{pause, whole_file};
use super::read::{self, Found, Life};
use super::{PodStore, atomic};

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

/// A pod of which something may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharer {
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
        if self.sharers()?.iter().all(|pod| pod.exclusive.is_empty()) {
            // Still locked: whoever waits for it finds that it locks nothing any more.
            let _ = fs::remove_file(self.layout.root.join(LOCK));
        }
        Ok(())
    }

    /// All pods of which something may run.
    ///
    /// # Errors
    /// Where a pod's files can't be read.
    pub fn sharers(&self) -> Result<Vec<Sharer>, Error> {
        let mut sharers = Vec::new();
        for found in read::list(self.layout)? {
            if let Some(ledger) = found.ledger()?.filter(may_run) {
                sharers.push(Sharer { cgroup: ledger.cgroup, exclusive: exclusive(&found.dir)? });
            }
        }
        Ok(sharers)
    }

    /// Writes down what a pod has, whose lock the caller holds.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn note(&self, dir: &Path, exclusive: &Exclusive) -> Result<(), Error> {
        atomic::replace(dir, FILE, &Record { version: VERSION, containers: exclusive.clone() })
    }

    /// It has none any more, if all of it is gone; else they stay its own.
    ///
    /// # Errors
    /// Where that can't be written.
    pub fn give_back(&self, store: &PodStore) -> Result<(), Error> {
        if store.ledger().stage != Stage::Ended {
            return Ok(());
        }
        let path = store.dir().join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path, "unlink")(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Pods that have cpus for themselves though nobody runs them: their supervisor died, or something of them could not be
/// removed. What is left of them may still use these.
///
/// # Errors
/// Where a pod's files can't be read.
pub fn left(layout: &Layout) -> Result<Vec<Found>, Error> {
    let mut left = Vec::new();
    for found in read::list(layout)? {
        let path = found.dir.join(FILE);
        let has_cpus = path.try_exists().map_err(io_error(&path, "stat"))?;
        if has_cpus && matches!(found.life()?, Life::Lost | Life::Left) {
            left.push(found);
        }
    }
    Ok(left)
}

/// Whether processes of a pod may be there. A folder that was copied from below another root has none, and no cgroup.
fn may_run(ledger: &Ledger) -> bool {
    let is_here = !ledger.cgroup.as_os_str().is_empty() && !ledger.is_of_another_boot();
    is_here && matches!(ledger.stage, Stage::Live | Stage::Left)
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
    use crate::store::identity::{self, Identity};
    use crate::store::ledger::Remains;

    fn pod(layout: &Layout, name: &str) -> PodStore {
        let pod = Identity::new(layout, "default", name, name);
        let ledger = Ledger { supervisor_pid: 1, ..Ledger::new(&pod, format!("/barepod/pod{name}").into()) };
        PodStore::create(layout, ledger).unwrap()
    }

    fn names(pods: &[Sharer]) -> Vec<String> {
        let name = |pod: &Sharer| format!("{} {:?}", pod.cgroup.display(), pod.exclusive);
        pods.iter().map(name).collect()
    }

    fn own() -> Exclusive {
        Exclusive::from([("web".into(), "1-2".into())])
    }

    /// What a pod has counts until all of it is gone: not only as long as its supervisor lives.
    #[test]
    fn what_may_run_keeps_its_cpus() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::at(dir.path());
        assert!(CpuBook::open_if_used(&layout).unwrap().is_none());
        let (one, other) = (pod(&layout, "one"), pod(&layout, "other"));
        let book = CpuBook::open(&layout).unwrap();
        book.note(one.dir(), &own()).unwrap();
        let both = [r#"/barepod/podone {"web": "1-2"}"#, "/barepod/podother {}"];
        assert_eq!(names(&book.sharers().unwrap()), both);
        book.give_back(&one).unwrap();
        book.close().unwrap();
        let book = CpuBook::open_if_used(&layout).unwrap().unwrap();
        assert_eq!(names(&book.sharers().unwrap()), both, "it runs");
        assert!(left(&layout).unwrap().is_empty());
        drop(one);
        assert_eq!(names(&book.sharers().unwrap()), both, "its supervisor was killed, its containers may run");
        assert_eq!(left(&layout).unwrap().len(), 1);
        let mut one = PodStore::take_over(&layout, "default", "one", &|_| {}).unwrap();
        let _ = one.finish(Remains::of(["a process that doesn't die"])).unwrap();
        book.give_back(&one).unwrap();
        assert_eq!(names(&book.sharers().unwrap()), both, "something of it was left");
        assert_eq!(left(&layout).unwrap().len(), 1);
        let _ = one.finish(Remains::default()).unwrap();
        assert_eq!(names(&book.sharers().unwrap()), ["/barepod/podother {}"]);
        book.give_back(&one).unwrap();
        assert!(!one.dir().join(FILE).exists() && left(&layout).unwrap().is_empty());
        book.close().unwrap();
        assert!(CpuBook::open_if_used(&layout).unwrap().is_none(), "nobody has any");
        drop(other);
    }

    /// The cgroup that a copied folder names is that of the pod it was copied from; after a reboot no process is left.
    #[test]
    fn copies_and_pods_of_another_boot_have_none() {
        let (dir, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (layout, there) = (Layout::at(dir.path()), Layout::at(copies.path()));
        let one = pod(&layout, "one");
        CpuBook::open(&layout).unwrap().note(one.dir(), &own()).unwrap();
        let copy = identity::state_dir(&there, "default", "one");
        fs::create_dir_all(&copy).unwrap();
        for file in ["ledger.json", FILE] {
            fs::copy(one.dir().join(file), copy.join(file)).unwrap();
        }
        assert_eq!(names(&CpuBook::open(&there).unwrap().sharers().unwrap()), [""; 0]);
        let ledger = one.ledger().clone();
        assert!(may_run(&ledger));
        assert!(!may_run(&Ledger { boot: "another".into(), ..ledger }));
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
