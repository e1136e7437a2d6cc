//! Processes that are not this one's children: a pod's supervisor, for a command that has to end it.

use std::io;

use super::spawn;

/// Whether a process is stopped (SIGSTOP, a debugger): it answers nobody until somebody lets it go on.
pub fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().next());
    matches!(state, Some("T" | "t"))
}

/// SIGKILL to a process of which `is_it` says, once it is held by a pidfd, that it is the one that is meant. One that has
/// ended is no error.
///
/// # Errors
/// Where it may not be signalled.
pub fn kill_if(pid: u32, is_it: impl FnOnce() -> bool) -> io::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
    let ended = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
    let killed = match spawn::open_pidfd(pid) {
        Ok(pidfd) if is_it() => spawn::signal(&pidfd, libc::SIGKILL),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    match killed {
        Err(error) if ended(&error) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_who_is_meant_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        kill_if(child.id(), || false).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        assert!(!is_stopped(child.id()));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        let options = rustix::process::WaitIdOptions::STOPPED;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert!(is_stopped(child.id()));
        kill_if(child.id(), || true).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        kill_if(child.id(), || true).unwrap();
    }
}
