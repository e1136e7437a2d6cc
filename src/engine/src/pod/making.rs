//! Attempts that are being made: image, creation, start (R4.5, R8.4).

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::{Engine, Turn};
use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::hook::HookRun;
use crate::container::probes::Probes;
use crate::container::restart::EndedBy;
use crate::container::{Life, Running};
use crate::event::{CreateFailure, Hook, ImageFailure};
use crate::spec::{ContainerIndex, Kind};
use crate::status::{Terminated, TerminatedReason, WaitingReason};

/// The longest wait between two tries to get an image; the first is `Engine::retry_delay`.
const PULL_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Exit code of a container whose program could not be executed (R8.4).
const START_ERROR: i32 = 128;

impl Engine {
    pub(crate) fn image_ready(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        stop_signal: Option<i32>,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        self.image_found(turn, index, image_id, stop_signal);
        if self.is_wanted(index) { self.create(turn, index) } else { self.give_up(index) }
    }

    pub(crate) fn image_found(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        stop_signal: Option<i32>,
    ) {
        let message =
            format!("Container image \"{image_id}\" already present on machine and can be accessed by the pod");
        let container = self.container_mut(index);
        container.image_id = Some(image_id);
        container.image_stop_signal = stop_signal;
        container.pull_backoff = None;
        turn.record(Severity::Normal, EventReason::Pulled, Some(index), message);
    }

    /// As if its creation had been asked for and had failed: that is when the kubelet's runtimes look into it.
    pub(crate) fn image_unusable(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        image_id: String,
        message: String,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        self.image_found(turn, index, image_id, None);
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        self.container_mut(index).life = Life::Creating { kill_at: None, killed: false };
        self.create_failed(turn, index, CreateFailure::Create, message);
    }

    pub(crate) fn image_failed(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        failure: ImageFailure,
        message: &str,
    ) {
        if !self.container(index).is_preparing() {
            return;
        }
        // What we ended ourselves is not news.
        if matches!(self.container(index).life, Life::Preparing) {
            turn.record(Severity::Warning, EventReason::Failed, Some(index), format!("Error: {message}"));
        }
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        let first = self.retry_delay();
        let container = self.container_mut(index);
        let delay = container.pull_backoff.map_or(first, |delay| (delay * 2).min(PULL_BACKOFF_MAX).max(first));
        let reason = match (failure, container.pull_backoff) {
            (ImageFailure::Pull, None) => WaitingReason::ErrImagePull,
            (ImageFailure::Pull, Some(_)) => WaitingReason::ImagePullBackOff,
            (ImageFailure::NeverPull, _) => WaitingReason::ErrImageNeverPull,
            (ImageFailure::InvalidName, _) => WaitingReason::InvalidImageName,
        };
        container.pull_backoff = Some(delay);
        container.life = Life::Retry { at: turn.now.monotonic.after(delay), reason, message: message.into() };
    }

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
        self.container_mut(index).life = Life::Retry { at, reason, message };
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
