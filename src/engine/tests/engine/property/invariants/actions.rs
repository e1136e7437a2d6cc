//! What the engine may ask for, and when.

use std::time::Duration;

use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::spec::{ImageSpec, Kind, PullPolicy};
use barepod_engine::time::Instant;

use super::{Invariants, Seen, Stage};

impl Invariants {
    pub(super) fn ask(&mut self, now: Instant, action: &Action) -> Result<(), String> {
        match action {
            Action::Container { container, attempt, action } => {
                if self.removing_sandbox {
                    return Err(format!("I4: {action:?} after the sandbox"));
                }
                self.ask_container(now, usize::from(container.0), attempt.0, *action)
                    .map_err(|problem| format!("{problem}: container {} {action:?}", container.0))
            }
            Action::RemoveSandbox => {
                self.removing_sandbox = true;
                // An image that is there is nothing of a container yet.
                let all_gone = self.seen.iter().all(|seen| matches!(seen.stage, Stage::Gone | Stage::Imaged));
                if all_gone { Ok(()) } else { Err("R5.16: the sandbox goes before a container".into()) }
            }
            Action::Finish { .. } => {
                self.over = true;
                let limit = self.stop_deadline.map(|deadline| deadline.after(Duration::from_secs(2) + self.slack));
                if limit.is_some_and(|limit| limit < now) {
                    return Err(format!("I5: the end comes at {now:?}, it should by {limit:?}"));
                }
                Ok(())
            }
            // R4.8
            Action::GiveUp if self.had_sandbox => Err("R4.8: given up though there was a sandbox".into()),
            Action::GiveUp => {
                self.over = true;
                Ok(())
            }
            Action::CreateSandbox => {
                self.making_sandbox = true;
                // Images are nothing of a container.
                let exists = |seen: &Seen| !matches!(seen.stage, Stage::Gone | Stage::Imaging | Stage::Imaged);
                if self.seen.iter().any(exists) {
                    Err("R2.7: a new sandbox beside old containers".into())
                } else {
                    Ok(())
                }
            }
            Action::WriteLimits(_) | Action::Record(_) => Ok(()),
        }
    }

    fn ask_container(
        &mut self,
        now: Instant,
        index: usize,
        attempt: u32,
        action: ContainerAction,
    ) -> Result<(), String> {
        let kind = self.spec.containers[index].kind;
        let stage = self.seen[index].stage;
        if self.seen[index].open.contains(&action) && action != ContainerAction::Kill {
            return Err("I8: asked for twice".into());
        }
        let before_done =
            self.seen[..index].iter().zip(&self.spec.containers).all(|(seen, spec)| !spec.kind.gates() || seen.done);
        let next = match (action, stage) {
            (ContainerAction::PrepareImage(_), _) if kind == Kind::Ephemeral && self.seen[index].done => {
                return Err("R3.11: an ephemeral container starts once".into());
            }
            (ContainerAction::PrepareImage(_), Stage::Gone | Stage::Imaged) => {
                let always = |image: &ImageSpec| matches!(image, ImageSpec::Store { policy: PullPolicy::Always, .. });
                if self.seen[index].images.iter().all(always) && !self.pulled {
                    return Err("R8.12: looked for, though it is to be pulled".into());
                }
                self.prepare(now, index, attempt)?;
                Stage::Imaging
            }
            (ContainerAction::PullImage(_), Stage::Gone | Stage::Imaged) => {
                // R8.12: where it isn't there, or at once.
                let absent = self.seen[index].absent;
                let wanted = self.seen[index].images.iter().any(|image| match image {
                    ImageSpec::Folder | ImageSpec::Store { policy: PullPolicy::Never, .. } => false,
                    ImageSpec::Store { policy: PullPolicy::IfNotPresent, .. } => absent,
                    ImageSpec::Store { policy: PullPolicy::Always, .. } => true,
                });
                if !wanted {
                    return Err("R8.12: a pull that the policy doesn't ask for".into());
                }
                let given_up = |seen: &Seen| seen.given_up || seen.images.len() > 1;
                let mut others = self.seen.iter().filter(|seen| seen.open.contains(&action) && !given_up(seen));
                if !given_up(&self.seen[index]) && others.any(|other| other.images == self.seen[index].images) {
                    return Err("R8.16: an image is pulled twice at a time".into());
                }
                self.prepare(now, index, attempt)?;
                Stage::Imaging
            }
            (ContainerAction::Create, Stage::Imaged) => Stage::Creating,
            (ContainerAction::Start, Stage::Created) => {
                if !before_done && kind != Kind::Ephemeral {
                    return Err("I1, R2.1: started before its turn".into());
                }
                let alone = (0..self.seen.len()).all(|other| {
                    other == index
                        || self.spec.containers[other].kind != Kind::Init
                        || !matches!(self.seen[other].stage, Stage::Starting | Stage::Running)
                });
                if kind == Kind::Init && !alone {
                    return Err("I2: two inits at a time".into());
                }
                self.seen[index].done |= matches!(kind, Kind::Main | Kind::Ephemeral);
                Stage::Starting
            }
            (ContainerAction::Signal(_), Stage::Running) if !self.seen[index].signaled => {
                self.turn(now, index)?;
                self.seen[index].signaled = true;
                stage
            }
            (
                ContainerAction::Kill,
                Stage::Imaging | Stage::Creating | Stage::Created | Stage::Starting | Stage::Running,
            ) => stage,
            (ContainerAction::Remove, Stage::Ended) => Stage::Removing,
            (ContainerAction::RunHook(_) | ContainerAction::Probe(_), Stage::Running) => stage,
            _ => return Err(format!("I8: meaningless while {stage:?}")),
        };
        let seen = &mut self.seen[index];
        seen.given_up |= action == ContainerAction::Kill;
        if attempt != seen.attempt {
            return Err("I8: another attempt".into());
        }
        seen.stage = next;
        seen.open.push(action);
        Ok(())
    }

    fn prepare(&mut self, now: Instant, index: usize, attempt: u32) -> Result<(), String> {
        let backoff = self.spec.backoff;
        let seen = &mut self.seen[index];
        let again = attempt == seen.attempt + 1;
        if !again && attempt != seen.attempt {
            return Err("R3.8: attempts are counted one by one".into());
        }
        if again {
            // R4.1: the second restart waits at least for the first delay, unless it ran long enough to be forgiven.
            let waited = seen.exited_at.map(|exited| now.since(exited));
            if attempt == 2
                && !seen.resized
                && waited.is_some_and(|waited| waited < backoff.initial)
                && now.since(Instant::default()) < backoff.reset_after
            {
                return Err(format!("I6: restarted after {waited:?}"));
            }
            seen.attempt = attempt;
            seen.hook_ok = false;
            seen.startup_ok = false;
            seen.blamed = false;
            seen.open.clear();
        }
        seen.signaled = false;
        seen.absent = false;
        seen.given_up = false;
        Ok(())
    }

    /// I3, R5.3.
    fn turn(&self, now: Instant, index: usize) -> Result<(), String> {
        if self.spec.containers[index].kind != Kind::Sidecar || self.seen[index].blamed {
            return Ok(());
        }
        let natural = self.last_end.after(self.spec.grace_period);
        let active = self
            .spec
            .active_deadline
            .zip(self.began)
            .map(|(length, began)| began.after(length).after(self.spec.grace_period));
        let timeout =
            self.spec.timeout.zip(self.began).map(|(length, began)| began.after(length).after(self.spec.grace_period));
        let over = [Some(natural), active, timeout, self.impatient, self.restart_deadline, self.stop_deadline]
            .into_iter()
            .flatten()
            .any(|deadline| deadline <= now);
        if over {
            return Ok(());
        }
        let holds = |other: &usize| {
            let later_sidecar = *other > index && self.spec.containers[*other].kind == Kind::Sidecar;
            (later_sidecar || self.spec.containers[*other].kind == Kind::Main)
                && self.seen[*other].stage == Stage::Running
        };
        match (0..self.seen.len()).find(holds) {
            Some(other) => Err(format!("I3: told to stop while {} runs", self.spec.containers[other].name)),
            None => Ok(()),
        }
    }
}
