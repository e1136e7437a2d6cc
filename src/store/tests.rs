#![allow(clippy::unwrap_used)]
use super::identity::{self, Identity};
use super::read::{Life, find, list};
use super::*;

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

fn event(seconds: i64, message: &str) -> EventLine {
    EventLine {
        time: jiff::Timestamp::from_second(seconds).unwrap(),
        first: None,
        kind: "Warning".into(),
        reason: "BackOff".into(),
        container: Some("c".into()),
        message: message.into(),
        count: 1,
    }
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
fn equal_events_aggregate_and_a_torn_line_is_skipped() {
    // R8.8
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let event = event(0, "m");
    store.append_event(event.clone()).unwrap();
    let path = store.dir().join("events.jsonl");
    let mut text = fs::read(&path).unwrap();
    text.extend(b"{\"time\":");
    fs::write(&path, text).unwrap();
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    store.append_event(event.clone()).unwrap();
    let events = find(&layout, "web").unwrap().events().unwrap();
    assert_eq!(events, [EventLine { count: 2, first: Some(event.time), ..event }]);
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

/// R8.8: messages that are never the same again. The file, what is read from it and what the writer remembers stay bounded,
/// and every one of the events is counted.
#[test]
fn a_hundred_thousand_different_events_fit_in_a_bounded_file() {
    const EVENTS: u32 = 100_000;
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let began = events::EventLine { kind: "Normal".into(), reason: "Started".into(), ..event(0, "began") };
    store.append_event(began.clone()).unwrap();
    let path = store.dir().join("events.jsonl");
    let (mut longest, mut resident) = (0, 0);
    for number in 1..=EVENTS {
        // Twenty at once, then nothing for so long that they are told apart again.
        let seconds = i64::from(number / 20 * 1000);
        store.append_event(event(seconds, &format!("{number} {}", "x".repeat(200)))).unwrap();
        longest = longest.max(fs::metadata(&path).unwrap().len());
        if number == EVENTS / 5 {
            resident = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(resident);
    let read = find(&layout, "web").unwrap().events().unwrap();
    println!("file at most {longest} bytes, {} events, memory grown by {grown} KiB", read.len());
    assert!(longest < 400 << 10, "{longest}");
    assert!(grown < 1024, "{grown} KiB");
    assert_eq!(read.len(), 512);
    assert_eq!(read.iter().map(|event| event.count).sum::<u32>(), EVENTS + 1);
    assert_eq!(read[0], began);
    assert!(read.last().unwrap().message.contains(&EVENTS.to_string()));
    // Whoever takes over from a killed writer knows the same, and counts on.
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    assert_eq!(find(&layout, "web").unwrap().events().unwrap(), read);
    store.append_event(began).unwrap();
    assert_eq!(find(&layout, "web").unwrap().events().unwrap().last().unwrap().count, 2);
}

/// VmRSS of proc_pid_status(5).
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Replaced again and again while it is read: a reader never sees less than a reader before.
#[test]
#[allow(clippy::disallowed_methods, reason = "processes that race, as threads")]
fn readers_of_events_see_all_while_the_file_is_replaced() {
    use std::sync::atomic::AtomicBool;
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    let found = find(&layout, "web").unwrap();
    let (written, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let read = || {
        let mut reads = 0;
        while !over.load(Ordering::Relaxed) {
            let before = written.load(Ordering::Acquire);
            let count: u32 = found.events().unwrap().iter().map(|event| event.count).sum();
            assert!(count >= before, "{count} of {before}");
            reads += 1;
        }
        reads
    };
    std::thread::scope(|scope| {
        let reader = scope.spawn(read);
        for number in 0..5_000 {
            store.append_event(event(number, &format!("{number} {}", "x".repeat(400)))).unwrap();
            written.fetch_add(1, Ordering::Release);
        }
        over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert!(fs::metadata(found.dir.join("events.jsonl")).unwrap().len() < 400 << 10, "it was never replaced");
}

/// A writer that is killed while it replaces the file leaves the old one whole, and half of a new one for nobody.
#[test]
fn events_survive_a_kill_in_the_middle_of_a_replacement() {
    let tmp = tempfile::tempdir().unwrap();
    let layout = Layout::at(tmp.path());
    let mut store = PodStore::create(&layout, ledger(&layout, "a", "web")).unwrap();
    store.append_event(event(0, "m")).unwrap();
    let half = store.dir().join(".events.jsonl.tmp");
    fs::write(&half, "{\"time\":\"2026").unwrap();
    drop(store);
    let mut store = PodStore::take_over(&layout, "a", "web", &|_| {}).unwrap();
    assert!(!half.exists());
    store.append_event(event(1, "m")).unwrap();
    let events = find(&layout, "web").unwrap().events().unwrap();
    let first = Some(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(events, [EventLine { count: 2, first, ..event(1, "m") }]);
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
        supervisor_start: ledger::process_start(child.id()).unwrap(),
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
