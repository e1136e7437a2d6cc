//! Hooks (R7): what postStart holds up, what preStop has of the grace period; stop signals (R5.12).

use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, hook, main, probe, wait, worker};

/// A container with these hooks.
fn hooked(name: &str, script: &str, lifecycle: Value) -> Value {
    main(name, script, json!({"lifecycle": lifecycle}))
}

fn as_sidecar(mut container: Value) -> Value {
    container["restartPolicy"] = json!("Always");
    container
}

/// R2.3, R2.4, R8.3: a postStart holds up "started" and whoever comes next, and runs beside the container's process.
#[test]
fn post_start_holds_up_what_comes_next() {
    let Some(case) = Case::new("post-start") else { return };
    let held = |name: &str| json!({"postStart": hook(&format!("await {name} up; say {name} post; hold {name}"))});
    let pod = case
        .pod()
        .init(as_sidecar(hooked("web", "serve web", held("web"))))
        .init(worker("init", "say init"))
        .container(hooked("one", "serve one", held("one")))
        .main("two", "serve two");
    let mut run = case.start(&pod);
    case.wait_for("web post");
    wait("its status", || !case.container("web")["state"]["running"].is_null());
    assert_eq!(case.container("web")["started"], false);
    assert_eq!(case.trace(), ["web up", "web post"]);
    case.release("web");
    case.wait_for("one post");
    assert_eq!(case.trace(), ["web up", "web post", "init", "one up", "one post"]);
    wait("its status", || !case.container("one")["state"]["running"].is_null());
    assert_eq!((&case.container("one")["started"], &case.container("one")["ready"]), (&json!(false), &json!(false)));
    case.release("one");
    case.wait_for("two up");
    wait("readiness", || case.condition("Ready")["status"] == "True");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R7.1: where it fails the container is ended, its preStop first; R3: and restarted by its policy.
#[test]
fn a_failed_post_start_ends_the_container() {
    let Some(case) = Case::new("post-fails") else { return };
    let lifecycle = json!({
        "postStart": hook("await main up; echo no luck; test $(grep -cx 'main up' /t/log) = 2"),
        "preStop": hook("say pre"),
    });
    let pod =
        case.pod().spec(json!({"restartPolicy": "OnFailure"})).container(hooked("main", "serve main 1", lifecycle));
    let mut run = case.start(&pod);
    wait("started", || case.container("main")["started"] == true);
    assert_eq!(case.trace(), ["main up", "pre", "main term", "main up"]);
    let told = case.messages("FailedPostStartHook");
    assert!(told.len() == 1 && told[0].starts_with("exec [") && told[0].ends_with("]: no luck"), "{told:?}");
    assert_eq!(case.container("main")["restartCount"], 1);
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 1);
    assert_eq!(case.trace()[4..], ["pre", "main term"]);
}

/// R7.1: a sidecar's failed postStart doesn't let the next container start.
#[test]
fn a_sidecar_whose_post_start_fails_is_not_started() {
    let Some(case) = Case::new("sidecar-post") else { return };
    let lifecycle = json!({"postStart": hook("await web up; test -e /t/good")});
    let pod = case.pod().init(as_sidecar(hooked("web", "serve web", lifecycle))).main("main", "say main");
    let mut run = case.start(&pod);
    wait("two instances", || case.times_said("web up") >= 2);
    assert!(!case.said("main"), "{:?}", case.trace());
    case.release("good");
    assert_eq!(run.end(), 0);
    assert!(case.said("main"));
}

/// R5.2: preStop, then SIGTERM. R7.3: not for a container that ends by itself.
#[test]
fn pre_stop_comes_before_the_signal_and_only_then() {
    let Some(case) = Case::new("pre-stop") else { return };
    let pod = case
        .pod()
        .container(hooked("served", "serve served", json!({"preStop": hook("say served pre")})))
        .container(hooked("ends", "say ends", json!({"preStop": hook("say ends pre")})));
    let mut run = case.start(&pod);
    case.wait_for("served up");
    run.wait_for_line("ends exited 0");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    let trace: Vec<_> = case.trace().into_iter().filter(|line| line != "ends").collect();
    assert_eq!(trace, ["served up", "served pre", "served term"]);
}

/// R7.2: a preStop that fails is told of; termination goes on.
#[test]
fn a_failed_pre_stop_changes_nothing() {
    let Some(case) = Case::new("pre-fails") else { return };
    let pod = case.pod().container(hooked("main", "serve main", json!({"preStop": hook("echo oh no >&2; exit 7")})));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.messages("FailedPreStopHook"), ["exec [sh -c echo oh no >&2; exit 7]: oh no"]);
    assert_eq!(case.trace(), ["main up", "main term"]);
}

/// R5.2: what preStop takes is no longer there for the process: 2 of 4 seconds, so that SIGKILL comes after 4, not 6.
#[test]
fn pre_stop_eats_from_the_grace() {
    let Some(case) = Case::new("pre-eats") else { return };
    let lifecycle = json!({"preStop": {"sleep": {"seconds": 2}}});
    let grace = json!({"terminationGracePeriodSeconds": 4});
    let mut run = case.start(&case.pod().spec(grace).container(hooked("main", "defy main", lifecycle)));
    case.wait_for("main up");
    let began = Instant::now();
    run.signal(Signal::TERM);
    case.wait_for("main term");
    assert!(began.elapsed().as_secs_f64() >= 2.0, "{:?}", began.elapsed());
    assert_eq!(run.end(), 137);
    let took = began.elapsed().as_secs_f64();
    assert!((4.0..6.0).contains(&took), "{took}");
}

/// R5.6: one that never returns is given up when the grace is over: SIGTERM, 2 s, SIGKILL, and nothing of it is left.
#[test]
fn a_pre_stop_that_never_returns() {
    let Some(case) = Case::new("pre-endless") else { return };
    let lifecycle = json!({"preStop": hook("say pre; sleep 87654 & exec sleep 87654")});
    let grace = json!({"terminationGracePeriodSeconds": 1});
    let mut run = case.start(&case.pod().spec(grace).container(hooked("main", "defy main", lifecycle)));
    case.wait_for("main up");
    let began = Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 137);
    assert!(began.elapsed().as_secs_f64() >= 3.0, "{:?}", began.elapsed());
    assert_eq!(case.trace(), ["main up", "pre", "main term"]);
    // It is nobody's news that it died with its container.
    assert_eq!(case.messages("FailedPreStopHook"), [""; 0]);
}

/// R5.5, R5.3: sidecars' preStop hooks run at the very start of termination, beside the mains', and their signals come
/// at their turns; at the natural end too (R5.1).
#[test]
fn pre_stop_of_sidecars_comes_at_the_start() {
    for (name, stopped) in [("pre-deleted", true), ("pre-natural", false)] {
        let Some(case) = Case::new(name) else { return };
        let sidecar = |name: &str| {
            as_sidecar(hooked(name, &format!("serve {name}"), json!({"preStop": hook(&format!("say {name} pre"))})))
        };
        let ends = "await a up; await b up; say main up; hold end; say main term";
        // Deleted, it ends only when both hooks have run.
        let obeys = "trap 'await a pre; await b pre; say main term; exit 0' TERM; \
            await a up; await b up; say main up; while :; do sleep 99 & wait $!; done";
        let pod = case.pod().init(sidecar("a")).init(sidecar("b")).main("main", if stopped { obeys } else { ends });
        let mut run = case.start(&pod);
        case.wait_for("main up");
        if stopped {
            run.signal(Signal::TERM);
        } else {
            case.release("end");
        }
        assert_eq!(run.end(), 0);
        let trace = case.trace();
        let at = |line: &str| trace.iter().position(|one| one == line).unwrap();
        assert!(at("a pre") < at("a term") && at("b pre") < at("b term"), "{trace:?}");
        assert!(at("main term") < at("b term") && at("b term") < at("a term"), "{trace:?}");
        assert_eq!(trace.len(), 8, "{trace:?}");
    }
}

/// R5.17: by annotation a sidecar's preStop runs at its turn instead.
#[test]
fn pre_stop_of_sidecars_at_their_turn() {
    let Some(case) = Case::new("pre-at-turn") else { return };
    let web = hooked("web", "serve web", json!({"preStop": hook("say web pre")}));
    let pod = case
        .pod()
        .metadata(json!({"annotations": {"barepod.dev/sidecar-prestop": "at-turn"}}))
        .init(as_sidecar(web))
        .main("main", "await web up; exec serve main");
    let mut run = case.start(&pod);
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert_eq!(case.trace()[2..], ["main term", "web pre", "web term"]);
}

/// R7.4: `sleep` is the supervisor's: it needs nothing in the container. A postStart of one second is one at least.
#[test]
fn a_post_start_that_sleeps() {
    let Some(case) = Case::new("post-sleeps") else { return };
    let clock = |name: &str| format!("say {name} $(cut -d' ' -f1 /proc/uptime)");
    let pod = case
        .pod()
        .container(hooked(
            "one",
            &format!("{}; exec serve one", clock("one")),
            json!({"postStart": {"sleep": {"seconds": 1}}}),
        ))
        .main("two", &clock("two"));
    let mut run = case.start(&pod);
    run.wait_for_line("two exited 0");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    let time = |name: &str| {
        let trace = case.trace();
        let text = trace.iter().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        text.unwrap()
    };
    // The clock of the trace has steps of 10 ms, and the process runs a moment before it is known to.
    assert!(time("two") - time("one") >= 0.9, "{:?}", case.trace());
}

/// R7.4: nothing expands in a hook's command, and it runs as the container's user, in its folder, with its environment.
#[test]
fn a_hook_is_run_as_it_stands_in_the_container() {
    let Some(case) = Case::new("hook-words") else { return };
    let command = json!(["sh", "-c", "say \"$1\" \"$2\" $COLOUR $(id -u) $(pwd)", "sh", "$(COLOUR)", "$$"]);
    let more = json!({
        "env": [{"name": "COLOUR", "value": "blue"}], "workingDir": "/var", "securityContext": {"runAsUser": 1000},
        "lifecycle": {"postStart": {"exec": {"command": command}}},
    });
    let mut run =
        case.start(&case.pod().container(main("main", "await '$(COLOUR) $$ blue 1000 /var'; serve main", more)));
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// R5.2, R5.9: deletion while a postStart runs waits for nobody: preStop, SIGTERM, and the hook dies with its container.
#[test]
fn deletion_during_a_post_start() {
    let Some(case) = Case::new("delete-post") else { return };
    let lifecycle = json!({"postStart": hook("say post; exec sleep 87654"), "preStop": hook("say pre")});
    let pod = case.pod().container(hooked("main", "serve main", lifecycle)).main("two", "say two");
    let mut run = case.start(&pod);
    case.wait_for("post");
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
    assert_eq!(case.trace()[2..], ["pre", "main term"]);
    assert_eq!(case.messages("FailedPostStartHook"), [""; 0]);
}

/// R5.12: the container's own stop signal, of mains and sidecars, also for what a probe ends.
#[test]
fn stop_signals() {
    let Some(case) = Case::new("stop-signal") else { return };
    let script = |name: &str| {
        let trap = |signal: &str| format!("trap 'say {name} {signal}; exit 0' {signal};");
        format!("{}{}{} say {name} up; while :; do sleep 99 & wait $!; done", trap("TERM"), trap("USR1"), trap("INT"))
    };
    let stop = |signal: &str| json!({"stopSignal": signal});
    let mut sick = hooked("sick", &script("sick"), stop("SIGINT"));
    sick["livenessProbe"] = probe("test ! -e /t/sick");
    let pod = case
        .pod()
        .spec(json!({"os": {"name": "linux"}}))
        .init(as_sidecar(hooked("web", &script("web"), stop("SIGUSR1"))))
        .container(sick)
        .container(hooked("main", &script("main"), stop("SIGUSR1")))
        .main("plain", &script("plain"));
    let mut run = case.start(&pod);
    for name in ["web", "sick", "main", "plain"] {
        case.wait_for(&format!("{name} up"));
    }
    case.release("sick");
    case.wait_for("sick INT");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert!(case.said("main USR1") && case.said("plain TERM"), "{:?}", case.trace());
    assert_eq!(case.trace().last().unwrap(), "web USR1");
}
