//! Random pods on random boxes with random interference, held against the invariants and a plain reference.
//!
//! Each run has the pods of the seeds in [`KEPT`], and then others: from a new seed each time, so that a fault that one run
//! misses is found by another; `BAREPOD_SEED` repeats a run. `BAREPOD_PROPERTY_EVENTS` says how many events (2,000,000; `scripts/nightly` asks for
//! 10,000,000), `BAREPOD_PROPERTY_SEED` which seeds alone. A failure names the seed of its case and how to see it alone.

mod crash;
mod invariants;
mod random;
mod reference;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use barepod_engine::action::Action;
use barepod_engine::event::{ContainerEvent, Event, ResizePolicy, ResizeWay, RestartOf};
use barepod_engine::observer::{Gates, Observer};
use barepod_engine::spec::{Attempt, ContainerIndex, ImageSpec};
use barepod_engine::time::Instant;
use barepod_engine::world::{Moment, Simulation};

use invariants::Invariants;
use random::{Random, new_seed, number};
use reference::Reference;

/// Pods that run for ever are left after so many events.
const LONGEST: u64 = 400;
/// Seeds of every run: the first, and how many from there on. A seed that has failed once is added.
const KEPT: &[(u64, u64)] = &[(2026, 5000)];

/// All seeds of a run, without an end, and where the new ones begin.
fn seeds() -> (u64, Box<dyn Iterator<Item = u64>>) {
    match number("BAREPOD_PROPERTY_SEED") {
        Some(first) => (first, Box::new(first..)),
        None => {
            let first = new_seed();
            (first, Box::new(KEPT.iter().flat_map(|&(first, count)| first..first + count).chain(first..)))
        }
    }
}

/// I1 to I8, and every single action.
#[test]
fn random_pods_keep_the_rules() {
    let wanted = number("BAREPOD_PROPERTY_EVENTS").unwrap_or(2_000_000);
    let (first, seeds) = seeds();
    let (mut events, mut cases, mut finished, mut last) = (0, 0, 0, first);
    for seed in seeds {
        if events >= wanted {
            break;
        }
        last = seed;
        let mut run = Judged::new(seed);
        if let Err(problem) = run.run() {
            // Once more, with everything written down.
            let mut again = Judged::new(seed);
            again.log = Some(String::new());
            let _ = again.run();
            panic!(
                "{problem}\nsee it alone: BAREPOD_PROPERTY_SEED={seed} BAREPOD_PROPERTY_EVENTS=1 \
                 cargo test -p barepod-engine --test engine random_pods\n{:#?}\n{}",
                again.simulation.engine.spec(),
                again.log.unwrap_or_default()
            );
        }
        events += run.events;
        cases += 1;
        finished += u64::from(run.finished);
    }
    // Past the test harness, which would swallow it: that it ran, and on what, belongs into every log.
    let _ = writeln!(
        std::io::stderr(),
        "property: {events} events of {cases} random pods, {finished} of them to their end, seeds {first}..={last}"
    );
    assert!(finished * 2 > cases || cases < 20, "too few pods end for this to mean much");
}

/// A case that is being judged.
struct Judged {
    simulation: Simulation,
    random: Random,
    outside: random::Outside,
    judges: Judges,
    events: u64,
    finished: bool,
    log: Option<String>,
}

struct Judges {
    invariants: Invariants,
    reference: Reference,
    observer: Observer,
}

impl Judges {
    fn judge(&mut self, engine: &barepod_engine::Engine, moment: Moment<'_>, look: bool) -> Result<(), String> {
        self.invariants.witness(engine, moment)?;
        let expected = self.reference.step(moment.at, moment.event);
        for action in moment.actions.iter().filter(|action| !matches!(action, Action::Record(_))) {
            match expected.iter().position(|other| other == action) {
                Some(at) => drop(expected.swap_remove(at)),
                None => return Err(format!("not expected: {action:?}")),
            }
        }
        if let Some(missing) = expected.first() {
            return Err(format!("missing: {missing:?}"));
        }
        let status = engine.status();
        if look {
            self.reference.agrees(&status)?;
        }
        // Every one that there is: the shell writes each down.
        self.observer.see(status).map_err(|faults| format!("a status that can't be: {faults:#?}"))
    }
}

impl Judged {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (case, outside) = random::case(&mut random);
        let judges = Judges {
            invariants: Invariants::new(&case.spec, &case.script.latencies),
            reference: Reference::new(&case.spec),
            observer: Observer::new(if case.spec.readiness_gates.is_empty() { Gates::None } else { Gates::Some }),
        };
        let simulation = Simulation::new(case.spec, case.script);
        Self { simulation, random, outside, judges, events: 0, finished: false, log: None }
    }

    fn run(&mut self) -> Result<(), String> {
        self.outside.reverse();
        if self.random.percent(2) {
            self.tell(&Event::Rejected { message: String::new() })?;
        }
        // Now and then something comes before the beginning.
        if !self.random.percent(2) {
            self.tell(&Event::Begin)?;
        }
        while !self.finished && self.events < LONGEST {
            let next = self.simulation.next();
            let outside = self.outside.last().map(|(at, _)| *at);
            match (next, outside) {
                (_, Some(at)) if next.is_none_or(|next| at <= next) => {
                    self.simulation.now = self.simulation.now.max(at);
                    let (_, event) = self.outside.pop().unwrap();
                    match event {
                        Event::Resized { container, .. } => self.resize(container)?,
                        Event::Restart { of, grace } => self.restart(of, grace)?,
                        Event::DefinitionChanged { container, image } => self.change(container, image)?,
                        event => self.tell(&event)?,
                    }
                }
                (Some(next), _) => self.go_on(next)?,
                (None, _) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Other resources for which the container is to be restarted, as the shell tells of them.
    fn resize(&mut self, container: ContainerIndex) -> Result<(), String> {
        let engine = &self.simulation.engine;
        let index = usize::from(container.0) % engine.spec().containers.len();
        let container = ContainerIndex(u16::try_from(index).unwrap());
        let way = engine.resize_way(container, ResizePolicy::RestartContainer).ok();
        if way != self.judges.reference.resize_way(index) {
            return Err(format!("a resize by {way:?}, not {:?}", self.judges.reference.resize_way(index)));
        }
        way.map_or(Ok(()), |way| self.tell(&Event::Resized { container, way, summary: String::new() }))
    }

    /// A restart, as the shell tells of it; now and then it comes too late to be refused.
    fn restart(&mut self, of: RestartOf, grace: Option<Duration>) -> Result<(), String> {
        let engine = &self.simulation.engine;
        let count = engine.spec().containers.len();
        let of = match of {
            RestartOf::Pod => of,
            RestartOf::Container(ContainerIndex(index)) => {
                RestartOf::Container(ContainerIndex(u16::try_from(usize::from(index) % count).unwrap()))
            }
        };
        let (may, should) = (engine.restart_brings(of).is_ok(), self.judges.reference.may_restart(of));
        if may != should {
            return Err(format!("a restart of {of:?}: {may}, not {should}"));
        }
        if may || self.random.percent(50) { self.tell(&Event::Restart { of, grace }) } else { Ok(()) }
    }

    /// A new image, likewise.
    fn change(&mut self, container: ContainerIndex, image: ImageSpec) -> Result<(), String> {
        let engine = &self.simulation.engine;
        let index = usize::from(container.0) % engine.spec().containers.len();
        let container = ContainerIndex(u16::try_from(index).unwrap());
        let (may, should) = (engine.change_brings(container).is_ok(), self.judges.reference.may_change(index));
        if may != should {
            return Err(format!("a change of container {index}: {may}, not {should}"));
        }
        self.tell(&Event::DefinitionChanged { container, image })
    }

    fn go_on(&mut self, next: Instant) -> Result<(), String> {
        if self.random.percent(3) {
            self.interfere(next)?;
        }
        // The shell wakes up late sometimes, and may see a deadline before a fact of the same moment.
        let late = if self.random.percent(10) { Duration::from_millis(self.random.below(50)) } else { Duration::ZERO };
        self.simulation.now = self.simulation.now.max(next.after(late));
        let due = self.simulation.engine.next_deadline().is_some_and(|at| at <= self.simulation.now);
        let fact = self.simulation.world.next().is_some_and(|at| at <= self.simulation.now);
        let event = match (due, fact) {
            (true, true) if self.random.percent(30) => Event::Tick,
            (_, true) => self.simulation.world.pop().map_or(Event::Tick, |(_, event)| event),
            (_, false) => Event::Tick,
        };
        self.tell(&event)
    }

    /// What does no harm: a tick too many, an answer too late, a repetition; and a crash of the supervisor.
    fn interfere(&mut self, next: Instant) -> Result<(), String> {
        let now = self.simulation.now;
        match self.random.below(6) {
            // Too late to be refused.
            4 => {
                let event = Event::Rejected { message: String::new() };
                if self.simulation.engine.status().start_time.is_some() { self.tell(&event) } else { Ok(()) }
            }
            // Other resources without a restart are told, and nothing else.
            5 => {
                let count = self.simulation.engine.spec().containers.len() as u64;
                let container = ContainerIndex(u16::try_from(self.random.below(count + 1)).unwrap());
                let way = self.random.pick(&[ResizeWay::InPlace, ResizeWay::NextInstance]);
                self.tell(&Event::Resized { container, way, summary: String::new() })
            }
            0 => {
                let between = next.since(now) / 2;
                self.simulation.now = now.after(between);
                self.tell(&Event::Tick)
            }
            1 => {
                let count = self.simulation.engine.spec().containers.len() as u64;
                let container = ContainerIndex(u16::try_from(self.random.below(count)).unwrap());
                let event = self.random.pick(&[
                    ContainerEvent::Removed,
                    ContainerEvent::Signaled,
                    ContainerEvent::Started,
                    ContainerEvent::Created { container_id: String::new() },
                ]);
                self.tell(&Event::Container { container, attempt: Attempt(u32::MAX), event })
            }
            2 => self.tell(&Event::Begin),
            _ => {
                if !self.events.is_multiple_of(4) {
                    return Ok(());
                }
                if let Some(log) = &mut self.log {
                    let _ = writeln!(log, "{:>14} crash", now.as_nanos() / 1_000_000);
                }
                self.judges.invariants.crashed();
                crash::crash(&mut self.simulation, || self.random.percent(50))
            }
        }
    }

    fn tell(&mut self, event: &Event) -> Result<(), String> {
        self.events += 1;
        let look = self.log.is_some() || self.events.is_multiple_of(4);
        let (judges, log, finished) = (&mut self.judges, &mut self.log, &mut self.finished);
        let mut verdict = Ok(());
        self.simulation.tell(event, |engine, moment| {
            if let Some(log) = log {
                let _ = writeln!(log, "{:>14} {:?}", moment.at.as_nanos() / 1_000_000, moment.event);
                for action in moment.actions.iter().filter(|action| !matches!(action, Action::Record(_))) {
                    let _ = writeln!(log, "{:>20} {action:?}", "");
                }
            }
            verdict = judges.judge(engine, moment, look);
            *finished |= moment.actions.iter().any(Action::is_last) || matches!(moment.event, Event::SupervisorLost);
        });
        if self.finished && verdict.is_ok() {
            // After the end nothing moves any more.
            self.simulation.now = self.simulation.now.after(Duration::from_secs(1));
            self.simulation.tell(&Event::Tick, |engine, moment| verdict = judges.judge(engine, moment, true));
        }
        verdict
    }
}
