//! What the invariants learn from the facts that the engine is told.

use std::time::Duration;

use barepod_engine::action::ContainerAction;
use barepod_engine::event::{ContainerEvent, Event, Exit, Hook, HookResult, Probe, ProbeResult, ResizeWay, RestartOf};
use barepod_engine::spec::{FailFast, Kind};
use barepod_engine::time::Instant;

use super::{Invariants, Stage};

impl Invariants {
    pub(super) fn take_in(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Begin => self.began = self.began.or(Some(now)),
            Event::Stop { .. } | Event::Interrupt | Event::Kill => {
                let grace = match event {
                    Event::Stop { grace } => grace.unwrap_or(self.spec.grace_period),
                    Event::Interrupt if !self.interrupted => self.spec.grace_period,
                    _ => Duration::ZERO,
                };
                self.interrupted |= *event == Event::Interrupt;
                let deadline = now.after(grace);
                self.stop_deadline = Some(self.stop_deadline.map_or(deadline, |before| before.min(deadline)));
            }
            // A pod that isn't begun uses nothing.
            Event::StorageExceeded(_) if self.began.is_some() => {
                let deadline = now.after(Duration::from_secs(1));
                self.stop_deadline = Some(self.stop_deadline.map_or(deadline, |before| before.min(deadline)));
            }
            Event::SupervisorLost => self.over = true,
            Event::Resized { container, way: ResizeWay::Restart, .. } => {
                if let Some(seen) = self.seen.get_mut(usize::from(container.0)) {
                    seen.blamed = true;
                    seen.resized = true;
                }
            }
            Event::DefinitionChanged { container, .. } | Event::Restart { of: RestartOf::Container(container), .. } => {
                if let Some(seen) = self.seen.get_mut(usize::from(container.0)) {
                    seen.blamed = true;
                    seen.resized = true;
                    if let Event::DefinitionChanged { image, .. } = event {
                        seen.images.push(image.clone());
                    }
                }
            }
            Event::Restart { of: RestartOf::Pod, grace } => {
                let deadline = now.after(grace.unwrap_or(self.spec.grace_period));
                self.restart_deadline = Some(self.restart_deadline.map_or(deadline, |before| before.min(deadline)));
                self.seen.iter_mut().for_each(|seen| seen.resized = true);
            }
            Event::ActiveDeadline { length } => {
                let before = self.spec.active_deadline.unwrap_or(*length);
                self.spec.active_deadline = Some(before.min(*length));
            }
            // All is dead.
            Event::SandboxLost => self.last_end = now,
            Event::Container { container, attempt, event } => {
                let index = usize::from(container.0);
                if index < self.seen.len() && self.seen[index].attempt == attempt.0 {
                    self.hear_container(now, index, event);
                }
            }
            Event::Tick
            | Event::EphemeralAdded { .. }
            | Event::StorageExceeded(_)
            | Event::Rejected { .. }
            | Event::Resized { .. }
            | Event::SandboxRemoved => {}
            Event::SandboxFailed { .. } => {
                self.making_sandbox = false;
                self.may_fail_fast(now);
            }
            Event::SandboxReady => {
                self.making_sandbox = false;
                self.had_sandbox = true;
            }
        }
    }

    /// Something could not be made, or failed: whether for good only the reference knows.
    fn may_fail_fast(&mut self, now: Instant) {
        if self.spec.fail_fast == FailFast::Yes {
            let deadline = now.after(self.spec.grace_period);
            self.impatient.get_or_insert(deadline);
        }
    }

    fn hear_container(&mut self, now: Instant, index: usize, event: &ContainerEvent) {
        let failed = matches!(
            event,
            ContainerEvent::ImageFailed { .. }
                | ContainerEvent::ImageAbsent
                | ContainerEvent::ImageUnusable { .. }
                | ContainerEvent::CreateFailed { .. }
                | ContainerEvent::StartFailed { .. }
                | ContainerEvent::Exited { .. }
        );
        if failed && self.spec.containers[index].kind != Kind::Ephemeral {
            self.may_fail_fast(now);
        }
        self.pulled |= matches!(event, ContainerEvent::ImagePulled { .. });
        let spec = &self.spec.containers[index];
        let seen = &mut self.seen[index];
        if let Some(at) = seen.open.iter().position(|action| answers(event, action)) {
            seen.open.remove(at);
        }
        match event {
            ContainerEvent::ImageReady { .. } | ContainerEvent::ImagePulled { .. } if seen.stage == Stage::Imaging => {
                seen.stage = Stage::Imaged;
            }
            ContainerEvent::ImageAbsent if seen.stage == Stage::Imaging => {
                seen.stage = Stage::Gone;
                seen.absent = true;
            }
            ContainerEvent::ImageFailed { .. } | ContainerEvent::ImageUnusable { .. }
                if seen.stage == Stage::Imaging =>
            {
                seen.stage = Stage::Gone
            }
            ContainerEvent::Created { .. } if seen.stage == Stage::Creating => seen.stage = Stage::Created,
            ContainerEvent::CreateFailed { .. } if seen.stage == Stage::Creating => seen.stage = Stage::Gone,
            ContainerEvent::Started if seen.stage == Stage::Starting => {
                seen.stage = Stage::Running;
                seen.hook_ok |= spec.post_start.is_none();
                seen.startup_ok |= spec.startup_probe.is_none();
            }
            ContainerEvent::StartFailed { .. } if seen.stage == Stage::Starting => {
                seen.stage = Stage::Ended;
                seen.exited_at = Some(now);
                if !matches!(spec.kind, Kind::Sidecar | Kind::Ephemeral) {
                    self.last_end = now;
                }
            }
            ContainerEvent::Exited { exit, .. } => {
                if matches!(seen.stage, Stage::Starting | Stage::Running) && spec.kind == Kind::Init {
                    seen.done |= *exit == Exit::Code(0);
                }
                if matches!(seen.stage, Stage::Created | Stage::Starting | Stage::Running) {
                    seen.stage = Stage::Ended;
                    seen.exited_at = Some(now);
                }
                if !matches!(spec.kind, Kind::Sidecar | Kind::Ephemeral) {
                    self.last_end = now;
                }
            }
            ContainerEvent::Removed if seen.stage == Stage::Removing => seen.stage = Stage::Gone,
            ContainerEvent::HookDone { hook: Hook::PostStart, result } => match result {
                HookResult::Success => seen.hook_ok = true,
                HookResult::Failure { .. } | HookResult::Error { .. } => seen.blamed = true,
                HookResult::ContainerEnds => {}
            },
            ContainerEvent::ProbeDone { probe, result } => match (probe, result) {
                (Probe::Startup, ProbeResult::Success | ProbeResult::Warning { .. }) => seen.startup_ok = true,
                (Probe::Startup | Probe::Liveness, ProbeResult::Failure { .. }) => seen.blamed = true,
                _ => {}
            },
            _ => {}
        }
        // A sleep is the engine's own: it passes unseen.
        let slept = matches!(spec.post_start, Some(barepod_engine::spec::HookSpec::Sleep(_)));
        if spec.kind == Kind::Sidecar && seen.stage == Stage::Running && (seen.hook_ok || slept) && seen.startup_ok {
            seen.done = true;
        }
    }
}

/// Whether an event is the answer to an action on the same attempt.
pub fn answers(event: &ContainerEvent, action: &ContainerAction) -> bool {
    match (event, action) {
        (
            ContainerEvent::ImageReady { .. }
            | ContainerEvent::ImageAbsent
            | ContainerEvent::ImagePulled { .. }
            | ContainerEvent::ImageFailed { .. }
            | ContainerEvent::ImageUnusable { .. },
            ContainerAction::PrepareImage(_) | ContainerAction::PullImage(_),
        )
        | (ContainerEvent::Created { .. } | ContainerEvent::CreateFailed { .. }, ContainerAction::Create)
        | (ContainerEvent::Started | ContainerEvent::StartFailed { .. }, ContainerAction::Start)
        | (ContainerEvent::Signaled, ContainerAction::Signal(_) | ContainerAction::Kill)
        | (ContainerEvent::Removed, ContainerAction::Remove) => true,
        (ContainerEvent::HookDone { hook, .. }, ContainerAction::RunHook(asked)) => hook == asked,
        (ContainerEvent::ProbeDone { probe, .. }, ContainerAction::Probe(asked)) => probe == asked,
        _ => false,
    }
}
