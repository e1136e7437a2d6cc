//! What the world says about an attempt.

use super::*;

impl Reference {
    pub(super) fn hear_one(&mut self, now: Instant, i: usize, event: &ContainerEvent) {
        if self.hear_early(i, event) {
            return;
        }
        let wanted = self.wanted(i);
        let stage = self.ones[i].stage;
        let is_there = matches!(
            event,
            ContainerEvent::ImageReady { .. }
                | ContainerEvent::ImagePulled { .. }
                | ContainerEvent::ImageUnusable { .. }
        );
        self.ones[i].had_image |= is_there && stage == Stage::Imaging;
        if stage == Stage::Imaging && matches!(event, ContainerEvent::ImagePulled { .. }) {
            self.image_is_there(i);
        }
        match (event, stage) {
            (
                ContainerEvent::ImageReady { stop_signal, .. } | ContainerEvent::ImagePulled { stop_signal, .. },
                Stage::Imaging,
            ) => {
                self.ones[i].image_signal = *stop_signal;
                self.ones[i].pull = None;
                if wanted {
                    self.ones[i].stage = Stage::Creating;
                    self.ones[i].killed = false;
                    self.ones[i].kill_at = None;
                    self.ones[i].outdated = false;
                    if std::mem::take(&mut self.ones[i].pod_shrinks) {
                        self.asked.push(Action::WriteLimits(LimitsOf::Pod));
                    }
                    self.ask(i, ContainerAction::Create);
                } else {
                    self.unmade(i);
                }
            }
            // As a creation that fails (R4.5).
            (ContainerEvent::ImageUnusable { .. }, Stage::Imaging) if wanted => {
                let at = now.after(self.retry());
                self.ones[i].image_signal = None;
                self.ones[i].pull = None;
                self.ones[i].stage = Stage::Gone;
                self.ones[i].fate = Fate::Try(at);
                self.ones[i].unmade = true;
            }
            // R8.12: pulled, or looked for again.
            (ContainerEvent::ImageAbsent, Stage::Imaging) if wanted && self.pulls(i) => {
                if self.ending.is_none() && self.pulled_elsewhere(i) {
                    return self.unmade(i);
                }
                self.ones[i].pulling = true;
                self.ask(i, ContainerAction::PullImage(ImageOf::Container));
            }
            (ContainerEvent::ImageAbsent, Stage::Imaging) if wanted && !self.spec.containers[i].image.is_folder() => {
                let at = now.after(self.retry());
                self.ones[i].stage = Stage::Gone;
                self.ones[i].fate = Fate::Try(at);
                self.ones[i].unmade = true;
            }
            (ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageAbsent, Stage::Imaging) if wanted => {
                let first = self.retry();
                let one = &mut self.ones[i];
                let delay = one.pull.map_or(first, |delay| (delay * 2).min(300 * SECOND).max(first));
                one.pull = Some(delay);
                one.stage = Stage::Gone;
                one.fate = Fate::Try(now.after(delay));
                one.unmade = true;
            }
            (ContainerEvent::CreateFailed { .. }, Stage::Creating) if wanted => {
                let at = now.after(self.retry());
                self.ones[i].stage = Stage::Gone;
                self.ones[i].fate = Fate::Try(at);
                self.ones[i].unmade = true;
            }
            (
                ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageAbsent | ContainerEvent::ImageUnusable { .. },
                Stage::Imaging,
            )
            | (ContainerEvent::CreateFailed { .. }, Stage::Creating) => self.unmade(i),
            (ContainerEvent::Created { .. }, Stage::Creating) => {
                self.ones[i].stage = Stage::Created;
                self.ones[i].created = true;
                self.ones[i].killed = false;
                if std::mem::take(&mut self.ones[i].outdated) {
                    self.asked
                        .push(Action::WriteLimits(LimitsOf::Container(ContainerIndex(u16::try_from(i).unwrap()))));
                }
            }
            (ContainerEvent::Started, Stage::Starting) => self.started(now, i),
            (ContainerEvent::StartFailed { .. }, Stage::Starting) => self.ended(now, i, 128),
            (ContainerEvent::Exited { exit, .. }, Stage::Starting | Stage::Running) => {
                let code = match exit {
                    Exit::Code(code) => i32::from(*code),
                    Exit::Signal(signal) => 128 + i32::from(*signal),
                    Exit::Unknown => 137,
                };
                self.ended(now, i, code);
            }
            (ContainerEvent::Exited { .. }, Stage::Created) => {
                let again = self.restarts(i) || self.in_order.is_some() && !self.is_extra(i);
                let retry = self.retry();
                let one = &mut self.ones[i];
                one.stage = Stage::Removing;
                one.unmade = !one.killed;
                one.fate = if one.killed { Fate::Over } else { Fate::Try(now.after(retry)) };
                if again && one.killed {
                    one.fate = Fate::Try(now);
                }
                self.ask(i, ContainerAction::Remove);
            }
            (ContainerEvent::Removed, Stage::Removing) => {
                let (ends, kept) = (self.ending.is_some(), self.kept(i));
                let one = &mut self.ones[i];
                one.stage = Stage::Gone;
                if ends && !kept {
                    one.fate = Fate::Over;
                } else if one.fate == Fate::AtOnce {
                    one.fate = Fate::Restart(now);
                    if !ends {
                        one.attempt += 1;
                        one.created = false;
                        one.fate = Fate::Try(now);
                    }
                }
            }
            (ContainerEvent::HookDone { hook: Hook::PreStop, result }, Stage::Running) => {
                let Some(stop) = &mut self.ones[i].stop else { return };
                let PreStop::Open(tries) = stop.hook else { return };
                let due = stop.signaled.is_none() && stop.deadline > now;
                if matches!(result, HookResult::Error { .. }) && tries < 3 && due {
                    stop.hook = PreStop::Open(tries + 1);
                    self.ask(i, ContainerAction::RunHook(Hook::PreStop));
                } else if *result != HookResult::ContainerEnds {
                    stop.hook = PreStop::Past;
                }
            }
            (ContainerEvent::HookDone { hook: Hook::PostStart, result }, Stage::Running) => {
                let PostStart::Open(tries) = self.ones[i].post_start else { return };
                let stopped = self.ones[i].stop.is_some() && !self.kept(i);
                if matches!(result, HookResult::Error { .. }) && tries < 3 && self.wanted(i) && !stopped {
                    self.ones[i].post_start = PostStart::Open(tries + 1);
                    return self.ask(i, ContainerAction::RunHook(Hook::PostStart));
                }
                if *result == HookResult::ContainerEnds {
                    return;
                }
                let failed = *result != HookResult::Success;
                if failed && self.ones[i].stop.is_some() && !self.kept(i) {
                    return;
                }
                self.ones[i].post_start = if failed { PostStart::Failed } else { PostStart::Past };
                if failed {
                    self.blame(now, i, self.spec.grace_period);
                }
            }
            (ContainerEvent::ProbeDone { probe, result }, Stage::Running) => self.probed(now, i, *probe, result),
            _ => {}
        }
    }

    /// Whether its image is pulled where it isn't there.
    fn pulls(&self, i: usize) -> bool {
        let policy = match &self.spec.containers[i].image {
            ImageSpec::Folder => return false,
            ImageSpec::Store { policy, .. } => *policy,
        };
        policy != PullPolicy::Never
    }

    pub(super) fn unmade(&mut self, i: usize) {
        self.ones[i].stage = Stage::Gone;
        self.ones[i].fate = if self.ending.is_some() { Fate::Over } else { Fate::Try(Instant::default()) };
    }

    pub(super) fn started(&mut self, now: Instant, i: usize) {
        self.ones[i].stage = Stage::Running;
        self.ones[i].started = now;
        self.ones[i].stop = None;
        self.ones[i].probes = [Prober::default(); 3];
        self.ones[i].ran = true;
        self.ones[i].done |= self.kind(i) == Kind::Main;
        // One more kill for what was killed while it started: it may have missed it.
        self.ones[i].killed = false;
        let wanted = self.wanted(i);
        if let Some(deadline) = self.grace_end(i) {
            let mut stop = self.new_stop(i, false, deadline);
            stop.at_turn |= wanted;
            self.ones[i].stop = Some(stop);
        } else if let Some(end) = self.ordered_end(i) {
            self.ones[i].stop = Some(self.requested_stop(i, end));
        }
        self.ones[i].post_start = match self.spec.containers[i].post_start {
            None => PostStart::Past,
            Some(_) if !wanted => PostStart::Failed,
            Some(HookSpec::Sleep(length)) => PostStart::Sleeps(now.after(length)),
            Some(HookSpec::Handler) => {
                self.ask(i, ContainerAction::RunHook(Hook::PostStart));
                PostStart::Open(1)
            }
        };
    }
}
