#![allow(clippy::unwrap_used)]
use std::fs;

use super::identity::{self, Identity};
use super::read::{Life, find, list};
use super::*;
use crate::control;

mod events;
mod remains;

fn ledger(layout: &Layout, namespace: &str, name: &str) -> Ledger {
    // Of a supervisor in another pid namespace: the lock alone says whether that lives.
    let pod = Identity::new(layout, namespace, name, "u");
    Ledger { supervisor_pid: 1, supervisor_start: 2, ..Ledger::new(&pod, "/barepod/podu".into()) }
}

fn take_over(layout: &Layout, name: &str) -> Result<PodStore, Error> {
    PodStore::take_over(layout, "default", name, &|_| {})
}

/// All of it is gone.
fn finish(store: &mut PodStore) {
    assert_eq!(store.finish(Remains::default()).unwrap(), Remains::default());
}

#[test]
fn a_second_supervisor_is_refused_and_names_the_first() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let supervisor = Ledger::new(&Identity::new(&layout, "default", "web", "u"), "/barepod/podu".into());
    let _first = PodStore::create(&layout, supervisor).unwrap();
    let error = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap_err().to_string();
    let pid = std::process::id();
    assert_eq!(error, format!("pod \"default/web\" is already running (supervisor is process {pid})"));
}

#[test]
fn life_is_running_then_lost_then_ended_then_replaced() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let store = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap();
    let found = find(&layout, "web").unwrap();
    assert_eq!(found.life().unwrap(), Life::Running);
    drop(store);
    assert_eq!(found.life().unwrap(), Life::Lost);
    let again = PodStore::create(&layout, ledger(&layout, "default", "web"));
    assert!(matches!(again, Err(Error::NotCleanedUp { .. })));
    let mut store = take_over(&layout, "web").unwrap();
    finish(&mut store);
    drop(store);
    assert_eq!(found.life().unwrap(), Life::Ended);
    let logs = Identity::new(&layout, "default", "web", "u").log_dir();
    fs::create_dir_all(logs.join("main")).unwrap();
    let mut store = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap();
    assert!(!logs.join("main").exists());
    finish(&mut store);
    store.remove().unwrap();
    assert_eq!(list(&layout).unwrap(), []);
}

/// A `run` over an ended pod that is killed while it takes away what that left: the name is as usable as before.
#[test]
fn an_ended_pod_that_is_half_cleared_has_ended() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap();
    finish(&mut store);
    drop(store);
    let dir = identity::state_dir(&layout, "default", "web");
    fs::write(dir.join(read::POD), "{}").unwrap();
    folder::clear(&dir).unwrap();
    assert!(!dir.join(read::POD).exists() && dir.join(lock::FILE).exists());
    // As what the kill may have left of it.
    fs::write(dir.join(read::POD), "{}").unwrap();
    assert_eq!(find(&layout, "web").unwrap().life().unwrap(), Life::Ended);
    drop(PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap());
    assert!(!dir.join(read::POD).exists());
}

/// A writer that died before its rename: whoever takes the pod over leaves nothing of it.
#[test]
fn half_a_file_goes_with_the_takeover() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    drop(PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap());
    let half = identity::state_dir(&layout, "default", "web").join(".state.json.tmp");
    fs::write(&half, "{\"half").unwrap();
    let _store = take_over(&layout, "web").unwrap();
    assert!(!half.exists());
}

#[test]
fn a_name_in_two_namespaces_is_ambiguous() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let _a = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let _b = PodStore::create(&layout, ledger(&layout, "b", "web")).unwrap();
    assert!(find(&layout, "web").unwrap_err().to_string().ends_with("say one of a/web, b/web"));
    assert_eq!(find(&layout, "b/web").unwrap().namespace, "b");
    assert_eq!(find(&layout, "x").unwrap_err().to_string(), "pods \"x\" not found");
}

#[test]
fn a_corrupt_pod_is_an_error_that_names_the_file() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    fs::write(store.dir().join(read::POD), "{\"metadata\":").unwrap();
    let error = find(&layout, "web").unwrap().pod().unwrap_err().to_string();
    assert!(error.contains("pods/a_web/pod.json: not a readable state file"), "{error}");
}

#[test]
fn a_folder_with_nothing_but_a_lock_is_no_obstacle() {
    // What a `run` leaves that was killed between taking the lock and writing the ledger.
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let dir = identity::state_dir(&layout, "default", "web");
    let cut_off = || {
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(lock::FILE), "4711\n").unwrap();
    };
    cut_off();
    drop(PodStore::create(&layout, ledger(&layout, "default", "web")).unwrap());
    assert!(!forget_unborn(&layout, "default", "web").unwrap(), "it has a ledger");
    fs::remove_dir_all(&dir).unwrap();
    cut_off();
    assert!(forget_unborn(&layout, "default", "web").unwrap());
    assert!(!forget_unborn(&layout, "default", "web").unwrap(), "it is gone");
    assert_eq!(fs::read_dir(layout.pods_dir()).unwrap().count(), 0);
}

/// Whoever wins, nobody fails otherwise than by being told that the pod is running, and what was made whole stays whole.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that race, as threads")]
fn rm_and_run_of_one_name_can_race() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let runs = |rounds: usize| {
        for _ in 0..rounds {
            match PodStore::create(&layout, ledger(&layout, "default", "web")) {
                Ok(mut store) => {
                    assert!(store.dir().join("ledger.json").exists());
                    finish(&mut store);
                    assert!(store.dir().join("ledger.json").exists());
                }
                Err(Error::Running { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let removes = |rounds: usize| {
        for _ in 0..rounds {
            match take_over(&layout, "web").and_then(PodStore::remove) {
                Ok(()) | Err(Error::Running { .. } | Error::NotFound(_) | Error::NotCleanedUp { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| runs(400));
        scope.spawn(|| runs(400));
        scope.spawn(|| removes(400));
        scope.spawn(|| removes(400));
    });
}

/// Whoever looks at a pod at the moment of its start takes its lock, to see whether that died: the start waits for it.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that race, as threads")]
fn looking_at_a_pod_does_not_keep_it_from_starting() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let over = AtomicBool::new(false);
    let look = || {
        while !over.load(Ordering::Relaxed) {
            let looked = forget_unborn(&layout, "default", "web");
            assert!(matches!(looked, Ok(_) | Err(Error::Running { .. } | Error::Io { .. })), "{looked:?}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(look);
        }
        let created: Vec<_> = (0..100)
            .map(|_| {
                let supervisor = Ledger::new(&Identity::new(&layout, "default", "web", "u"), "/barepod/podu".into());
                let mut store = PodStore::create(&layout, supervisor)?;
                store.finish(Remains::default()).map(drop)?;
                store.remove()
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        for one in created {
            one.unwrap();
        }
    });
}

/// Two state folders at the same moment: neither pod has a process yet by which the other could see it.
#[test]
fn pods_of_other_roots_get_other_ids() {
    let tmp = tempfile::tempdir().unwrap();
    let pool = |first: u32| Pool { first, count: 2, lock: tmp.path().join("ids.lock"), ..Pool::default() };
    let make = |root: &str, first: u32| {
        let layout = Layout::at(&tmp.path().join(root));
        PodStore::create_with_ids(&layout, ledger(&layout, "default", root), &pool(first))
    };
    let id = |store: &PodStore| store.ledger().first_id.unwrap();
    let first = make("a", 65536).unwrap();
    let second = make("b", 65536).unwrap();
    assert_eq!((id(&first), id(&second)), (65536, 131_072));
    assert!(matches!(make("c", 65536), Err(Error::NoIds { count: 2 })));
    // Other pools overlap.
    assert_eq!(id(&make("d", 131_072).unwrap()), 196_608);
    drop(first);
    assert_eq!(id(&make("e", 65536).unwrap()), 65536);
}

/// Nor can the ledger say it, as the supervisor's pid is one of another pid namespace: whoever listens on its socket lives.
#[test]
fn a_supervisor_of_another_pid_namespace_without_a_lock_file_is_one() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mine = ledger(&layout, "default", "web");
    let elsewhere = Ledger { pid_namespace: "pid:[1]".to_owned(), supervisor_pid: 4711, ..mine.clone() };
    let store = PodStore::create(&layout, elsewhere).unwrap();
    let mut server = control::Server::bind(store.dir(), 4).unwrap();
    fs::remove_file(store.dir().join(lock::FILE)).unwrap();
    drop(store);
    let found = find(&layout, "web").unwrap();
    let refused = |result: Result<PodStore, Error>| matches!(result, Err(Error::Running { pid: Some(4711), .. }));
    assert_eq!(found.life().unwrap(), Life::Running);
    assert!(refused(take_over(&layout, "web")));
    // A lock file was made by who was refused: nobody holds it.
    assert!(refused(PodStore::create(&layout, mine)));
    server.close();
    drop(server);
    assert_eq!(found.life().unwrap(), Life::Lost);
    take_over(&layout, "web").unwrap();
}

/// The lock's file is gone (a cleaner of old files): the ledger says that the supervisor lives.
#[test]
fn a_supervisor_without_a_lock_file_is_one() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pod = Identity::new(&layout, "default", "web", "u");
    let supervisor = Ledger {
        supervisor_pid: child.id(),
        supervisor_start: process::process_start(child.id()).unwrap(),
        ..Ledger::new(&pod, "/barepod/podu".into())
    };
    let store = PodStore::create(&layout, supervisor.clone()).unwrap();
    store.mark_folders().unwrap();
    fs::remove_file(store.dir().join(lock::FILE)).unwrap();
    let found = find(&layout, "web").unwrap();
    let refused =
        |result: Result<PodStore, Error>| matches!(result, Err(Error::Running { pid, .. }) if pid == Some(child.id()));
    for held in [Some(store), None] {
        assert_eq!(found.life().unwrap(), Life::Running, "{held:?}");
        assert!(refused(take_over(&layout, "web")));
        assert!(refused(PodStore::create(&layout, ledger(&layout, "default", "web"))));
    }
    // Nor is its data folder taken by a pod of the same identity where all of the state is gone.
    fs::remove_dir_all(layout.pods_dir()).unwrap();
    assert!(refused(PodStore::create(&layout, ledger(&layout, "default", "web"))));
    assert_eq!(fs::read_dir(layout.pods_dir()).unwrap().count(), 0, "what was refused has left nothing");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        matches!(PodStore::create(&layout, supervisor), Err(Error::NotCleanedUp { .. })),
        "data that nobody has swept"
    );
    assert_eq!(orphans::collect(&layout, |_, _| true).unwrap().len(), 1);
}
