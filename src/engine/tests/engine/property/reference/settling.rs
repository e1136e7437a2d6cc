//! What should have been done by now, asked of each container again and again until nothing moves.

use super::*;

impl Reference {
    /// One round of asking everybody; whether anything moved.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let mut moved = false;
        let deadline = self.spec.active_deadline.zip(self.began).map(|(length, began)| began.after(length));
        let there = self.ones.iter().any(|one| !matches!(one.stage, Stage::Gone | Stage::Removing));
        if let Some(ending) = &mut self.ending {
            if there
                && deadline.is_some_and(|at| at <= now)
                && matches!(ending.why, Why::Natural | Why::InitFailed | Why::Stopped)
            {
                ending.why = Why::Deadline;
                moved = true;
            }
        } else {
            let mains_over = self.sandbox == Sandbox::Up
                && !self.restarting
                && self.in_order.is_none()
                && (0..self.ones.len()).all(|i| {
                    self.kind(i) != Kind::Main
                        || matches!(self.ones[i].stage, Stage::Gone | Stage::Removing)
                            && self.ones[i].fate == Fate::Over
                });
            let why = match deadline {
                Some(deadline) if deadline <= now => Some(Why::Deadline),
                _ if mains_over => Some(Why::Natural),
                _ => self.patience_ends(now),
            };
            if let Some(why) = why {
                self.end(now, why, self.spec.grace_period);
                moved = true;
            }
        }
        if let Some(ending) = &mut self.ending
            && ending.keeps
            && ending.deadline <= now
        {
            ending.keeps = false;
            moved = true;
        }
        for i in (0..self.ones.len()).rev() {
            moved |= self.settle_one(now, i);
        }
        for i in 0..self.ones.len() {
            moved |= match self.ones[i].stage {
                Stage::Gone => self.settle_gone(now, i),
                Stage::Created => self.settle_created(i),
                _ => false,
            };
        }
        moved |= self.settle_early();
        moved |= self.settle_restart();
        moved |= self.settle_in_order();
        moved | self.settle_pod(now)
    }

    pub(super) fn settle_one(&mut self, now: Instant, i: usize) -> bool {
        if let PostStart::Sleeps(until) = self.ones[i].post_start
            && until <= now
        {
            self.ones[i].post_start = PostStart::Past;
            return true;
        }
        if self.kind(i) == Kind::Sidecar
            && self.ending.is_none()
            && !self.restarting
            && self.in_order.is_none()
            && self.ones[i].stage == Stage::Running
            && self.ones[i].post_start == PostStart::Past
            && self.startup_passed(i)
            && !self.ones[i].done
        {
            self.ones[i].done = true;
            return true;
        }
        let kill = match self.ones[i].stage {
            Stage::Imaging | Stage::Creating | Stage::Starting | Stage::Running | Stage::Created
                if self.ones[i].killed =>
            {
                false
            }
            Stage::Imaging => !self.wanted(i),
            Stage::Creating => {
                if self.ending.is_some() && !self.kept(i) && self.ones[i].kill_at.is_none() {
                    self.ones[i].kill_at = self.ending.map(|ending| ending.deadline);
                }
                let late = self.ones[i].kill_at.is_some_and(|at| at <= now) && !self.kept(i);
                self.restarts(i) || self.in_order.is_some() && !self.is_extra(i) || self.forced() || late
            }
            Stage::Created => !self.wanted(i),
            Stage::Starting => {
                if self.ending.is_some() && !self.kept(i) && self.ones[i].kill_at.is_none() {
                    self.ones[i].kill_at = self.grace_end(i);
                } else if self.ones[i].kill_at.is_none() {
                    self.ones[i].kill_at = self.ordered_end(i);
                }
                let late = self.ones[i].kill_at.is_some_and(|at| at <= now) && !self.kept(i);
                self.restarts(i) || self.forced() || late
            }
            Stage::Running => {
                let late =
                    self.ones[i].stop.as_ref().is_some_and(|stop| stop.signaled.is_some() && stop.kill_at <= now);
                self.restarts(i) || self.forced() || late
            }
            Stage::Gone | Stage::Removing => false,
        };
        if kill {
            self.ones[i].killed = true;
            self.ask(i, ContainerAction::Kill);
            return true;
        }
        match self.ones[i].stage {
            Stage::Running => {
                let stopped = !self.ones[i].killed && self.settle_stop(now, i);
                stopped | self.settle_probes(now, i)
            }
            Stage::Gone | Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting | Stage::Removing => {
                false
            }
        }
    }

    pub(super) fn settle_created(&mut self, i: usize) -> bool {
        let held = self.kind(i) == Kind::Main
            && (0..i).any(|j| {
                self.kind(j) == Kind::Main
                    && match self.ones[j].stage {
                        Stage::Imaging | Stage::Creating => !self.ones[j].done,
                        Stage::Created => !self.ones[j].killed,
                        Stage::Starting => true,
                        Stage::Running => self.ones[j].post_start != PostStart::Past && self.ones[j].stop.is_none(),
                        Stage::Gone => self.waits(j) && !self.ones[j].done && self.held(j),
                        Stage::Removing => false,
                    }
            });
        let open = self.ending.is_some() || self.gate(i);
        if held || !open || !self.wanted(i) || self.ones[i].killed {
            return false;
        }
        self.ones[i].stage = Stage::Starting;
        self.ones[i].kill_at = None;
        self.ask(i, ContainerAction::Start);
        true
    }

    pub(super) fn settle_pod(&mut self, now: Instant) -> bool {
        let gone =
            self.ones.iter().all(|one| one.stage == Stage::Gone && one.fate == Fate::Over && !one.early.is_open());
        match (self.sandbox, self.ending.is_some()) {
            (Sandbox::Retry(at), false) if at <= now => {
                self.sandbox = Sandbox::Asked;
                self.asked.push(Action::CreateSandbox);
                true
            }
            (Sandbox::None | Sandbox::Retry(_), true) if gone => {
                self.finish();
                true
            }
            (Sandbox::Up | Sandbox::Lost | Sandbox::Asked, true) if gone => {
                self.sandbox = Sandbox::Removing;
                self.asked.push(Action::RemoveSandbox);
                true
            }
            _ => false,
        }
    }
}
