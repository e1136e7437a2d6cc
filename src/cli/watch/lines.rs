//! The lines about what happens in a pod's life.

use barepod_engine::action::{EventReason, EventRecord, Severity};

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// What is as it should be, in passing.
    Progress,
    /// That all went well: the last line.
    Result,
    /// What is not as it should be.
    Warning,
}

/// What the second event about an image that can't be had says (R8.13): its reason alone.
const IMAGE_ERRORS: [&str; 6] = [
    "Error: ErrImageNeverPull",
    "Error: ErrImagePull",
    "Error: ImageInspectError",
    "Error: ImagePullBackOff",
    "Error: InvalidImageName",
    "Error: SignatureValidationFailed",
];

/// The line about an event, where there is one. `who` is the container's name, or the pod's where it is about none.
pub fn of_event(record: &EventRecord, who: &str) -> Option<(LineKind, String)> {
    let message = &record.message;
    Some(match (record.severity, record.reason) {
        (Severity::Normal, EventReason::Started) => (LineKind::Progress, format!("{who} started")),
        // What takes its time. Why a pull is tried again was a warning.
        (Severity::Normal, EventReason::Pulling) => (LineKind::Progress, format!("{who}: {}", small(message))),
        (Severity::Normal, EventReason::Pulled) if message.starts_with("Successfully") => {
            (LineKind::Progress, format!("{who}: {}", small(message)))
        }
        (Severity::Normal, EventReason::BackOff) => {
            (LineKind::Progress, format!("{who} waits before its image is pulled again (back-off)"))
        }
        // That a container is being stopped is said when it is sent its signal.
        (Severity::Normal, _) => return None,
        (Severity::Warning, EventReason::BackOff) => {
            (LineKind::Progress, format!("{who} waits before it is restarted (back-off)"))
        }
        (Severity::Warning, EventReason::GracePeriodUsed) => {
            let used = message.strip_prefix(&format!("Container {who} ")).unwrap_or(message);
            (LineKind::Warning, format!("{who} {used}"))
        }
        (Severity::Warning, EventReason::FailedPostStartHook) => {
            (LineKind::Warning, format!("{who}: postStart hook failed: {message}"))
        }
        (Severity::Warning, EventReason::FailedPreStopHook) => {
            (LineKind::Warning, format!("{who}: preStop hook failed: {message}"))
        }
        // Why is what the last line says.
        (Severity::Warning, EventReason::FailFast) => {
            (LineKind::Progress, format!("{who} is being stopped: it can't succeed (--fail-fast)"))
        }
        (Severity::Warning, EventReason::TimedOut) => {
            (LineKind::Progress, format!("{who} is being stopped: its time has run out (--timeout)"))
        }
        // The event before it has said what went wrong.
        (Severity::Warning, EventReason::Failed) if IMAGE_ERRORS.iter().any(|one| message == one) => return None,
        (Severity::Warning, _) => (LineKind::Warning, format!("{who}: {message}")),
    })
}

/// With a small letter, as what follows a name.
fn small(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use barepod_engine::time::WallTime;

    use super::*;

    #[test]
    fn events_and_their_lines() {
        use EventReason as Reason;
        for (severity, reason, message, line) in [
            (Severity::Normal, Reason::Started, "", Some((LineKind::Progress, "web started"))),
            (Severity::Normal, Reason::Killing, "Stopping container web", None),
            (
                Severity::Normal,
                Reason::Pulling,
                "Pulling image \"x\"",
                Some((LineKind::Progress, "web: pulling image \"x\"")),
            ),
            (Severity::Normal, Reason::Pulled, "Container image \"x\" already present on machine", None),
            (
                Severity::Normal,
                Reason::Pulled,
                "Successfully pulled image \"x\" in 2s",
                Some((LineKind::Progress, "web: successfully pulled image \"x\" in 2s")),
            ),
            (
                Severity::Normal,
                Reason::BackOff,
                "Back-off pulling image \"x\"",
                Some((LineKind::Progress, "web waits before its image is pulled again (back-off)")),
            ),
            (Severity::Warning, Reason::Failed, "Error: ErrImagePull", None),
            (Severity::Warning, Reason::Failed, "Error: no", Some((LineKind::Warning, "web: Error: no"))),
            (
                Severity::Warning,
                Reason::GracePeriodUsed,
                "Container web used 3 s",
                Some((LineKind::Warning, "web used 3 s")),
            ),
            (
                Severity::Warning,
                Reason::FailedPreStopHook,
                "no such file",
                Some((LineKind::Warning, "web: preStop hook failed: no such file")),
            ),
            (
                Severity::Warning,
                Reason::TimedOut,
                "",
                Some((LineKind::Progress, "web is being stopped: its time has run out (--timeout)")),
            ),
            (Severity::Warning, Reason::Unhealthy, "probe", Some((LineKind::Warning, "web: probe"))),
        ] {
            let record = EventRecord {
                time: WallTime::from_unix_nanos(0),
                severity,
                reason,
                container: None,
                message: message.to_owned(),
            };
            let expected = line.map(|(kind, text)| (kind, text.to_owned()));
            assert_eq!(of_event(&record, "web"), expected, "{reason:?}");
        }
    }
}
