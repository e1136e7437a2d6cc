//! R6: probes.

use barepod_engine::event::{ContainerEvent, Event, Probe, ProbeResult};
use barepod_engine::spec::{Attempt, ContainerIndex, ProbeSpec, RestartPolicy};
use barepod_engine::status::ConditionKind;
use barepod_engine::world::script::{AttemptScript, ProbeScript};

use crate::pods::*;
use crate::timeline::*;

fn good() -> ProbeScript {
    AttemptScript::default().liveness
}

fn until(seconds: f64) -> ProbeScript {
    ProbeScript { good_until: Some(secs(seconds)), ..good() }
}

fn from(seconds: f64) -> ProbeScript {
    ProbeScript { good_from: secs(seconds), ..good() }
}

/// R6.3: after the initial delay, then every period.
#[test]
fn when_probes_run() {
    let delayed = ProbeSpec { initial_delay: secs(7.0), period: secs(5.0), ..probe() };
    let case = never().main("m1", &[ends(20.0, 0)]).with(|m| m.liveness_probe = Some(delayed));
    assert_eq!(run(case, &[]).times("m1 probe liveness"), [7.0, 12.0, 17.0]);
    // A slow probe doesn't run twice at once; the next is due when it is over.
    let slow = AttemptScript { liveness: ProbeScript { takes: secs(12.0), ..good() }, ..ends(30.0, 0) };
    let case = never().main("m1", &[slow]).with(|m| m.liveness_probe = Some(probe()));
    assert_eq!(run(case, &[]).times("m1 probe liveness"), [0.0, 12.0, 24.0]);
}

/// R6.2, R6.8, R8.2, R8.3: readiness fails at first; its failure kills nothing.
#[test]
fn readiness() {
    let script = AttemptScript { readiness: ProbeScript { good_until: Some(secs(35.0)), ..from(5.0) }, ..obeys(0.0) };
    let mut run = begin(never().main("m1", &[script]).with(|m| m.readiness_probe = Some(probe())));
    let mut seen = Vec::new();
    for at in [4.0, 9.0, 11.0, 45.0, 55.0, 61.0] {
        run.until(at);
        let ready = run.container("m1").ready;
        assert_eq!(run.condition(ConditionKind::Ready).status, ready);
        assert_eq!(run.condition(ConditionKind::ContainersReady).status, ready);
        assert!(run.container("m1").started);
        seen.push(ready);
    }
    assert_eq!(seen, [false, false, true, true, true, false]);
    assert_eq!(run.of(&["signal"]), [""; 0]);
    assert!(run.lines.contains(&"40 record Unhealthy m1: Readiness probe failed: scripted".to_string()));
    let condition = run.condition(ConditionKind::Ready);
    assert_eq!(condition.message, "containers with unready status: [m1]");
    assert_eq!(condition.last_transition.as_unix_nanos(), 60_000_000_000);
}

/// R6.4, R6.3: liveness and readiness wait for startup; then readiness is probed at once.
#[test]
fn startup_comes_first() {
    let script = AttemptScript { startup: from(15.0), ..ends(35.0, 0) };
    let case = never().main("m1", &[script]).with(|m| {
        m.startup_probe = Some(probe());
        m.liveness_probe = Some(probe());
        m.readiness_probe = Some(probe());
    });
    let run = run(case, &[]);
    assert_eq!(run.times("m1 probe startup"), [0.0, 10.0, 20.0]);
    assert_eq!(run.times("m1 probe liveness"), [20.0, 30.0]);
    assert_eq!(run.times("m1 probe readiness"), [20.0, 30.0]);
}

/// R6.5: a row of equal results counts from its threshold on.
#[test]
fn thresholds() {
    let case = never().main("m1", &[AttemptScript { liveness: until(5.0), ..obeys(0.0) }]);
    let done = run(case.with(|m| m.liveness_probe = Some(probe())), &[]);
    // Good at 0; bad at 10, 20 and 30.
    assert_eq!(done.times("m1 signal 15"), [30.0]);
    let spec = ProbeSpec { success_threshold: 2, ..probe() };
    let mut run = begin(never().main("m1", &[obeys(0.0)]).with(|m| m.readiness_probe = Some(spec)));
    run.until(5.0);
    assert!(!run.container("m1").ready);
    run.until(10.0);
    assert!(run.container("m1").ready);
}

/// R6.5: a good result interrupts a row of bad ones.
#[test]
fn rows_are_interrupted() {
    let case = never().main("m1", &[obeys(0.0)]).with(|m| {
        m.liveness_probe = Some(ProbeSpec { failure_threshold: 2, ..probe() });
    });
    let mut run = begin(case);
    let bad = || ProbeResult::Failure { message: "no".into() };
    for (at, result) in [(10.0, bad()), (20.0, ProbeResult::Success), (30.0, bad()), (40.0, ProbeResult::Success)] {
        // The scripted answer to the probe at `at` comes second and is not awaited any more.
        let before = barepod_engine::time::Instant::default().after(secs(at));
        while run.simulation.next().is_some_and(|next| next < before) {
            let next = run.simulation.next().unwrap();
            run.until(next.since(barepod_engine::time::Instant::default()).as_secs_f64());
        }
        run.simulation.now = before;
        run.tell(&Event::Tick);
        run.tell(&Event::Container {
            container: ContainerIndex(0),
            attempt: Attempt(0),
            event: ContainerEvent::ProbeDone { probe: Probe::Liveness, result },
        });
    }
    assert_eq!(run.of(&["signal"]), [""; 0]);
}

/// R6.5: what can't be carried out counts as nothing; a warning is a success.
#[test]
fn errors_count_as_nothing() {
    let errs = ProbeScript { errs: true, ..until(5.0) };
    let case = never()
        .main("m1", &[AttemptScript { liveness: errs, ..ends(100.0, 0) }])
        .with(|m| m.liveness_probe = Some(probe()));
    let run = run(case, &[]);
    assert_eq!(run.of(&["signal"]), [""; 0]);
    assert!(run.lines.contains(
        &"10 record Unhealthy m1: Liveness probe errored and resulted in unknown state: scripted".to_string()
    ));
}

/// R6.6, R5.13, R3.5: killed with its preStop and the probe's grace, then restarted unless the policy is Never.
#[test]
fn liveness_kills() {
    let script = AttemptScript { liveness: until(5.0), pre_stop: hook(1.0), ..stubborn() };
    let case = |policy, script| {
        pod(policy).main("m1", &[script, obeys(0.0)]).with(|m| {
            m.pre_stop = Some(barepod_engine::spec::HookSpec::Handler);
            m.liveness_probe = Some(ProbeSpec { grace_period: Some(secs(5.0)), failure_threshold: 1, ..probe() });
        })
    };
    let done = run(case(RestartPolicy::OnFailure, script), &[stop(20.0)]);
    assert_eq!(
        done.main_lines()[1..6],
        ["10 m1 hook preStop", "11 m1 signal 15", "15 m1 kill", "15 m1 exited signal9", "15 m1 start"]
    );
    assert!(
        done.lines.contains(&"10 record Killing m1: Container m1 failed liveness probe, will be restarted".to_string())
    );
    // Whatever its exit code.
    let polite = AttemptScript { on_stop: obeys_well(0.0).on_stop, ..script };
    assert_eq!(run(case(RestartPolicy::OnFailure, polite), &[stop(20.0)]).times("m1 start").len(), 2);
    let done = run(case(RestartPolicy::Never, polite), &[]);
    assert_eq!(done.finish(), Some("11 finish 0"));
    assert!(done.lines.contains(&"10 record Killing m1: Container m1 failed liveness probe".to_string()));
}

/// R3.5: restartPolicyRules play no part in it.
#[test]
fn rules_play_no_part_in_probes() {
    use barepod_engine::spec::RestartRuleAction::{Restart, RestartAllContainers};
    let sick = AttemptScript { liveness: until(5.0), ..obeys(0.0) };
    let spec = ProbeSpec { failure_threshold: 1, ..probe() };
    let case = never().main("m1", &[sick]).with(|m| {
        m.liveness_probe = Some(spec.clone());
        m.restart_rules = vec![rule(Restart, &[143])];
    });
    assert_eq!(run(case, &[]).finish(), Some("10 finish 143"));
    let case = never()
        .sidecar("s1", &[sick, obeys(0.0)])
        .with(|s| {
            s.liveness_probe = Some(spec);
            s.restart_rules = vec![rule(RestartAllContainers, &[143])];
        })
        .main("m1", &[ends(20.0, 0)]);
    assert_eq!(run(case, &[]).times("m1 start"), [0.0]);
}

/// R6.6: a failing startup probe kills; R6.7: the new instance starts over.
#[test]
fn startup_kills() {
    let never_up = AttemptScript { startup: from(900.0), ..obeys(0.0) };
    let case = always()
        .sidecar("s1", &[never_up, AttemptScript { startup: from(15.0), ..obeys(0.0) }])
        .with(|s| s.startup_probe = Some(ProbeSpec { period: secs(1.0), ..probe() }))
        .main("m1", &[obeys(0.0)]);
    let mut case = case;
    case.spec.containers[0].startup_probe.as_mut().unwrap().failure_threshold = 30;
    let run = run(case, &[stop(100.0)]);
    assert_eq!(run.times("s1 start"), [0.0, 29.0]);
    assert_eq!(run.times("m1 start"), [44.0]);
    assert!(run.lines.contains(&"29 record Killing s1: Init container s1 failed startup probe".to_string()));
}

/// R6.9: at deletion a main's liveness stops and its readiness goes on.
#[test]
fn probes_at_deletion() {
    let case = never().main("m1", &[obeys(26.0)]).with(|m| {
        m.liveness_probe = Some(probe());
        m.readiness_probe = Some(probe());
    });
    let run = run(case, &[stop(15.0)]);
    assert_eq!(run.times("m1 probe liveness"), [0.0, 10.0]);
    assert_eq!(run.times("m1 probe readiness"), [0.0, 10.0, 20.0, 30.0, 40.0]);
}

/// R6.4: nothing is probed before postStart has returned.
#[test]
fn probes_wait_for_post_start() {
    let case = never().main("m1", &[AttemptScript { post_start: hook(4.0), ..ends(10.0, 0) }]).with(|m| {
        m.post_start = Some(barepod_engine::spec::HookSpec::Handler);
        m.liveness_probe = Some(probe());
    });
    assert_eq!(run(case, &[]).times("m1 probe liveness"), [4.0]);
}

/// R6.11: output is cut to 1 KiB, at a character.
#[test]
fn output_is_cut() {
    let mut run = begin(never().main("m1", &[obeys(0.0)]).with(|m| m.readiness_probe = Some(probe())));
    run.until(9.0);
    run.simulation.now = barepod_engine::time::Instant::default().after(secs(10.0));
    run.tell(&Event::Tick);
    let message = "x".to_string() + &"ä".repeat(2000);
    run.tell(&Event::Container {
        container: ContainerIndex(0),
        attempt: Attempt(0),
        event: ContainerEvent::ProbeDone { probe: Probe::Readiness, result: ProbeResult::Warning { message } },
    });
    let line = run.lines.iter().find(|line| line.contains("ProbeWarning")).unwrap();
    assert_eq!(line.split(": ").last().unwrap().len(), 1023);
}
