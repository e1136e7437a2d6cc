//! Logs of pods of which nothing else is known any more: their state folder was on a tmpfs and the box was rebooted. They stay
//! readable for a while. Their folders have records ([`claim`]) that say whose they are.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::{Error, io_error};
use super::folder::remove_tree;
use super::layout::Layout;
use super::ledger::{Ledger, Supervisor};
use super::{claim, identity};

/// How long logs are kept of pods that nothing else is known of: since they were written last.
pub const LOGS_ARE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Log folders of pods of this name that no state is known of any more, the one that was written last at the end.
///
/// # Errors
/// Where that can't be seen.
pub fn logs_of(layout: &Layout, namespace: &str, name: &str) -> Result<Vec<PathBuf>, Error> {
    let mut logs = Vec::new();
    for folder in claim::own_logs(layout, namespace, name)? {
        logs.push((written_last(&folder)?, folder));
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, folder)| folder).collect())
}

/// The pods of this bare name that have logs without state, as `NAMESPACE/NAME`.
///
/// # Errors
/// Where that can't be seen.
pub fn pods_with_logs(layout: &Layout, name: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pods: Vec<(String, String)> = claim::records(&layout.logs)?
        .into_iter()
        .filter(|(_, record)| record.root == layout.root && record.name == name)
        .map(|(_, record)| (record.namespace, record.name))
        .collect();
    pods.sort();
    pods.dedup();
    Ok(pods)
}

/// Removes logs that nothing else is known of, of a pod's name.
///
/// # Errors
/// The first that couldn't be removed.
pub fn forget_logs(layout: &Layout, namespace: &str, name: &str) -> Result<(), Error> {
    claim::own_logs(layout, namespace, name)?.iter().try_for_each(|folder| remove_tree(folder))
}

/// Removes logs without state that were written last before [`LOGS_ARE_KEPT`].
///
/// # Errors
/// The first that couldn't be removed, or of which it couldn't be seen how old it is; the others are removed.
pub fn forget_old_logs(layout: &Layout, now: SystemTime) -> Result<(), Error> {
    let mut result = Ok(());
    let is_old = |last| now.duration_since(last).unwrap_or_default() > LOGS_ARE_KEPT;
    for folder in claim::entries(&layout.logs)? {
        // Its record is written when the pod begins: of one that began lately no more is looked at.
        if !claim::written(&folder)?.is_some_and(is_old) {
            continue;
        }
        let Some(record) = claim::record(&folder)? else { continue };
        let state = identity::state_dir(layout, &record.namespace, &record.name);
        // Ended ones that are still known keep theirs until `rm`, or until they are run again.
        let is_known = !matches!(Ledger::load(&state), Ok(None)) || record.supervisor() == Supervisor::Alive;
        if record.root != layout.root || is_known {
            continue;
        }
        result = result.and(match written_last(&folder) {
            Ok(last) if is_old(last) => remove_tree(&folder),
            written => written.map(drop),
        });
    }
    result
}

/// When something in a log folder was written last: the record, or a container's log.
fn written_last(folder: &Path) -> Result<SystemTime, Error> {
    let mut last = SystemTime::UNIX_EPOCH;
    for (path, is_folder, time) in times_below(folder)? {
        last = last.max(time);
        for (_, _, time) in if is_folder { times_below(&path)? } else { Vec::new() } {
            last = last.max(time);
        }
    }
    Ok(last)
}

/// What is in a folder: its path, whether it is a folder, and when it was written last. What goes meanwhile is left out.
fn times_below(folder: &Path) -> Result<Vec<(PathBuf, bool, SystemTime)>, Error> {
    let mut times = Vec::new();
    for path in claim::entries(folder)? {
        match path.symlink_metadata().and_then(|found| Ok((found.is_dir(), found.modified()?))) {
            Ok((is_folder, time)) => times.push((path, is_folder, time)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io_error(&path, "stat")(error)),
        }
    }
    Ok(times)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::super::PodStore;
    use super::super::identity::Identity;
    use super::super::ledger::Remains;
    use super::*;

    fn ledger(layout: &Layout, name: &str) -> Ledger {
        let pod = Identity::new(layout, "default", name, "u");
        Ledger::new(&pod, Path::new("/barepod").join(pod.cgroup_name()))
    }

    /// Logs stay readable after a reboot: until the pod is run again, or removed, or for thirty days.
    #[test]
    fn logs_without_state_are_kept_for_a_while() {
        let tmp = tempfile::tempdir().unwrap();
        let layout = Layout::at(tmp.path());
        let (one, other) = (ledger(&layout, "one"), ledger(&layout, "other"));
        for mut ledger in [one.clone(), other.clone()] {
            ledger.boot = "another".into();
            fs::create_dir_all(ledger.log_dir.join("main")).unwrap();
            ledger.save_as(&ledger.log_dir, claim::RECORD).unwrap();
        }
        let kubelets = layout.logs.join("default_one_kubelets");
        fs::create_dir_all(kubelets.join("main")).unwrap();
        assert_eq!(logs_of(&layout, "default", "one").unwrap(), std::slice::from_ref(&one.log_dir));
        assert_eq!(pods_with_logs(&layout, "one").unwrap(), [("default".to_owned(), "one".to_owned())]);
        let now = SystemTime::now();
        forget_old_logs(&layout, now + LOGS_ARE_KEPT - Duration::from_secs(60)).unwrap();
        // A clock that is behind makes nothing old.
        forget_old_logs(&layout, SystemTime::UNIX_EPOCH).unwrap();
        assert!(one.log_dir.exists());
        let mut store = PodStore::create(&layout, Ledger { uid: "v".into(), ..one.clone() }).unwrap();
        store.mark_folders().unwrap();
        assert!(!one.log_dir.join("main").exists(), "a new life has its own logs");
        let _ = store.finish(Remains::default()).unwrap();
        forget_old_logs(&layout, now + LOGS_ARE_KEPT * 2).unwrap();
        assert!(one.log_dir.exists() && !other.log_dir.exists(), "of a pod that is known they stay");
        store.remove().unwrap();
        assert!(!one.log_dir.exists() && kubelets.exists());
    }
}
