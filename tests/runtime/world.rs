//! A pod for one test, whose containers have a busybox root file system, and the waits for what becomes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use barepod::plan::*;
use barepod::runtime::cgroup::Hierarchies;
use barepod::runtime::container::{
    AttemptDirs, Container, ContainerError, Creation, Ends, ExitStatus, Progress, Removal, reap_ended, set_helper_exe,
};
use barepod::runtime::node;
use barepod::runtime::sandbox::{RemovalStep, Sandbox, SandboxDirs, SandboxError, SandboxRemoval, isolate_mounts};
use barepod_engine::spec::{Attempt, ContainerIndex};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::event::{PollFd, PollFlags, poll};

use crate::skips;

/// A pod for one test.
pub struct World {
    pub dir: tempfile::TempDir,
    name: String,
    node: NodeFacts,
    pub sandbox: Option<Sandbox>,
}

pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skips::skip("making containers needs root");
    }
    root
}

pub fn begin(plan: &ContainerPlan, dirs: &AttemptDirs, hierarchies: &Hierarchies) -> Result<Creation, ContainerError> {
    let cgroup = plan.spec.linux().as_ref().unwrap().cgroups_path().clone().unwrap();
    let label = Label { name: plan.name.clone(), id: plan.id.clone(), cgroup };
    let mut creation = Creation::begin(&label, dirs, hierarchies)?;
    creation.order(plan, None)?;
    Ok(creation)
}

fn busybox(rootfs: &Path) {
    for folder in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
        fs::create_dir_all(rootfs.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", rootfs.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "ls", "echo", "sleep", "true", "kill", "touch", "id", "hostname", "readlink", "dd", "ps"]
    {
        symlink("busybox", rootfs.join("bin").join(name)).unwrap();
    }
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    fs::write(rootfs.join("notexec"), "#!/bin/sh\n").unwrap();
    fs::write(rootfs.join("nointerp"), "#!/no/such\n").unwrap();
    fs::set_permissions(rootfs.join("nointerp"), fs::Permissions::from_mode(0o755)).unwrap();
}

impl World {
    pub fn new(name: &str, pid: Scope, volumes: &[VolumePlan]) -> Self {
        let built = || env!("CARGO_BIN_EXE_barepod").into();
        set_helper_exe(Path::new(&std::env::var_os("BAREPOD").unwrap_or_else(built)));
        // Per thread: each test has its own.
        isolate_mounts().unwrap();
        let dir = tempfile::tempdir().unwrap();
        busybox(&dir.path().join("rootfs"));
        // The temp folder may be on an overlay, which can't hold an upper layer.
        fs::create_dir(dir.path().join("data")).unwrap();
        let node = node::facts(Path::new("/")).unwrap();
        let name = format!("test-{name}-{}", std::process::id());
        let mut world = Self { dir, name, node, sandbox: None };
        world.sandbox = Some(world.make_sandbox(pid, volumes));
        world
    }

    pub fn make_sandbox(&self, pid: Scope, volumes: &[VolumePlan]) -> Sandbox {
        let plan = SandboxPlan {
            hostname: "pod".into(),
            domainname: String::new(),
            network: Scope::Pod,
            ipc: Scope::Pod,
            pid,
            user: Scope::Host,
            ids: None,
            shared_volumes: BTreeSet::new(),
            sysctls: BTreeMap::new(),
            uplink: Uplink::None,
            hosts: HostsFile::default(),
            resolv_conf: ResolvConf::default(),
            shm_size: 1 << 20,
        };
        let cgroup = CgroupPlan {
            path: self.cgroup(),
            limits: CgroupLimits {
                cpu_shares: Some(512),
                cpu_quota: Some(200_000),
                memory: Some(512 << 20),
                pids: Some(500),
                ..CgroupLimits::default()
            },
            huge_pages: Vec::new(),
        };
        let mut sandbox = Sandbox::create(&plan, &cgroup, volumes, &self.dirs(), None, &self.node).unwrap();
        while let Some(search) = sandbox.search_fd() {
            rustix::event::poll(&mut [rustix::event::PollFd::new(&search, rustix::event::PollFlags::IN)], None)
                .unwrap();
            sandbox = sandbox.search().unwrap();
        }
        sandbox
    }

    /// Of the pod.
    pub fn cgroup(&self) -> PathBuf {
        self.node.cgroup_parent.join("barepod").join(&self.name)
    }

    /// Of the pod's sandbox.
    pub fn dirs(&self) -> SandboxDirs {
        SandboxDirs { state: self.dir.path().join("state"), data: self.dir.path().join("data") }
    }

    /// Of a container's only attempt.
    pub fn attempt(&self, name: &str) -> AttemptDirs {
        AttemptDirs { state: self.dirs().state.join(name).join("0"), data: self.dirs().data.join(name) }
    }

    /// A container that runs this in the busybox root.
    pub fn plan(&self, name: &str, args: &[&str]) -> ContainerPlan {
        let facts = self.sandbox.as_ref().unwrap().facts();
        let mut spec = Spec::default();
        let process = spec.process_mut().as_mut().unwrap();
        process.set_terminal(Some(false));
        process.set_args(Some(args.iter().map(|text| (*text).to_owned()).collect()));
        process.set_env(Some(vec!["PATH=/bin".into(), "HOME=/".into()]));
        process.set_oom_score_adj(Some(500));
        spec.root_mut().as_mut().unwrap().set_readonly(Some(false));
        let linux = spec.linux_mut().as_mut().unwrap();
        linux.set_cgroups_path(Some(self.cgroup().join(name)));
        for one in linux.namespaces_mut().as_mut().unwrap() {
            match one.typ() {
                LinuxNamespaceType::Network => one.set_path(facts.network_namespace.clone()),
                LinuxNamespaceType::Ipc => one.set_path(facts.ipc_namespace.clone()),
                LinuxNamespaceType::Uts => one.set_path(facts.uts_namespace.clone()),
                LinuxNamespaceType::Pid => one.set_path(facts.pid_namespace.clone()),
                _ => one,
            };
        }
        ContainerPlan {
            container: ContainerIndex(0),
            name: name.into(),
            attempt: Attempt(0),
            id: format!("{}-{name}", self.name),
            bundle: self.dir.path().to_owned(),
            rootfs: self.dir.path().join("rootfs"),
            below: Vec::new(),
            spec,
            sub_paths: Vec::new(),
            images: Vec::new(),
            data: Vec::new(),
            shared: Vec::new(),
            private: Vec::new(),
            config_volumes: Vec::new(),
            files: Vec::new(),
            termination_log: std::path::PathBuf::new(),
            rights: barepod::plan::Rights::Box,
            streams: Streams::Output,
        }
    }

    /// Makes a container; what fails is removed.
    pub fn create(&self, plan: &ContainerPlan) -> Result<Container, ContainerError> {
        let mut creation = begin(plan, &self.attempt(&plan.name), self.sandbox.as_ref().unwrap().hierarchies())?;
        loop {
            wait_any(&[creation.fd(), creation.helper_pidfd()]);
            match creation.advance() {
                (Some(again), Progress::Pending) => creation = again,
                (_, Progress::Created(container)) => return Ok(*container),
                (_, Progress::Failed(error, removal)) => {
                    finish(*removal);
                    return Err(error);
                }
                (None, Progress::Pending) => unreachable!("pending gives the creation back"),
            }
        }
    }

    /// Runs a container to its end: how that was, what it printed, and the container.
    pub fn run(&self, name: &str, args: &[&str]) -> (ExitStatus, String, Container) {
        self.run_plan(&self.plan(name, args))
    }

    /// Likewise.
    pub fn run_plan(&self, plan: &ContainerPlan) -> (ExitStatus, String, Container) {
        let mut container = self.create(plan).unwrap();
        let (stdout, stderr) = output(&mut container);
        start(&mut container).unwrap();
        let exit = wait_exit(&mut container);
        let text = drain(stdout) + &drain(stderr);
        (exit, text, container)
    }

    /// Of a container of this pod.
    pub fn cgroups_of(&self, container: &str) -> Vec<PathBuf> {
        let mut found = cgroups_named(container);
        found.retain(|path| path.parent().is_some_and(|pod| pod.ends_with(&self.name)));
        found
    }

    /// Removes the pod and looks for leftovers.
    pub fn end(mut self) {
        let errors = remove_sandbox(self.sandbox.take().unwrap());
        assert!(errors.is_empty(), "{errors:?}");
        reap_ended();
        self.assert_nothing_left();
    }

    pub fn assert_nothing_left(&self) {
        let found = cgroups_named(&self.name);
        assert!(found.is_empty(), "left: {found:?}");
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        assert!(!mounts.contains(self.dir.path().to_str().unwrap()), "left: {mounts}");
    }
}

impl Drop for World {
    /// Also after a failed assertion nothing stays.
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            remove_sandbox(sandbox);
        }
    }
}

fn remove_sandbox(sandbox: Sandbox) -> Vec<SandboxError> {
    go(sandbox.remove())
}

pub fn go(mut removal: SandboxRemoval) -> Vec<SandboxError> {
    loop {
        match removal.advance() {
            RemovalStep::More => {}
            RemovalStep::Wait(time) => wait_for_processes(&removal, time),
            RemovalStep::Done(errors) => return errors,
        }
    }
}

pub fn wait_for_processes(removal: &SandboxRemoval, time: Duration) {
    let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    let mut polled: Vec<_> = removal.pause().into_iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let _ = poll(&mut polled, Some(&limit));
}

fn cgroups_named(name: &str) -> Vec<PathBuf> {
    walkdir::WalkDir::new("/sys/fs/cgroup")
        .max_depth(4)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_name() == name)
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Waits for what must come, at most a minute: a debug build in an emulated box is slow.
pub fn wait_any(fds: &[std::os::fd::BorrowedFd<'_>]) {
    let limit = rustix::time::Timespec { tv_sec: 60, tv_nsec: 0 };
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    assert!(poll(&mut polled, Some(&limit)).unwrap() > 0, "nothing happened for a minute");
}

pub fn start(container: &mut Container) -> Result<(), ContainerError> {
    container.start()?;
    loop {
        wait_any(&[container.start_fd()]);
        if let Some(outcome) = container.start_outcome() {
            return outcome;
        }
    }
}

pub fn wait_exit(container: &mut Container) -> ExitStatus {
    wait_any(&[container.pidfd()]);
    container.exit().unwrap()
}

/// Of a container without a terminal.
pub fn output(container: &mut Container) -> (OwnedFd, OwnedFd) {
    let Some(Ends::Pipes { stdout, stderr, .. }) = container.take_ends() else { panic!("no pipes") };
    (stdout, stderr)
}

fn drain(fd: OwnedFd) -> String {
    let mut text = Vec::new();
    let mut file = fs::File::from(fd);
    loop {
        wait_any(&[file.as_fd()]);
        let mut buffer = [0; 4096];
        match file.read(&mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&text).into_owned(),
            Ok(number) => text.extend_from_slice(&buffer[..number]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn remove(container: Container) {
    finish(Removal::begin(container));
}

pub fn finish(mut removal: Removal) {
    while removal.advance() {}
    loop {
        if let Some(errors) = removal.outcome() {
            assert!(errors.is_empty(), "{errors:?}");
            return;
        }
        wait_any(&[removal.pidfd().unwrap()]);
    }
}
