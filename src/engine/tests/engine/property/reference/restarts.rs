//! What comes after an end (R3, R4).

use super::*;

impl Reference {
    pub(super) fn verdict(&self, i: usize, code: i32) -> (bool, bool) {
        let spec = &self.spec.containers[i];
        if self.ones[i].stop.as_ref().is_some_and(|stop| stop.requested) {
            return (true, false);
        }
        let probe = self.ones[i].stop.as_ref().is_some_and(|stop| stop.alone)
            && self.ones[i].probes[..2].iter().zip(0..).any(|(prober, probe)| {
                spec_of(spec, probe).is_some_and(|spec| prober.row <= -i64::from(spec.failure_threshold))
            });
        let policy = spec.restart_policy.unwrap_or(self.spec.restart_policy);
        let rule = spec
            .restart_rules
            .iter()
            .find(|rule| rule.exit_codes.contains(&code) == (rule.operator == ExitCodeOperator::In));
        let rule = rule.map(|rule| rule.action).filter(|_| !probe && (spec.kind != Kind::Init || code != 0));
        match rule {
            Some(RestartRuleAction::Restart) => return (true, false),
            Some(RestartRuleAction::RestartAllContainers) => return (true, true),
            None => {}
        }
        let again = match (spec.kind, policy) {
            (Kind::Sidecar, _) => true,
            (Kind::Init, RestartPolicy::Never) => false,
            (Kind::Init, _) => code != 0,
            (Kind::Main, RestartPolicy::Always) => true,
            (Kind::Main, RestartPolicy::OnFailure) => code != 0 || probe,
            (Kind::Main, RestartPolicy::Never) | (Kind::Ephemeral, _) => false,
        };
        (again, false)
    }

    pub(super) fn delay(&mut self, i: usize, exited: Instant) -> Duration {
        let reset = self.spec.backoff.reset_after;
        let one = &mut self.ones[i];
        if one.raised.is_some_and(|raised| exited.since(raised) > reset) {
            one.delay = Duration::ZERO;
        }
        one.delay
    }

    pub(super) fn ended(&mut self, now: Instant, i: usize, code: i32) {
        let (again, all) = self.verdict(i, code);
        let kept = self.kept(i);
        let again = if self.ending.is_some() { kept } else { again || self.restarting || self.in_order.is_some() };
        let again = again && !self.is_extra(i);
        let requested = self.ones[i].stop.as_ref().is_some_and(|stop| stop.requested);
        let fate = match again {
            true if self.ending.is_none() && !self.restarting && (requested || self.in_order.is_some()) => Fate::AtOnce,
            true => Fate::Restart(now.after(self.delay(i, now))),
            false => Fate::Over,
        };
        let kind = self.kind(i);
        let one = &mut self.ones[i];
        one.stage = Stage::Removing;
        one.code = Some(code);
        one.ended = Some(now);
        one.stop = None;
        one.ran = true;
        one.fate = fate;
        one.done |= kind == Kind::Main || kind == Kind::Init && code == 0;
        self.ask(i, ContainerAction::Remove);
        if self.ending.is_some() || self.restarting || self.in_order.is_some() {
            return;
        }
        if all {
            self.restarting = true;
        } else if kind == Kind::Init && code != 0 && !again {
            self.end(now, Why::InitFailed, self.spec.grace_period);
        }
    }

    pub(super) fn settle_gone(&mut self, now: Instant, i: usize) -> bool {
        if self.ending.is_some() && !self.kept(i) && self.ones[i].fate != Fate::Over {
            self.ones[i].fate = Fate::Over;
            return true;
        }
        let (at, next) = match self.ones[i].fate {
            Fate::Try(at) => (at, false),
            Fate::Restart(at) => (at, true),
            Fate::AtOnce | Fate::Over => return false,
        };
        let open = self.ending.is_some() || self.sandbox == Sandbox::Up && self.gate(i);
        if at > now || !open || !self.wanted(i) || self.held(i) {
            return false;
        }
        let backoff = self.spec.backoff;
        let one = &mut self.ones[i];
        if next {
            one.attempt += 1;
            one.created = false;
            one.delay = if one.delay.is_zero() { backoff.initial } else { one.delay * 2 }.min(backoff.max);
            one.raised = Some(now);
        }
        one.stage = Stage::Imaging;
        one.killed = false;
        one.unmade = false;
        self.begin_image(i);
        true
    }

    pub(super) fn settle_restart(&mut self) -> bool {
        let all_gone = (0..self.ones.len()).all(|i| !self.restarts(i) || self.ones[i].stage == Stage::Gone);
        if !self.restarting || !all_gone {
            return false;
        }
        let anew = self.anew;
        (self.restarting, self.anew) = (false, false);
        if anew {
            self.sandbox = Sandbox::Asked;
            self.asked.push(Action::CreateSandbox);
        }
        for i in 0..self.ones.len() {
            let spec = &self.spec.containers[i];
            let on_failure = spec.restart_policy.unwrap_or(self.spec.restart_policy) == RestartPolicy::OnFailure;
            if anew && spec.kind == Kind::Main && on_failure && self.ones[i].code == Some(0) {
                self.ones[i].fate = Fate::Over;
                continue;
            }
            if anew && matches!(self.ones[i].fate, Fate::Try(_)) {
                self.ones[i].fate = Fate::Try(Instant::default());
                self.ones[i].unmade = false;
            }
            if self.is_extra(i) {
                continue;
            }
            self.ones[i].done = false;
            self.ones[i].ran = false;
            if self.ones[i].fate == Fate::Over {
                self.ones[i].fate = match self.ones[i].ended {
                    Some(ended) => Fate::Restart(ended.after(self.delay(i, ended))),
                    None => Fate::Try(Instant::default()),
                };
            }
        }
        true
    }
}
