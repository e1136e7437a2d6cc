//! How many events a second the engine takes: a pod of two inits, two sidecars and two mains that crash and are probed,
//! on a scripted box; the engine's steps alone, told again what happened there; and the same with the status asked for
//! after each, as the supervisor does. Fails where the engine alone takes less than a million a second (built with
//! `--release`, on one idle core).

use std::process::ExitCode;
use std::time::{Duration, Instant};

use barepod_engine::Engine;
use barepod_engine::event::Event;
use barepod_engine::spec::*;
use barepod_engine::time::{Instant as Then, Now, WallTime};
use barepod_engine::world::Simulation;
use barepod_engine::world::script::{AttemptScript, ContainerScript, Script};

const EVENTS: usize = 1_000_000;
/// Issue 3, point 8: events a second, in millions.
const BAR: f64 = 1.0;

fn main() -> ExitCode {
    let mut told = Vec::with_capacity(EVENTS);
    let mut simulation = Simulation::new(pod(), script());
    let began = Instant::now();
    simulation.tell(&Event::Begin, |_, moment| told.push((moment.at, moment.event.clone())));
    while told.len() < EVENTS && simulation.step(|_, moment| told.push((moment.at, moment.event.clone()))) {}
    report("engine and world", told.len(), began.elapsed());
    let rate = replay("engine alone", &told, |engine| {
        std::hint::black_box(engine.next_deadline());
    });
    replay("engine and status", &told, |engine| {
        std::hint::black_box(engine.status());
    });
    if rate < BAR {
        eprintln!("less than {BAR:.2} million events a second");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn replay(what: &str, told: &[(Then, Event)], look: impl Fn(&Engine)) -> f64 {
    let mut engine = Engine::new(pod());
    let mut actions = Vec::new();
    let events = told.to_vec();
    let began = Instant::now();
    for (at, event) in events {
        let wall = WallTime::from_unix_nanos(i64::try_from(at.as_nanos()).unwrap_or(i64::MAX));
        engine.step(Now { monotonic: at, wall }, event, &mut actions);
        std::hint::black_box(&actions);
        actions.clear();
        look(&engine);
    }
    report(what, told.len(), began.elapsed())
}

fn report(what: &str, events: usize, took: Duration) -> f64 {
    let rate = events as f64 / took.as_secs_f64() / 1e6;
    println!("{what}: {events} events in {:.3} s: {rate:.2} million a second", took.as_secs_f64());
    rate
}

fn pod() -> PodSpec {
    let probe = ProbeSpec {
        initial_delay: Duration::ZERO,
        period: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        success_threshold: 1,
        failure_threshold: 3,
        grace_period: None,
    };
    let container = |name: &str, kind| ContainerSpec {
        name: name.into(),
        kind,
        image: ImageSpec::Folder,
        volumes: Vec::new(),
        restart_policy: None,
        restart_rules: Vec::new(),
        startup_probe: None,
        liveness_probe: (kind != Kind::Init).then(|| probe.clone()),
        readiness_probe: (kind != Kind::Init).then(|| probe.clone()),
        post_start: None,
        pre_stop: None,
        stop_signal: None,
    };
    let names = [
        ("i1", Kind::Init),
        ("s1", Kind::Sidecar),
        ("i2", Kind::Init),
        ("s2", Kind::Sidecar),
        ("m1", Kind::Main),
        ("m2", Kind::Main),
    ];
    PodSpec {
        name: "web".into(),
        namespace: "default".into(),
        uid: "u-1".into(),
        restart_policy: RestartPolicy::Always,
        grace_period: Duration::from_secs(30),
        active_deadline: None,
        backoff: Backoff {
            initial: Duration::from_secs(10),
            max: Duration::from_secs(300),
            reset_after: Duration::from_secs(600),
        },
        timeout: None,
        fail_fast: FailFast::No,
        sidecar_grace: None,
        sidecar_pre_stop: SidecarPreStop::AtBegin,
        readiness_gates: Vec::new(),
        ahead: Ahead::Yes,
        containers: names.map(|(name, kind)| container(name, kind)).into(),
    }
}

fn script() -> Script {
    let ends = |seconds, code| ContainerScript::always(AttemptScript::ends(Duration::from_secs(seconds), code));
    Script {
        containers: vec![
            ends(1, 0),
            ContainerScript::default(),
            ends(1, 0),
            ends(400, 1),
            ContainerScript::default(),
            ends(60, 1),
        ],
        ..Script::default()
    }
}
