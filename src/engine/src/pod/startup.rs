//! What may run next (R2): entries of initContainers one after the other, then the mains; and restarts that are due.

use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::ContainerAction;
use crate::container::Life;
use crate::spec::{ContainerIndex, Kind};

impl Engine {
    /// Starts what is due.
    pub(crate) fn advance_startup(&mut self, turn: &mut Turn<'_>) {
        if self.life != PodLife::Up || self.restarting_all != RestartingAll::No {
            return;
        }
        for index in self.indices() {
            match self.kind(index) {
                Kind::Main => self.advance_main(turn, index),
                // Behind no gate (`advance_ephemeral`).
                Kind::Ephemeral => {}
                Kind::Init | Kind::Sidecar => {
                    self.begin_if_due(turn, index);
                    self.start_if_created(turn, index);
                    if self.kind(index) == Kind::Sidecar && self.container(index).is_started() {
                        self.container_mut(index).done = true;
                    }
                    // R2.1, R2.2: nothing behind it until it is done once (R2.6).
                    if !self.container(index).done {
                        return;
                    }
                }
            }
        }
    }

    /// R2.4: made at once, started in spec order; a main's postStart holds up the mains behind it.
    fn advance_main(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        self.begin_if_due(turn, index);
        let held = self
            .indices()
            .take_while(|&other| other < index)
            .any(|other| self.kind(other) == Kind::Main && self.holds_up_mains(other));
        if !held {
            self.start_if_created(turn, index);
        }
    }

    fn holds_up_mains(&self, index: ContainerIndex) -> bool {
        let container = self.container(index);
        let waits = matches!(container.life, Life::Waiting) && !container.done && self.waits_for_pull(index);
        waits || container.holds_up_mains()
    }

    /// Whether nothing but time holds up the next attempt (R2.1, R2.2, R2.8, R5.10).
    pub(crate) fn may_begin(&self, index: ContainerIndex) -> bool {
        if self.ending.is_some() {
            return self.restarts_while_ending(index) && !self.waits_for_pull(index);
        }
        self.life == PodLife::Up
            && !self.waits_for_pull(index)
            && !self.is_restarting(index)
            && (self.kind(index) == Kind::Ephemeral || self.in_front_are_done(index))
    }

    /// R2.1, R2.2: whether all that holds up what stands behind it is done.
    fn in_front_are_done(&self, index: ContainerIndex) -> bool {
        let mut in_front = self.indices().take_while(|&other| other < index);
        in_front.all(|other| !self.kind(other).gates() || self.container(other).done)
    }

    /// Begins an attempt where it waits for nothing any more.
    pub(crate) fn begin_if_due(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if self.waits_for_pull(index) {
            return;
        }
        let backoff = self.spec.backoff;
        let container = self.container_mut(index);
        if container.begin_if_due(turn.now.monotonic, &backoff) {
            self.begin_image(turn, index);
        }
    }

    pub(crate) fn start_if_created(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if matches!(self.container(index).life, Life::Created) {
            self.assert_order(index);
            let container = self.container_mut(index);
            container.life = Life::Starting { kill_at: None, killed: false };
            turn.act(index, container.attempt, ContainerAction::Start);
        }
    }

    /// I1, I2: holds when a start is asked for, and still when it is answered.
    pub(crate) fn assert_order(&self, index: ContainerIndex) {
        debug_assert!(
            self.ending.is_some() || self.kind(index) == Kind::Ephemeral || self.in_front_are_done(index),
            "I1: what is in front is done"
        );
        debug_assert!(
            self.kind(index) != Kind::Init
                || self.indices().all(|other| {
                    other == index || self.kind(other) != Kind::Init || !self.container(other).is_executing()
                }),
            "I2: one init at a time"
        );
    }

    /// Whether an attempt that is being made shall go on.
    pub(crate) fn is_wanted(&self, index: ContainerIndex) -> bool {
        if self.ending.is_some() { self.restarts_while_ending(index) } else { !self.is_restarting(index) }
    }
}
