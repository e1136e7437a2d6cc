//! Whether and when a container that exited starts again (R3, R4).

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::spec::{Backoff, ContainerSpec, ExitCodeOperator, Kind, RestartPolicy, RestartRuleAction};
use crate::time::Instant;

/// R4: the restart back-off of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackoffState {
    /// The delay of the next restart; zero before the first.
    delay: Duration,
    /// When it was last restarted.
    raised: Option<Instant>,
}

impl BackoffState {
    /// How long after an exit at `exited` the next restart comes (R4.1, R4.2).
    pub fn delay_after(&mut self, exited: Instant, backoff: &Backoff) -> Duration {
        if let Some(raised) = self.raised
            && exited.since(raised) > backoff.reset_after
        {
            *self = Self::default();
        }
        self.delay
    }

    /// It is restarted now: the next delay is longer.
    pub fn raise(&mut self, now: Instant, backoff: &Backoff) {
        let next = if self.delay.is_zero() { backoff.initial } else { self.delay.saturating_mul(2) };
        self.delay = next.min(backoff.max);
        self.raised = Some(now);
    }
}

/// What an exit leads to, were the pod not ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It starts again.
    Restart,
    /// It doesn't.
    Stay,
    /// An init failed for good (R3.3).
    PodFails,
    /// R3.7.
    RestartAll,
}

/// What ended an instance, for R3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// Itself, a hook's failure, the pod's end.
    Anything,
    /// A liveness or startup probe.
    Probe,
    /// New resources, or somebody who asked for a restart (R3.9): it starts again whatever its policy.
    Request,
}

/// R3.1 to R3.5 and R3.7.
pub(crate) fn verdict(
    container: &ContainerSpec,
    pod_policy: RestartPolicy,
    exit_code: i32,
    ended_by: EndedBy,
) -> Verdict {
    let policy = container.restart_policy.unwrap_or(pod_policy);
    if ended_by == EndedBy::Request {
        return Verdict::Restart;
    }
    match container.kind {
        // R3.11.
        Kind::Ephemeral => Verdict::Stay,
        Kind::Sidecar if ended_by == EndedBy::Probe => Verdict::Restart,
        Kind::Sidecar => match matching_rule(container, exit_code) {
            Some(RestartRuleAction::RestartAllContainers) => Verdict::RestartAll,
            Some(RestartRuleAction::Restart) | None => Verdict::Restart,
        },
        Kind::Init if exit_code == 0 => Verdict::Stay,
        Kind::Init => match matching_rule(container, exit_code) {
            Some(RestartRuleAction::RestartAllContainers) => Verdict::RestartAll,
            Some(RestartRuleAction::Restart) => Verdict::Restart,
            None if policy == RestartPolicy::Never => Verdict::PodFails,
            None => Verdict::Restart,
        },
        Kind::Main if ended_by == EndedBy::Probe => match policy {
            RestartPolicy::Never => Verdict::Stay,
            RestartPolicy::Always | RestartPolicy::OnFailure => Verdict::Restart,
        },
        Kind::Main => match (matching_rule(container, exit_code), policy) {
            (Some(RestartRuleAction::RestartAllContainers), _) => Verdict::RestartAll,
            (Some(RestartRuleAction::Restart), _) | (None, RestartPolicy::Always) => Verdict::Restart,
            (None, RestartPolicy::OnFailure) if exit_code != 0 => Verdict::Restart,
            (None, RestartPolicy::OnFailure | RestartPolicy::Never) => Verdict::Stay,
        },
    }
}

fn matching_rule(container: &ContainerSpec, exit_code: i32) -> Option<RestartRuleAction> {
    container
        .restart_rules
        .iter()
        .find(|rule| match rule.operator {
            ExitCodeOperator::In => rule.exit_codes.contains(&exit_code),
            ExitCodeOperator::NotIn => !rule.exit_codes.contains(&exit_code),
        })
        .map(|rule| rule.action)
}

/// A duration as Go prints it: `10s`, `1m20s`, `300ms`, `1.2s`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => return "0s".into(),
        1..1_000 => return format!("{millis}ms"),
        _ => {}
    }
    let (hours, minutes, seconds, rest) =
        (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000);
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        text += &format!("{minutes}m");
    }
    if rest == 0 {
        text += &format!("{seconds}s");
    } else {
        let fraction = format!("{rest:03}");
        text += &format!("{seconds}.{}s", fraction.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R4.4: as Go's Duration.String.
    #[test]
    fn durations_print_as_in_go() {
        for (millis, text) in [
            (0, "0s"),
            (300, "300ms"),
            (1_200, "1.2s"),
            (10_000, "10s"),
            (80_000, "1m20s"),
            (300_000, "5m0s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }

    /// R4.1: at once, 10, 20, 40 ... 300; R4.2: over from the start after a long run.
    #[test]
    fn back_off_doubles_to_its_maximum_and_is_forgotten() {
        let backoff = Backoff {
            initial: Duration::from_secs(10),
            max: Duration::from_secs(300),
            reset_after: Duration::from_secs(600),
        };
        let mut state = BackoffState::default();
        let mut now = Instant::from_nanos(0);
        for want in [0, 10, 20, 40, 80, 160, 300, 300] {
            assert_eq!(state.delay_after(now, &backoff), Duration::from_secs(want));
            now = now.after(Duration::from_secs(want));
            state.raise(now, &backoff);
        }
        assert_eq!(state.delay_after(now.after(Duration::from_secs(600)), &backoff), Duration::from_secs(300));
        assert_eq!(state.delay_after(now.after(Duration::from_secs(601)), &backoff), Duration::ZERO);
    }
}
