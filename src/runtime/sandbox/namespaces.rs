//! The pod's network, IPC and UTS namespaces: the supervisor visits them once to furnish them, comes back and keeps
//! their descriptors, which are all that holds them when no container runs.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns, unshare};

use super::{SandboxError, error, user};
use crate::plan::{Rights, SandboxPlan, Scope};

/// Descriptors of the pod's namespaces; `None`: the host's.
#[derive(Debug, Default)]
pub(super) struct Held {
    user: Option<File>,
    network: Option<File>,
    ipc: Option<File>,
    uts: Option<File>,
}

impl Held {
    pub(super) fn user(&self) -> Option<PathBuf> {
        self.user.as_ref().map(path)
    }

    pub(super) fn user_fd(&self) -> Option<BorrowedFd<'_>> {
        self.user.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn network(&self) -> Option<PathBuf> {
        self.network.as_ref().map(path)
    }

    pub(super) fn network_fd(&self) -> Option<BorrowedFd<'_>> {
        self.network.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn ipc(&self) -> Option<PathBuf> {
        self.ipc.as_ref().map(path)
    }

    pub(super) fn uts(&self) -> Option<PathBuf> {
        self.uts.as_ref().map(path)
    }
}

/// By the supervisor's pid, not `self`: the helper and libcontainer's processes open it too.
fn path(namespace: &File) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd()))
}

/// One namespace that is the pod's own.
struct Wanted {
    name: &'static str,
    flag: CloneFlags,
    home: File,
}

pub(super) fn create(plan: &SandboxPlan, rights: Rights) -> Result<Held, SandboxError> {
    let mut kinds = Vec::new();
    if plan.network == Scope::Pod {
        kinds.push(("net", CloneFlags::CLONE_NEWNET));
        // Under hostNetwork the host's name is the pod's, as containerd has it.
        kinds.push(("uts", CloneFlags::CLONE_NEWUTS));
    }
    if plan.ipc == Scope::Pod {
        kinds.push(("ipc", CloneFlags::CLONE_NEWIPC));
    }
    let flags = kinds.iter().fold(CloneFlags::empty(), |all, (_, flag)| all | *flag);
    if rights == Rights::UserNamespace {
        // The root of a user namespace can't go back to the box's: it first takes a home that it can go back to.
        unshare(flags).map_err(|errno| error("unshare", "namespaces")(errno.into()))?;
    }
    let home = |(name, flag)| Ok(Wanted { name, flag, home: open(name)? });
    let wanted = kinds.into_iter().map(home).collect::<Result<Vec<_>, SandboxError>>()?;
    let made = match (plan.user, plan.ids) {
        (Scope::Pod, Some(ids)) => Some(user::create(ids, flags)?),
        (Scope::Pod, None) => {
            let cause = io::Error::other("no ids were reserved for the pod");
            return Err(SandboxError::Users { step: "ids", cause });
        }
        _ => {
            unshare(flags).map_err(|errno| error("unshare", "namespaces")(errno.into()))?;
            None
        }
    };
    let furnished = enter(&wanted, made.as_ref()).and_then(|()| furnish(plan, &wanted));
    for one in &wanted {
        setns(one.home.as_fd(), one.flag)
            .map_err(|errno| SandboxError::Lost { namespace: one.name, cause: errno.into() })?;
    }
    furnished.map(|held| Held { user: made.map(|made| made.user), ..held })
}

/// Into the namespaces of a user namespace of the pod's; without one this process is in the new ones already.
fn enter(wanted: &[Wanted], made: Option<&user::Made>) -> Result<(), SandboxError> {
    let Some(made) = made else { return Ok(()) };
    wanted.iter().try_for_each(|one| {
        let namespace = made.open(one.name)?;
        setns(namespace, one.flag).map_err(|errno| error("setns", one.name)(errno.into()))
    })
}

fn open(name: &str) -> Result<File, SandboxError> {
    // The thread's, not the process': unshare is per thread, which shows in test binaries.
    let path = format!("/proc/thread-self/ns/{name}");
    File::open(&path).map_err(error("open", path))
}

fn furnish(plan: &SandboxPlan, wanted: &[Wanted]) -> Result<Held, SandboxError> {
    let mut held = Held::default();
    for one in wanted {
        let file = open(one.name)?;
        match one.name {
            "net" => {
                loopback_up().map_err(error("bring up", "the loopback interface"))?;
                held.network = Some(file);
            }
            "uts" => {
                nix::unistd::sethostname(&plan.hostname)
                    .map_err(|errno| error("sethostname", &plan.hostname)(errno.into()))?;
                if !plan.domainname.is_empty() {
                    rustix::system::setdomainname(plan.domainname.as_bytes())
                        .map_err(|errno| error("setdomainname", &plan.domainname)(errno.into()))?;
                }
                held.uts = Some(file);
            }
            _ => held.ipc = Some(file),
        }
    }
    for (name, value) in &plan.sysctls {
        let path = PathBuf::from("/proc/sys").join(name.replace('.', "/"));
        let written = match (fs::write(&path, value), plan.ids) {
            // Some belong to the root of the namespace's users, and to nobody else.
            (Err(cause), Some(ids)) if cause.kind() == io::ErrorKind::PermissionDenied => {
                user::as_root_of(ids, || fs::write(&path, value))
            }
            (written, _) => written,
        };
        written.map_err(|cause| SandboxError::Sysctl { name: name.clone(), value: value.clone(), cause })?;
    }
    Ok(held)
}

fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: ifreq is plain data for which zeros are valid; both ioctls read the name and read or write the flags in
    // it, within its size. No safe wrapper exists for these two.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = *from as libc::c_char;
        }
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
        if libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
