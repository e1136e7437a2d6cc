//! What an ordinary user needs before a pod can be made as root makes it: a user namespace in which this process is
//! root ([`map_users`]), and, where no cgroup tells the pod's processes from others, a pid namespace with this program
//! as its first process ([`keep`]): whatever ends that process ends all others in it, and nothing is left behind.
//!
//! Decides nothing about pods. To be called while the process has one thread.
#![allow(unsafe_code)]

mod ids;
mod keeper;

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, unshare};
use rustix::pipe::PipeFlags;

use crate::runtime::spawn;

pub use keeper::{End, Kept, hold_signals, keep, take_signals};

/// Why there can be no pod of this user's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RootlessError {
    #[error("pods of ordinary users need a user namespace, and this box allows none: {call}: {cause}{}", advice(.cause))]
    NoUserNamespace { call: &'static str, cause: io::Error },
    #[error("rootless: {call}: {cause}")]
    Io { call: &'static str, cause: io::Error },
    #[error(
        "can't mount /proc for the pod's processes: {0}; in a container the kernel allows it only where all of /proc can \
         be seen (docker: --security-opt systempaths=unconfined)"
    )]
    Proc(#[source] io::Error),
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> RootlessError {
    move |cause| RootlessError::Io { call, cause }
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::EPERM) => {
            "; are they forbidden to users (sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0), or by a container's seccomp profile?"
        }
        Some(libc::ENOSPC) => "; raise the sysctl user.max_user_namespaces",
        Some(libc::EINVAL) => "; does the kernel have them (CONFIG_USER_NS)?",
        _ => "",
    }
}

/// Which ids the user namespace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// The user is its 0; from 1 on come the ids that /etc/subuid and /etc/subgid give the user.
    Subordinate,
    /// The user is its 0, and there is nobody else.
    Single {
        /// Why.
        why: String,
    },
}

/// Makes this process the root of a user namespace and of a mount namespace of its own. There is no way back.
///
/// # Errors
/// Where the kernel allows no such namespace.
pub fn map_users() -> Result<Mapping, RootlessError> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let mapper = match ids::subordinate(uid, gid) {
        Ok(commands) => Ok(Mapper::start(&commands).map_err(failed("fork"))?),
        Err(why) => Err(why),
    };
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS) {
        if let Ok(mapper) = mapper {
            mapper.dismiss();
        }
        return Err(RootlessError::NoUserNamespace { call: "unshare", cause: errno.into() });
    }
    let mapping = match mapper.and_then(Mapper::map) {
        Ok(()) => Mapping::Subordinate,
        Err(why) => Mapping::Single { why },
    };
    if matches!(mapping, Mapping::Single { .. }) {
        map_single(uid, gid)?;
    }
    Ok(mapping)
}

/// What newuidmap hasn't mapped, if anything.
fn map_single(uid: u32, gid: u32) -> Result<(), RootlessError> {
    let write = |path: &'static str, text: &str| match fs::write(path, text) {
        Err(cause) => Err(RootlessError::NoUserNamespace { call: path, cause }),
        Ok(()) => Ok(()),
    };
    let is_empty = |path| fs::read_to_string(path).is_ok_and(|map| map.is_empty());
    if is_empty("/proc/self/gid_map") {
        // Who can't give up groups can't get at what is closed to one of them (CVE-2014-8989).
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    }
    if is_empty("/proc/self/uid_map") { write("/proc/self/uid_map", &format!("0 {uid} 1")) } else { Ok(()) }
}

/// A process that stays outside, where newuidmap has its rights, and maps the ids of the one that goes in.
struct Mapper {
    process: OwnedFd,
    go: OwnedFd,
    answer: OwnedFd,
}

impl Mapper {
    fn start(commands: &[Vec<String>]) -> io::Result<Self> {
        let (gate, go) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let (answer, report) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        match spawn::fork()? {
            None => {
                drop((go, answer));
                // Its end without a byte: nothing is to be mapped any more.
                if fs::File::from(gate).read_exact(&mut [0]).is_ok() {
                    let text = commands.iter().find_map(|command| ids::run(command).err()).unwrap_or_default();
                    let _ = fs::File::from(report).write_all(text.as_bytes());
                }
                // SAFETY: ends this copy without running what the original has registered for its own end.
                unsafe { libc::_exit(0) }
            }
            Some(child) => Ok(Self { process: child.pidfd, go, answer }),
        }
    }

    /// There is nothing to be mapped.
    fn dismiss(self) {
        drop(self.go);
        spawn::await_end(&self.process);
    }

    /// Once this process is in its namespace.
    fn map(self) -> Result<(), String> {
        let mut text = String::new();
        let mapped = fs::File::from(self.go).write_all(b"!");
        let mapped = mapped.and_then(|()| fs::File::from(self.answer).read_to_string(&mut text));
        // It has closed its pipe and is on its way out.
        spawn::await_end(&self.process);
        match mapped {
            Ok(_) if text.is_empty() => Ok(()),
            Ok(_) => Err(text),
            Err(cause) => Err(cause.to_string()),
        }
    }
}
