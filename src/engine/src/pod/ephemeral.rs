//! Ephemeral containers (KEP-277): added while the pod runs, to look at the others. They are started at once and once, and nothing
//! of the pod depends on them.

use alloc::string::String;

use super::{Engine, PodLife, RestartingAll, Turn};
use crate::container::{Container, Life};
use crate::spec::{ContainerIndex, ContainerSpec, ImageSpec, Kind};

/// Why a pod takes no more ephemeral containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EphemeralRefusal {
    /// It has ended or is about to: nothing is started any more (R2.8).
    PodEnds,
    /// Another of its containers, of whatever kind, has that name (R1.1).
    NameTaken(ContainerIndex),
    /// It has as many containers as can be numbered.
    TooMany,
}

impl Engine {
    /// Which number an ephemeral container of this name would have that is added now; nothing is changed by asking.
    ///
    /// # Errors
    /// Where there can be none.
    pub fn takes_ephemeral(&self, name: &str) -> Result<ContainerIndex, EphemeralRefusal> {
        if !self.takes_changes() {
            return Err(EphemeralRefusal::PodEnds);
        }
        if let Some(taken) = self.indices().find(|&index| self.container_spec(index).name == name) {
            return Err(EphemeralRefusal::NameTaken(taken));
        }
        match u16::try_from(self.containers.len()) {
            Ok(next) if next < u16::MAX => Ok(ContainerIndex(next)),
            Ok(_) | Err(_) => Err(EphemeralRefusal::TooMany),
        }
    }

    /// R2.9.
    pub(crate) fn ephemeral_added(&mut self, turn: &mut Turn<'_>, name: String, image: ImageSpec) {
        if self.takes_ephemeral(&name).is_err() {
            return;
        }
        self.spec.containers.push(ContainerSpec::ephemeral(name, image));
        self.containers.push(Container::new());
        turn.changed();
    }

    /// R2.9: whatever the others are at, they are started as soon as there is a sandbox.
    pub(crate) fn advance_ephemeral(&mut self, turn: &mut Turn<'_>) {
        if self.life != PodLife::Up {
            return;
        }
        for index in self.indices() {
            if self.kind(index) == Kind::Ephemeral {
                self.begin_if_due(turn, index);
                self.start_if_created(turn, index);
            }
        }
    }

    /// Whether the restart of all containers that is under way concerns this one: ephemeral containers end with their sandbox
    /// alone (R3.11).
    pub(crate) fn is_restarting(&self, index: ContainerIndex) -> bool {
        match self.restarting_all {
            RestartingAll::No => false,
            RestartingAll::Anew => true,
            RestartingAll::Yes | RestartingAll::InOrder(_) => self.kind(index) != Kind::Ephemeral,
        }
    }

    /// Whether nothing is left of any container that is being restarted with all others.
    pub(crate) fn restarted_are_settled(&self) -> bool {
        self.indices().all(|index| !self.is_restarting(index) || self.container(index).is_settled())
    }

    /// The pod begins again (R3.7, R2.7): one that could not be made in a sandbox that is gone is made in the new one (R3.11).
    pub(crate) fn begin_ephemeral_again(&mut self, index: ContainerIndex) {
        let container = self.container_mut(index);
        if matches!(container.life, Life::Retry { .. }) {
            container.life = Life::Waiting;
        }
    }
}
