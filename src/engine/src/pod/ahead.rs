//! Images of containers whose turn has not come: brought here in the meantime (R8.15), and each by one pull at a time (R8.16).

use core::mem;

use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::ContainerAction;
use crate::container::{Ahead, Life};
use crate::event::ContainerEvent;
use crate::spec::{Ahead as Wanted, ContainerIndex, ImageOf, ImageSpec, Kind, PullPolicy};

impl Engine {
    /// R8.15: begins what nobody has begun.
    pub(crate) fn advance_ahead(&mut self, turn: &mut Turn<'_>) {
        if self.spec.ahead == Wanted::No || self.life != PodLife::Up || self.restarting_all != RestartingAll::No {
            return;
        }
        for index in self.indices() {
            let policy = match self.image(index) {
                ImageSpec::Folder | ImageSpec::Store { policy: PullPolicy::Never, .. } => continue,
                ImageSpec::Store { policy, .. } => *policy,
            };
            if self.kind(index) == Kind::Ephemeral || self.may_begin(index) || !self.is_untouched(index) {
                continue;
            }
            let of = self.next_image(index);
            let container = self.container_mut(index);
            container.image_of = of;
            if policy == PullPolicy::Always {
                self.pull_ahead(turn, index);
            } else {
                container.ahead = Ahead::Looking;
                turn.act(index, container.attempt, ContainerAction::PrepareImage(of));
            }
        }
    }

    fn pull_ahead(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        container.ahead = Ahead::Pulling { since: turn.now.monotonic };
        turn.act(index, container.attempt, ContainerAction::PullImage(container.image_of));
        self.record_pulling(turn, index);
    }

    /// Whether neither this container nor another with the same image has done anything about it.
    fn is_untouched(&self, index: ContainerIndex) -> bool {
        self.indices().filter(|&other| other == index || self.shares_image(index, other)).all(|other| {
            let container = self.container(other);
            matches!(container.life, Life::Waiting) && container.image_id.is_none() && container.ahead == Ahead::No
        })
    }

    /// Whether another has the same image from a store.
    fn shares_image(&self, index: ContainerIndex, other: ContainerIndex) -> bool {
        let name = self.stored_image(index);
        other != index && name.is_some() && name == self.stored_image(other)
    }

    /// R8.16: whether its image is being pulled for another container, or what was begun for it has still to end.
    pub(crate) fn waits_for_pull(&self, index: ContainerIndex) -> bool {
        let ahead = self.container(index).ahead;
        // While the pod ends nobody waits for what is given up.
        if self.ending.is_some() || ahead == Ahead::Abandoned {
            return ahead == Ahead::Abandoned;
        }
        let pulls = match self.image(index) {
            ImageSpec::Folder | ImageSpec::Store { policy: PullPolicy::Never, .. } => false,
            ImageSpec::Store { policy: PullPolicy::Always | PullPolicy::IfNotPresent, .. } => true,
        };
        pulls && !ahead.is_under_way() && self.is_pulled_for_another(index)
    }

    pub(crate) fn is_pulled_for_another(&self, index: ContainerIndex) -> bool {
        self.indices().filter(|&other| self.shares_image(index, other)).any(|other| {
            let container = self.container(other);
            matches!(container.life, Life::Pulling { .. }) || matches!(container.ahead, Ahead::Pulling { .. })
        })
    }

    /// Its turn has come: what is under way is for the attempt from here on. Whether there is still something to be asked for,
    /// and whether the image is there by a pull of this start.
    pub(crate) fn adopt(&mut self, index: ContainerIndex) -> Adopted {
        let container = self.container_mut(index);
        match mem::take(&mut container.ahead) {
            Ahead::No | Ahead::Failed | Ahead::Abandoned => Adopted::Nothing,
            Ahead::There => Adopted::There,
            Ahead::Looking => Adopted::UnderWay,
            Ahead::Pulling { since } => {
                container.life = Life::Pulling { since };
                Adopted::UnderWay
            }
        }
    }

    /// An answer to what was asked for ahead; `false`: it is to something else.
    pub(crate) fn ahead_event(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, event: &ContainerEvent) -> bool {
        let ahead = self.container(index).ahead;
        if !ahead.is_under_way() {
            return false;
        }
        let now = match (event, ahead) {
            (ContainerEvent::ImageReady { .. }, Ahead::Looking | Ahead::Pulling { .. }) => Ahead::There,
            (ContainerEvent::ImagePulled { size, .. }, Ahead::Looking | Ahead::Pulling { .. }) => {
                if let Ahead::Pulling { since } = ahead {
                    self.record_pulled(turn, index, since, Some(*size));
                }
                self.note_image_is_pulled(index);
                Ahead::There
            }
            (ContainerEvent::ImageAbsent, Ahead::Looking | Ahead::Pulling { .. }) => {
                if !self.is_pulled_for_another(index) {
                    self.pull_ahead(turn, index);
                    return true;
                }
                Ahead::No
            }
            (ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageUnusable { .. }, _) => match ahead {
                Ahead::Abandoned => Ahead::No,
                Ahead::No | Ahead::Looking | Ahead::Pulling { .. } | Ahead::There | Ahead::Failed => Ahead::Failed,
            },
            (
                ContainerEvent::ImageReady { .. } | ContainerEvent::ImagePulled { .. } | ContainerEvent::ImageAbsent,
                Ahead::No | Ahead::Abandoned | Ahead::There | Ahead::Failed,
            ) => Ahead::No,
            // Of the kill that ends it.
            (_, _) => return true,
        };
        let container = self.container_mut(index);
        container.ahead = now;
        if let (Ahead::There, ImageOf::Volume(volume)) = (now, container.image_of) {
            // The next one may follow.
            container.ahead = Ahead::No;
            self.volumes.insert(volume);
        }
        turn.changed();
        true
    }

    /// Whoever waits for the same image needn't pull it once more (R8.16).
    pub(crate) fn note_image_is_pulled(&mut self, index: ContainerIndex) {
        // A volume is there for all once it is noted.
        if self.image_of(index) != ImageOf::Container {
            return;
        }
        for other in self.indices() {
            let waits = matches!(self.container(other).life, Life::Waiting | Life::Retry { .. });
            let is_own = self.image_of(other) == ImageOf::Container;
            if waits && is_own && self.shares_image(index, other) && !self.container(other).ahead.is_under_way() {
                self.container_mut(other).ahead = Ahead::There;
            }
        }
    }

    /// Nobody wants it any more: the pod ends, or the container has another image.
    pub(crate) fn give_up_ahead(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let container = self.container_mut(index);
        match container.ahead {
            Ahead::Looking | Ahead::Pulling { .. } => {
                container.ahead = Ahead::Abandoned;
                turn.act(index, container.attempt, ContainerAction::Kill);
            }
            Ahead::There | Ahead::Failed => container.ahead = Ahead::No,
            Ahead::No | Ahead::Abandoned => {}
        }
    }
}

/// What has been done for an attempt before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// Nothing that counts.
    Nothing,
    /// Its answer is still to come.
    UnderWay,
    /// The image is there.
    There,
}
