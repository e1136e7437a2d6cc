//! A pid namespace for the supervisor and all that it starts. The supervisor is its first process: when that ends,
//! however it ends, the kernel ends all others, and no cgroup is needed to find them. Above it stays the process that
//! the user has started, which hands signals down and the exit code up, and whose end is the supervisor's as well.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::SigSet;

use super::{RootlessError, failed};
use crate::runtime::detach::{self, Attendance, HANDED_DOWN, Report, Reports, Said};
use crate::runtime::spawn::{self, ExitStatus};

/// How the process below ended.
pub type End = ExitStatus;

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Kept {
    /// The one below, that is to run the pod, with its way to report where it is to. Signals of [`HANDED_DOWN`] wait until
    /// [`take_signals`].
    Inside(Option<Report>),
    /// The one above, when the other has ended.
    Outside(End),
}

fn handed_down() -> SigSet {
    HANDED_DOWN.into_iter().collect()
}

/// Forks. Returns at once in the new process, and in the other one when that has ended. With a `report` the process above
/// lets go of its caller's descriptors, too, when the one below is ready, and passes the report on.
///
/// # Errors
/// Where the kernel refuses a step; in the process that the step was for.
pub fn keep(mut report: Option<Report>) -> Result<Kept, RootlessError> {
    let parent = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())
        .map_err(|errno| failed("pidfd_open")(errno.into()))?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| failed("unshare pid namespace")(errno.into()))?;
    // A signal that comes before the supervisor listens would be lost: the first process of a pid namespace is sent
    // only what it has a handler for. Blocked it waits.
    handed_down().thread_block().map_err(|errno| failed("sigprocmask")(errno.into()))?;
    let (reports, below) = match &mut report {
        Some(report) => {
            let (reports, pipe) = detach::channel().map_err(failed("pipe"))?;
            (Some(reports), Some(report.hand_on(pipe)))
        }
        None => (None, None),
    };
    match spawn::fork().map_err(failed("fork"))? {
        None => {
            drop((report, reports));
            settle(&parent).map(|()| Kept::Inside(below))
        }
        Some(child) => {
            drop(below);
            watch(&child.pidfd, report.zip(reports)).map(Kept::Outside).map_err(failed("wait for the supervisor"))
        }
    }
}

/// From now on signals wait until [`take_signals`]. Before the first file of a pod is made: whoever asks for its end by then finds
/// nobody yet who could end it in order.
///
/// # Errors
/// As sigprocmask(2).
pub fn hold_signals() -> io::Result<()> {
    Ok(handed_down().thread_block()?)
}

/// From now on the supervisor hears the signals that it listens to.
///
/// # Errors
/// As sigprocmask(2).
pub fn take_signals() -> io::Result<()> {
    Ok(handed_down().thread_unblock()?)
}

fn settle(parent: &impl AsFd) -> Result<(), RootlessError> {
    let nix_failed = |call| move |errno: nix::Error| failed(call)(errno.into());
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|errno| failed("prctl")(errno.into()))?;
    if spawn::has_ended(parent) {
        std::process::exit(1);
    }
    // What a terminal sends comes to the process above alone, which hands it down once.
    let _ = rustix::process::setpgid(None, None);
    // SAFETY: no memory is touched. In the background of a terminal it may write all the same (stty tostop).
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
    unshare(CloneFlags::CLONE_NEWNS).map_err(nix_failed("unshare mount namespace"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(nix_failed("mount --make-rslave /"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).map_err(|errno| RootlessError::Proc(errno.into()))
}

/// The life of the process above.
fn watch(child: &OwnedFd, mut detaching: Option<(Report, Reports)>) -> io::Result<End> {
    let mut attendance = Attendance::new(child, &handed_down())?;
    let mut ready = None;
    loop {
        match attendance.until_it_says(detaching.as_mut().map(|(_, reports)| reports))? {
            Said::Ready(said) => {
                if let Some((report, _)) = detaching.take() {
                    report.ready(&said)?;
                }
                ready = Some(said);
            }
            Said::Ended(end) => {
                // The log may be another by now.
                if let Some(ready) = ready {
                    detach::redirect(&ready)?;
                }
                return Ok(end);
            }
        }
    }
}
