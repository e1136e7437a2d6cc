//! Images before the turn of their containers (R8.15), and pulls that several wait for (R8.16).

use super::*;

/// What was done about an image before its container's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Early {
    No,
    Looking,
    Pulling,
    /// It was told to end.
    Dropped,
    There,
    Failed,
}

impl Early {
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Looking | Self::Pulling | Self::Dropped)
    }
}

impl Reference {
    /// Its name and policy, where it can be pulled.
    fn pullable(&self, i: usize) -> Option<(&str, PullPolicy)> {
        match &self.spec.containers[i].image {
            ImageSpec::Store { name, policy } if *policy != PullPolicy::Never => Some((name, *policy)),
            ImageSpec::Folder | ImageSpec::Store { .. } => None,
        }
    }

    fn same_image(&self, i: usize, j: usize) -> bool {
        let name = |k: usize| match &self.spec.containers[k].image {
            ImageSpec::Folder => None,
            ImageSpec::Store { name, .. } => Some(name),
        };
        i != j && name(i).is_some() && name(i) == name(j)
    }

    pub(super) fn pulled_elsewhere(&self, i: usize) -> bool {
        (0..self.ones.len()).filter(|&j| self.same_image(i, j)).any(|j| {
            let one = &self.ones[j];
            one.stage == Stage::Imaging && one.pulling && !one.killed || one.early == Early::Pulling
        })
    }

    /// R8.16.
    pub(super) fn held(&self, i: usize) -> bool {
        let early = self.ones[i].early;
        let may_wait = self.ending.is_none() && self.pullable(i).is_some() && !early.is_open();
        early == Early::Dropped || may_wait && self.pulled_elsewhere(i)
    }

    /// Nothing is there, and nothing has gone wrong.
    pub(super) fn waits(&self, i: usize) -> bool {
        let one = &self.ones[i];
        one.stage == Stage::Gone && matches!(one.fate, Fate::Try(_)) && !one.unmade
    }

    pub(super) fn settle_early(&mut self) -> bool {
        let quiet = self.ending.is_some() || self.restarting || self.in_order.is_some();
        if quiet || self.sandbox != Sandbox::Up || self.spec.ahead == Ahead::No {
            return false;
        }
        let fresh = |j: usize| self.waits(j) && self.ones[j].early == Early::No && !self.ones[j].had_image;
        let first = (0..self.ones.len()).find(|&i| {
            let all = (0..self.ones.len()).all(|j| !(i == j || self.same_image(i, j)) || fresh(j));
            !self.gate(i) && self.pullable(i).is_some() && all
        });
        let Some(i) = first else { return false };
        if self.pullable(i).is_some_and(|(_, policy)| policy == PullPolicy::Always) {
            self.ones[i].early = Early::Pulling;
            self.ask(i, ContainerAction::PullImage(ImageOf::Container));
        } else {
            self.ones[i].early = Early::Looking;
            self.ask(i, ContainerAction::PrepareImage(ImageOf::Container));
        }
        true
    }

    /// Its turn has come.
    pub(super) fn begin_image(&mut self, i: usize) {
        let always = self.pullable(i).is_some_and(|(_, policy)| policy == PullPolicy::Always);
        let early = std::mem::replace(&mut self.ones[i].early, Early::No);
        let (pulls, asked) = match early {
            Early::Looking => (false, true),
            Early::Pulling => (true, true),
            Early::There => (false, false),
            Early::No | Early::Failed | Early::Dropped => (always, false),
        };
        self.ones[i].pulling = pulls;
        if !asked {
            self.ask(
                i,
                if pulls {
                    ContainerAction::PullImage(ImageOf::Container)
                } else {
                    ContainerAction::PrepareImage(ImageOf::Container)
                },
            );
        }
    }

    /// What was asked for before its turn is answered; whether that is what this is.
    pub(super) fn hear_early(&mut self, i: usize, event: &ContainerEvent) -> bool {
        let early = self.ones[i].early;
        if !early.is_open() {
            return false;
        }
        self.ones[i].early = match (event, early) {
            (ContainerEvent::Signaled, _) => early,
            (_, Early::Dropped) => Early::No,
            (ContainerEvent::ImageReady { .. } | ContainerEvent::ImagePulled { .. }, _) => Early::There,
            (ContainerEvent::ImageAbsent, _) if self.pulled_elsewhere(i) => Early::No,
            (ContainerEvent::ImageAbsent, _) => {
                self.ask(i, ContainerAction::PullImage(ImageOf::Container));
                Early::Pulling
            }
            _ => Early::Failed,
        };
        if matches!(event, ContainerEvent::ImagePulled { .. }) && early != Early::Dropped {
            self.image_is_there(i);
        }
        true
    }

    pub(super) fn image_is_there(&mut self, i: usize) {
        for j in 0..self.ones.len() {
            let waits = self.ones[j].stage == Stage::Gone && matches!(self.ones[j].fate, Fate::Try(_));
            if waits && self.same_image(i, j) && !self.ones[j].early.is_open() {
                self.ones[j].early = Early::There;
            }
        }
    }

    pub(super) fn drop_early(&mut self, i: usize) {
        match self.ones[i].early {
            Early::Looking | Early::Pulling => {
                self.ones[i].early = Early::Dropped;
                self.ask(i, ContainerAction::Kill);
            }
            Early::There | Early::Failed => self.ones[i].early = Early::No,
            Early::No | Early::Dropped => {}
        }
    }
}
