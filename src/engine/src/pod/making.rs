//! Attempts that are being made, once their image is there: creation, start (R4.5, R8.4).

use alloc::format;
use alloc::string::String;

use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::hook::HookRun;
use crate::container::probes::Probes;
use crate::container::restart::EndedBy;
use crate::container::{Life, Running};
use crate::event::{CreateFailure, Hook};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{Terminated, TerminatedReason, WaitingReason};

/// Exit code of a container whose program could not be executed (R8.4).
const START_ERROR: i32 = 128;

impl Engine {
    pub(crate) fn created(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, container_id: String) {
        if !matches!(self.container(index).life, Life::Creating { .. }) {
            return;
        }
        let wanted = self.is_wanted(index);
        let container = self.container_mut(index);
        container.container_id = Some(container_id);
        container.made = true;
        self.catch_up_limits(turn, index);
        let container = self.container_mut(index);
        if wanted {
            container.life = Life::Created;
        } else {
            container.life = Life::Discarded;
            turn.act(index, container.attempt, ContainerAction::Kill);
        }
        turn.record(Severity::Normal, EventReason::Created, Some(index), "Container created".into());
    }

    pub(crate) fn create_failed(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        failure: CreateFailure,
        message: String,
    ) {
        let Life::Creating { killed, .. } = self.container(index).life else { return };
        // What we ended ourselves is not news.
        if !killed {
            turn.record(Severity::Warning, EventReason::Failed, Some(index), format!("Error: {message}"));
        }
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        let reason = match failure {
            CreateFailure::Config => WaitingReason::CreateContainerConfigError,
            CreateFailure::Create => WaitingReason::CreateContainerError,
            CreateFailure::Run => WaitingReason::RunContainerError,
        };
        let at = turn.now.monotonic.after(self.retry_delay());
        self.container_mut(index).life = Life::Retry { at, reason, message, backs_off: None };
    }

    /// Nothing of it was made, and it isn't wanted any more.
    pub(crate) fn give_up(&mut self, index: ContainerIndex) {
        let again = self.is_restarting(index);
        self.container_mut(index).life = if again { Life::Waiting } else { Life::Over };
    }

    pub(crate) fn program_started(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        if !matches!(self.container(index).life, Life::Starting { .. }) {
            return;
        }
        self.assert_order(index);
        turn.record(Severity::Normal, EventReason::Started, Some(index), "Container started".into());
        let probes = Probes::new(self.container_spec(index), turn.now.monotonic);
        let (since, since_wall) = (turn.now.monotonic, turn.now.wall);
        let running = Running { since, since_wall, post_start: HookRun::Over, probes, stop: None };
        self.container_mut(index).life = Life::Running(running);
        if self.kind(index) == Kind::Main {
            self.container_mut(index).done = true;
            self.initialized = true;
        }
        self.complete_resize(turn, index);
        let hook = self.container_spec(index).post_start;
        if self.ending.is_some() {
            self.join_ending(turn, index);
        }
        let post_start = match hook {
            Some(_) if !self.is_wanted(index) => HookRun::Skipped,
            None | Some(_) => HookRun::begin(hook, turn.now.monotonic),
        };
        let container = self.container_mut(index);
        if let Some(running) = container.running_mut() {
            running.post_start = post_start;
        }
        if post_start.is_asked() {
            turn.act(index, container.attempt, ContainerAction::RunHook(Hook::PostStart));
        }
    }

    pub(crate) fn start_failed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, message: String) {
        let Life::Starting { killed, .. } = self.container(index).life else { return };
        // What we ended ourselves is not news.
        if !killed {
            turn.record(Severity::Warning, EventReason::Failed, Some(index), format!("Error: {message}"));
        }
        // R8.2: that counts as a start (pkg/kubelet/container, HasAnyRegularContainerStarted), also where all begins anew.
        if self.kind(index) == Kind::Main {
            self.initialized = true;
        }
        let wall = turn.now.wall;
        let terminated = Terminated {
            exit_code: START_ERROR,
            signal: None,
            reason: TerminatedReason::StartError,
            message,
            started_at: None,
            finished_at: Some(wall),
            container_id: self.container(index).container_id.clone(),
        };
        self.ended(turn, index, terminated, EndedBy::Anything);
    }
}
