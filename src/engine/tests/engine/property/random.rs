//! Random pods on random boxes, from a seed.

use std::time::Duration;

use barepod_engine::event::{CreateFailure, Event, Exit, ImageFailure, ResizeWay, RestartOf, StorageExceeded};
use barepod_engine::spec::*;
use barepod_engine::time::Instant;
use barepod_engine::world::script::*;

use crate::pods::{Case, container as plain, never};

/// A number in the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: not a number")))
}

/// A seed that no run has had, or the one that is asked for with the kept ones.
pub fn new_seed() -> u64 {
    if let Some(seed) = number("BAREPOD_SEED") {
        return seed * 1_000_000;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

/// splitmix64: small, fast, the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True so many times out of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }

    /// Whole seconds are likely: deadlines that coincide are where the trouble is.
    pub fn duration(&mut self) -> Duration {
        match self.below(10) {
            0 => Duration::ZERO,
            1..=4 => Duration::from_secs(self.below(6)),
            5..=7 => Duration::from_millis(self.below(8_000)),
            8 => Duration::from_secs(self.below(60)),
            _ => Duration::from_secs(self.below(900)),
        }
    }

    fn short(&mut self) -> Duration {
        match self.below(3) {
            0 => Duration::ZERO,
            1 => Duration::from_millis(self.below(50)),
            _ => Duration::from_millis(self.below(1_500)),
        }
    }

    fn code(&mut self) -> u8 {
        self.pick(&[0, 0, 0, 1, 2, 88, 143])
    }

    fn exit(&mut self) -> Exit {
        match self.below(8) {
            0 => Exit::Signal(11),
            1 => Exit::Unknown,
            _ => Exit::Code(self.code()),
        }
    }

    fn policy(&mut self) -> RestartPolicy {
        self.pick(&[RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never])
    }
}

/// What comes from outside, in order of time.
pub type Outside = Vec<(Instant, Event)>;

pub fn case(random: &mut Random) -> (Case, Outside) {
    let mut case = never();
    let spec = &mut case.spec;
    spec.restart_policy = random.policy();
    spec.grace_period = random.pick(&[0, 1, 2, 3, 5, 10, 30].map(Duration::from_secs));
    spec.active_deadline = random.percent(10).then(|| random.duration());
    spec.timeout = random.percent(10).then(|| random.duration());
    if random.percent(20) {
        spec.ahead = Ahead::No;
    }
    if random.percent(15) {
        spec.fail_fast = FailFast::Yes;
    }
    spec.sidecar_grace = random.percent(10).then(|| Duration::from_secs(random.below(8)));
    if random.percent(10) {
        spec.sidecar_pre_stop = SidecarPreStop::AtTurn;
    }
    if random.percent(30) {
        spec.backoff = Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(4),
            reset_after: Duration::from_secs(8),
        };
    }
    let hookless = random.percent(40);
    let probeless = random.percent(40);
    for number in 0..random.below(5) {
        let kind = random.pick(&[Kind::Init, Kind::Sidecar, Kind::Sidecar]);
        case = container(random, case, &format!("i{number}"), kind, hookless, probeless);
    }
    for number in 0..=random.below(3) {
        case = container(random, case, &format!("m{number}"), Kind::Main, hookless, probeless);
    }
    // Of ephemeral containers that come from outside.
    for _ in 0..3 {
        let attempts = vec![attempt(random, Kind::Ephemeral)];
        case.script.containers.push(ContainerScript { attempts, image: None });
    }
    let short = random.percent(50);
    if !short {
        case.script.latencies = Latencies {
            sandbox: random.short(),
            remove_sandbox: random.short(),
            image: random.short(),
            pull: if random.percent(50) { random.short() } else { random.duration() },
            create: random.short(),
            start: random.short(),
            kill: random.short(),
            remove: random.short(),
        };
    }
    case.script.sandbox_failures = if random.percent(5) { 1 } else { 0 };
    case.script.no_network_at = random.percent(3).then(|| u32::try_from(random.below(3)).unwrap());
    case.script.sandbox_hangs = random.percent(1);
    let outside = outside(random);
    (case, outside)
}

fn container(random: &mut Random, case: Case, name: &str, kind: Kind, hookless: bool, probeless: bool) -> Case {
    let attempts = (0..random.below(4)).map(|_| attempt(random, kind)).collect();
    let mut spec = ContainerSpec {
        restart_policy: (kind != Kind::Sidecar && random.percent(20)).then(|| random.policy()),
        image: image(random),
        stop_signal: random.percent(10).then_some(3),
        ..plain(name, kind)
    };
    if random.percent(15) {
        for _ in 0..=random.below(2) {
            spec.restart_rules.push(RestartRule {
                action: random.pick(&[RestartRuleAction::Restart, RestartRuleAction::RestartAllContainers]),
                operator: random.pick(&[ExitCodeOperator::In, ExitCodeOperator::In, ExitCodeOperator::NotIn]),
                exit_codes: vec![random.pick(&[1, 2, 88, 143]), random.pick(&[0, 88, 139])],
            });
        }
    }
    if kind != Kind::Init {
        let hook = |random: &mut Random| match random.below(5) {
            0 | 1 if !hookless => Some(HookSpec::Handler),
            2 if !hookless => Some(HookSpec::Sleep(Duration::from_secs(random.below(8)))),
            _ => None,
        };
        spec.post_start = hook(random);
        spec.pre_stop = hook(random);
        let probe = |random: &mut Random| {
            (!probeless && random.percent(30)).then(|| ProbeSpec {
                initial_delay: Duration::from_secs(random.below(4)),
                period: Duration::from_secs(1 + random.below(10)),
                timeout: Duration::from_secs(1),
                success_threshold: 1,
                failure_threshold: 1 + u32::try_from(random.below(3)).unwrap(),
                grace_period: None,
            })
        };
        spec.startup_probe = probe(random);
        spec.liveness_probe = probe(random);
        spec.readiness_probe = probe(random);
        if let Some(probe) = &mut spec.liveness_probe {
            probe.grace_period = random.percent(30).then(|| Duration::from_secs(1 + random.below(9)));
        }
        if let Some(probe) = &mut spec.readiness_probe {
            probe.success_threshold = 1 + u32::try_from(random.below(2)).unwrap();
        }
    }
    let mut case = case;
    let image = match &spec.image {
        ImageSpec::Folder => None,
        ImageSpec::Store { name, .. } => name.strip_prefix("image-").and_then(|number| number.parse().ok()),
    };
    case.spec.containers.push(spec);
    case.script.containers.push(ContainerScript { attempts, image });
    case
}

fn image(random: &mut Random) -> ImageSpec {
    let policy =
        random.pick(&[PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::IfNotPresent, PullPolicy::Never]);
    match random.below(5) {
        0 => ImageSpec::Folder,
        number => ImageSpec::Store { name: format!("image-{number}"), policy },
    }
}

fn attempt(random: &mut Random, kind: Kind) -> AttemptScript {
    let hook = |random: &mut Random| HookScript {
        takes: (!random.percent(10)).then(|| random.duration()),
        fails: random.percent(15),
        errs: random.percent(30),
    };
    let probe = |random: &mut Random| ProbeScript {
        takes: random.short(),
        good_from: if random.percent(50) { Duration::ZERO } else { random.duration() },
        good_until: random.percent(40).then(|| random.duration()),
        errs: random.percent(10),
    };
    let ends_often = kind != Kind::Sidecar;
    AttemptScript {
        image_stop_signal: random.percent(10).then(|| random.pick(&[2, 10])),
        image_fails: if random.percent(4) { (1, ImageFailure::Pull) } else { (0, ImageFailure::Pull) },
        create_fails: if random.percent(4) { (2, CreateFailure::Config) } else { (0, CreateFailure::Create) },
        image_unusable: if random.percent(3) { 2 } else { 0 },
        image_hangs: random.percent(1),
        image_absent: random.percent(40),
        pull_fails: if random.percent(10) { (1, ImageFailure::Pull) } else { (0, ImageFailure::Pull) },
        pull_hangs: random.percent(1),
        create_hangs: random.percent(1),
        dies_unstarted: random.percent(3).then(|| random.duration()),
        start: if random.percent(1) {
            StartScript::Hangs
        } else {
            random.pick(&[
                StartScript::Works,
                StartScript::Works,
                StartScript::Works,
                StartScript::Works,
                StartScript::Overtaken,
                StartScript::Fails,
            ])
        },
        ends: random.percent(if ends_often { 85 } else { 45 }).then(|| (random.duration(), random.exit())),
        oom_killed: random.percent(5),
        on_stop: if random.percent(20) {
            StopScript::Ignores
        } else {
            StopScript::Ends(random.duration(), random.exit())
        },
        post_start: hook(random),
        pre_stop: hook(random),
        startup: probe(random),
        liveness: probe(random),
        readiness: probe(random),
    }
}

fn outside(random: &mut Random) -> Outside {
    let mut outside: Outside = Vec::new();
    let mut at = Instant::default();
    if random.percent(70) {
        for _ in 0..=random.below(3) {
            at = at.after(random.duration());
            let event = match random.below(24) {
                // Now and then by a name that is taken.
                20..=23 => {
                    Event::EphemeralAdded { name: random.pick(&["e0", "e1", "e2", "m0"]).into(), image: image(random) }
                }
                0 => Event::Kill,
                17..=19 => Event::Interrupt,
                7..=8 => Event::SandboxLost,
                9..=10 => Event::Resized {
                    container: ContainerIndex(u16::try_from(random.below(8)).unwrap()),
                    way: ResizeWay::Restart,
                    summary: String::new(),
                },
                11..=12 => Event::Restart {
                    of: match random.below(3) {
                        0 => RestartOf::Pod,
                        _ => RestartOf::Container(ContainerIndex(u16::try_from(random.below(8)).unwrap())),
                    },
                    grace: random.percent(30).then(|| random.duration()),
                },
                13..=14 => Event::Restart { of: RestartOf::Pod, grace: None },
                16 => Event::DefinitionChanged {
                    container: ContainerIndex(u16::try_from(random.below(8)).unwrap()),
                    image: image(random),
                },
                15 => Event::ActiveDeadline { length: random.duration() },
                1 if random.percent(30) => Event::SupervisorLost,
                2 => Event::StorageExceeded(StorageExceeded::Pod { limit: "1Gi".into() }),
                3..=6 => Event::Stop { grace: Some(random.pick(&[0, 1, 2, 3, 10, 40].map(Duration::from_secs))) },
                _ => Event::Stop { grace: None },
            };
            outside.push((at, event));
        }
    }
    outside
}
