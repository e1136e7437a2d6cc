//! Restarts and back-off (R3, R4), with `--backoff-initial 300ms --backoff-max 1200ms`.

use serde_json::json;

use crate::harness::{Case, main, wait, worker};

/// Exits with 1 until it has run `n` times.
fn fails_until(n: usize, name: &str) -> String {
    format!("say {name} $(cut -d' ' -f1 /proc/uptime); [ $(grep -c '^{name} ' /t/log) -ge {n} ]")
}

/// Seconds between one start and the next of `name`.
fn gaps(case: &Case, name: &str) -> Vec<f64> {
    let of_name = |line: &String| line.strip_prefix(name)?.trim().parse::<f64>().ok();
    let times: Vec<f64> = case.trace().iter().filter_map(of_name).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// R3.1, R4.1: the first restart is immediate, then 300 ms, 600 ms.
#[test]
fn on_failure_until_it_succeeds() {
    let Some(case) = Case::new("on-failure") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "OnFailure"})).main("main", &fails_until(4, "main"));
    assert_eq!(case.run(&pod), 0);
    let gaps = gaps(&case, "main");
    assert_eq!(gaps.len(), 3);
    // The clock of the trace has steps of 10 ms.
    assert!(gaps[1] >= 0.29 && gaps[2] >= 0.59, "{gaps:?}");
    let status = case.container("main");
    assert_eq!(status["restartCount"], 3);
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(case.phase(), "Succeeded");
}

/// R3.1: Never means never.
#[test]
fn never() {
    let Some(case) = Case::new("never") else { return };
    assert_eq!(case.run(&case.pod().main("main", "say main; exit 1")), 1);
    assert_eq!(case.trace(), ["main"]);
    assert_eq!(case.container("main")["restartCount"], 0);
}

/// R4.3, R4.4: under Always a clean exit is restarted too, and backs off; R4.7: a stop ends the wait at once.
#[test]
fn always_backs_off_and_a_stop_ends_the_wait() {
    let Some(case) = Case::new("always") else { return };
    let pod = case.pod().spec(json!({"restartPolicy": "Always"})).main("main", "say main");
    let mut run = case.start_with(&pod, &["--backoff-initial", "5m"]);
    wait("CrashLoopBackOff", || {
        case.container("main")["state"]["waiting"]["reason"].as_str() == Some("CrashLoopBackOff")
    });
    let waiting = case.container("main")["state"]["waiting"]["message"].clone();
    let message = waiting.as_str().unwrap();
    assert!(message.starts_with("back-off 5m0s restarting failed container=main pod=always_default("), "{message}");
    assert_eq!(case.times_said("main"), 2);
    assert!(case.barepod(&["stop", "always"]).status.success());
    assert_eq!(run.end(), 0);
    assert_eq!(case.times_said("main"), 2);
    assert!(!case.messages("BackOff").is_empty());
}

/// R3.2, R2.5: a failed init is retried under OnFailure; the sidecar before it runs on.
#[test]
fn an_init_is_retried_while_sidecars_run_on() {
    let Some(case) = Case::new("init-retry") else { return };
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure"}))
        .sidecar("web", "serve web")
        .init(worker("init", &format!("await web up; {}", fails_until(3, "init"))))
        .main("main", "say main");
    assert_eq!(case.run(&pod), 0);
    assert_eq!((case.times_said("web up"), case.times_said("main")), (1, 1));
    assert_eq!(case.container("init")["restartCount"], 2);
}

/// R3.4: sidecars restart whatever the pod's policy, also after a clean exit.
#[test]
fn sidecars_restart_under_never() {
    for (name, code) in [("sidecar-clean", 0), ("sidecar-crash", 1)] {
        let Some(case) = Case::new(name) else { return };
        let sidecar = format!("say web; [ $(grep -cx web /t/log) -lt 3 ] && exit {code}; serve web");
        let pod = case.pod().sidecar("web", &sidecar).main("main", "await web up; say main");
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace(), ["web", "web", "web", "web up", "main", "web term"]);
        assert_eq!(case.container("web")["restartCount"], 2);
    }
}

/// R3.6: every instance sees its image afresh, and volumes as they were.
#[test]
fn a_restarted_container_sees_its_image_again() {
    let Some(case) = Case::new("fresh") else { return };
    let script =
        "[ -e /root/mark ] && say stale; echo x > /root/mark; echo x >> /v/count; [ $(wc -l < /v/count) -ge 3 ]";
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure", "volumes": [{"name": "v", "emptyDir": {}}]}))
        .container(crate::harness::main("main", script, json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]})));
    assert_eq!(case.run(&pod), 0);
    assert!(case.trace().is_empty());
}

/// R2.7, R10.8: with the pid 1 of its shared pid namespace a pod loses all its processes: it starts over, from the first
/// init, with its volumes as they are. With hostUsers: false that process is made in another way.
#[test]
fn a_pod_whose_pid_1_is_killed_starts_over() {
    for (name, users) in [("pid-1", true), ("pid-1-users", false)] {
        let Some(case) = Case::new(name) else { return };
        let disk = json!({"volumeMounts": [{"name": "disk", "mountPath": "/d"}]});
        let spec = json!({
            "restartPolicy": "Always", "shareProcessNamespace": true, "hostUsers": users,
            "volumes": [{"name": "disk", "emptyDir": {}}]
        });
        let pod = case
            .pod()
            .spec(spec)
            .init(main("init", "echo x >> /d/lines; say init $(wc -l < /d/lines)", disk))
            .sidecar("web", "serve web")
            .main("main", "await web up; exec serve main");
        let mut run = case.start(&pod);
        for round in 1..=3 {
            wait("the mains", || case.times_said("main up") == round && case.container("main")["ready"] == true);
            assert_eq!(case.times_said(&format!("init {round}")), 1, "{:?}", case.trace());
            if round < 3 {
                kill_pid_1(&case);
            }
        }
        assert_eq!(case.messages("SandboxChanged"), ["Pod sandbox changed, it will be killed and re-created."]);
        assert_eq!(case.container("init")["restartCount"], 2);
        assert_eq!(case.container("web")["lastState"]["terminated"]["exitCode"], 137);
        assert_eq!(case.phase(), "Running");
        assert!(case.barepod(&["stop", name]).status.success());
        assert_eq!(run.end(), 0);
        case.nothing_left();
    }
}

/// R2.7: under Never it ends.
#[test]
fn a_pod_whose_pid_1_is_killed_ends_under_never() {
    let Some(case) = Case::new("pid-1-never") else { return };
    let pod = case
        .pod()
        .spec(json!({"shareProcessNamespace": true}))
        .sidecar("web", "serve web")
        .main("main", "await web up; exec serve main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    kill_pid_1(&case);
    assert_eq!(run.end(), 137);
    assert_eq!(case.phase(), "Failed");
    case.nothing_left();
}

/// SIGKILL from the machine to the process that all others of the pod have as pid 1.
fn kill_pid_1(case: &Case) {
    let pid = rustix::process::Pid::from_raw(case.pid_1()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
