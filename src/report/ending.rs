//! How a pod ended, in one line for people and as what `run --exit-code-file` holds for programs.

use barepod_engine::spec::Kind;
use barepod_engine::status::{
    ContainerState, ContainerStatus, ExitSource, Phase, PodStatus, Terminated, TerminatedReason,
};
use serde::Serialize;

/// Characters of a container's termination message that fit into a line.
const MESSAGE: usize = 200;

/// What `run --exit-code-file` holds (docs/exit-codes.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// What `barepod run` exits with.
    pub exit_code: u8,
    /// Whose that is.
    pub source: Source,
    /// `NAMESPACE/NAME`, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// `Succeeded` or `Failed`, of a pod that came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The container whose code it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The pod's, or else that container's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For people; as in the last line on standard error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Whose an exit code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A container's, which failed.
    Container,
    /// The pod's: 0, or 1 where it failed and no container is to blame.
    Pod,
    /// 124: `--timeout` ran out.
    Timeout,
    /// barepod's own: 125, or 2 for what it was given.
    Barepod,
}

impl Ending {
    /// Of a pod that came to its end.
    pub fn of(pod: &str, status: &PodStatus) -> Self {
        let blamed = blamed(status);
        Self {
            exit_code: status.exit_code.unwrap_or(1),
            source: match status.exit_source {
                Some(ExitSource::Container(_)) => Source::Container,
                Some(ExitSource::TimedOut) => Source::Timeout,
                Some(ExitSource::Pod) | None => Source::Pod,
            },
            pod: Some(pod.to_owned()),
            phase: Some(format!("{:?}", status.phase)),
            container: blamed.map(|(container, _)| container.name.clone()),
            reason: match (status.reason, blamed) {
                (Some(reason), _) => Some(format!("{reason:?}")),
                (None, Some((_, how))) => Some(format!("{:?}", how.reason)),
                (None, None) => None,
            },
            message: why(status),
        }
    }

    /// Where barepod itself could not go on, or would not begin.
    pub fn of_error(exit_code: u8, message: &str) -> Self {
        let (source, message) = (Source::Barepod, message.trim_end().to_owned());
        Self { exit_code, source, pod: None, phase: None, container: None, reason: None, message }
    }
}

/// The container that the exit code is of, and how it ended.
fn blamed(status: &PodStatus) -> Option<(&ContainerStatus, &Terminated)> {
    let Some(ExitSource::Container(index)) = status.exit_source else { return None };
    let container = status.containers.get(usize::from(index.0))?;
    let how = match (&container.state, &container.last_state) {
        (ContainerState::Terminated(how), _) | (_, Some(how)) => how,
        (_, None) => return None,
    };
    Some((container, how))
}

/// Why the pod failed, in one line; empty where it succeeded.
pub fn why(status: &PodStatus) -> String {
    if status.phase == Phase::Succeeded {
        return String::new();
    }
    if let Some(reason) = status.reason {
        return format!("{reason:?}: {}", status.message);
    }
    let asked = if status.deletion.is_some() { "it was stopped on request; " } else { "" };
    match blamed(status) {
        Some((container, how)) => format!("{asked}{}", failure(container, how)),
        None if status.deletion.is_some() => {
            "it was stopped on request before its containers had ended well".to_owned()
        }
        None => "not all of its containers have run".to_owned(),
    }
}

fn failure(container: &ContainerStatus, how: &Terminated) -> String {
    let kind = match container.kind {
        Kind::Init => "init container",
        Kind::Sidecar | Kind::Main | Kind::Ephemeral => "container",
    };
    let what = match (how.reason, how.signal) {
        (TerminatedReason::StartError, _) => "could not be started".to_owned(),
        (TerminatedReason::OOMKilled, Some(9)) => format!("ran out of memory, exit code {}", how.exit_code),
        (TerminatedReason::ContainerStatusUnknown, _) => "ended, nobody saw how".to_owned(),
        (_, Some(signal)) => format!("was ended by signal {signal}, exit code {}", how.exit_code),
        (_, None) => format!("exited {}", how.exit_code),
    };
    // The reason is the kubelet's: it stands for any process of the container.
    let other = match (how.reason, how.signal) {
        (TerminatedReason::OOMKilled, signal) if signal != Some(9) => {
            ", after one of its processes was killed for lack of memory"
        }
        _ => "",
    };
    let message = telling_line(&how.message);
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{kind} {:?} {what}{other} ({:?}){message}", container.name, how.reason)
}

/// The last thing that is said is mostly why: of several lines the last that isn't empty.
fn telling_line(message: &str) -> String {
    let line = message.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut cut: String = line.chars().take(MESSAGE).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
