//! The status is right at every instant: readers that look all the time, while pods live (R8; `harness/observed.rs` has
//! what may be seen).

use rustix::process::Signal;
use serde_json::json;

use crate::harness::observed::Observed;
use crate::harness::{Case, hook, main, probe, wait_for, worker};

/// A pod that has it all and ends by itself.
#[test]
fn of_a_pod_that_succeeds() {
    let Some(case) = Case::new("seen-success") else { return };
    let slow = json!({
        "lifecycle": {"postStart": hook("echo hook >> /t/log")}, "startupProbe": probe("grep -q hook /t/log"),
    });
    let mut side = main("side", "serve side", json!({"readinessProbe": probe("true"), "startupProbe": probe("true")}));
    side["restartPolicy"] = json!("Always");
    let pod = case
        .pod()
        .init(worker("first", "sleep 0.3"))
        .init(side)
        .init(worker("second", "say second"))
        .container(main("main", "await over; say main", slow))
        .main("other", "sleep 1.5; say over");
    let mut run = case.start(&pod);
    let mut seen = Observed::new(&case);
    seen.until_it_ends(&mut run, |_, _| {});
    assert_eq!(run.end(), 0);
    seen.ask();
    assert_eq!(seen.phases(), ["Pending", "Running", "Succeeded"]);
    assert_eq!(seen.states("first"), ["PodInitializing", "running", "Completed"]);
    assert_eq!(seen.states("main").last().unwrap(), "Completed");
    assert!(seen.len() > 8, "{}", seen.len());
}

/// Crash loops of a main, a sidecar and an init container, each with its own back-off.
#[test]
fn of_a_pod_that_crashes_and_recovers() {
    let Some(case) = Case::new("seen-crashes") else { return };
    let fails = |name: &str, times: usize| format!("say {name}; [ $(grep -c '^{name}$' /t/log) -ge {times} ]");
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure"}))
        .init(worker("init", &fails("init", 3)))
        .sidecar("side", &format!("{} || exit 1; serve up", fails("side", 3)))
        .main("main", &fails("main", 4))
        .main("killed", &format!("{} || kill -9 $$", fails("killed", 2)));
    let mut run = case.start(&pod);
    let mut seen = Observed::new(&case);
    // Whoever asks sees the same as whoever reads the file; asking takes long, so not always.
    let mut number = 0;
    seen.until_it_ends(&mut run, |_, _| {
        number += 1;
        if number % 4 == 0 {
            Observed::new(&case).ask();
        }
    });
    assert_eq!(run.end(), 0);
    seen.ask();
    assert_eq!(seen.phases(), ["Pending", "Running", "Succeeded"]);
    for name in ["init", "main"] {
        assert!(seen.states(name).contains(&"CrashLoopBackOff".to_owned()), "{name}: {:?}", seen.states(name));
    }
    assert_eq!(case.container("main")["restartCount"], 3);
}

/// Deleted in each part of its life: while an init container runs, while mains do, and once more while they stop.
#[test]
fn of_a_pod_that_is_deleted() {
    let Some(case) = Case::new("seen-deleted") else { return };
    let runs = |pod: &serde_json::Value, list: &str, at: usize| pod["status"][list][at]["state"]["running"].is_object();
    for (round, list) in ["initContainerStatuses", "containerStatuses"].iter().enumerate() {
        let init = if round == 0 { "trap 'exit 0' TERM; say init; sleep 60 & wait" } else { "true" };
        let stop = json!({"lifecycle": {"preStop": hook("sleep 0.2")}});
        let pod = case.pod().sidecar("side", "serve side").init(worker("init", init)).container(main(
            "main",
            "trap 'sleep 0.3; exit 3' TERM; say main; sleep 60 & wait; wait",
            stop,
        ));
        let mut run = case.start(&pod);
        let mut seen = Observed::new(&case);
        let (at, mut stops) = (1 - round, 0);
        seen.until_it_ends(&mut run, |pod, run| {
            if (stops == 0 && runs(pod, list, at)) || (stops == 1 && !pod["metadata"]["deletionTimestamp"].is_null()) {
                run.signal(Signal::TERM);
                stops += 1;
            }
        });
        assert_eq!(stops, 2);
        run.end();
        seen.ask();
        assert_eq!(seen.phases().last(), Some(&"Failed"));
        assert!(case.barepod(&["rm", case.name()]).status.success());
    }
}

/// Killed at various states of its pod: what was seen before can have become what is said after.
#[test]
fn of_a_pod_whose_supervisor_is_killed() {
    let Some(case) = Case::new("seen-killed") else { return };
    for moment in 1..8 {
        let pod = case
            .pod()
            .init(worker("init", "true"))
            .sidecar("side", "serve side")
            .main("main", "say main; sleep 0.2; say over")
            .main("other", "sleep 60");
        let mut run = case.start(&pod);
        let (mut seen, mut number) = (Observed::new(&case), 0);
        seen.until_it_ends(&mut run, |pod, run| {
            number += 1;
            // Where everything is slow a reader sees fewer of them: the last that counts is that the first main is over.
            if number == moment || pod["status"]["containerStatuses"][0]["state"]["terminated"].is_object() {
                run.kill();
            }
        });
        // Whoever only looks changes nothing; `stop` ends what is left.
        assert_eq!(case.phase(), "Unknown", "{moment}");
        assert!(case.barepod(&["stop", case.name()]).status.success());
        seen.ask();
        assert_eq!(seen.phases().last(), Some(&"Failed"), "{moment}");
        assert!(case.barepod(&["rm", case.name()]).status.success());
    }
}

/// What is saved of a supervisor names what lives: the processes of containers by pid and start, and what each was made
/// with.
#[test]
fn what_is_saved_names_the_processes_that_run() {
    let Some(case) = Case::new("saved") else { return };
    let unconfined = json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}});
    let mut side = main("side", "serve side", unconfined);
    side["restartPolicy"] = json!("Always");
    let pod = case.pod().init(side).main("main", "say main; serve up");
    let mut run = case.start(&pod);
    case.wait_for("main");
    let read =
        |path: std::path::PathBuf| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let all_run = || {
        let state = read(case.state().join("state.json"));
        let stages = state["containers"].as_array().unwrap().clone();
        let started = |one: &serde_json::Value| !one["stage"]["Present"]["start"]["Started"].is_null();
        stages.iter().all(started).then_some(stages)
    };
    let containers = wait_for("both containers run, as state.json has it", all_run);
    for (saved, name) in containers.iter().zip(["side", "main"]) {
        let process = &saved["stage"]["Present"]["process"];
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process["pid"])).unwrap();
        let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
        assert_eq!(process["start"].to_string(), start, "{name}");
        let made = read(case.state().join(format!("containers/{name}/0/attempt.json")));
        assert_eq!(made["process"]["cwd"], "/", "{name}");
        // What may be secret is nowhere on the host.
        assert!(made["process"]["env"].is_null() && made["process"]["args"].is_null(), "{name}");
        assert_eq!(made["seccomp"].is_null(), name == "side", "{name}");
    }
    run.signal(Signal::TERM);
    run.end();
    case.nothing_left();
}
