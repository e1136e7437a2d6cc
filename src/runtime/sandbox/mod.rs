//! What a pod's containers share: cgroup, namespaces, files, /dev/shm, volumes. The supervisor holds the namespaces
//! by descriptors; there is no process for them, but for the pid 1 that `shareProcessNamespace` needs.
//!
//! Mounts are made in the supervisor's own mount namespace ([`isolate_mounts`]), so the box never sees them and the
//! kernel drops them with the pod's last process.

mod dirs;
mod error;
mod namespaces;
mod pause;
mod removal;
mod user;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::plan::Bytes;
use crate::plan::resize::Place;
use crate::plan::{
    CgroupLimits, CgroupPlan, IdRange, NodeFacts, PodNetwork, SandboxFacts, SandboxPlan, Scope, UserFacts, VolumePlan,
};
use crate::runtime::cgroup::{Hierarchies, PodCgroup};
use crate::runtime::files;
use crate::runtime::network::Connection;
use crate::runtime::volume;

pub use dirs::SandboxDirs;
use error::error;
pub use error::{SandboxError, Which};
use removal::Parts;
pub use removal::{RemovalStep, SandboxRemoval};

pub(crate) use pause::{NAME as PAUSE, USERS_NAME as PAUSE_OF_USERS, run as run_pause, run_in as run_pause_of_users};

/// A sandbox that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct NotMade {
    /// Why.
    pub error: SandboxError,
    /// What there is of it, to be removed.
    pub remains: Option<Box<SandboxRemoval>>,
}

impl<E: Into<SandboxError>> From<E> for NotMade {
    fn from(error: E) -> Self {
        Self { error: error.into(), remains: None }
    }
}

/// Gives this process a mount namespace of its own, which receives the box's mounts but shows it none. To be called
/// once, before there is a second thread. Returns the one that it was in.
pub fn isolate_mounts() -> Result<File, SandboxError> {
    let home = File::open("/proc/thread-self/ns/mnt").map_err(error("open", "the mount namespace"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| error("unshare", "mount namespace")(errno.into()))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|errno| error("mount --make-rslave", "/")(errno.into()))?;
    Ok(home)
}

/// A pod's sandbox. Must be [`remove`](Self::remove)d; dropping it leaves cgroup and files to a sweep.
#[derive(Debug)]
pub struct Sandbox {
    cgroup: PodCgroup,
    namespaces: namespaces::Held,
    pause: Option<pause::Pause>,
    dirs: SandboxDirs,
    shm: Option<PathBuf>,
    volumes: Vec<VolumePlan>,
    places: BTreeMap<String, PathBuf>,
    /// For the volumes that aren't the pod's own; `None`: all have their places.
    search: Option<volume::Search>,
    /// What connects its network namespace with the box's network.
    connection: Option<Connection>,
    network: PodNetwork,
    ids: Option<IdRange>,
}

impl Sandbox {
    /// Makes everything, in a process with one thread (it visits the new namespaces itself). `connection` has the network
    /// namespace, where that is connected with others. Volumes that were there before are looked for by a helper: it is there once
    /// [`search_fd`](Self::search_fd) has nothing more.
    pub fn create(
        plan: &SandboxPlan,
        cgroup: &CgroupPlan,
        volumes: &[VolumePlan],
        dirs: &SandboxDirs,
        connection: Option<Connection>,
        node: &NodeFacts,
    ) -> Result<Self, NotMade> {
        let cgroup = PodCgroup::create(cgroup, node.cgroups)?;
        let namespaces = match namespaces::create(plan, connection.as_ref(), node.rights()) {
            Ok(namespaces) => namespaces,
            Err(error) => {
                cgroup.remove();
                return Err(error.into());
            }
        };
        let network = match (plan.network, &connection) {
            (Scope::Host, _) => PodNetwork::Host { ips: node.host_ips.clone() },
            (_, Some(connection)) => PodNetwork::Connected { ips: connection.ips().to_vec() },
            (_, None) => PodNetwork::Loopback,
        };
        let mut sandbox = Self {
            cgroup,
            namespaces,
            pause: None,
            dirs: dirs.clone(),
            shm: None,
            volumes: volumes.to_vec(),
            places: BTreeMap::new(),
            search: None,
            connection,
            network,
            ids: plan.ids,
        };
        match sandbox.fill(plan, volumes) {
            Ok(()) => Ok(sandbox),
            Err(error) => Err(NotMade { error, remains: Some(Box::new(sandbox.give_up())) }),
        }
    }

    fn fill(&mut self, plan: &SandboxPlan, volumes: &[VolumePlan]) -> Result<(), SandboxError> {
        // Nobody of the box gets at what is in there, whatever its mode: programs of containers' root may be set-user-id.
        let data = &self.dirs.data;
        files::make_private(data).map_err(error("mkdir", data.display()))?;
        let folder = self.files();
        files::make_folders(&folder, 0o711).map_err(error("mkdir", folder.display()))?;
        let hostname = format!("{}\n", plan.hostname);
        let (hosts, resolv_conf) = (plan.hosts.text(&self.network.ips()), plan.resolv_conf.text(&self.network));
        for (name, text) in [("hosts", &hosts), ("hostname", &hostname), ("resolv.conf", &resolv_conf)] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(error("write", path.display()))?;
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            fs::set_permissions(&path, readable).map_err(error("chmod", path.display()))?;
            let owner = self.ids.map(|ids| ids.first);
            std::os::unix::fs::chown(&path, owner, owner).map_err(error("chown", path.display()))?;
        }
        if plan.ipc == Scope::Pod {
            let path = self.dirs.state.join("sandbox/shm");
            files::make_all(&path).map_err(error("mkdir", path.display()))?;
            let owner = self.ids.map_or(0, |ids| ids.first);
            let options = format!("mode=1777,size={},uid={owner},gid={owner}", plan.shm_size);
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("shm"), &path, Some("tmpfs"), flags, Some(options.as_str()))
                .map_err(|errno| error("mount tmpfs", path.display())(errno.into()))?;
            self.shm = Some(path);
        }
        if plan.pid == Scope::Pod {
            let pause = pause::Pause::start(&self.cgroup, self.namespaces.user_fd());
            self.pause = Some(pause.map_err(error("start", "the sandbox's pid 1"))?);
        }
        self.search = volume::Search::begin(volumes).map_err(error("start", "the helper that looks for volumes"))?;
        // Images of the store come with the containers that mount them.
        let is_made = |one: &&VolumePlan| !volume::is_elsewhere(one) && one.stored_image().is_none();
        for one in volumes.iter().filter(is_made) {
            let place = volume::create(one, &self.volume_folder(), self.ids)?;
            if plan.shared_volumes.contains(&one.name) {
                volume::share(one, &place)?;
            }
            self.places.insert(one.name.clone(), place);
        }
        Ok(())
    }

    /// Readable when [`search`](Self::search) may get further; `None`: it is complete.
    pub fn search_fd(&self) -> Option<BorrowedFd<'_>> {
        self.search.as_ref().map(volume::Search::fd)
    }

    /// Takes in what the helper has found. To be called while there is a [`search_fd`](Self::search_fd) and that is readable.
    pub fn search(mut self) -> Result<Self, NotMade> {
        match self.search.as_mut().and_then(volume::Search::outcome) {
            None => return Ok(self),
            Some(Ok(places)) => self.places.extend(places),
            Some(Err(error)) => {
                return Err(NotMade { error: error.into(), remains: Some(Box::new(self.give_up())) });
            }
        }
        self.search = None;
        Ok(self)
    }

    /// Of what containers may write to, and fill: on the disk, where it counts, and not in the box's memory (CVE-2020-8557).
    fn files(&self) -> PathBuf {
        self.dirs.data.join("sandbox")
    }

    fn volume_folder(&self) -> PathBuf {
        self.dirs.data.join("volumes")
    }

    /// What containers' configs need to know; without an attempt's folder.
    pub fn facts(&self) -> SandboxFacts {
        let files = self.files();
        SandboxFacts {
            network_namespace: self.namespaces.network(),
            ipc_namespace: self.namespaces.ipc(),
            uts_namespace: self.namespaces.uts(),
            pid_namespace: self.pause.as_ref().map(pause::Pause::namespace),
            users: self.namespaces.user().zip(self.ids).map(|(namespace, ids)| UserFacts { namespace, ids }),
            shm: self.shm.clone().unwrap_or_else(|| PathBuf::from("/dev/shm")),
            hosts: files.join("hosts"),
            hostname: files.join("hostname"),
            resolv_conf: files.join("resolv.conf"),
            volumes: self.places.clone(),
            pod_ips: self.pod_ips(),
            ..SandboxFacts::default()
        }
    }

    /// The pod's addresses, at least one.
    pub fn pod_ips(&self) -> Vec<String> {
        self.network.ips()
    }

    /// The network that the pod has now.
    pub fn pod_network(&self) -> &PodNetwork {
        &self.network
    }

    /// Readable when what connects the pod with the outside has ended; `None`: nothing does.
    pub fn connection_fd(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().and_then(Connection::fd)
    }

    /// What connected the pod with the outside has ended: what it said last. Its namespace stays the pod's.
    pub fn lose_connection(&mut self) -> String {
        self.connection.as_mut().map(Connection::lose).unwrap_or_default()
    }

    /// The pod's network namespace; `None`: the host's.
    pub fn network(&self) -> Option<BorrowedFd<'_>> {
        self.namespaces.network_fd()
    }

    /// The hierarchies the pod's cgroups are on.
    pub fn hierarchies(&self) -> &Hierarchies {
        self.cgroup.hierarchies()
    }

    /// Writes new limits to cgroups of the pod, in this order; after a failure all are as they were.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn change_limits(&self, changes: &[(Place, PathBuf, CgroupLimits)]) -> Result<(), SandboxError> {
        Ok(self.cgroup.hierarchies().change(changes)?)
    }

    /// Gives a volume of files other contents; containers that have it see them at once, but for what is mounted by subPath.
    ///
    /// # Errors
    /// Where they can't be written; then the old ones are still there.
    pub fn update_volume(&mut self, plan: &VolumePlan) -> Result<(), SandboxError> {
        volume::update(plan, &self.volume_folder(), self.ids)?;
        if let Some(known) = self.volumes.iter_mut().find(|one| one.name == plan.name) {
            known.clone_from(plan);
        }
        Ok(())
    }

    /// Memory that a cgroup of the pod uses now, page cache included.
    pub fn memory_usage(&self, cgroup: &Path) -> Option<Bytes> {
        self.cgroup.hierarchies().memory_usage(cgroup)
    }

    /// The pod's cgroup, relative to the hierarchies' roots.
    pub fn cgroup(&self) -> &Path {
        self.cgroup.path()
    }

    /// Where the pod's things are.
    pub fn dirs(&self) -> &SandboxDirs {
        &self.dirs
    }

    /// The pid 1 of a shared pid namespace, to be watched: with it all of the pod's processes end.
    pub fn pause(&self) -> Option<&std::os::fd::OwnedFd> {
        self.pause.as_ref().map(pause::Pause::pidfd)
    }

    /// Its pid. For showing and saving only.
    pub fn pause_pid(&self) -> Option<i32> {
        self.pause.as_ref().map(pause::Pause::pid)
    }

    /// Whether that has ended: no process can be added to its namespace any more.
    pub fn is_lost(&self) -> bool {
        self.pause.as_ref().is_some_and(pause::Pause::has_ended)
    }

    /// A new pid 1, with a new namespace, in the place of one that has ended. All else stays as it is, volumes with what
    /// is in them included. After a failure nothing of the sandbox is to be left but those.
    pub fn renew(mut self) -> Result<Self, NotMade> {
        if let Some(old) = self.pause.take() {
            old.end();
            match pause::Pause::start(&self.cgroup, self.namespaces.user_fd()) {
                Ok(new) => self.pause = Some(new),
                Err(cause) => {
                    let error = error("start", "the sandbox's pid 1")(cause);
                    return Err(NotMade { error, remains: Some(Box::new(self.give_up())) });
                }
            }
        }
        Ok(self)
    }

    /// To be removed, with everything in it, also processes that are still in the pod's cgroup; but not the volumes, which
    /// the next sandbox of the pod finds as they are.
    pub fn give_up(self) -> SandboxRemoval {
        let Self { cgroup, namespaces, pause, dirs, shm, connection, .. } = self;
        let parts = Parts { pause, dirs, shm, volumes: Vec::new(), connection, _namespaces: Some(namespaces) };
        SandboxRemoval::of(Some(cgroup), parts)
    }

    /// To be removed with the volumes, as the pod is over.
    pub fn remove(self) -> SandboxRemoval {
        let volumes = self.volumes.clone();
        let mut removal = self.give_up();
        removal.add_volumes(&volumes);
        removal
    }
}
