//! The supervisor dies by SIGKILL, at whatever moment: commands that read show the pod as lost and touch nothing, and the
//! next `stop`, `rm` or `run` of it leaves nothing. Or it is asked for its end very early.
//!
//! Moments are found in three ways: at each lifecycle line, at each change of the state folder (during creation), and
//! at points spread evenly with a random share over a pod's whole life. `$BAREPOD_TEST_SEED` repeats a run.

use std::fs;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, Manifest, Run, main, slow, wait, wait_for, worker};

/// All that a pod can have made: volumes on disk and in memory, upper layers, a shared pid namespace, limits.
fn pod(case: &Case, shared_pid: bool) -> Manifest {
    let mounts = json!({"volumeMounts": [{"name": "disk", "mountPath": "/d"}, {"name": "memory", "mountPath": "/m"}]});
    let limits = json!({"resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}});
    case.pod()
        .spec(json!({
            "shareProcessNamespace": shared_pid, "terminationGracePeriodSeconds": 2,
            "volumes": [{"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}]
        }))
        .init(main("init", "echo x > /d/f; echo x > /m/f; echo x > /root/f; echo printed", mounts.clone()))
        .sidecar("web", "(trap '' TERM; sleep 1000) & serve web")
        .container(main("main", "await web up; say main; sleep 0.05; say over", mounts))
        .container(main("other", "await main", limits))
}

/// What the next command is: each must do.
#[derive(Clone, Copy, Debug)]
enum Next {
    Get,
    Remove,
    Run,
    Stop,
    Events,
    Describe,
}

const NEXT: [Next; 6] = [Next::Get, Next::Remove, Next::Run, Next::Stop, Next::Events, Next::Describe];

/// The supervisor is dead, in the middle of something or just before its end; `next` is said, and nothing is left.
fn clean_up(case: &Case, run: &mut Run<'_>, next: Next, when: &str) {
    run.kill();
    // On a slow box it may not have begun with anything.
    let is_there = case.state().exists();
    let had_ended = ended(case);
    let has_status = case.state().join("pod.json").exists();
    // The list shows it as what it is, and cleans up nothing by itself.
    let all = case.barepod(&["get"]);
    assert!(all.status.success(), "{when}: {}", String::from_utf8_lossy(&all.stderr));
    let table = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(had_ended || !table.contains(" Running "), "{when}: shown as running:\n{table}");
    let output = match next {
        Next::Get => looked_at(case, "get", when),
        Next::Events => looked_at(case, "events", when),
        Next::Describe => looked_at(case, "describe", when),
        Next::Stop => case.barepod(&["stop", case.name()]),
        Next::Remove => case.barepod(&["rm", "--force", case.name()]),
        Next::Run => {
            fs::write(case.shared("log"), "").unwrap();
            let output = case.barepod(&["run", "-q", "pod.yaml"]);
            assert_eq!(output.status.code(), Some(0), "{when}: {}", String::from_utf8_lossy(&output.stderr));
            output
        }
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("warning") && !text.contains("panicked"), "{when}, {next:?}: {text}");
    let looked = matches!(next, Next::Get | Next::Events | Next::Describe);
    if has_status && !had_ended && !matches!(next, Next::Remove | Next::Run) {
        let status = case.get()["status"].clone();
        let phase = if looked { "Unknown" } else { "Failed" };
        // The engine is saved before the status is written: what it knew of the end isn't lost.
        if status["phase"] != "Succeeded" || !case.said("over") {
            assert_eq!(
                (&status["phase"], &status["reason"]),
                (&json!(phase), &json!("SupervisorLost")),
                "{when}, {next:?}"
            );
        }
    }
    if looked && is_there {
        let removed = case.barepod(&["rm", case.name()]);
        let text = String::from_utf8_lossy(&removed.stderr);
        assert!(removed.status.success() && !text.contains("warning"), "{when}, {next:?}: {text}");
    }
    case.nothing_left();
}

/// A command that reads: it ends nothing and writes nothing.
fn looked_at(case: &Case, command: &str, when: &str) -> std::process::Output {
    // The supervisor's children that were in the midst of something die with it, a moment later; containers run on.
    let of_the_pod = || {
        let names = walkdir::WalkDir::new(case.root()).sort_by_file_name().into_iter().flatten();
        names.map(|entry| entry.path().display().to_string()).collect::<Vec<_>>()
    };
    let ledger = || fs::read(case.state().join("ledger.json")).unwrap_or_default();
    let before = (of_the_pod(), ledger());
    let output = case.barepod(&[command, case.name()]);
    let mut after = (of_the_pod(), ledger());
    // Mount points that a helper still made in a root file system, as it is killed with its parent but not before.
    let is_mount_point = |path: &String| {
        let found = fs::symlink_metadata(path);
        path.contains("/upper/") && found.is_ok_and(|found| found.is_dir() || found.is_file() && found.len() == 0)
    };
    after.0.retain(|path| before.0.contains(path) || !is_mount_point(path));
    assert_eq!(after, before, "{when}: {command} has changed something");
    output
}

/// Whether the pod came to its end before the supervisor died.
fn ended(case: &Case) -> bool {
    let text = fs::read_to_string(case.state().join("pod.json")).unwrap_or_default();
    let pod: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// At each lifecycle line in turn.
#[test]
fn at_each_lifecycle_line() {
    let Some(case) = Case::new("killed-line") else { return };
    let mut whole = case.start(&pod(&case, false));
    assert_eq!(whole.end(), 0);
    let lines = whole.stderr().lines().count();
    case.nothing_left();
    for number in 1..=lines {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&pod(&case, number % 2 == 0));
        wait("the line", || run.stderr().lines().count() >= number || run.has_ended());
        clean_up(&case, &mut run, NEXT[number % NEXT.len()], &format!("line {number}"));
    }
}

/// As soon as this or that of the state folder is there: before and while containers are created.
#[test]
fn as_things_come_to_be() {
    let Some(case) = Case::new("killed-file") else { return };
    let files = [
        "",
        "lock",
        "ledger.json",
        "events.jsonl",
        "control.sock",
        "sandbox",
        "sandbox/shm",
        "pod.json",
        "state.json",
        "containers",
        "containers/init",
        "containers/init/0",
        "containers/web/0",
        "containers/main/0",
        "containers/other/0",
    ];
    for (number, file) in files.iter().enumerate() {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&pod(&case, number % 2 == 0));
        let path = case.state().join(file);
        // No pause between looks: the moment is what matters.
        let deadline = Instant::now() + crate::harness::patience();
        while !path.exists() && !run.has_ended() {
            assert!(Instant::now() < deadline, "{file} never came to be");
        }
        clean_up(&case, &mut run, NEXT[number % NEXT.len()], &format!("file {file:?}"));
    }
}

/// At 30 moments (10 where everything is slow) of a pod's whole life, evenly spread with a random share each.
#[test]
fn at_any_moment() {
    let Some(case) = Case::new("killed-any") else { return };
    let seed = std::env::var("BAREPOD_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let mut random = Random(seed.unwrap_or_else(|| u64::from(std::process::id())));
    println!("seed: {}", random.0);
    let began = Instant::now();
    assert_eq!(case.run(&pod(&case, false)), 0);
    let life = began.elapsed();
    let points = if slow() { 10 } else { 30 };
    for point in 0..points {
        fs::write(case.shared("log"), "").unwrap();
        let began = Instant::now();
        let mut run = case.start(&pod(&case, point % 2 == 0));
        let share = f64::from(point) + random.share();
        let moment = life.mul_f64(share / f64::from(points));
        // Not to wait for something: this very moment is the test's input.
        #[allow(clippy::disallowed_methods, reason = "the moment of the kill is the case")]
        std::thread::sleep(moment.saturating_sub(began.elapsed()));
        clean_up(&case, &mut run, NEXT[point as usize % NEXT.len()], &format!("{moment:?} of {life:?}"));
    }
}

/// Asked for its end when there is hardly anything of it, a pod ends in order: signals wait for who listens to them.
#[test]
fn asked_as_things_come_to_be() {
    let Some(case) = Case::new("asked-early") else { return };
    let files = ["", "lock", "ledger.json", "events.jsonl", "control.sock", "sandbox"];
    for (number, file) in files.iter().chain(&files).enumerate() {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&pod(&case, false));
        let path = case.state().join(file);
        let deadline = Instant::now() + crate::harness::patience();
        while !path.exists() && !run.has_ended() {
            assert!(Instant::now() < deadline, "{file} never came to be");
        }
        run.signal([Signal::INT, Signal::TERM, Signal::HUP][number % 3]);
        run.end();
        assert!(ended(&case), "{file:?}: {}", run.stderr());
        let removed = case.barepod(&["rm", case.name()]);
        assert!(removed.status.success(), "{file:?}: {}", String::from_utf8_lossy(&removed.stderr));
        case.nothing_left();
    }
}

/// In the middle of a deletion.
#[test]
fn while_it_is_being_stopped() {
    let Some(case) = Case::new("killed-stop") else { return };
    let pod = case.pod().sidecar("web", "defy web").main("main", "await web up; exec serve main");
    for (number, moment) in ["main term", "web term"].into_iter().enumerate() {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&pod);
        case.wait_for("main up");
        run.signal(Signal::TERM);
        case.wait_for(moment);
        clean_up(&case, &mut run, NEXT[number], moment);
    }
}

/// `stop` and `rm --force` of a pod whose supervisor dies meanwhile come to an end.
#[test]
fn while_a_command_waits_for_it() {
    for command in [&["stop"][..], &["rm", "--force"]] {
        let Some(case) = Case::new("killed-waiting") else { return };
        let mut run =
            case.start(&case.pod().spec(json!({"terminationGracePeriodSeconds": 600})).main("main", "defy main"));
        case.wait_for("main up");
        // Stopped, it takes no request: the command waits until it dies.
        run.signal(Signal::STOP);
        let mut waiting = case.command(command).arg("killed-waiting").spawn().unwrap();
        wait("the request is on its way", || connecting(waiting.id()));
        run.kill();
        let status = wait_for("the end of the command", || waiting.try_wait().unwrap());
        assert!(status.success(), "{command:?}: {status}");
        case.barepod(&["get", "killed-waiting"]);
    }
}

/// Whether this process has a socket: then it has asked.
fn connecting(pid: u32) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| to.to_string_lossy().starts_with("socket:"))
}

/// A new `run` of a lost pod under the same name is a whole new life: nothing of the old one shows.
#[test]
fn a_new_run_is_a_new_life() {
    let Some(case) = Case::new("killed-anew") else { return };
    let pod = case.pod().init(worker("init", "say init")).main("main", "echo first; say main; hold go");
    let mut run = case.start(&pod);
    case.wait_for("main");
    run.kill();
    case.release("go");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["init", "main", "init", "main"]);
    assert_eq!(case.phase(), "Succeeded");
    assert_eq!(case.container("main")["restartCount"], 0);
    assert!(case.messages("SupervisorLost").is_empty());
    assert_eq!(case.logs("main", &[]), "first\n");
}

/// splitmix64: enough to spread moments, and repeatable.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Of a pod whose supervisor was killed containers run on, whoever looks: `stop` ends them.
#[test]
fn looking_ends_nothing() {
    let Some(case) = Case::new("killed-looked-at") else { return };
    let mut run = case.start(&case.pod().main("main", "echo line; exec serve main"));
    case.wait_for("main up");
    wait("the log", || case.logs("main", &[]) == "line\n");
    run.kill();
    let name = case.name().to_owned();
    for command in [&["get", &name][..], &["get"], &["describe", &name], &["events", &name], &["logs", &name]] {
        let output = case.barepod(command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!case.processes("serve").is_empty(), "{command:?} has ended the container");
    }
    let table = case.barepod(&["get", &name]);
    let (out, err) = (String::from_utf8_lossy(&table.stdout), String::from_utf8_lossy(&table.stderr));
    assert!(out.contains(" Unknown "), "{out}");
    assert!(err.contains(&format!("`barepod rm default/{name}` ends what is left of it")), "{err}");
    assert_eq!(case.logs("main", &[]), "line\n");
    assert!(case.barepod(&["stop", &name]).status.success());
    assert_eq!(case.processes("serve"), [""; 0]);
    assert_eq!(case.get()["status"]["reason"], "SupervisorLost");
}

/// The file of a living pod's lock is gone (a cleaner of old files): the pod lives on, whoever looks, and can be stopped.
#[test]
fn a_lock_file_that_is_gone_ends_nothing() {
    let Some(case) = Case::new("killed-lock") else { return };
    let pod = case.pod().main("main", "say up; exec serve main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    fs::remove_file(case.state().join("lock")).unwrap();
    let name = case.name().to_owned();
    for command in [&["get", &name][..], &["get"], &["describe", &name], &["events", &name], &["logs", &name]] {
        assert!(case.barepod(command).status.success(), "{command:?}");
    }
    assert_eq!(case.phase(), "Running");
    for (command, says) in
        [(&["rm", &name][..], "is running; stop it first"), (&["run", "pod.yaml"], "is already running")]
    {
        let output = case.barepod(command);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(says), "{command:?}: {text}");
    }
    assert!(!run.has_ended() && !case.processes("serve").is_empty());
    assert!(case.barepod(&["stop", &name]).status.success());
    assert_eq!(run.end(), 0);
}
