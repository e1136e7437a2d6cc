//! What is left of pods, and what somebody does to their folders.

use super::*;

/// What could not be removed is known until it can: the pod is no free name, and its ids are no free ids.
#[test]
fn what_is_left_is_known() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let pool = Pool { count: 1, lock: tmp.path().join("ids.lock"), ..Pool::default() };
    let with_ids = |name: &str| PodStore::create_with_ids(&layout, ledger(&layout, "default", name), &pool);
    let mut store = with_ids("web").unwrap();
    let remains = store.finish(Remains::of(["an immutable file"])).unwrap();
    assert_eq!(remains.words(), ["an immutable file"]);
    drop(store);
    let found = find(&layout, "web").unwrap();
    assert_eq!(found.life().unwrap(), Life::Left);
    assert!(matches!(with_ids("other"), Err(Error::NoIds { .. })));
    let refused = |result: Result<(), Error>| matches!(result, Err(Error::NotCleanedUp { left, .. }) if left == ["an immutable file"]);
    assert!(refused(with_ids("web").map(drop)));
    assert!(refused(take_over(&layout, "web").unwrap().remove()));
    let mut store = take_over(&layout, "web").unwrap();
    finish(&mut store);
    assert_eq!(found.life().unwrap(), Life::Ended);
    store.remove().unwrap();
    assert_eq!(list(&layout).unwrap(), []);
    with_ids("other").unwrap();
}

/// Several commands clean up after one pod: one after the other, and nobody is told that the pod runs.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that race, as threads")]
fn commands_wait_for_each_other() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    for _ in 0..20 {
        drop(PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| match take_over(&layout, "web") {
                    Ok(mut store) => {
                        finish(&mut store);
                        store.remove().unwrap();
                    }
                    Err(Error::NotFound(_)) => {}
                    Err(error) => panic!("{error}"),
                });
            }
        });
        assert_eq!(fs::read_dir(layout.pods_dir()).unwrap().count(), 0);
    }
}

/// A state folder that was copied: nothing that its ledger names is its own.
#[test]
fn a_copied_state_folder_owns_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let (layout, copy) = (Layout::at(&tmp.path().join("a")), Layout::at(&tmp.path().join("b")));
    let pod = Identity::new(&layout, "default", "web", "u");
    let store = PodStore::create(&layout, Ledger::new(&pod, "/barepod/podu".into())).unwrap();
    store.mark_folders().unwrap();
    let there = identity::state_dir(&copy, "default", "web");
    fs::create_dir_all(&there).unwrap();
    fs::copy(store.dir().join("ledger.json"), there.join("ledger.json")).unwrap();
    assert_eq!(find(&copy, "web").unwrap().life().unwrap(), Life::Lost);
    let mut copied = take_over(&copy, "web").unwrap();
    assert_eq!(copied.ledger().cgroup, PathBuf::new());
    finish(&mut copied);
    copied.remove().unwrap();
    assert!(store.ledger().data_dir.exists() && store.ledger().log_dir.exists());
    assert_eq!(find(&layout, "web").unwrap().life().unwrap(), Life::Running);
    // Beside the other one, below the same root.
    let beside = identity::state_dir(&layout, "default", "web2");
    fs::create_dir_all(&beside).unwrap();
    fs::copy(store.dir().join("ledger.json"), beside.join("ledger.json")).unwrap();
    assert_eq!(find(&layout, "web2").unwrap().life().unwrap(), Life::Lost);
    let mut copied = take_over(&layout, "web2").unwrap();
    let named = copied.ledger();
    assert_eq!((named.name.as_str(), named.cgroup.to_str(), &named.network), ("web2", Some(""), &None));
    finish(&mut copied);
    copied.remove().unwrap();
    assert!(store.ledger().data_dir.exists() && store.ledger().log_dir.exists());
    assert_eq!(find(&layout, "web").unwrap().life().unwrap(), Life::Running);
}

/// Half a ledger, and a file in the folder's place: the pod is found, and what is its own by its name and its records.
#[test]
fn an_unreadable_pod_is_removed_by_its_name() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let pod = Identity::new(&layout, "default", "web", "u");
    let supervisor = Ledger { supervisor_pid: 1, ..Ledger::new(&pod, Path::new("/x").join(pod.cgroup_name())) };
    let store = PodStore::create(&layout, supervisor).unwrap();
    let other = PodStore::create(&layout, ledger(&layout, "default", "web2")).unwrap();
    for store in [&store, &other] {
        store.mark_folders().unwrap();
    }
    fs::write(store.dir().join("ledger.json"), "{\"version\":1,\"sta").unwrap();
    drop(store);
    let found = find(&layout, "web").unwrap();
    assert!(matches!(found.life(), Err(Error::Corrupt { .. })));
    assert!(matches!(take_over(&layout, "web"), Err(Error::Corrupt { .. })));
    let unreadable = unreadable::UnreadablePod::take_over(&layout, "default", "web", &|_| {}).unwrap();
    assert_eq!(unreadable.cgroups, [Path::new("/x").join(pod.cgroup_name())]);
    assert_eq!(unreadable.data, [pod.data_dir()]);
    unreadable.remove_folder().unwrap();
    assert!(!pod.log_dir().exists() && Identity::new(&layout, "default", "web2", "u").log_dir().exists());
    fs::write(identity::state_dir(&layout, "default", "web"), "not a folder").unwrap();
    assert!(find(&layout, "web").unwrap().life().is_err());
    unreadable::UnreadablePod::take_over(&layout, "default", "web", &|_| {}).unwrap().remove_folder().unwrap();
    assert_eq!(list(&layout).unwrap().len(), 1);
}

/// What can't be looked at (here: on a disk that fails) may name what is the pod's: whoever forces its removal is told, and
/// nothing is forgotten; nor are ids given away that it may have.
#[test]
fn what_cant_be_looked_at_is_not_forgotten() {
    /// Opens as a file does, and can't be read at its beginning (EIO).
    const FAILS: &str = "/proc/self/mem";
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let pool = Pool { lock: tmp.path().join("ids.lock"), ..Pool::default() };
    let with_ids = |name: &str| PodStore::create_with_ids(&layout, ledger(&layout, "default", name), &pool);
    let store = with_ids("web").unwrap();
    store.mark_folders().unwrap();
    let (state, data) = (store.dir().join("ledger.json"), store.ledger().data_dir.join(".barepod.json"));
    let log = store.ledger().log_dir.join(".barepod.json");
    drop(store);
    let force = || unreadable::UnreadablePod::take_over(&layout, "default", "web", &|_| {});
    let is_unseen = |error: Error| matches!(&error, Error::Io { call: "read", .. }) && !error.is_about_content();
    let torn = || fs::write(&state, "{\"vers").unwrap();
    for path in [&state, &data, &log] {
        torn();
        let before = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(FAILS, path).unwrap();
        assert!(is_unseen(force().unwrap_err()), "{path:?}");
        if *path == state {
            assert!(is_unseen(take_over(&layout, "web").unwrap_err()));
            assert!(is_unseen(with_ids("other").unwrap_err()));
        }
        fs::remove_file(path).unwrap();
        fs::write(path, before).unwrap();
    }
    with_ids("other").unwrap();
    let forced = force().unwrap();
    assert_eq!((&forced.data[..], forced.cgroups.len()), (&[data.parent().unwrap().to_owned()][..], 0));
    forced.remove_folder().unwrap();
    assert!(!log.exists());
}

/// The longest name a pod can have is no obstacle to its removal.
#[test]
fn a_pod_with_a_long_name_is_removed() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let name = "n".repeat(245);
    let mut store = PodStore::create(&layout, ledger(&layout, "default", &name)).unwrap();
    finish(&mut store);
    store.remove().unwrap();
    assert_eq!(fs::read_dir(layout.pods_dir()).unwrap().count(), 0);
}

#[test]
fn a_removal_that_died_halfway_is_no_pod_and_goes_with_the_next() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    fs::create_dir_all(layout.pods_dir().join(".default.web.77-0/containers")).unwrap();
    assert_eq!(list(&layout).unwrap(), []);
    let mut store = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap();
    finish(&mut store);
    store.remove().unwrap();
    assert_eq!(fs::read_dir(layout.pods_dir()).unwrap().count(), 0);
}

#[test]
fn what_was_moved_away_goes_without_its_pod() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    forget_moved_away(&layout).unwrap();
    let _store = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap();
    for name in [".default.other.77-0", ".default.web.78-1"] {
        fs::create_dir_all(layout.pods_dir().join(name).join("containers")).unwrap();
    }
    forget_moved_away(&layout).unwrap();
    let left: Vec<_> = fs::read_dir(layout.pods_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["default_web"]);
}

/// A folder that can't be looked at isn't one that isn't there, nor something else.
#[test]
fn a_folder_that_cant_be_seen_is_an_error() {
    let tmp = tempfile::tempdir().unwrap();
    assert!(!is_folder(&tmp.path().join("none")).unwrap());
    assert!(is_folder(tmp.path()).unwrap());
    make_dir(&tmp.path().join("a/b"), 0o700).unwrap();
    make_dir(&tmp.path().join("a/b"), 0o700).unwrap();
    assert!(is_folder(&tmp.path().join("n".repeat(300))).is_err());
    fs::write(tmp.path().join("file"), "").unwrap();
    let told = make_dir(&tmp.path().join("file"), 0o700).unwrap_err().to_string();
    assert!(told.contains("mkdir: File exists"), "{told}");
}
