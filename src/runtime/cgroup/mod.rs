//! The pod's cgroup on every hierarchy of this box, and what can be done to a cgroup as a whole: limit, kill, watch,
//! remove. Containers' own cgroups are made and limited here on v1 ([`container`]), by libcontainer on v2.
//!
//! One hierarchy *tracks*: each process of a pod is in it from birth, so that killing and emptiness are exact. That is
//! v2 wherever it is mounted, also on hybrid boxes, where no controller lives in it; on pure v1 it is `freezer`, where
//! a helper that is still there counts towards no limit.

mod container;
mod cpuset;
mod devices;
mod fields;
mod huge_pages;
mod limits;
mod parent;
mod protection;
mod remove;
mod resize;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::plan::resize::Place;
use crate::plan::{CgroupLimits, CgroupPlan, CgroupVersion, MemoryProtection};
use crate::runtime::files;

pub(crate) use container::{Access, ProcessLimit, View};
pub(crate) use fields::refusal;
pub(crate) use remove::remove_folder;

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CgroupError {
    #[error("{call} {path}: {cause}")]
    Io { call: &'static str, path: PathBuf, cause: io::Error },
    #[error("no cgroup hierarchy with memory, cpu and pids controllers is mounted")]
    NoControllers,
    #[error("set {what} of cgroup {path}: {cause}")]
    Limit { what: &'static str, path: PathBuf, cause: String },
    #[error("{field}: {cause}")]
    Resource { field: String, cause: String },
    #[error("the cgroup at {path} has no {what} controller")]
    MissingController { what: &'static str, path: PathBuf },
    #[error(
        "device rules: {call} the program for cgroup {path}: {cause}; it needs CAP_BPF and CAP_NET_ADMIN and a kernel with CONFIG_CGROUP_BPF, unless the container is privileged"
    )]
    DeviceRules { call: &'static str, path: PathBuf, cause: io::Error },
    #[error(
        "device rules: no cgroup hierarchy can hold the container to them; mount cgroup2 or the devices controller, or make it privileged"
    )]
    NoDeviceRules,
    #[error("processes in cgroup {path} are still there {waited:?} after SIGKILL: {pids:?}")]
    StillPopulated { path: PathBuf, waited: Duration, pids: Vec<i32> },
}

fn error(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    move |cause| CgroupError::Io { call, path: path.to_owned(), cause }
}

/// The mounted hierarchies that pods use. v1's named ones (systemd's) are left out: nothing is limited there, and
/// containers stay what their supervisor's service is.
#[derive(Clone, Debug)]
pub struct Hierarchies {
    version: CgroupVersion,
    /// v1: controllers and mount point.
    v1: Vec<(Vec<String>, PathBuf)>,
    unified: Option<PathBuf>,
}

impl Hierarchies {
    /// Reads this process' mounts.
    pub fn discover() -> Result<Self, CgroupError> {
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(error("read", path))?;
        Self::parse(&text).ok_or(CgroupError::NoControllers)
    }

    fn parse(mountinfo: &str) -> Option<Self> {
        let mut v1: Vec<(Vec<String>, PathBuf)> = Vec::new();
        let mut unified = None;
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(point) = left.split(' ').nth(4).map(PathBuf::from) else { continue };
            let mut right = right.split(' ');
            match right.next() {
                Some("cgroup2") if unified.is_none() => unified = Some(point),
                Some("cgroup") => {
                    let options = right.nth(1).unwrap_or_default();
                    let controllers: Vec<String> =
                        options.split(',').filter(|word| CONTROLLERS.contains(word)).map(str::to_owned).collect();
                    if !controllers.is_empty() && !v1.iter().any(|(known, _)| *known == controllers) {
                        v1.push((controllers, point));
                    }
                }
                _ => {}
            }
        }
        let version = if v1.is_empty() { CgroupVersion::V2 } else { CgroupVersion::V1 };
        (unified.is_some() || !v1.is_empty()).then_some(Self { version, v1, unified })
    }

    /// None that this process may use: nothing is limited or told apart by them.
    pub(crate) fn none() -> Self {
        Self { version: CgroupVersion::None, v1: Vec::new(), unified: None }
    }

    /// Those of this version, [`discover`](Self::discover)ed unless there are none.
    pub(crate) fn of(version: CgroupVersion) -> Result<Self, CgroupError> {
        match version {
            CgroupVersion::None => Ok(Self::none()),
            CgroupVersion::V1 | CgroupVersion::V2 => Self::discover(),
        }
    }

    /// Where the controllers are.
    pub fn version(&self) -> CgroupVersion {
        self.version
    }

    /// A cgroup's folder in the tracking hierarchy.
    pub(crate) fn tracking(&self, cgroup: &Path) -> PathBuf {
        below(self.tracking_root(), cgroup)
    }

    fn tracking_root(&self) -> &Path {
        match (&self.unified, self.v1_mount("freezer"), self.v1.first()) {
            (Some(root), _, _) | (None, Some(root), _) | (None, None, Some((_, root))) => root,
            (None, None, None) => Path::new("/sys/fs/cgroup"),
        }
    }

    fn v1_mount(&self, controller: &str) -> Option<&PathBuf> {
        self.v1.iter().find(|(controllers, _)| controllers.iter().any(|one| one == controller)).map(|(_, point)| point)
    }

    fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        self.v1.iter().map(|(_, point)| point).chain(self.unified.as_ref())
    }

    /// A cgroup's folders on all hierarchies.
    pub(crate) fn folders(&self, cgroup: &Path) -> Vec<PathBuf> {
        self.roots().map(|root| below(root, cgroup)).collect()
    }

    /// Makes a cgroup in the tracking hierarchy only, for processes that are to be born in it.
    /// `None`: nobody tracks.
    pub(crate) fn track(&self, cgroup: &Path) -> Result<Option<PathBuf>, CgroupError> {
        if self.version == CgroupVersion::None {
            return Ok(None);
        }
        let path = self.tracking(cgroup);
        files::make_all(&path).map_err(error("mkdir", &path))?;
        Ok(Some(path))
    }

    /// Sends SIGKILL to everything in a cgroup and below it.
    pub(crate) fn kill(&self, cgroup: &Path) -> Result<(), CgroupError> {
        if self.version == CgroupVersion::None {
            return Ok(());
        }
        let path = self.tracking(cgroup);
        let switch = path.join("cgroup.kill");
        match fs::write(&switch, "1") {
            Ok(()) => return Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && is_absent(&path) => return Ok(()),
            // v1, or a kernel before 5.14: one by one.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {}
            Err(cause) => return Err(CgroupError::Io { call: "write", path: switch, cause }),
        }
        for pid in self.members(cgroup)? {
            // A pid from a cgroup file may end and be reused before the signal: a pidfd opened first and membership
            // checked again through it closes that gap.
            if let Ok(pidfd) = crate::runtime::spawn::open_pidfd(pid)
                && self.members(cgroup)?.contains(&pid)
            {
                let _ = crate::runtime::spawn::signal(&pidfd, libc::SIGKILL);
            }
        }
        Ok(())
    }

    /// Pids in a cgroup and below it. Zombies don't count.
    ///
    /// # Errors
    /// Where one that is there can't be looked into (no more open files): somebody may be in it.
    pub(crate) fn members(&self, cgroup: &Path) -> Result<Vec<i32>, CgroupError> {
        let mut pids = Vec::new();
        let mut folders = if self.version == CgroupVersion::None { vec![] } else { vec![self.tracking(cgroup)] };
        while let Some(folder) = folders.pop() {
            pids.extend(processes(&folder.join("cgroup.procs"))?);
            folders.extend(children(&folder)?);
        }
        Ok(pids)
    }

    /// Kills what is in a cgroup and waits until it is empty, at most for `limit`.
    pub(crate) fn end(&self, cgroup: &Path, limit: Duration) -> Result<(), CgroupError> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let events = File::open(self.tracking(cgroup).join("cgroup.events")).ok();
            let waited = started.elapsed();
            match self.members(cgroup) {
                Ok(pids) if pids.is_empty() => return Ok(()),
                Err(error) if waited >= limit => return Err(error),
                Ok(_) => self.kill(cgroup)?,
                // It may be readable in a moment, as may be whoever is in it.
                Err(_) => {}
            }
            if waited >= limit {
                let pids = self.members(cgroup)?;
                return if pids.is_empty() {
                    Ok(())
                } else {
                    Err(CgroupError::StillPopulated { path: cgroup.to_owned(), waited, pids })
                };
            }
            // v1 has no events file; and a freshly born child of a killed process shows only by looking again.
            let timeout = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) };
            let mut watched: Vec<PollFd<'_>> = events.iter().map(|file| PollFd::new(file, PollFlags::PRI)).collect();
            let _ = poll(&mut watched, Some(&timeout));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// How many processes the kernel's OOM killer has ended in a cgroup so far.
    pub(crate) fn oom_kills(&self, cgroup: &Path) -> u64 {
        let file = match (self.version, self.v1_mount("memory"), &self.unified) {
            (CgroupVersion::V1, Some(root), _) => below(root, cgroup).join("memory.oom_control"),
            (CgroupVersion::V2, _, Some(root)) => below(root, cgroup).join("memory.events"),
            _ => return 0,
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

/// Name of the cgroup that all pods are in.
const PODS: &str = "barepod";

const CONTROLLERS: &[&str] = &[
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "pids",
    "devices",
    "freezer",
    "blkio",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
];

fn below(root: &Path, cgroup: &Path) -> PathBuf {
    root.join(cgroup.strip_prefix("/").unwrap_or(cgroup))
}

/// The cgroups in one; none where it has gone.
fn children(folder: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if has_gone(&cause) => return Ok(Vec::new()),
        entries => entries.map_err(error("read", folder))?,
    };
    let mut children = Vec::new();
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.file_type()?, entry.path()))) {
            Ok((kind, path)) if kind.is_dir() => children.push(path),
            Ok(_) => {}
            Err(cause) if has_gone(&cause) => {}
            Err(cause) => return Err(error("read", folder)(cause)),
        }
    }
    Ok(children)
}

/// The pids in a `cgroup.procs`; none where its cgroup has gone.
fn processes(file: &Path) -> Result<Vec<i32>, CgroupError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(cause) if has_gone(&cause) => Ok(Vec::new()),
        // Of a threaded cgroup: its processes are in the list of the domain above it (Documentation/admin-guide/cgroup-v2.rst).
        Err(cause) if cause.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(cause) => Err(error("read", file)(cause)),
    }
}

/// Whether it is sure that nothing is there.
fn is_absent(path: &Path) -> bool {
    path.try_exists().is_ok_and(|exists| !exists)
}

/// What the kernel says of a cgroup that was removed before it was opened, or after that.
fn has_gone(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || cause.raw_os_error() == Some(libc::ENODEV)
}

/// The pod's own cgroup.
#[derive(Debug)]
pub struct PodCgroup {
    hierarchies: Hierarchies,
    path: PathBuf,
}

impl PodCgroup {
    /// Makes it on every hierarchy and limits it (R9.2). Nothing of it remains after a failure.
    pub fn create(plan: &CgroupPlan, version: CgroupVersion) -> Result<Self, CgroupError> {
        let pod = Self { hierarchies: Hierarchies::of(version)?, path: plan.path.clone() };
        if version == CgroupVersion::None {
            return Ok(pod);
        }
        let made = pod
            .make()
            .and_then(|()| limits::apply(pod.hierarchies.version, &pod.path, &plan.limits))
            .and_then(|()| pod.hierarchies.limit_huge_pages(&pod.path, &plan.huge_pages))
            .and_then(|()| pod.protect(&plan.limits));
        match made {
            Ok(()) => Ok(pod),
            Err(error) => {
                pod.hierarchies.remove_pod(&pod.path);
                Err(error)
            }
        }
    }

    /// Says what of its memory is to be kept, when it is to be throttled, and how much may be swapped out.
    fn protect(&self, limits: &CgroupLimits) -> Result<(), CgroupError> {
        let CgroupLimits { memory, protection, .. } = *limits;
        if protection == MemoryProtection::default() {
            return Ok(());
        }
        let limits = CgroupLimits { memory, protection, ..CgroupLimits::default() };
        self.hierarchies.change(&[(Place::Pod, self.path.clone(), limits)])
    }

    fn make(&self) -> Result<(), CgroupError> {
        for (controllers, root) in &self.hierarchies.v1 {
            let path = below(root, &self.path);
            files::make_all(&path).map_err(error("mkdir", &path))?;
            if controllers.iter().any(|one| one == "cpuset") {
                inherit_cpuset(root, &self.path)?;
            }
        }
        match (&self.hierarchies.unified, self.hierarchies.version) {
            (Some(root), CgroupVersion::V1) => {
                let path = below(root, &self.path);
                files::make_all(&path).map_err(error("mkdir", &path))
            }
            (Some(root), CgroupVersion::V2) => enable_controllers(root, &self.path),
            (None, _) | (_, CgroupVersion::None) => Ok(()),
        }
    }

    /// The hierarchies it is on.
    pub fn hierarchies(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// Relative to the hierarchies' roots.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, and the folder all pods share if this was the last one.
    pub fn remove(self) -> Vec<CgroupError> {
        self.hierarchies.remove_pod(&self.path)
    }
}

/// A new v1 cpuset has no CPU and no memory node, and no process can join it: take over the parent's, from the top.
fn inherit_cpuset(root: &Path, cgroup: &Path) -> Result<(), CgroupError> {
    let mut parent = root.to_owned();
    for part in cgroup.strip_prefix("/").unwrap_or(cgroup) {
        let child = parent.join(part);
        copy_cpuset(&parent, &child)?;
        parent = child;
    }
    Ok(())
}

fn copy_cpuset(parent: &Path, child: &Path) -> Result<(), CgroupError> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(name), child.join(name));
        if fs::read_to_string(&to).map_err(error("read", &to))?.trim().is_empty() {
            let value = fs::read_to_string(&from).map_err(error("read", &from))?;
            fs::write(&to, value.trim()).map_err(error("write", &to))?;
        }
    }
    Ok(())
}

/// v2: makes the path and hands every controller down to the pod's children. Controllers that can't be handed down
/// (a parent lacks them, or realtime processes hold `cpu`) are left: a limit that needs one says so when it is set.
fn enable_controllers(root: &Path, cgroup: &Path) -> Result<(), CgroupError> {
    let mut folder = root.to_owned();
    hand_down(&folder)?;
    for part in cgroup.strip_prefix("/").unwrap_or(cgroup) {
        folder.push(part);
        match fs::create_dir(&folder) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CgroupError::Io { call: "mkdir", path: folder, cause });
            }
            _ => hand_down(&folder)?,
        }
    }
    Ok(())
}

fn hand_down(folder: &Path) -> Result<(), CgroupError> {
    let list = folder.join("cgroup.controllers");
    let switch = folder.join("cgroup.subtree_control");
    let available = fs::read_to_string(&list).map_err(error("read", &list))?;
    let enabled = fs::read_to_string(&switch).map_err(error("read", &switch))?;
    for controller in available.split_whitespace().filter(|name| !enabled.split_whitespace().any(|one| one == *name)) {
        let word = format!("+{controller}");
        match fs::write(&switch, &word) {
            // Somebody's process has come to be in it since it was looked at.
            Err(cause) if cause.raw_os_error() == Some(libc::EBUSY) => return Err(error("write", &switch)(cause)),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
