//! What the world says about an attempt, taken into the state. Answers of an older attempt end here.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::action::{ContainerAction, EventReason, Severity};
use crate::container::{After, Life, Running, StopStage, StopWhy};
use crate::event::{ContainerEvent, CreateFailure, Exit, Hook, ImageFailure, OomKilled};
use crate::hook::HookRun;
use crate::pod::{Engine, RestartingAll, Turn};
use crate::probe::Probes;
use crate::restart::{EndedBy, Verdict, verdict};
use crate::spec::{Attempt, ContainerIndex, Kind};
use crate::status::{GraceEnd, GraceUse, Terminated, TerminatedReason, WaitingReason};
use crate::termination::Cause;

/// The longest wait between two tries to get an image; the first is `Engine::retry_delay`.
const PULL_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Exit code of a container whose program could not be executed (R8.4).
const START_ERROR: i32 = 128;
/// Exit code where it could not be learnt (R8.4).
const UNKNOWN: i32 = 137;

impl Engine {
    pub(crate) fn container_event(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        attempt: Attempt,
        event: ContainerEvent,
    ) {
        if usize::from(index.0) >= self.containers.len() || self.container(index).attempt != attempt {
            return;
        }
        match event {
            ContainerEvent::ImageReady { image_id, stop_signal } => {
                self.image_ready(turn, index, image_id, stop_signal);
            }
            ContainerEvent::ImageFailed { failure, message } => self.image_failed(turn, index, failure, &message),
            ContainerEvent::ImageUnusable { image_id, message } => self.image_unusable(turn, index, image_id, message),
            ContainerEvent::Created { container_id } => self.created(turn, index, container_id),
            ContainerEvent::CreateFailed { failure, message } => self.create_failed(turn, index, failure, message),
            ContainerEvent::Started => self.program_started(turn, index),
            ContainerEvent::StartFailed { message } => self.start_failed(turn, index, message),
            ContainerEvent::Exited { exit, oom_killed, message } => {
                self.exited(turn, index, exit, oom_killed, message);
            }
            ContainerEvent::Signaled => {}
            ContainerEvent::Removed => self.removed(turn, index),
            ContainerEvent::HookDone { hook, result } => self.hook_done(turn, index, hook, result),
            ContainerEvent::ProbeDone { probe, result } => self.probe_done(turn, index, probe, result),
        }
    }

    fn image_ready(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, image_id: String, stop_signal: Option<i32>) {
        if !matches!(self.container(index).life, Life::Preparing | Life::Abandoned) {
            return;
        }
        self.image_found(turn, index, image_id, stop_signal);
        if self.is_wanted(index) { self.create(turn, index) } else { self.give_up(index) }
    }

    fn image_found(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, image_id: String, stop_signal: Option<i32>) {
        let message =
            format!("Container image \"{image_id}\" already present on machine and can be accessed by the pod");
        let container = self.container_mut(index);
        container.image_id = Some(image_id);
        container.image_stop_signal = stop_signal;
        container.pull_backoff = None;
        turn.record(Severity::Normal, EventReason::Pulled, Some(index), message);
    }

    /// As if its creation had been asked for and had failed: that is when the kubelet's runtimes look into it.
    fn image_unusable(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, image_id: String, message: String) {
        if !matches!(self.container(index).life, Life::Preparing | Life::Abandoned) {
            return;
        }
        self.image_found(turn, index, image_id, None);
        if !self.is_wanted(index) {
            return self.give_up(index);
        }
        self.container_mut(index).life = Life::Creating { kill_at: None, killed: false };
        self.create_failed(turn, index, CreateFailure::Create, message);
    }

    fn image_failed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, failure: ImageFailure, message: &str) {
        if !matches!(self.container(index).life, Life::Preparing | Life::Abandoned) {
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

    fn created(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, container_id: String) {
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

    fn create_failed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, failure: CreateFailure, message: String) {
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
    fn give_up(&mut self, index: ContainerIndex) {
        self.container_mut(index).life = match self.restarting_all {
            RestartingAll::Yes | RestartingAll::Anew => Life::Waiting,
            RestartingAll::No => Life::Over,
        };
    }

    fn program_started(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
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
            None | Some(_) => self.begin_hook(turn, index, Hook::PostStart, hook),
        };
        if let Some(running) = self.container_mut(index).running_mut() {
            running.post_start = post_start;
        }
    }

    fn start_failed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, message: String) {
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

    fn exited(
        &mut self,
        turn: &mut Turn<'_>,
        index: ContainerIndex,
        exit: Exit,
        oom_killed: OomKilled,
        message: String,
    ) {
        let (started_at, ended_by) = match &self.container(index).life {
            Life::Running(running) => {
                let ended_by = match running.stop.as_ref().map(|stop| stop.why) {
                    Some(StopWhy::Probe) => EndedBy::Probe,
                    Some(StopWhy::Resize) => EndedBy::Resize,
                    Some(StopWhy::PodEnds | StopWhy::PostStart | StopWhy::RestartAll) | None => EndedBy::Anything,
                };
                (Some(running.since_wall), ended_by)
            }
            // Its end overtook the answer to its start.
            Life::Starting { .. } => {
                if self.kind(index) == Kind::Main {
                    self.initialized = true;
                }
                (Some(turn.now.wall), EndedBy::Anything)
            }
            Life::Created | Life::Discarded => return self.discarded(turn, index),
            Life::Waiting
            | Life::Retry { .. }
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Removing(_)
            | Life::Over => return,
        };
        let (exit_code, signal) = match exit {
            Exit::Code(code) => (i32::from(code), None),
            Exit::Signal(signal) => (128 + i32::from(signal), Some(i32::from(signal))),
            Exit::Unknown => (UNKNOWN, None),
        };
        let reason = match (exit, oom_killed) {
            (Exit::Unknown, _) => TerminatedReason::ContainerStatusUnknown,
            (Exit::Code(0), _) => TerminatedReason::Completed,
            (Exit::Code(_) | Exit::Signal(_), OomKilled::Yes) => TerminatedReason::OOMKilled,
            (Exit::Code(_) | Exit::Signal(_), OomKilled::No) => TerminatedReason::Error,
        };
        let terminated = Terminated {
            exit_code,
            signal,
            reason,
            message,
            started_at,
            finished_at: Some(turn.now.wall),
            container_id: self.container(index).container_id.clone(),
        };
        self.note_grace_use(turn, index);
        self.ended(turn, index, terminated, ended_by);
    }

    /// It existed, but its program was never executed: as if it had not been.
    fn discarded(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let at = turn.now.monotonic.after(self.retry_delay());
        let after = match (self.is_wanted(index), self.restarting_all) {
            (true, _) => After::Retry { at },
            (false, RestartingAll::Yes | RestartingAll::Anew) => After::Recreate,
            (false, RestartingAll::No) => After::Over,
        };
        let container = self.container_mut(index);
        container.life = Life::Removing(after);
        turn.act(index, container.attempt, ContainerAction::Remove);
    }

    /// An instance ended: what becomes of it (R3), and of the pod.
    fn ended(&mut self, turn: &mut Turn<'_>, index: ContainerIndex, terminated: Terminated, ended_by: EndedBy) {
        let exit_code = terminated.exit_code;
        let container = self.container_mut(index);
        container.previous = container.last.replace(terminated);
        let verdict = verdict(self.container_spec(index), self.spec().restart_policy, exit_code, ended_by);
        let restart = match (&self.ending, self.restarting_all, verdict) {
            (Some(_), _, _) => self.restarts_while_ending(index),
            (None, RestartingAll::Yes | RestartingAll::Anew, _)
            | (None, RestartingAll::No, Verdict::RestartAll | Verdict::Restart) => true,
            (None, RestartingAll::No, Verdict::Stay | Verdict::PodFails) => false,
        };
        let resized = ended_by == EndedBy::Resize && self.ending.is_none() && self.restarting_all == RestartingAll::No;
        let backoff = self.spec().backoff;
        let now = turn.now.monotonic;
        let kind = self.kind(index);
        let container = self.container_mut(index);
        container.ended_at = Some(now);
        let after = if resized {
            After::Resized
        } else if restart {
            let delay = container.backoff.delay_after(now, &backoff);
            After::Restart { at: now.after(delay), delay }
        } else {
            After::Over
        };
        // R2.1; a main that ended has run (R8.1), also where that overtook the answer to its start.
        if kind == Kind::Main || kind == Kind::Init && verdict == Verdict::Stay {
            container.done = true;
        }
        container.life = Life::Removing(after);
        turn.act(index, container.attempt, ContainerAction::Remove);
        if self.ending.is_some() || self.restarting_all != RestartingAll::No {
            return;
        }
        match verdict {
            Verdict::RestartAll => self.restarting_all = RestartingAll::Yes,
            Verdict::PodFails => {
                let grace = self.spec().grace_period;
                self.begin_ending(turn, Cause::InitFailed, grace);
            }
            Verdict::Restart | Verdict::Stay => {}
        }
    }

    fn note_grace_use(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let now = turn.now.monotonic;
        let container = self.container_mut(index);
        let Some(stop) = container.running().and_then(|running| running.stop.as_ref()) else { return };
        if stop.why != StopWhy::PodEnds {
            return;
        }
        let mut used = stop.used;
        match stop.stage {
            StopStage::Hook { since, .. } => used.hook += now.since(since),
            StopStage::Turn { since } => used.turn += now.since(since),
            StopStage::Signaled { at, .. } => used.stopping = now.since(at),
            StopStage::Killed { signaled: at } => {
                used.stopping = now.since(at);
                used.end = GraceEnd::Killed;
            }
        }
        container.grace_use = Some(used);
        if used == GraceUse::default() {
            return;
        }
        let severity = match used.end {
            GraceEnd::Exited => Severity::Normal,
            GraceEnd::Killed => Severity::Warning,
        };
        let name = &self.container_spec(index).name;
        let message = format!("Container {name} used of the grace period: {used}");
        turn.record(severity, EventReason::GracePeriodUsed, Some(index), message);
    }

    fn removed(&mut self, turn: &mut Turn<'_>, index: ContainerIndex) {
        let Life::Removing(after) = self.container(index).life else { return };
        turn.changed();
        let restarts = self.ending.is_none() || self.restarts_while_ending(index);
        let life = match after {
            After::Restart { at, delay } if restarts => self.back_off(turn, index, at, delay),
            After::Recreate if self.ending.is_none() => Life::Waiting,
            After::Resized if self.ending.is_none() => {
                let container = self.container_mut(index);
                container.attempt = Attempt(container.attempt.0 + 1);
                container.made = false;
                Life::Waiting
            }
            After::Resized if restarts => Life::BackOff { at: turn.now.monotonic, message: None },
            After::Retry { at } if restarts => {
                let message = "the container's process ended before it was started".into();
                Life::Retry { at, reason: WaitingReason::RunContainerError, message }
            }
            After::Restart { .. } | After::Recreate | After::Resized | After::Retry { .. } | After::Over => Life::Over,
        };
        self.container_mut(index).life = life;
    }
}
