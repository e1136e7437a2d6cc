//! A container's last words (R8.7): what it left at its terminationMessagePath, or the end of its log.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use barepod_engine::event::Exit;
use k8s_openapi::api::core::v1;

/// The kubelet keeps this many bytes of the message, the last ones (kuberuntime `maxTerminationMessageLength`).
const FILE_BYTES: u64 = 4096;
/// Of the log under FallbackToLogsOnError: within both.
const LOG_LINES: usize = 80;
const LOG_BYTES: usize = 2048;

/// `terminationMessagePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The file alone.
    File,
    /// The end of the log where the file is empty and the container failed.
    FallbackToLogsOnError,
}

/// What a container's manifest says.
pub fn policy(container: &v1::Container) -> Policy {
    match container.termination_message_policy.as_deref() {
        Some("FallbackToLogsOnError") => Policy::FallbackToLogsOnError,
        _ => Policy::File,
    }
}

/// The message of a container that ended with `exit`; empty where there is none.
pub fn read(policy: Policy, file: &Path, log: &Path, exit: Exit) -> String {
    let message = last_bytes(file).unwrap_or_default();
    if !message.is_empty() || policy == Policy::File || exit == Exit::Code(0) {
        return String::from_utf8_lossy(&message).into_owned();
    }
    crate::log::tail(log, LOG_LINES, LOG_BYTES).unwrap_or_default()
}

fn last_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(FILE_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// R8.7: the last 4096 bytes, not the first.
    #[test]
    fn keeps_the_end_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("termination-log");
        std::fs::write(&file, format!("{}END", "x".repeat(9000))).unwrap();
        let message = read(Policy::File, &file, &dir.path().join("0.log"), Exit::Code(0));
        assert_eq!(message.len(), 4096);
        assert!(message.ends_with("xEND"));
    }

    /// R8.7: the log only where the file is empty, the policy says so and the container failed.
    #[test]
    fn falls_back_to_the_log_of_a_failed_container_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("termination-log");
        let log = dir.path().join("0.log");
        std::fs::write(&file, "").unwrap();
        std::fs::write(&log, "2026-11-23T12:00:00.123456789Z stdout F last words\n").unwrap();
        let message = |policy, exit| read(policy, &file, &log, exit);
        assert!(message(Policy::FallbackToLogsOnError, Exit::Code(1)).contains("last words"));
        assert!(message(Policy::FallbackToLogsOnError, Exit::Signal(9)).contains("last words"));
        assert_eq!(message(Policy::FallbackToLogsOnError, Exit::Code(0)), "");
        assert_eq!(message(Policy::File, Exit::Code(1)), "");
        std::fs::write(&file, "said").unwrap();
        assert_eq!(message(Policy::FallbackToLogsOnError, Exit::Code(1)), "said");
    }

    #[test]
    fn a_missing_or_odd_file_is_no_message() {
        let dir = tempfile::tempdir().unwrap();
        let none = dir.path().join("none");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert_eq!(read(Policy::File, &link, &none, Exit::Code(1)), "");
        assert_eq!(read(Policy::File, &none, &none, Exit::Code(1)), "");
    }
}
