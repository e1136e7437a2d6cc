//! The sandbox: made first, made again where that fails, removed last (R5.16); and a pod that never gets that far, or whose
//! supervisor is gone.

use alloc::format;
use alloc::string::{String, ToString};

use super::ending::Cause;
use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::{Action, EventReason, Severity};
use crate::container::{Container, Life};
use crate::event::SandboxFailure;
use crate::spec::Kind;
use crate::status::{Phase, PodReason};
use crate::time::Instant;

impl Engine {
    /// When the sandbox is to be made once more.
    pub(crate) fn sandbox_retry(&self) -> Option<Instant> {
        match self.life {
            PodLife::NoSandbox { retry } if self.ending.is_none() => Some(retry),
            PodLife::NoSandbox { .. }
            | PodLife::New
            | PodLife::MakingSandbox
            | PodLife::Up
            | PodLife::Lost
            | PodLife::RemovingSandbox
            | PodLife::Finished => None,
        }
    }

    pub(crate) fn retry_sandbox(&mut self, turn: &mut Turn<'_>) {
        if self.sandbox_retry().is_some_and(|retry| retry <= turn.now.monotonic) {
            self.make_sandbox(turn);
        }
    }

    pub(crate) fn make_sandbox(&mut self, turn: &mut Turn<'_>) {
        self.life = PodLife::MakingSandbox;
        self.volumes.clear();
        turn.changed();
        turn.ask(Action::CreateSandbox);
    }

    /// The kubelet's rejectPod: nothing of it is ever made.
    pub(crate) fn rejected(&mut self, turn: &mut Turn<'_>, message: &str) {
        if self.life != PodLife::New {
            return;
        }
        self.start_time = Some(turn.now.wall);
        self.terminal = Some(Phase::Failed);
        self.reason = Some(PodReason::UnexpectedAdmissionError);
        self.message = format!("Pod was rejected: {message}");
        for container in &mut self.containers {
            container.life = Life::Over;
        }
        turn.record(Severity::Warning, EventReason::UnexpectedAdmissionError, None, message.into());
        self.finish(turn);
    }

    pub(crate) fn sandbox_failed(&mut self, turn: &mut Turn<'_>, failure: SandboxFailure, message: String) {
        if self.life != PodLife::MakingSandbox {
            return;
        }
        if failure == SandboxFailure::Network && !self.had_sandbox {
            return self.give_up_pod(turn);
        }
        self.life = PodLife::NoSandbox { retry: turn.now.monotonic.after(self.retry_delay()) };
        let (reason, message) = match failure {
            SandboxFailure::Sandbox | SandboxFailure::Network => {
                (EventReason::FailedCreatePodSandBox, format!("Failed to create pod sandbox: {message}"))
            }
            SandboxFailure::Mount => (EventReason::FailedMount, message),
        };
        turn.record(Severity::Warning, reason, None, message);
    }

    /// R4.8: there is nothing that could end.
    fn give_up_pod(&mut self, turn: &mut Turn<'_>) {
        self.terminal = Some(Phase::Failed);
        for container in &mut self.containers {
            container.life = Life::Over;
        }
        self.life = PodLife::Finished;
        turn.ask(Action::GiveUp);
    }

    /// Once the pod is bound to end and nothing of its containers is left, the sandbox goes (R5.16).
    pub(crate) fn advance_end(&mut self, turn: &mut Turn<'_>) {
        let Some(ending) = &self.ending else { return };
        if !self.containers.iter().all(Container::is_quiet) {
            return;
        }
        match self.life {
            PodLife::New | PodLife::NoSandbox { .. } => {
                self.settle_phase(ending.cause);
                self.finish(turn);
            }
            // What is still to be made nobody waits for: a volume's place may hang (R5.16).
            PodLife::Up | PodLife::Lost | PodLife::MakingSandbox => {
                self.settle_phase(ending.cause);
                self.life = PodLife::RemovingSandbox;
                turn.changed();
                turn.ask(Action::RemoveSandbox);
            }
            PodLife::RemovingSandbox | PodLife::Finished => {}
        }
    }

    fn settle_phase(&mut self, cause: Cause) {
        for container in &mut self.containers {
            container.life = Life::Over;
        }
        self.terminal = Some(self.terminal_phase(cause));
    }

    pub(crate) fn finish(&mut self, turn: &mut Turn<'_>) {
        debug_assert!(self.containers.iter().all(Container::is_quiet), "R5.16: the sandbox goes last");
        self.life = PodLife::Finished;
        turn.ask(Action::Finish { exit_code: self.exit().0 });
    }

    /// R8.1: the phase the pod ends in.
    fn terminal_phase(&self, cause: Cause) -> Phase {
        let succeeded = match cause {
            Cause::Natural | Cause::Deletion => {
                self.indices().all(|index| self.kind(index) != Kind::Main || self.container(index).has_succeeded())
            }
            Cause::InitFailed | Cause::Deadline | Cause::Eviction | Cause::TimedOut | Cause::FailFast { .. } => false,
        };
        if succeeded { Phase::Succeeded } else { Phase::Failed }
    }

    /// R8.6: the supervisor is gone, and so is all it had started.
    pub(crate) fn lost(&mut self, turn: &mut Turn<'_>) {
        for container in &mut self.containers {
            container.lose(turn.now.wall);
        }
        if self.terminal.is_none() {
            self.terminal = Some(Phase::Failed);
            let message =
                "The supervisor ended without finishing the pod; what was left of it has been removed".to_string();
            // One that was being evicted has failed for that.
            if self.evicted.is_none() {
                self.reason = Some(PodReason::SupervisorLost);
                self.message.clone_from(&message);
            }
            turn.record(Severity::Warning, EventReason::SupervisorLost, None, message);
        }
        self.restarting_all = RestartingAll::No;
        self.life = PodLife::Finished;
    }
}
