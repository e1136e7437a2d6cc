//! Supervisors that crash (R12): the engine is saved and loaded at random moments, and the answers to what was under way are lost.

use barepod_engine::Engine;
use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::{Event, RestartOf};
use barepod_engine::spec::ContainerIndex;
use barepod_engine::time::{Instant, Now, WallTime};
use barepod_engine::world::{Moment, Simulation};

use super::invariants::answers;
use super::random::{self, Random, new_seed};

/// Pods that run for ever are left after this.
const LONGEST: Instant = Instant::from_nanos(400_000_000_000);

/// More steps no pod takes in that time, unless something begins again without a pause.
const MOST_STEPS: usize = 5_000;

/// The supervisor dies, and another one goes on. Of each action that the engine waits for the answer is found out, or the action is done
/// `again`. An answer that is lost for good must be one that would have changed nothing.
pub fn crash(simulation: &mut Simulation, mut again: impl FnMut() -> bool) -> Result<(), String> {
    let text = saved(&simulation.engine);
    let mut lost = simulation.world.lose_answers();
    simulation.engine = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    for action in simulation.engine.under_way() {
        let answer = lost.iter().position(|one| is_answer(one.event(), &action)).map(|at| lost.swap_remove(at));
        match answer {
            // SIGKILL does no harm twice, and what is done again is to be killed again.
            _ if is_kill(&action) => simulation.world.carry_again(simulation.now, &action),
            _ if again() => simulation.world.carry_again(simulation.now, &action),
            Some(answer) => simulation.world.find_answer(answer),
            // It was told that the container's end is why it failed, and waits for that.
            None if is_handler(&action) => {}
            None => return Err(format!("R12.2: it waits for an answer that it had: {action:?}")),
        }
    }
    let wall = WallTime::from_unix_nanos(i64::try_from(simulation.now.as_nanos()).unwrap());
    for answer in lost {
        let (mut told, mut actions) = (simulation.engine.clone(), Vec::new());
        told.step(Now { monotonic: simulation.now, wall }, answer.event().clone(), &mut actions);
        if !actions.is_empty() || saved(&told) != text {
            return Err(format!("R12.2: lost, and not asked for again: {:?}", answer.event()));
        }
    }
    Ok(())
}

fn saved(engine: &Engine) -> String {
    serde_json::to_string(engine).unwrap()
}

fn is_answer(event: &Event, action: &Action) -> bool {
    match (event, action) {
        (Event::SandboxReady | Event::SandboxFailed { .. }, Action::CreateSandbox)
        | (Event::SandboxRemoved, Action::RemoveSandbox) => true,
        (
            Event::Container { container, attempt, event },
            Action::Container { container: of, attempt: then, action },
        ) => container == of && attempt == then && answers(event, action),
        _ => false,
    }
}

fn is_kill(action: &Action) -> bool {
    matches!(action, Action::Container { action: ContainerAction::Kill, .. })
}

fn is_handler(action: &Action) -> bool {
    matches!(action, Action::Container { action: ContainerAction::RunHook(_) | ContainerAction::Probe(_), .. })
}

/// R12.1, R12.2: where what became of each action is found out, a pod whose supervisor crashes over and over does all at the same
/// moments as one whose supervisor doesn't, and comes to the same end.
#[test]
fn crashes_change_nothing() {
    let new = new_seed();
    let mut crashes = 0;
    for seed in (2026..2326).chain(new..new + 300) {
        let whole = Life::of(seed, 0);
        let broken = Life::of(seed, 30);
        crashes += broken.crashes;
        let differs = whole.moments.iter().zip(&broken.moments).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(whole.moments.len(), broken.moments.len(), "seed {seed}");
        assert_eq!(whole.simulation.engine.status(), broken.simulation.engine.status(), "seed {seed}");
    }
    assert!(crashes > 600, "too few crashes to mean much: {crashes}");
}

/// One pod's life, without anybody who judges it.
struct Life {
    simulation: Simulation,
    chance: Random,
    percent: u64,
    crashes: u32,
    steps: usize,
    /// What was asked for, and when.
    moments: Vec<(Instant, Vec<Action>)>,
}

impl Life {
    /// With a crash after so many of a hundred steps.
    fn of(seed: u64, percent: u64) -> Self {
        let (case, outside) = random::case(&mut Random::new(seed));
        let simulation = Simulation::new(case.spec, case.script);
        let mut life =
            Self { simulation, chance: Random::new(!seed), percent, crashes: 0, steps: 0, moments: Vec::new() };
        life.tell(&Event::Begin);
        for (at, event) in outside {
            life.go_until(at);
            life.interfere(event);
        }
        life.go_until(LONGEST);
        life
    }

    fn interfere(&mut self, event: Event) {
        let count = u16::try_from(self.simulation.engine.spec().containers.len()).unwrap();
        let event = match event {
            // As the engine itself says what is to be told.
            Event::Resized { .. } => return,
            Event::Restart { of: RestartOf::Container(ContainerIndex(index)), grace } => {
                Event::Restart { of: RestartOf::Container(ContainerIndex(index % count)), grace }
            }
            Event::DefinitionChanged { container, image } => {
                Event::DefinitionChanged { container: ContainerIndex(container.0 % count), image }
            }
            other => other,
        };
        self.tell(&event);
    }

    fn tell(&mut self, event: &Event) {
        let moments = &mut self.moments;
        self.simulation.tell(event, |_, moment| note(moments, moment));
        self.crash();
    }

    fn go_until(&mut self, until: Instant) {
        while self.simulation.next().is_some_and(|next| next <= until) {
            let moments = &mut self.moments;
            self.simulation.step(|_, moment| note(moments, moment));
            self.steps += 1;
            assert!(self.steps < MOST_STEPS, "{:?}: it takes steps without end", self.simulation.now);
            self.crash();
        }
        self.simulation.now = self.simulation.now.max(until);
    }

    fn crash(&mut self) {
        if self.chance.percent(self.percent) {
            self.crashes += 1;
            crash(&mut self.simulation, || false).unwrap();
        }
    }
}

fn note(moments: &mut Vec<(Instant, Vec<Action>)>, moment: Moment<'_>) {
    if !moment.actions.is_empty() {
        moments.push((moment.at, moment.actions.to_vec()));
    }
}
