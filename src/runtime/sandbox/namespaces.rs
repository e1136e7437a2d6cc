//! The pod's network, IPC and UTS namespaces: the supervisor visits them once to furnish them, comes back and keeps
//! their descriptors, which are all that holds them when no container runs.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns, unshare};

use super::error::{SandboxError, error};
use super::user;
use crate::plan::{Rights, SandboxPlan, Scope};
use crate::runtime::network::{Connection, loopback_up};

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

/// `network`: one that is there already.
pub(super) fn create(plan: &SandboxPlan, network: Option<&Connection>, rights: Rights) -> Result<Held, SandboxError> {
    let mut kinds = Vec::new();
    if plan.network == Scope::Pod {
        if network.is_none() {
            kinds.push(("net", CloneFlags::CLONE_NEWNET));
        }
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
    let furnished = enter(&wanted, made.as_ref()).and_then(|()| furnish(plan, network, &wanted));
    for one in &wanted {
        setns(one.home.as_fd(), one.flag)
            .map_err(|errno| SandboxError::Lost { namespace: one.name, cause: errno.into() })?;
    }
    furnished.map(|held| Held { user: made.map(|made| made.user), ..held })
}

/// Into the namespaces of a user namespace of the pod's; without one this process is in the new ones already.
fn enter(wanted: &[Wanted], made: Option<&user::NewNamespaces>) -> Result<(), SandboxError> {
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

fn furnish(plan: &SandboxPlan, network: Option<&Connection>, wanted: &[Wanted]) -> Result<Held, SandboxError> {
    let known = network.map(|network| network.namespace().try_clone().map_err(error("dup", "net"))).transpose()?;
    let mut held = Held { network: known, ..Held::default() };
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
        let write = || match network.filter(|_| name.starts_with("net.")) {
            Some(network) => network.within(|| fs::write(&path, value)),
            None => fs::write(&path, value),
        };
        let written = match (write(), plan.ids) {
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
