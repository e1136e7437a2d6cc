//! Probes (R6): what they hold up, what they end, what they say. How they ask over the network: `network.rs`.

use std::mem::MaybeUninit;
use std::os::unix::fs::PermissionsExt;

use rustix::fs::inotify;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, PATIENT, main, probe, wait, wait_for};

/// `probe` with more fields.
fn with(probe: Value, more: Value) -> Value {
    let mut probe = probe;
    probe.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    probe
}

/// R6.2, R6.8, R8.2: not ready until its probe succeeds, and again when it fails; nothing is ended for that.
#[test]
fn readiness_comes_and_goes() {
    let Some(case) = Case::new("readiness") else { return };
    let ready = json!({"readinessProbe": probe("test -e /t/good")});
    let mut run = case.start(&case.pod().container(main("main", "serve main", ready)));
    wait("a failed probe", || !case.messages("Unhealthy").is_empty());
    // Events are written before the status.
    wait("started", || case.container("main")["started"] == true);
    assert_eq!(case.container("main")["ready"], false);
    assert_eq!(case.condition("Ready")["message"], "containers with unready status: [main]");
    case.release("good");
    wait("readiness", || case.condition("Ready")["status"] == "True");
    assert_eq!(case.container("main")["ready"], true);
    std::fs::remove_file(case.shared("good")).unwrap();
    wait("its end", || case.condition("Ready")["status"] == "False");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace(), ["main up", "main term"]);
    assert_eq!(case.container("main")["restartCount"], 0);
}

/// R8.2, R8.9: a sidecar's readiness counts for the pod's.
#[test]
fn a_sidecar_that_is_not_ready_keeps_the_pod_from_it() {
    let Some(case) = Case::new("sidecar-ready") else { return };
    let ready = json!({"restartPolicy": "Always", "readinessProbe": probe("test -e /t/good")});
    let pod = case.pod().init(main("web", "serve web", ready)).main("main", "serve main");
    let mut run = case.start(&pod);
    // R2.3: readiness gates nothing.
    case.wait_for("main up");
    wait("a failed probe", || !case.messages("Unhealthy").is_empty());
    for condition in ["Ready", "ContainersReady"] {
        wait(condition, || case.condition(condition)["message"] == "containers with unready status: [web]");
    }
    assert_eq!((&case.container("main")["ready"], &case.container("web")["ready"]), (&json!(true), &json!(false)));
    let table = || String::from_utf8(case.barepod(&["get", case.name()]).stdout).unwrap();
    assert!(table().contains(" 1/2 "), "{}", table());
    case.release("good");
    wait("readiness", || case.condition("Ready")["status"] == "True");
    assert!(table().contains(" 2/2 "), "{}", table());
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R2.3, R6.4: a startup probe holds up the next init container and the other two probes.
#[test]
fn startup_gates_the_next_container_and_the_other_probes() {
    let Some(case) = Case::new("startup") else { return };
    let probes = json!({
        "restartPolicy": "Always",
        "startupProbe": with(probe("say startup; test -e /t/warm"), json!({"failureThreshold": 1000})),
        "livenessProbe": probe("say liveness"),
        "readinessProbe": probe("say readiness"),
    });
    let pod = case
        .pod()
        .init(main("web", "serve web", probes))
        .init(crate::harness::worker("init", "say init"))
        .main("main", "serve main");
    let mut run = case.start(&pod);
    wait("two failed probes", || case.times_said("startup") >= 2);
    let before = case.trace();
    assert!(before.iter().all(|line| line == "web up" || line == "startup"), "{before:?}");
    let status = case.container("web");
    assert_eq!((&status["started"], &status["ready"]), (&json!(false), &json!(false)), "{status}");
    assert!(!status["state"]["running"].is_null(), "{status}");
    case.release("warm");
    for line in ["init", "main up", "liveness", "readiness"] {
        case.wait_for(line);
    }
    wait("started", || case.container("web")["started"] == true);
    // It stops once it has succeeded.
    let startups = case.times_said("startup");
    let livenesses = case.times_said("liveness");
    wait("more of liveness", || case.times_said("liveness") >= livenesses + 2);
    assert_eq!(case.times_said("startup"), startups);
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R3.5, R5.13, R6.6: liveness at its threshold ends the container with the probe's grace instead of the pod's hour, its
/// preStop hook first; then it is restarted, and its probes start over (R6.7).
#[test]
fn liveness_restarts_with_the_probes_own_grace() {
    let Some(case) = Case::new("liveness") else { return };
    let fields = json!({
        "livenessProbe": with(probe("test ! -e /t/sick"), json!({"terminationGracePeriodSeconds": 1})),
        "lifecycle": {"preStop": crate::harness::hook("say pre")},
    });
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 3600}))
        .container(main("main", "rm -f /t/sick; exec defy main", fields));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    case.release("sick");
    wait("the second instance", || case.times_said("main up") == 2);
    assert_eq!(case.trace(), ["main up", "pre", "main term", "main up"]);
    let status = wait_for("its status", || {
        let status = case.container("main");
        (status["restartCount"] == 1).then_some(status)
    });
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 137);
    assert_eq!(case.messages("Killing"), ["Container main failed liveness probe, will be restarted"]);
    assert_eq!(
        case.messages("Unhealthy"),
        ["Liveness probe failed: command \"sh -c test ! -e /t/sick\" exited with 1"]
    );
    assert!(case.barepod(&["stop", "--grace-period", "0", "liveness"]).status.success());
    assert_eq!(run.end(), 137);
}

/// R3.5: under Never what a probe ended stays ended, though it exits 0.
#[test]
fn a_failed_startup_ends_a_container_under_never() {
    let Some(case) = Case::new("startup-never") else { return };
    let fields = json!({"startupProbe": with(probe("echo too cold; false"), json!({"failureThreshold": 2}))});
    assert_eq!(case.run(&case.pod().container(main("main", "serve main", fields))), 0);
    assert_eq!(case.trace(), ["main up", "main term"]);
    assert_eq!(case.container("main")["restartCount"], 0);
    assert_eq!(case.messages("Unhealthy"), ["Startup probe failed: too cold"]);
    assert_eq!(case.events().iter().find(|event| event["reason"] == "Unhealthy").unwrap()["count"], 2);
}

/// R6.10: one that overruns is killed with all that it started, in whatever session, ignoring whatever signals. Its
/// failure is told when the program has ended and all else is killed; a busy box may take a moment over its exits.
#[test]
fn an_exec_probe_that_overruns_is_killed_as_a_tree() {
    let Some(case) = Case::new("overrun") else { return };
    let script = "setsid sh -c \"trap '' TERM HUP INT; sleep 98765; sleep 98765\" & \
        (setsid sleep 98765 &) ; sleep 98765 & say sleepers; exec sleep 98765";
    let ready = with(probe(script), json!({"periodSeconds": 3600, "timeoutSeconds": 2}));
    let mut run = case.start(&case.pod().container(main("main", "serve main", json!({"readinessProbe": ready}))));
    case.wait_for("sleepers");
    wait("what it started", || case.processes("sleep 98765").len() >= 4);
    let told = wait_for("the failure", || case.messages("Unhealthy").pop());
    wait("the end of what it started", || case.processes("98765").is_empty());
    assert!(told.starts_with("Readiness probe failed: command timed out: \"sh -c setsid sh -c "), "{told}");
    assert!(told.ends_with("\" timed out after 2s"), "{told}");
    // The container itself runs on.
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    // The first probe runs as soon as the container does (R6.3): either may speak first.
    let mut trace = case.trace();
    trace[..2].sort();
    assert_eq!(trace, ["main up", "sleepers", "main term"]);
}

/// R6.11, R6.5: what `Unhealthy` says, for all ways in which a probe goes wrong.
#[test]
fn a_failure_says_why() {
    let Some(case) = Case::new("unhealthy") else { return };
    // Each of the seven has a probe, all of them at once, and the next one only after a minute.
    if !crate::harness::open_files_suffice(160) {
        return;
    }
    let exec = |command: Value| json!({"exec": {"command": command}});
    let all = [
        ("talks", exec(json!(["sh", "-c", "echo sick; echo worse >&2; exit 3"])), "failed: sick\nworse"),
        ("silent", exec(json!(["false"])), "failed: command \"false\" exited with 1"),
        ("slow", exec(json!(["sleep", "60"])), "failed: command timed out: \"sleep 60\" timed out after 1s"),
        (
            "signal",
            exec(json!(["sh", "-c", "kill -9 $$$$"])),
            "failed: command \"sh -c kill -9 $$\" was ended by signal 9",
        ),
        ("tcp", json!({"tcpSocket": {"port": 9}}), "failed: dial tcp 127.0.0.1:9: connect: connection refused"),
        (
            "http",
            json!({"httpGet": {"port": 9, "path": "/a"}}),
            "failed: Get \"http://127.0.0.1:9/a\": dial tcp 127.0.0.1:9: connect: connection refused",
        ),
        (
            "grpc",
            json!({"grpc": {"port": 9}}),
            "failed: error: failed to connect service 127.0.0.1:9: dial tcp 127.0.0.1:9: connect: connection refused",
        ),
    ];
    let mut pod = case.pod();
    for (name, probe, _) in &all {
        let timeout = if *name == "slow" { 1 } else { PATIENT };
        let probe = with(probe.clone(), json!({"periodSeconds": 60, "timeoutSeconds": timeout}));
        pod = pod.container(main(name, "serve main", json!({"readinessProbe": probe})));
    }
    let mut run = case.start(&pod);
    for (name, _, expected) in all {
        let told = wait_for(name, || case.messages_of(name, "Unhealthy").pop());
        assert_eq!(told, format!("Readiness probe {expected}"), "{name}");
    }
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R6.5, R6.11: a program that isn't there is no failure of the container's; of what one prints 1 KiB is shown.
#[test]
fn a_program_that_is_missing_and_one_that_talks_too_much() {
    let Some(case) = Case::new("odd-programs") else { return };
    let absent = json!({"exec": {"command": ["/no/such"]}, "periodSeconds": 1, "failureThreshold": 1});
    let pod = case.pod().container(main("absent", "serve absent", json!({"livenessProbe": absent}))).container(main(
        "long",
        "serve long",
        json!({"readinessProbe": probe("seq 5000; false")}),
    ));
    let mut run = case.start(&pod);
    let long = wait_for("long", || case.messages_of("long", "Unhealthy").pop());
    let output = long.strip_prefix("Readiness probe failed: ").unwrap();
    assert!(
        output.starts_with("1\n2\n3\n") && (1000..=1024).contains(&output.len()),
        "{} bytes: {output}",
        output.len()
    );
    let errored = |event: &Value| event["container"] == "absent" && event["reason"] == "Unhealthy";
    let count =
        || case.events().iter().find(|event| errored(event)).map_or(0, |event| event["count"].as_i64().unwrap());
    wait("several errors", || count() >= 2);
    let told = case.messages_of("absent", "Unhealthy");
    assert!(
        told[0].starts_with("Liveness probe errored and resulted in unknown state: ") && told[0].contains("/no/such"),
        "{told:?}"
    );
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.times_said("absent up"), 1);
}

/// R6.5: three tries, one right after the other, and one event. The kernel opens a script before it finds that its
/// interpreter isn't there.
#[test]
fn what_can_not_be_carried_out_is_tried_three_times() {
    let Some(case) = Case::new("tries") else { return };
    let script = case.shared("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
    // Equal events that follow each other become one: what lies between them is watched too.
    let ends = inotify::WatchFlags::OPEN | inotify::WatchFlags::CLOSE_NOWRITE;
    inotify::add_watch(&watch, &script, ends).unwrap();
    let probe = json!({"exec": {"command": ["/t/script"]}, "periodSeconds": 600, "timeoutSeconds": PATIENT});
    let mut run = case.start(&case.pod().container(main("main", "serve main", json!({"livenessProbe": probe}))));
    let told = wait_for("the event", || case.messages("Unhealthy").pop());
    assert!(
        told.starts_with("Liveness probe errored and resulted in unknown state: ") && told.contains("/t/script"),
        "{told}"
    );
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(&watch, &mut buffer);
    let events = std::iter::from_fn(|| reader.next().ok().map(|event| event.events()));
    assert_eq!(events.filter(|event| event.contains(inotify::ReadFlags::OPEN)).count(), 3);
    let unhealthy: Vec<Value> = case.events().into_iter().filter(|event| event["reason"] == "Unhealthy").collect();
    assert!(unhealthy.len() == 1 && unhealthy[0]["count"] == 1, "{unhealthy:?}");
}

/// R6.10: an exec probe's command sees literal values of the container's env alone, its program all of it.
#[test]
fn an_exec_probe_has_the_containers_environment() {
    let Some(case) = Case::new("probe-env") else { return };
    let command = json!(["sh", "-c", "say $(COLOUR) $(POD) $$COLOUR $$POD; test $$POD = probe-env"]);
    let fields = json!({
        "env": [
            {"name": "COLOUR", "value": "blue"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "startupProbe": {"exec": {"command": command}, "periodSeconds": 1, "timeoutSeconds": PATIENT},
    });
    let mut run = case.start(&case.pod().container(main("main", "serve main", fields)));
    wait("startup", || case.container("main")["started"] == true);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    // The shell finds no command POD: what isn't literal isn't expanded.
    assert!(case.said("blue blue probe-env"), "{:?}", case.trace());
}

/// R5.10, R6.9: while mains are stopping, a sidecar's liveness is still watched over, a main's no longer.
#[test]
fn liveness_while_the_pod_ends() {
    let Some(case) = Case::new("ending") else { return };
    let watched =
        |name: &str, more: Value| with(json!({"livenessProbe": probe(&format!("test ! -e /t/sick-{name}"))}), more);
    let main_script = "trap 'say main term; touch /t/sick-main /t/sick-web; await web2 up; say main exits; exit 0' TERM; \
        say main up; while :; do sleep 99 & wait $!; done";
    let web = "[ -e /t/sick-web ] && { rm /t/sick-web; exec serve web2; }; exec serve web";
    let pod = case.pod().init(main("web", web, watched("web", json!({"restartPolicy": "Always"})))).container(main(
        "main",
        main_script,
        watched("main", json!({})),
    ));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace()[2..], ["main term", "web term", "web2 up", "main exits", "web2 term"]);
    assert!(case.messages_of("main", "Unhealthy").is_empty());
}
