//! What is left of pods that no ledger knows any more: their state folder was on a tmpfs and the box was rebooted, or
//! somebody removed it. Their data folders have records ([`claim`]) that say whose they are.
//!
//! Never touched: what a ledger of this root knows (also of a pod whose supervisor died: the pod's next command finds it
//! there), what belongs to another root, and what a living supervisor has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::claim;
use super::error::{Error, io_error};
use super::identity::{self, Identity};
use super::layout::Layout;
use super::ledger::{Ledger, Stage, Supervisor};

/// How the folder of an orphan begins from the moment on that it is to be removed.
const LEAVING: &str = ".leaving-";

/// Something to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// `NAMESPACE/NAME`, where a record says it.
    pub pod: Option<String>,
    /// Its data.
    pub folder: PathBuf,
}

/// Takes what nobody owns out of the way: from now on it is the caller's to remove, or the next one's that looks. `end`
/// ends what is in a cgroup, of the pod that it is told, and says whether nothing is left in there: data of which there
/// still is stay for the next time. It is called under the lock that every `run` takes before it makes a cgroup, so that it
/// never comes upon one of a new life of the same pod.
///
/// # Errors
/// Where the data folder can't be read or locked.
pub fn collect(layout: &Layout, mut end: impl FnMut(&str, &Path) -> bool) -> Result<Vec<Orphan>, Error> {
    if !super::is_folder(&layout.data)? {
        return Ok(Vec::new());
    }
    let _lock = claim::lock(&layout.data)?;
    let mut orphans = Vec::new();
    for entry in fs::read_dir(&layout.data).map_err(io_error(&layout.data, "read"))?.flatten() {
        let folder = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_leaving = name.starts_with(LEAVING);
        // Nearly all are known, of perhaps hundreds that run: of these no more is read.
        if !is_leaving && !is_nobodys(layout, name) {
            continue;
        }
        // It may name an owner who lives: the next one that looks can read it, perhaps.
        let Ok(record) = claim::record(&folder) else { continue };
        let folder = match is_leaving {
            true => folder,
            false if may_go(layout, record.as_ref()) => set_aside(&folder),
            false => continue,
        };
        let pod = record.as_ref().map(|record| format!("{}/{}", record.namespace, record.name));
        let cgroup = record.filter(|record| owns_cgroup(layout, record)).map(|record| record.cgroup);
        if cgroup.is_none_or(|cgroup| end(pod.as_deref().unwrap_or_default(), &cgroup)) {
            orphans.push(Orphan { pod, folder });
        }
    }
    Ok(orphans)
}

/// Whether the cgroup that a record names is that pod's own, of this boot, and not of a new life of it.
fn owns_cgroup(layout: &Layout, record: &Ledger) -> bool {
    let pod = Identity::new(layout, &record.namespace, &record.name, &record.uid);
    !record.is_of_another_boot()
        && pod.owns_cgroup(&record.cgroup)
        && !is_known(layout, &record.namespace, &record.name, &record.uid)
}

/// Under the lock, so that whoever comes next finds the name free. Where that can't be, it is removed where it is.
fn set_aside(folder: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let start = super::process::process_start(std::process::id()).unwrap_or_default();
    let away = folder.with_file_name(format!("{LEAVING}{}-{start}-{number}", std::process::id()));
    match fs::rename(folder, &away) {
        Ok(()) => away,
        Err(_) => folder.to_owned(),
    }
}

/// Whether a folder of this name is a pod's that no ledger knows.
fn is_nobodys(layout: &Layout, folder: &str) -> bool {
    identity::of_folder(folder).is_some_and(|(namespace, name, uid)| !is_known(layout, namespace, name, uid))
}

/// Whether what its record says lets a folder go that is nobody's.
fn may_go(layout: &Layout, record: Option<&Ledger>) -> bool {
    match record {
        Some(record) => record.root == layout.root && record.supervisor() == Supervisor::Ended,
        // Nobody else makes folders of such a name in data that are this root's alone.
        None => layout.has_data_alone(),
    }
}

/// Whether a ledger below this root has this pod's data.
fn is_known(layout: &Layout, namespace: &str, name: &str, uid: &str) -> bool {
    let state = identity::state_dir(layout, namespace, name);
    match Ledger::load(&state) {
        Ok(Some(ledger)) => ledger.uid == uid && ledger.stage != Stage::Ended,
        Ok(None) => false,
        // What can't be understood may know it.
        Err(_) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::PodStore;
    use super::super::ledger::Remains;
    use super::*;

    fn ledger(layout: &Layout, name: &str) -> Ledger {
        let pod = Identity::new(layout, "default", name, "u");
        Ledger::new(&pod, Path::new("/barepod").join(pod.cgroup_name()))
    }

    fn pod(layout: &Layout, ledger: Ledger) -> PodStore {
        let store = PodStore::create(layout, ledger).unwrap();
        store.mark_folders().unwrap();
        store
    }

    /// A pod of which only the data folder is left, as this makes its record.
    fn only_data(layout: &Layout, name: &str, change: impl FnOnce(&mut Ledger)) -> PathBuf {
        let mut ledger = ledger(layout, name);
        change(&mut ledger);
        fs::create_dir_all(ledger.data_dir.join("volumes/v")).unwrap();
        ledger.save_as(&ledger.data_dir, claim::RECORD).unwrap();
        ledger.data_dir
    }

    fn all(layout: &Layout) -> Result<Vec<Orphan>, Error> {
        collect(layout, |_, _| true)
    }

    fn of_another_boot(ledger: &mut Ledger) {
        ledger.boot = "another".into();
    }

    fn killed(ledger: &mut Ledger) {
        ledger.supervisor_start += 1;
    }

    /// What no ledger knows and nobody alive has is collected, and nothing else.
    #[test]
    fn what_nobody_owns_is_collected() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let gone = [
            only_data(&layout, "rebooted", of_another_boot),
            // In the same boot somebody removed the state folder; a process of its may be left.
            only_data(&layout, "killed", killed),
            only_data(&layout, "rebooted-ns", |ledger| {
                of_another_boot(ledger);
                ledger.supervisor_pid = 1;
            }),
        ];
        let unmarked = Identity::new(&layout, "default", "unmarked", "u").data_dir();
        fs::create_dir_all(unmarked.join("containers")).unwrap();
        let kept = [
            only_data(&layout, "alive", |_| {}),
            only_data(&layout, "first-of-a-pid-namespace", |ledger| ledger.supervisor_pid = 1),
            // A box's data folder that is mounted in a container, which has another /run and other pids.
            only_data(&layout, "of-another-pid-namespace", |ledger| {
                ledger.pid_namespace = "pid:[1]".into();
                killed(ledger);
            }),
            only_data(&layout, "of-another-root", |ledger| {
                of_another_boot(ledger);
                ledger.root = "/elsewhere".into();
            }),
        ];
        for folder in ["seccomp", "images", "not_a-pod", ".x_y_z"] {
            fs::create_dir_all(layout.data.join(folder)).unwrap();
        }
        let mut ended = Vec::new();
        let mut found = collect(&layout, |pod, cgroup| {
            ended.push((pod.to_owned(), cgroup.to_owned()));
            true
        });
        let found = found.as_mut().unwrap();
        found.sort_by(|a, b| a.pod.cmp(&b.pod));
        let pods: Vec<_> = found.iter().map(|orphan| orphan.pod.as_deref()).collect();
        assert_eq!(pods, [None, Some("default/killed"), Some("default/rebooted"), Some("default/rebooted-ns")]);
        assert_eq!(ended, [("default/killed".to_owned(), ledger(&layout, "killed").cgroup)]);
        assert!(gone.iter().chain([&unmarked]).all(|folder| !folder.exists()), "their names are free");
        assert!(kept.iter().all(|folder| folder.exists()));
        for folder in ["seccomp", "images", "not_a-pod", ".x_y_z"] {
            assert!(layout.data.join(folder).exists(), "{folder}");
        }
        // Whoever was to remove them died: they are found again.
        assert_eq!(all(&layout).unwrap().len(), found.len());
        found.iter().for_each(|orphan| fs::remove_dir_all(&orphan.folder).unwrap());
        assert_eq!(all(&layout).unwrap(), []);
    }

    /// A cgroup is ended where it is the orphan's: not one of a new life of the pod, nor one that a copied record names. As
    /// long as something is in it the data stay, which say where it is.
    #[test]
    fn no_cgroup_of_another_is_ended() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let web = ledger(&layout, "web").cgroup;
        only_data(&layout, "web", killed);
        only_data(&layout, "copy", |ledger| {
            killed(ledger);
            ledger.cgroup.clone_from(&web);
        });
        let mut ended = Vec::new();
        let found = collect(&layout, |_, cgroup| {
            ended.push(cgroup.to_owned());
            false
        });
        assert_eq!(ended, [web]);
        assert_eq!(
            found.unwrap().iter().map(|orphan| orphan.pod.as_deref()).collect::<Vec<_>>(),
            [Some("default/copy")]
        );
        // What is left of it is set aside; the pod lives again.
        let _again = pod(&layout, ledger(&layout, "web"));
        let found = collect(&layout, |pod, cgroup| panic!("{pod} {cgroup:?}")).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    /// A ledger knows it: of a pod that runs, that is lost, that has left something, and one that can't be read.
    #[test]
    fn what_a_ledger_knows_is_the_pods() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let mut killed = ledger(&layout, "lost");
        killed.supervisor_start += 1;
        let lost = pod(&layout, killed);
        let mut left = pod(&layout, ledger(&layout, "left"));
        let _ = left.finish(Remains::of(["a file"])).unwrap();
        let torn = pod(&layout, ledger(&layout, "torn"));
        fs::write(torn.dir().join("ledger.json"), "{\"vers").unwrap();
        let mut ended = pod(&layout, ledger(&layout, "ended"));
        assert_eq!(ended.finish(Remains::default()).unwrap(), Remains::default());
        drop((lost, left, torn));
        assert_eq!(all(&layout).unwrap(), []);
        let mut names: Vec<_> = fs::read_dir(&layout.data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["default_left_u", "default_lost_u", "default_torn_u"]);
    }

    /// Data that several roots share (an ordinary user's, by two session folders): what has no record may be anybody's.
    #[test]
    fn shared_data_without_a_record_are_left_alone() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout { root: tmp.path().join("run"), data: tmp.path().join("d"), logs: tmp.path().join("l") };
        fs::create_dir_all(Identity::new(&layout, "default", "x", "u").data_dir()).unwrap();
        assert_eq!(all(&layout).unwrap(), []);
        only_data(&layout, "y", of_another_boot);
        assert_eq!(all(&layout).unwrap().len(), 1);
    }
}
