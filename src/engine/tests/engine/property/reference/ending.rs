//! How containers are stopped, and how the pod ends (R5).

use super::*;

impl Reference {
    /// R2.7.
    pub(super) fn sandbox_lost(&mut self, now: Instant) {
        self.sandbox = Sandbox::Lost;
        let never = self.spec.restart_policy == RestartPolicy::Never;
        if self.ending.is_none() && never && self.ones.iter().any(|one| one.created || one.attempt > 0) {
            self.end(now, Why::Natural, Duration::ZERO);
        }
        match &mut self.ending {
            Some(ending) => ending.forced = true,
            None => (self.restarting, self.anew, self.in_order) = (true, true, None),
        }
    }

    pub(super) fn stop(&mut self, now: Instant, grace: Duration, forced: bool) {
        if self.ending.is_none() {
            self.end(now, Why::Stopped, grace);
        }
        let reserve = self.spec.sidecar_grace.unwrap_or_default();
        let ending = self.ending.as_mut().unwrap();
        ending.deadline = ending.deadline.min(now.after(grace));
        ending.mains = ending.mains.min(now.after(grace.saturating_sub(reserve)));
        ending.keeps &= grace > SECOND;
        ending.forced |= forced;
        for i in 0..self.ones.len() {
            let deadline = self.grace_end(i).unwrap();
            let total = self.ending.unwrap().deadline;
            let one = &mut self.ones[i];
            let limit = if one.stage == Stage::Starting { deadline } else { total };
            one.kill_at = one.kill_at.map(|at| at.min(limit));
            if let Some(stop) = &mut one.stop {
                stop.deadline = stop.deadline.min(deadline);
                if let Some(at) = stop.signaled {
                    stop.kill_at = stop.kill_at.min(stop.deadline.max(at.after(2 * SECOND)));
                }
            }
        }
    }

    pub(super) fn end(&mut self, now: Instant, why: Why, grace: Duration) {
        let reserve = self.spec.sidecar_grace.unwrap_or_default();
        if self.in_order.is_some() {
            for stop in self.ones.iter_mut().filter_map(|one| one.stop.as_mut()) {
                (stop.alone, stop.requested) = (false, false);
            }
        }
        (self.restarting, self.anew, self.in_order) = (false, false, None);
        self.ending = Some(Ending {
            why,
            deadline: now.after(grace),
            mains: now.after(grace.saturating_sub(reserve)),
            keeps: grace > SECOND && !matches!(why, Why::Natural | Why::InitFailed | Why::Evicted),
            forced: false,
        });
        for i in 0..self.ones.len() {
            self.drop_early(i);
            match self.ones[i].stage {
                Stage::Gone => self.ones[i].fate = Fate::Over,
                Stage::Creating => self.ones[i].kill_at = Some(now.after(grace)),
                Stage::Running => {
                    let deadline = self.grace_end(i).unwrap();
                    let kept = self.kept(i);
                    match &mut self.ones[i].stop {
                        Some(stop) => {
                            stop.alone &= kept;
                            stop.deadline = deadline;
                            if let Some(at) = stop.signaled {
                                stop.kill_at = stop.kill_at.min(deadline.max(at.after(2 * SECOND)));
                            }
                        }
                        None => self.ones[i].stop = Some(self.new_stop(i, false, deadline)),
                    }
                }
                // A restart in order (R3.9) may have given it more.
                Stage::Starting => {
                    let end = self.grace_end(i).unwrap();
                    self.ones[i].kill_at = self.ones[i].kill_at.map(|at| at.min(end));
                }
                Stage::Imaging | Stage::Created | Stage::Removing => {}
            }
        }
    }

    pub(super) fn new_stop(&self, i: usize, alone: bool, deadline: Instant) -> Stop {
        let at_turn = !alone && self.kind(i) == Kind::Sidecar && self.spec.sidecar_pre_stop == SidecarPreStop::AtTurn;
        Stop { alone, requested: false, deadline, at_turn, hook: PreStop::Due, signaled: None, kill_at: deadline }
    }

    /// It is to be stopped alone.
    pub(super) fn blame(&mut self, now: Instant, i: usize, grace: Duration) {
        let deadline = self.grace_end(i).unwrap_or(now.after(grace));
        match &mut self.ones[i].stop {
            Some(stop) => stop.alone = true,
            None => self.ones[i].stop = Some(self.new_stop(i, true, deadline)),
        }
    }

    pub(super) fn forced(&self) -> bool {
        self.ending.is_some_and(|ending| ending.forced)
    }

    pub(super) fn settle_stop(&mut self, now: Instant, i: usize) -> bool {
        let turn = self.kind(i) != Kind::Sidecar
            || !self.main_runs() && (i + 1..self.ones.len()).all(|j| self.kind(j) != Kind::Sidecar || !self.runs(j));
        let alone = self.ones[i].stop.as_ref().is_some_and(|stop| stop.alone)
            && self.in_order.is_none()
            && (self.ending.is_none() || self.kept(i));
        let free = turn || alone;
        let pre_stop = self.spec.containers[i].pre_stop;
        let Some(stop) = &mut self.ones[i].stop else { return false };
        if stop.signaled.is_some() {
            return false;
        }
        let late = stop.deadline <= now;
        match stop.hook {
            PreStop::Due if late || pre_stop.is_none() => stop.hook = PreStop::Past,
            PreStop::Due if stop.at_turn && !free => return false,
            PreStop::Due => match pre_stop {
                Some(HookSpec::Sleep(length)) => stop.hook = PreStop::Sleeps(now.after(length)),
                Some(HookSpec::Handler) => {
                    stop.hook = PreStop::Open(1);
                    self.ask(i, ContainerAction::RunHook(Hook::PreStop));
                }
                None => {}
            },
            PreStop::Sleeps(until) if until <= now => stop.hook = PreStop::Past,
            PreStop::Sleeps(_) | PreStop::Open(_) if !late => return false,
            PreStop::Past if !late && !free => return false,
            PreStop::Sleeps(_) | PreStop::Open(_) | PreStop::Past => {
                stop.signaled = Some(now);
                stop.kill_at = stop.deadline.max(now.after(2 * SECOND));
                let signal = self.spec.containers[i].stop_signal.or(self.ones[i].image_signal);
                self.ask(i, ContainerAction::Signal(signal.unwrap_or(15)));
            }
        }
        true
    }

    pub(super) fn finish(&mut self) {
        self.over = true;
        self.asked.push(Action::Finish { exit_code: self.exit_code() });
    }

    pub(super) fn succeeded(&self) -> bool {
        self.ending.is_some_and(|ending| matches!(ending.why, Why::Natural | Why::Stopped))
            && !self.lost
            && self
                .ones
                .iter()
                .zip(&self.spec.containers)
                .all(|(one, spec)| spec.kind != Kind::Main || one.done && one.code == Some(0))
    }

    pub(super) fn exit_code(&self) -> u8 {
        if self.succeeded() {
            return 0;
        }
        let failed = |kind| {
            let codes = self.ones.iter().zip(&self.spec.containers).filter(|(_, spec)| spec.kind == kind);
            codes.filter_map(|(one, _)| one.code).find(|code| *code != 0)
        };
        let main = failed(Kind::Main);
        let code = match self.ending.map(|ending| ending.why) {
            Some(Why::TimedOut) => Some(124),
            Some(Why::FailFast(one)) => one.and_then(|i| self.ones[i].code).filter(|code| *code != 0),
            Some(Why::Deadline | Why::Evicted) => main,
            Some(Why::Natural | Why::InitFailed | Why::Stopped) | None => main.or(failed(Kind::Init)),
        };
        u8::try_from(code.unwrap_or(1)).unwrap_or(1)
    }
}
