//! How long a pod is waited for that somebody has asked not to be waited for for ever: `run --fail-fast`, `--timeout`.
//! Neither is Kubernetes': both end the pod as a deletion does, and it has failed then.

use alloc::format;
use alloc::string::{String, ToString};

use super::ending::Cause;
use super::{Engine, PodLife, RestartingAll, Turn};
use crate::action::{EventReason, Severity};
use crate::container::restart::go_duration;
use crate::container::{AfterRemoval, Life};
use crate::spec::{ContainerIndex, FailFast, Kind};
use crate::status::{ContainerState, Deletion, PodReason};
use crate::time::Instant;

impl Engine {
    /// When `--timeout` runs out. A pod that ends already has the grace it has.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let (None, Some(began), Some(length)) = (&self.ending, self.began, self.spec.timeout) else { return None };
        Some(began.after(length))
    }

    /// `--timeout` has run out: the pod is deleted, and has failed.
    pub(crate) fn timed_out(&mut self, turn: &mut Turn<'_>) {
        let length = go_duration(self.spec.timeout.unwrap_or_default());
        let message = format!("Pod was not done after {length} (--timeout): {}", self.waits_for());
        let grace = self.spec.grace_period;
        self.deletion = Some(Deletion { requested: turn.now.wall, grace_period: grace });
        self.give_up_on(turn, (PodReason::TimedOut, EventReason::TimedOut), message, Cause::TimedOut);
    }

    /// `--fail-fast`: ends the pod as soon as it would wait for what only somebody else can mend, or can't succeed any more.
    pub(crate) fn fail_fast(&mut self, turn: &mut Turn<'_>) {
        if self.spec.fail_fast == FailFast::No || self.ending.is_some() || self.restarting_all != RestartingAll::No {
            return;
        }
        let (container, why) = if let Some(index) = self.indices().find(|&index| self.has_failed_for_good(index)) {
            let code = self.container(index).last.as_ref().map_or(1, |last| last.exit_code);
            (Some(index), format!("container {} exited {code} and is not restarted", self.container_spec(index).name))
        } else if let Some((index, why)) = self.indices().find_map(|index| Some((index, self.unmade(index)?))) {
            (Some(index), why)
        } else if matches!(self.life, PodLife::NoSandbox { .. }) {
            (None, "its sandbox can't be made".to_string())
        } else {
            return;
        };
        let message = format!("Pod can't succeed (--fail-fast): {why}");
        let reasons = (PodReason::FailFast, EventReason::FailFast);
        self.give_up_on(turn, reasons, message, Cause::FailFast { container });
    }

    fn give_up_on(
        &mut self,
        turn: &mut Turn<'_>,
        (reason, event): (PodReason, EventReason),
        message: String,
        cause: Cause,
    ) {
        self.reason = Some(reason);
        self.message.clone_from(&message);
        turn.record(Severity::Warning, event, None, message);
        let grace = self.spec.grace_period;
        self.begin_ending(turn, cause, grace);
    }

    /// A main that failed and stays so. (An init that does ends the pod as it is, R3.3; a sidecar is always restarted.)
    fn has_failed_for_good(&self, index: ContainerIndex) -> bool {
        let container = self.container(index);
        self.kind(index) == Kind::Main && container.is_over() && !container.has_succeeded()
    }

    /// Why an attempt could not be made, where it could not.
    fn unmade(&self, index: ContainerIndex) -> Option<String> {
        let name = &self.container_spec(index).name;
        // R5.21: nobody waits for it.
        if self.kind(index) == Kind::Ephemeral {
            return None;
        }
        match &self.container(index).life {
            Life::Retry { reason, message, .. } => {
                Some(format!("container {name} can't be started: {reason:?}: {message}"))
            }
            // Its process died before it was started.
            Life::Removing(AfterRemoval::Retry { .. }) => {
                Some(format!("container {name} can't be started: RunContainerError"))
            }
            Life::Waiting
            | Life::BackOff { .. }
            | Life::Preparing
            | Life::Pulling { .. }
            | Life::Abandoned
            | Life::Creating { .. }
            | Life::Created
            | Life::Discarded
            | Life::Starting { .. }
            | Life::Running(_)
            | Life::Removing(_)
            | Life::Over => None,
        }
    }

    /// What the pod is waiting for, in words.
    fn waits_for(&self) -> String {
        match self.life {
            PodLife::New | PodLife::MakingSandbox => return "it waited for its sandbox".to_string(),
            PodLife::NoSandbox { .. } => return "its sandbox could not be made".to_string(),
            PodLife::Up | PodLife::Lost | PodLife::RemovingSandbox | PodLife::Finished => {}
        }
        let gate = self.indices().find(|&index| self.kind(index).gates() && !self.container(index).done);
        let mains = || self.indices().filter(|&index| self.kind(index) == Kind::Main);
        // One that can't run says more than one that does.
        let stuck = || mains().find(|&index| self.container(index).waits_for_a_time().is_some());
        let runs = || mains().find(|&index| !matches!(self.container(index).life, Life::Over | Life::Removing(_)));
        match gate.or_else(stuck).or_else(runs) {
            Some(index) => format!("it waited for {}", self.waits_for_one(index)),
            None => "it waited for its end".to_string(),
        }
    }

    fn waits_for_one(&self, index: ContainerIndex) -> String {
        let name = &self.container_spec(index).name;
        let container = self.container(index);
        let (what, end) = match self.kind(index) {
            Kind::Init => ("init container", "exit"),
            Kind::Sidecar => ("sidecar", "be started"),
            Kind::Main | Kind::Ephemeral => ("container", "exit"),
        };
        match self.status_of(container) {
            ContainerState::Waiting { reason, message } if !message.is_empty() => {
                format!("{what} {name}: {reason:?}: {message}")
            }
            ContainerState::Waiting { reason, .. } => format!("{what} {name}: {reason:?}"),
            ContainerState::Running { .. } if self.kind(index) == Kind::Sidecar => {
                let probed = container.running().is_some_and(|running| !running.probes.startup_passed());
                let why =
                    if probed { "its startup probe has not succeeded" } else { "its postStart hook has not ended" };
                format!("{what} {name} to {end}: {why}")
            }
            ContainerState::Running { .. } | ContainerState::Terminated(_) => format!("{what} {name} to {end}"),
        }
    }
}
