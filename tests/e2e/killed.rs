//! The supervisor dies by SIGKILL, at whatever moment: the pod is shown as lost, and the next command that names it
//! leaves nothing of it (design.md, section 5).
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
    let had_ended = ended(case);
    let has_status = case.state().join("pod.json").exists();
    // The list shows it as what it is, and cleans up nothing by itself.
    let all = case.barepod(&["get"]);
    assert!(all.status.success(), "{when}: {}", String::from_utf8_lossy(&all.stderr));
    let table = String::from_utf8_lossy(&all.stdout).into_owned();
    assert!(had_ended || !table.contains(" Running "), "{when}: shown as running:\n{table}");
    let output = match next {
        Next::Get => case.barepod(&["get", case.name()]),
        Next::Events => case.barepod(&["events", case.name()]),
        Next::Describe => case.barepod(&["describe", case.name()]),
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
    if has_status && !had_ended && !matches!(next, Next::Remove | Next::Run) {
        let status = case.get()["status"].clone();
        // The engine is saved before the status is written: what it knew of the end isn't lost.
        if status["phase"] != "Succeeded" || !case.said("over") {
            assert_eq!(
                (&status["phase"], &status["reason"]),
                (&json!("Failed"), &json!("SupervisorLost")),
                "{when}, {next:?}"
            );
        }
    }
    case.nothing_left();
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
        "sandbox/hosts",
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
