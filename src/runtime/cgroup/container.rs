//! A container's cgroup on v1 hierarchies: made, limited, joined and shown to the container from here.
//!
//! libcontainer can do all of that, but moves its process by pid and through `cgroup.procs`, once per hierarchy. For
//! that the kernel stops every fork and exit on the box, and the first such stop waits for an RCU grace period:
//! 10 ms per container, measured. A process that moves itself, as a single thread through `tasks`, stops nobody. So the
//! helper goes into the container's cgroup itself, and libcontainer, whose processes are born there, is shown a box
//! without hierarchies. On v2 there is no such way for a process that exists already: there libcontainer does its part.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use libcgroups::common::{CgroupManager, ControllerOpt};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use super::{CgroupError, Hierarchies, below, copy_cpuset, error, fields};
use crate::runtime::files;
use crate::runtime::mount::add_attributes;

/// Where libcontainer looks for hierarchies.
const ROOT: &str = "/sys/fs/cgroup";

/// Whether a container may write to what it sees of its cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As everywhere but in privileged containers.
    ReadOnly,
    /// Limits can be changed from inside.
    Writable,
}

impl Access {
    fn attributes(self) -> u64 {
        let always = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        match self {
            Self::ReadOnly => always | libc::MOUNT_ATTR_RDONLY,
            Self::Writable => always,
        }
    }
}

/// One limit.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    controller: &'static str,
    file: &'static str,
    value: String,
}

fn nothing() -> LinuxResources {
    let mut nothing = LinuxResources::default();
    nothing.set_devices(None);
    nothing
}

/// The limits that manifests ask for, which are written at once; and what only a bundle's config can ask for, which
/// is left to libcgroups: it knows all of them, but reads the mount table twice for every controller.
fn split(resources: &LinuxResources) -> (Vec<Setting>, LinuxResources) {
    let mut rest = resources.clone();
    rest.set_devices(None).set_pids(None);
    let mut settings = Vec::new();
    let mut set = |controller, file, value: Option<String>| {
        settings.extend(value.map(|value| Setting { controller, file, value }));
    };
    if let Some(cpu) = resources.cpu() {
        let mut plain = LinuxCpu::default();
        plain.set_shares(cpu.shares()).set_quota(cpu.quota()).set_period(cpu.period());
        if plain == *cpu {
            rest.set_cpu(None);
            set("cpu", "cpu.shares", cpu.shares().map(|shares| shares.to_string()));
            // The period first: a quota is checked against it.
            set("cpu", "cpu.cfs_period_us", cpu.period().map(|period| period.to_string()));
            set("cpu", "cpu.cfs_quota_us", cpu.quota().map(|quota| quota.to_string()));
        }
    }
    if let Some(memory) = resources.memory() {
        let mut plain = LinuxMemory::default();
        let holds = |swap: &i64| memory.limit().is_some_and(|limit| *swap >= limit);
        plain.set_limit(memory.limit()).set_swap(memory.swap().filter(holds));
        if plain == *memory {
            rest.set_memory(None);
            set("memory", "memory.limit_in_bytes", memory.limit().map(|limit| limit.to_string()));
            set("memory", "memory.memsw.limit_in_bytes", memory.swap().map(|swap| swap.to_string()));
        }
    }
    (settings, rest)
}

fn limit_more(cgroup: &Path, resources: &LinuxResources) -> Result<(), CgroupError> {
    let options = ControllerOpt { resources, disable_oom_killer: false, oom_score_adj: None, freezer_state: None };
    let applied = libcgroups::v1::Manager::new(cgroup).and_then(|manager| manager.apply(&options));
    applied.map_err(|cause| {
        fields::refusal(&format!("{cause:?}"), resources).unwrap_or_else(|| CgroupError::Limit {
            what: "limits",
            path: cgroup.to_owned(),
            cause: super::limits::causes(&cause),
        })
    })
}

/// The kernel's refusal of one limit.
fn refused(file: &str, value: &str, cause: io::Error, resources: &LinuxResources, path: &Path) -> CgroupError {
    match cause.raw_os_error() {
        Some(code) => fields::written(file, Some(value), code, resources),
        None => error("write", path)(cause),
    }
}

/// A `pids.max` that is to be set.
#[derive(Debug)]
pub(crate) struct ProcessLimit {
    path: PathBuf,
    file: fs::File,
    text: String,
}

impl ProcessLimit {
    pub(crate) fn set(mut self) -> Result<(), CgroupError> {
        let nothing = LinuxResources::default();
        let written = self.file.write_all(self.text.as_bytes());
        written.map_err(|cause| refused("pids.max", &self.text, cause, &nothing, &self.path))
    }
}

/// What [`Hierarchies::show`] has prepared.
#[derive(Debug)]
pub(crate) struct View {
    /// A folder of the names, to be mounted first.
    pub(crate) base: PathBuf,
    /// A name, and what is to be mounted there.
    pub(crate) cgroups: Vec<(PathBuf, PathBuf)>,
}

fn clone_mount(source: &Path, target: &Path, access: Access) -> io::Result<()> {
    let clone = open_tree(CWD, source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    add_attributes(&clone, access.attributes())?;
    Ok(move_mount(&clone, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

impl Hierarchies {
    /// Makes a container's cgroup on every v1 hierarchy and sets all limits but that of processes, among which the
    /// helper would count (see [`Self::process_limit`]).
    pub(crate) fn make_container(&self, cgroup: &Path, resources: &LinuxResources) -> Result<(), CgroupError> {
        for (controllers, root) in &self.v1 {
            let path = below(root, cgroup);
            files::make_all(&path).map_err(error("mkdir", &path))?;
            if let Some(parent) = path.parent()
                && controllers.iter().any(|one| one == "cpuset")
            {
                copy_cpuset(parent, &path)?;
            }
        }
        let rules = resources.devices().as_deref().unwrap_or_default();
        self.write_device_rules(cgroup, rules)?;
        let (settings, rest) = split(resources);
        for setting in &settings {
            let root = self
                .v1_mount(setting.controller)
                .ok_or_else(|| CgroupError::MissingController { what: setting.controller, path: cgroup.to_owned() })?;
            let file = below(root, cgroup).join(setting.file);
            fs::write(&file, &setting.value)
                .map_err(|cause| refused(setting.file, &setting.value, cause, resources, &file))?;
        }
        self.refuse_weight(cgroup, &rest)?;
        if rest == nothing() { Ok(()) } else { limit_more(cgroup, &rest) }
    }

    /// libcgroups leaves a weight out in silence where no scheduler of disks has weights.
    fn refuse_weight(&self, cgroup: &Path, resources: &LinuxResources) -> Result<(), CgroupError> {
        let weight = resources.block_io().as_ref().and_then(oci_spec::runtime::LinuxBlockIo::weight);
        if weight.is_none_or(|weight| weight == 0) {
            return Ok(());
        }
        let files = ["blkio.weight", "blkio.bfq.weight"];
        let has = |root: &PathBuf| files.iter().any(|file| below(root, cgroup).join(file).exists());
        if self.v1_mount("blkio").is_some_and(has) {
            return Ok(());
        }
        let cause = "this box has no disk scheduler with weights (bfq)".to_owned();
        Err(CgroupError::Resource { field: "linux.resources.blockIO.weight".to_owned(), cause })
    }

    /// Moves this process, which must have one thread, into a cgroup on every v1 hierarchy.
    pub(crate) fn join(&self, cgroup: &Path) -> Result<(), CgroupError> {
        for (_, root) in &self.v1 {
            let tasks = below(root, cgroup).join("tasks");
            fs::write(&tasks, "0").map_err(error("write", &tasks))?;
        }
        Ok(())
    }

    /// `pids.max`; to be set once the helper's own processes are not among those to come. Opened before the hierarchies
    /// are hidden. `None`: there is no limit.
    pub(crate) fn process_limit(
        &self,
        cgroup: &Path,
        resources: &LinuxResources,
    ) -> Result<Option<ProcessLimit>, CgroupError> {
        let Some(limit) = resources.pids().as_ref().map(oci_spec::runtime::LinuxPids::limit) else { return Ok(None) };
        let root = self
            .v1_mount("pids")
            .ok_or_else(|| CgroupError::MissingController { what: "pids", path: cgroup.to_owned() })?;
        let path = below(root, cgroup).join("pids.max");
        let file = fs::File::options().write(true).open(&path).map_err(error("open", &path))?;
        let text = if limit > 0 { limit.to_string() } else { "max".to_owned() };
        Ok(Some(ProcessLimit { path, file, text }))
    }

    /// Prepares below `folder` what a container is to find at `/sys/fs/cgroup`: its own cgroup of every v1 hierarchy, by
    /// the names the hierarchies have on the box. In a mount namespace of the caller's own.
    pub(crate) fn show(&self, cgroup: &Path, folder: &Path, access: Access) -> Result<View, CgroupError> {
        let base = folder.join("names");
        files::make_all(&base).map_err(error("mkdir", &base))?;
        mount(Some("tmpfs"), &base, Some("tmpfs"), MsFlags::empty(), Some("mode=755,size=64k"))
            .map_err(|errno| error("mount tmpfs", &base)(errno.into()))?;
        let mut view = View { base, cgroups: Vec::new() };
        for (number, (controllers, root)) in self.v1.iter().enumerate() {
            let Some(name) = root.file_name() else { continue };
            let place = view.base.join(name);
            fs::create_dir(&place).map_err(error("mkdir", &place))?;
            // cpu,cpuacct is known as cpu and as cpuacct too.
            for alias in controllers.iter().filter(|alias| name != alias.as_str()) {
                let link = view.base.join(alias);
                symlink(name, &link).map_err(error("symlink", &link))?;
            }
            // By a number: libcontainer takes a mount whose path ends in a controller's name for the hierarchy.
            let bind = folder.join(number.to_string());
            fs::create_dir(&bind).map_err(error("mkdir", &bind))?;
            let own = below(root, cgroup);
            clone_mount(&own, &bind, access).map_err(error("bind", &own))?;
            view.cgroups.push((PathBuf::from(name), bind));
        }
        open_tree(CWD, &view.base, OpenTreeFlags::OPEN_TREE_CLOEXEC)
            .map_err(io::Error::from)
            .and_then(|root| add_attributes(root, access.attributes()))
            .map_err(error("mount_setattr", &view.base))?;
        Ok(view)
    }

    /// For a container that has no cgroup of its own. libcontainer wants one all the same, but leaves a process where it
    /// is if it may not make one on v2, in a user namespace. So it is shown nothing but v2, in which it may do nothing.
    pub(crate) fn show_none() -> Result<(), CgroupError> {
        let root = Path::new(ROOT);
        unshare(CloneFlags::CLONE_NEWCGROUP)
            .map_err(|errno| error("unshare the cgroup namespace of", root)(errno.into()))?;
        match mount(Some("cgroup2"), root, Some("cgroup2"), MsFlags::MS_RDONLY, None::<&str>) {
            // On a pure v2 box it is there already.
            Err(nix::Error::EBUSY) => Ok(()),
            mounted => mounted.map_err(|errno| error("mount cgroup2", root)(errno.into())),
        }
    }

    /// Whether what `hide` and `show_none` do changes what is seen at a path or below.
    pub(crate) fn is_hidden_at(&self, path: &Path) -> bool {
        let points = self.v1.iter().map(|(_, point)| point.as_path()).chain([Path::new(ROOT)]);
        points.into_iter().any(|point| point.starts_with(path) || path.starts_with(point))
    }

    /// Takes all v1 hierarchies out of this process' mount namespace, which must be its own, so that libcontainer
    /// finds a box without any.
    pub(crate) fn hide(&self) -> Result<(), CgroupError> {
        let root = Path::new(ROOT);
        let elsewhere = self.v1.iter().map(|(_, point)| point.as_path()).filter(|point| !point.starts_with(root));
        for point in elsewhere.chain([root]) {
            // With all that is mounted below. EINVAL: nothing is mounted there.
            match umount2(point, MntFlags::MNT_DETACH) {
                Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
                Err(errno) => return Err(error("umount", point)(errno.into())),
            }
        }
        mount(Some("tmpfs"), root, Some("tmpfs"), MsFlags::empty(), Some("size=4k"))
            .map_err(|errno| error("mount tmpfs", root)(errno.into()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn resources(json: &str) -> LinuxResources {
        serde_json::from_str(json).unwrap()
    }

    fn files(settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|one| format!("{}={}", one.file, one.value)).collect()
    }

    #[test]
    fn what_is_hidden_is_known() {
        let v1 =
            vec![(vec!["cpu".to_owned()], "/cg/cpu".into()), (vec!["pids".to_owned()], "/sys/fs/cgroup/pids".into())];
        let hierarchies = Hierarchies { v1, ..Hierarchies::none() };
        for (path, hidden) in [
            ("/", true),
            ("/sys", true),
            ("/sys/fs/cgroup", true),
            ("/sys/fs/cgroup/pids/a", true),
            ("/cg", true),
            ("/cg/cpu/a", true),
            ("/cg/cpuacct", false),
            ("/sys/fs/bpf", false),
            ("/sys/fs/cgroups", false),
        ] {
            assert_eq!(hierarchies.is_hidden_at(Path::new(path)), hidden, "{path}");
        }
    }

    #[test]
    fn what_a_manifest_asks_for_is_written_at_once() {
        let cases = [
            (r#"{"cpu": {"shares": 2}}"#, vec!["cpu.shares=2"]),
            (
                r#"{"cpu": {"shares": 512, "quota": 50000, "period": 100000}, "memory": {"limit": 1048576}}"#,
                vec![
                    "cpu.shares=512",
                    "cpu.cfs_period_us=100000",
                    "cpu.cfs_quota_us=50000",
                    "memory.limit_in_bytes=1048576",
                ],
            ),
            (
                r#"{"memory": {"limit": 1048576, "swap": 2097152}}"#,
                vec!["memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes=2097152"],
            ),
            (r#"{"devices": [{"allow": false, "access": "rwm"}], "pids": {"limit": 5}}"#, vec![]),
        ];
        for (json, expected) in cases {
            let (settings, rest) = split(&resources(json));
            assert_eq!((files(&settings), rest), (expected.into_iter().map(str::to_owned).collect(), nothing()));
        }
    }

    #[test]
    fn what_only_a_bundle_asks_for_is_left_whole_to_libcgroups() {
        for json in [
            r#"{"cpu": {"shares": 2, "cpus": "0"}}"#,
            r#"{"memory": {"limit": 1048576, "swap": 1}}"#,
            r#"{"memory": {"swap": -1}}"#,
            r#"{"blockIO": {"weight": 100}}"#,
            r#"{"network": {"classID": 7}}"#,
        ] {
            let wanted = resources(json);
            let (settings, mut rest) = split(&wanted);
            assert_eq!(files(&settings), Vec::<String>::new());
            rest.set_devices(wanted.devices().clone());
            assert_eq!(rest, wanted);
        }
    }
}
