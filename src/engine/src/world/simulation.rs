//! An engine on a scripted box: the two take turns in virtual time.

use alloc::vec::Vec;

use super::World;
use super::script::Script;
use crate::action::Action;
use crate::event::Event;
use crate::pod::Engine;
use crate::spec::PodSpec;
use crate::time::{Instant, Now, WallTime};

/// An engine on a scripted box.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The pod's lifecycle.
    pub engine: Engine,
    /// The box.
    pub world: World,
    /// What time it is.
    pub now: Instant,
    actions: Vec<Action>,
}

/// One step: a fact, and what the engine made of it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// When.
    pub at: Instant,
    /// The fact.
    pub event: &'a Event,
    /// What is to be done.
    pub actions: &'a [Action],
}

impl Simulation {
    /// Before `Begin`, at the epoch.
    pub fn new(pod: PodSpec, script: Script) -> Self {
        Self { engine: Engine::new(pod), world: World::new(script), now: Instant::default(), actions: Vec::new() }
    }

    /// When something happens next, if nobody interferes.
    pub fn next(&self) -> Option<Instant> {
        [self.engine.next_deadline(), self.world.next()].into_iter().flatten().min()
    }

    /// Lets happen what happens next and gives it to `witness`; `false`: nothing ever will.
    pub fn step(&mut self, mut witness: impl FnMut(&Engine, Moment<'_>)) -> bool {
        let Some(next) = self.next() else { return false };
        self.now = self.now.max(next);
        // A fact before a deadline of the same moment: the shell reads its descriptors first.
        let event = if self.world.next().is_some_and(|at| at <= self.now) {
            self.world.pop().map_or(Event::Tick, |(_, event)| event)
        } else {
            Event::Tick
        };
        self.tell(&event, &mut witness);
        true
    }

    /// Tells the engine something, now.
    pub fn tell(&mut self, event: &Event, mut witness: impl FnMut(&Engine, Moment<'_>)) {
        self.actions.clear();
        let wall = WallTime::from_unix_nanos(i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX));
        self.engine.step(Now { monotonic: self.now, wall }, event.clone(), &mut self.actions);
        for action in &self.actions {
            self.world.carry(self.now, action);
        }
        witness(&self.engine, Moment { at: self.now, event, actions: &self.actions });
    }

    /// Lets time pass until then.
    pub fn run_until(&mut self, until: Instant, mut witness: impl FnMut(&Engine, Moment<'_>)) {
        while self.next().is_some_and(|next| next <= until) && self.step(&mut witness) {}
        self.now = self.now.max(until);
    }
}
