//! Real containers through the functions that `runtime` offers, from a busybox root file system. Needs root; each test looks for
//! leftovers at its end.
#![allow(clippy::unwrap_used)]

#[path = "skips/mod.rs"]
mod skips;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use barepod::plan::*;
use barepod::runtime::cgroup::Hierarchies;
use barepod::runtime::container::{
    AttemptDirs, Container, ContainerError, Creation, ExitStatus, Progress, Removal, reap_ended, set_helper_exe,
};
use barepod::runtime::node;
use barepod::runtime::sandbox::{RemovalStep, Sandbox, SandboxDirs, SandboxError, SandboxRemoval, isolate_mounts};
use barepod::runtime::sweep::{SweepRequest, sweep};
use barepod_engine::spec::{Attempt, ContainerIndex};
use oci_spec::runtime::{LinuxMemoryBuilder, LinuxNamespaceType, LinuxResourcesBuilder, MountBuilder, Spec};
use rustix::event::{PollFd, PollFlags, poll};

/// A pod for one test.
struct World {
    dir: tempfile::TempDir,
    name: String,
    node: NodeFacts,
    sandbox: Option<Sandbox>,
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skips::skip("making containers needs root");
    }
    root
}

fn begin(plan: &ContainerPlan, dirs: &AttemptDirs, hierarchies: &Hierarchies) -> Result<Creation, ContainerError> {
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
    fn new(name: &str, pid: Scope, volumes: &[VolumePlan]) -> Self {
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

    fn make_sandbox(&self, pid: Scope, volumes: &[VolumePlan]) -> Sandbox {
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

    fn cgroup(&self) -> PathBuf {
        self.node.cgroup_parent.join("barepod").join(&self.name)
    }

    fn dirs(&self) -> SandboxDirs {
        SandboxDirs { state: self.dir.path().join("state"), data: self.dir.path().join("data") }
    }

    fn attempt(&self, name: &str) -> AttemptDirs {
        AttemptDirs { state: self.dirs().state.join(name).join("0"), data: self.dirs().data.join(name) }
    }

    fn plan(&self, name: &str, args: &[&str]) -> ContainerPlan {
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
            root: RootAccess::Writable,
            spec,
            sub_paths: Vec::new(),
            shared: Vec::new(),
            private: Vec::new(),
            config_volumes: Vec::new(),
            files: Vec::new(),
            termination_log: std::path::PathBuf::new(),
            rights: barepod::plan::Rights::Box,
        }
    }

    fn create(&self, plan: &ContainerPlan) -> Result<Container, ContainerError> {
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

    fn run(&self, name: &str, args: &[&str]) -> (ExitStatus, String, Container) {
        self.run_plan(&self.plan(name, args))
    }

    fn run_plan(&self, plan: &ContainerPlan) -> (ExitStatus, String, Container) {
        let mut container = self.create(plan).unwrap();
        let (stdout, stderr) = container.take_output().unwrap();
        start(&mut container).unwrap();
        let exit = wait_exit(&mut container);
        let text = drain(stdout) + &drain(stderr);
        (exit, text, container)
    }

    fn cgroups_of(&self, container: &str) -> Vec<PathBuf> {
        let mut found = cgroups_named(container);
        found.retain(|path| path.parent().is_some_and(|pod| pod.ends_with(&self.name)));
        found
    }

    /// Removes the pod and looks for leftovers.
    fn end(mut self) {
        let errors = remove_sandbox(self.sandbox.take().unwrap());
        assert!(errors.is_empty(), "{errors:?}");
        reap_ended();
        self.assert_nothing_left();
    }

    fn assert_nothing_left(&self) {
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

fn go(mut removal: SandboxRemoval) -> Vec<SandboxError> {
    loop {
        match removal.advance() {
            RemovalStep::More => {}
            RemovalStep::Wait(time) => wait_for_processes(&removal, time),
            RemovalStep::Done(errors) => return errors,
        }
    }
}

fn wait_for_processes(removal: &SandboxRemoval, time: Duration) {
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

/// Waits for what must come, at most ten seconds.
fn wait_any(fds: &[std::os::fd::BorrowedFd<'_>]) {
    let limit = rustix::time::Timespec { tv_sec: 10, tv_nsec: 0 };
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    assert!(poll(&mut polled, Some(&limit)).unwrap() > 0, "nothing happened for ten seconds");
}

fn start(container: &mut Container) -> Result<(), ContainerError> {
    container.start()?;
    loop {
        wait_any(&[container.start_fd()]);
        if let Some(outcome) = container.start_outcome() {
            return outcome;
        }
    }
}

fn wait_exit(container: &mut Container) -> ExitStatus {
    wait_any(&[container.pidfd()]);
    container.exit().unwrap()
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

fn remove(container: Container) {
    finish(Removal::begin(container));
}

fn finish(mut removal: Removal) {
    while removal.advance() {}
    loop {
        if let Some(errors) = removal.outcome() {
            assert!(errors.is_empty(), "{errors:?}");
            return;
        }
        wait_any(&[removal.pidfd().unwrap()]);
    }
}

#[test]
fn a_container_runs_and_leaves_nothing() {
    if !is_root() {
        return;
    }
    let world = World::new("run", Scope::Container, &[]);
    let (exit, text, container) = world.run("web", &["sh", "-c", "echo hello; hostname; echo err >&2; exit 7"]);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(7), "hello\npod\nerr\n"));
    assert!(!container.oom_killed());
    remove(container);
    assert!(!world.attempt("web").state.exists() && !world.attempt("web").data.exists());
    assert!(world.cgroups_of("web").is_empty());
    world.end();
}

#[test]
fn nothing_of_the_supervisor_leaks_in() {
    if !is_root() {
        return;
    }
    let world = World::new("leak", Scope::Container, &[]);
    let (_, text, container) = world.run("fds", &["ls", "/proc/self/fd"]);
    // `ls` has the folder it lists open as 3.
    assert_eq!(text, "0\n1\n2\n3\n");
    remove(container);
    let (_, text, container) = world.run("signals", &["cat", "/proc/self/status"]);
    for line in ["Umask:\t0022", "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000"] {
        assert!(text.contains(line), "{text}");
    }
    remove(container);
    world.end();
}

#[test]
fn signals_and_kills_are_seen() {
    if !is_root() {
        return;
    }
    let world = World::new("signal", Scope::Container, &[]);
    for (name, signal, expected) in
        [("usr", libc::SIGKILL, ExitStatus::Signal(libc::SIGKILL)), ("trap", libc::SIGTERM, ExitStatus::Code(3))]
    {
        let mut container = world
            .create(&world.plan(name, &["sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done"]))
            .unwrap();
        let (stdout, _stderr) = container.take_output().unwrap();
        start(&mut container).unwrap();
        wait_any(&[stdout.as_fd()]);
        assert_eq!(container.exit(), None);
        container.signal(signal).unwrap();
        assert_eq!(wait_exit(&mut container), expected);
        container.signal(signal).unwrap();
        remove(container);
    }
    world.end();
}

#[test]
fn what_cannot_be_executed_is_a_failed_start() {
    if !is_root() {
        return;
    }
    let world = World::new("start", Scope::Container, &[]);
    let cases = [
        ("a", "nope", "nope: executable file not found in $PATH"),
        ("b", "/nope", "/nope: no such file or directory (execve); the container has no such file"),
        ("c", "/notexec", "/notexec: permission denied (execve); the file in the container is not executable"),
        ("d", "/etc", "/etc: permission denied (execve); it is a directory"),
        (
            "e",
            "/nointerp",
            "/nointerp: no such file or directory (execve); the container lacks its interpreter: what its #! line names, or the dynamic loader",
        ),
    ];
    for (name, program, text) in cases {
        let mut container = world.create(&world.plan(name, &[program])).unwrap();
        let error = start(&mut container).unwrap_err();
        assert_eq!(error.to_string(), format!("container {name:?}: start: {text}"));
        wait_exit(&mut container);
        remove(container);
    }
    world.end();
}

#[test]
fn an_oom_kill_is_known() {
    if !is_root() {
        return;
    }
    let world = World::new("oom", Scope::Container, &[]);
    let mut plan = world.plan("fat", &["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    let memory = LinuxMemoryBuilder::default().limit(16 << 20).build().unwrap();
    let resources = LinuxResourcesBuilder::default().memory(memory).build().unwrap();
    plan.spec.linux_mut().as_mut().unwrap().set_resources(Some(resources));
    let (exit, _, container) = world.run_plan(&plan);
    assert_eq!(exit, ExitStatus::Signal(libc::SIGKILL));
    assert!(container.oom_killed());
    remove(container);
    world.end();
}

#[test]
fn the_bundle_is_never_written_to() {
    if !is_root() {
        return;
    }
    let world = World::new("lower", Scope::Container, &[]);
    let listing = || -> HashSet<PathBuf> {
        walkdir::WalkDir::new(world.dir.path().join("rootfs"))
            .into_iter()
            .flatten()
            .map(walkdir::DirEntry::into_path)
            .collect()
    };
    let before = listing();
    let mut plan = world.plan("w", &["sh", "-c", "echo x > /new; echo y > /etc/passwd; cat /new"]);
    plan.spec.process_mut().as_mut().unwrap().set_cwd("/made/for/me".into());
    let (exit, text, container) = world.run_plan(&plan);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(0), "x\n"));
    remove(container);
    let mut plan = world.plan("r", &["sh", "-c", "touch /new 2>/dev/null || echo refused"]);
    plan.root = RootAccess::ReadOnly;
    plan.spec.root_mut().as_mut().unwrap().set_readonly(Some(true));
    let (_, text, container) = world.run_plan(&plan);
    assert_eq!(text, "refused\n");
    remove(container);
    assert_eq!(before, listing());
    world.end();
}

fn empty_dir(name: &str) -> VolumePlan {
    VolumePlan {
        name: name.into(),
        source: VolumeSource::EmptyDir { mode: None, size_limit: None },
        fs_group: Some(1234),
    }
}

#[test]
fn sub_paths_cannot_escape() {
    if !is_root() {
        return;
    }
    let memory = VolumePlan {
        name: "m".into(),
        source: VolumeSource::Memory { mode: None, size_limit: Some(1 << 20) },
        fs_group: None,
    };
    let world = World::new("sub", Scope::Container, &[empty_dir("v"), memory]);
    let volumes = world.sandbox.as_ref().unwrap().facts().volumes;
    let volume = &volumes["v"];
    symlink("/etc", volume.join("evil")).unwrap();
    let with_mount = |name: &str, path: &str, args: &[&str]| {
        let mut plan = world.plan(name, args);
        let mount = MountBuilder::default()
            .destination("/data")
            .typ("bind")
            .source(volume.clone())
            .options(vec!["rbind".to_owned()])
            .build()
            .unwrap();
        let mounts = plan.spec.mounts_mut().as_mut().unwrap();
        mounts.push(mount);
        plan.sub_paths.push(SubPath { mount: mounts.len() - 1, path: path.into(), missing: Missing::Make });
        plan
    };
    let (exit, _, container) = world.run_plan(&with_mount("good", "a/b", &["touch", "/data/file"]));
    assert_eq!(exit, ExitStatus::Code(0));
    assert!(volume.join("a/b/file").exists());
    remove(container);
    let error = world.create(&with_mount("bad", "evil", &["true"])).unwrap_err().to_string();
    assert!(error.contains("subPath \"evil\"") && error.contains("leads out of the volume"), "{error}");
    assert!(!world.attempt("bad").state.exists() && world.cgroups_of("bad").is_empty());
    world.end();
}

#[test]
fn a_sandbox_is_removed_without_waiting_for_it() {
    if !is_root() {
        return;
    }
    let mut world = World::new("pieces", Scope::Pod, &[empty_dir("v")]);
    let mut container = world.create(&world.plan("web", &["sleep", "1000"])).unwrap();
    start(&mut container).unwrap();
    let sandbox = world.sandbox.take().unwrap();
    let volume = sandbox.facts().volumes["v"].clone();
    for number in 0..1000 {
        fs::write(volume.join(number.to_string()), "").unwrap();
    }
    let mut removal = sandbox.remove();
    // Killed, but they are children of this process and die beside it: pid 1 goes after they have been reaped.
    assert!(matches!(removal.advance(), RemovalStep::Wait(_)));
    assert!(volume.join("0").exists(), "processes go before the files that they use");
    wait_exit(&mut container);
    let mut waits = 0;
    loop {
        match removal.advance() {
            RemovalStep::More => {}
            RemovalStep::Wait(time) => {
                waits += 1;
                wait_for_processes(&removal, time);
            }
            RemovalStep::Done(errors) => break assert!(errors.is_empty(), "{errors:?}"),
        }
    }
    assert!(waits > 0 && !volume.exists(), "a helper takes many files away");
    reap_ended();
    world.assert_nothing_left();
}

/// An emptyDir lives as long as the pod: a sandbox that is given up (as the next can't be made at once) leaves what is in it
/// to the next, with the owners and modes that it has by then; the end of the pod takes it away, sandbox or not.
#[test]
fn volumes_outlive_a_sandbox() {
    if !is_root() {
        return;
    }
    let memory = VolumePlan {
        name: "m".into(),
        source: VolumeSource::Memory { mode: None, size_limit: Some(1 << 20) },
        fs_group: None,
    };
    let volumes = [empty_dir("v"), memory];
    let mut world = World::new("outlived", Scope::Container, &volumes);
    let places = world.sandbox.as_ref().unwrap().facts().volumes;
    for place in places.values() {
        fs::write(place.join("file"), "kept").unwrap();
        fs::set_permissions(place, fs::Permissions::from_mode(0o700)).unwrap();
    }
    for _ in 0..2 {
        let errors = go(world.sandbox.take().unwrap().give_up());
        assert!(errors.is_empty(), "{errors:?}");
        let next = world.make_sandbox(Scope::Container, &volumes);
        assert_eq!(next.facts().volumes, places);
        for place in places.values() {
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "kept");
            assert_eq!(fs::metadata(place).unwrap().permissions().mode() & 0o7777, 0o700);
        }
        let own = fs::metadata(world.dirs().data).unwrap().permissions().mode() & 0o7777;
        assert_eq!(own, 0o700, "nobody else gets at what is in there");
        world.sandbox = Some(next);
    }
    assert!(go(world.sandbox.take().unwrap().give_up()).is_empty());
    assert!(places["v"].join("file").exists());
    assert!(go(SandboxRemoval::of_volumes(&world.dirs(), &volumes)).is_empty());
    assert!(!places["v"].exists() && !places["m"].exists() && !world.dirs().data.exists());
    world.assert_nothing_left();
}

#[test]
fn a_shared_pid_namespace_has_its_own_pid_1() {
    if !is_root() {
        return;
    }
    let world = World::new("pid", Scope::Pod, &[]);
    let (exit, text, container) =
        world.run("web", &["sh", "-c", "sleep 1000 >/dev/null 2>&1 & cat /proc/1/comm; exit 4"]);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(4), "pause\n"));
    // R5.14: the orphan goes with the container.
    remove(container);
    assert!(world.cgroups_of("web").is_empty());
    world.end();
}

#[test]
fn an_aborted_creation_leaves_nothing() {
    if !is_root() {
        return;
    }
    let world = World::new("abort", Scope::Container, &[]);
    for number in 0..20 {
        let plan = world.plan(&format!("c{number}"), &["sleep", "1000"]);
        let creation = begin(&plan, &world.attempt(&plan.name), world.sandbox.as_ref().unwrap().hierarchies()).unwrap();
        if number > 0 {
            // Anywhere in the helper's life, so as to hit as many of its steps as possible.
            let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: number * 700_000 };
            let _ = poll(&mut [PollFd::new(&creation.fd(), PollFlags::IN)], Some(&limit));
        }
        finish(creation.abort());
        assert!(world.cgroups_of(&plan.id).is_empty());
        let attempt = world.attempt(&plan.name);
        assert!(!attempt.state.exists() && !attempt.data.exists());
    }
    world.end();
}

#[test]
fn a_sweep_finds_what_a_dead_supervisor_left() {
    if !is_root() {
        return;
    }
    let mut world = World::new("sweep", Scope::Pod, &[empty_dir("v")]);
    let mut container = world.create(&world.plan("web", &["sleep", "1000"])).unwrap();
    start(&mut container).unwrap();
    let folders = [world.dirs().state, world.dirs().data];
    let cgroup = world.cgroup();
    let request = SweepRequest { cgroup: &cgroup, folders: &folders, network: None, patience: Duration::from_secs(10) };
    let errors = sweep(&request);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(wait_exit(&mut container), ExitStatus::Signal(libc::SIGKILL));
    assert!(folders.iter().all(|folder| !folder.exists()));
    drop((container, world.sandbox.take()));
    assert!(sweep(&request).is_empty());
    world.assert_nothing_left();
}

/// Not an assertion: prints the medians that the bench's bars rest on.
#[test]
fn timings() {
    if !is_root() {
        return;
    }
    let world = World::new("time", Scope::Container, &[]);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for number in 0..20 {
        let plan = world.plan(&format!("c{number}"), &["true"]);
        let begin = Instant::now();
        let mut container = world.create(&plan).unwrap();
        times[0].push(begin.elapsed());
        let begin = Instant::now();
        start(&mut container).unwrap();
        times[1].push(begin.elapsed());
        wait_exit(&mut container);
        let begin = Instant::now();
        remove(container);
        times[2].push(begin.elapsed());
    }
    for (what, mut times) in ["create", "start", "remove"].into_iter().zip(times) {
        times.sort();
        println!("{what}: median {:?}, worst {:?}", times[times.len() / 2], times.last().unwrap());
    }
    world.end();
}
