//! What somebody asks for while the pod runs: other resources (KEP-1287), and restarts (R3.9).

use super::*;

impl Reference {
    /// How a resize that asks for a restart is carried out; `None`: not at all.
    pub fn resize_way(&self, i: usize) -> Option<ResizeWay> {
        if self.ending.is_some() || self.over || matches!(self.kind(i), Kind::Init | Kind::Ephemeral) {
            return None;
        }
        Some(match self.ones[i].stage {
            Stage::Gone | Stage::Removing => ResizeWay::NextInstance,
            Stage::Running => ResizeWay::Restart,
            Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting => ResizeWay::InPlace,
        })
    }

    /// Whether anything comes of a restart that is asked for.
    pub fn may_restart(&self, of: RestartOf) -> bool {
        let is_init = |i: usize| self.kind(i) == Kind::Init;
        let fits = match of {
            RestartOf::Pod => true,
            RestartOf::Container(index) => {
                let i = usize::from(index.0);
                i < self.ones.len() && !is_init(i) && !self.is_extra(i)
            }
        };
        let begun = self.sandbox == Sandbox::Up && (0..self.ones.len()).all(|i| !is_init(i) || self.ones[i].done);
        fits && begun && self.ending.is_none() && !self.over && !self.restarting
    }

    /// Whether anything comes of a new image.
    pub fn may_change(&self, i: usize) -> bool {
        let of = RestartOf::Container(ContainerIndex(u16::try_from(i).unwrap()));
        self.may_restart(of) && matches!(self.ones[i].stage, Stage::Gone | Stage::Running | Stage::Removing)
    }

    pub(super) fn restart(&mut self, now: Instant, of: RestartOf, grace: Duration) {
        let reserve = self.spec.sidecar_grace.unwrap_or_default();
        let end = now.after(grace);
        match of {
            RestartOf::Container(_) if self.in_order.is_some() => {}
            RestartOf::Container(index) => self.restart_one(now, usize::from(index.0), end),
            RestartOf::Pod => {
                let mains = now.after(grace.saturating_sub(reserve));
                let (before, mains_before) = self.in_order.unwrap_or((end, mains));
                self.in_order = Some((end.min(before), mains.min(mains_before)));
                for i in 0..self.ones.len() {
                    if self.kind(i) != Kind::Init && !self.is_extra(i) {
                        let end = self.ordered_end(i).unwrap();
                        self.ones[i].kill_at = self.ones[i].kill_at.map(|at| at.min(end));
                        self.restart_one(now, i, end);
                    }
                }
            }
        }
    }

    /// Until when it has grace, where all are stopped in order to start again.
    pub(super) fn ordered_end(&self, i: usize) -> Option<Instant> {
        self.in_order
            .filter(|_| !self.is_extra(i))
            .map(|(end, mains)| if self.kind(i) == Kind::Sidecar { end } else { mains })
    }

    fn restart_one(&mut self, now: Instant, i: usize, end: Instant) {
        match (self.ones[i].stage, self.ones[i].fate) {
            (Stage::Gone, Fate::Try(_)) => {
                self.ones[i].fate = Fate::Try(Instant::default());
                self.ones[i].unmade = false;
            }
            (Stage::Gone, Fate::Restart(_) | Fate::AtOnce | Fate::Over) => {
                self.ones[i].attempt += 1;
                self.ones[i].created = false;
                self.ones[i].fate = Fate::Try(Instant::default());
            }
            (Stage::Removing, Fate::Try(_)) => self.ones[i].fate = Fate::Try(now),
            (Stage::Removing, Fate::Restart(_) | Fate::AtOnce | Fate::Over) => self.ones[i].fate = Fate::AtOnce,
            (Stage::Running, _) => match &mut self.ones[i].stop {
                Some(stop) => {
                    stop.requested = true;
                    stop.alone = true;
                    stop.deadline = stop.deadline.min(end);
                    if let Some(at) = stop.signaled {
                        stop.kill_at = stop.kill_at.min(stop.deadline.max(at.after(2 * SECOND)));
                    }
                }
                None => self.ones[i].stop = Some(self.requested_stop(i, end)),
            },
            (Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting, _) => {}
        }
    }

    pub(super) fn requested_stop(&self, i: usize, end: Instant) -> Stop {
        let stop = self.new_stop(i, self.in_order.is_none(), end);
        Stop { alone: true, requested: true, ..stop }
    }

    /// All that was stopped in order is gone: what is in front of others is in front of them once more.
    pub(super) fn settle_in_order(&mut self) -> bool {
        if self.in_order.is_none()
            || (0..self.ones.len()).any(|i| !self.is_extra(i) && self.ones[i].stage != Stage::Gone)
        {
            return false;
        }
        self.in_order = None;
        for i in 0..self.ones.len() {
            if self.kind(i) == Kind::Sidecar {
                self.ones[i].done = false;
            }
            if self.kind(i) != Kind::Init && !self.is_extra(i) {
                self.ones[i].fate = Fate::Try(Instant::default());
                self.ones[i].unmade = false;
            }
        }
        true
    }
}
