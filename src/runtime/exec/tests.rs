//! Execs into real containers that runc has made: what an exec'd process is, compared with the container's init. Needs
//! root and runc; each test looks for leftovers at its end.
#![allow(unsafe_code, clippy::unwrap_used)]

mod alike;
mod rights;
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as Io};
use std::time::{Duration, Instant};

use oci_spec::runtime::{LinuxSeccomp, Process, Spec};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};

use super::*;
use crate::runtime::spawn;

/// A helper of a test is this test binary: it has to become one before the test harness looks at arguments.
extern "C" fn become_helper() {
    helper_main_if_asked();
}
// SAFETY: a plain function pointer for the dynamic loader, which calls it once, before main, after std has its arguments.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = become_helper;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LIMIT: Duration = Duration::from_secs(20);

/// A running container; its init sleeps.
struct Container {
    dir: tempfile::TempDir,
    id: String,
    pid: i32,
    init: OwnedFd,
    spec: Spec,
}

fn can_run() -> bool {
    let runc = Command::new("runc").arg("--version").output().is_ok();
    let can = rustix::process::geteuid().is_root() && runc;
    if !can {
        crate::skips::skip("needs root and runc");
    }
    can
}

fn busybox(rootfs: &Path) {
    for folder in ["bin", "etc", "tmp", "proc", "sys", "dev", "work"] {
        fs::create_dir_all(rootfs.join(folder)).unwrap();
    }
    fs::copy("/bin/busybox", rootfs.join("bin/busybox")).unwrap();
    for name in ["sh", "cat", "sleep", "true", "false", "echo", "id", "setsid", "env", "pwd", "mkdir", "yes", "ls"] {
        symlink("busybox", rootfs.join("bin").join(name)).unwrap();
    }
    fs::write(rootfs.join("notexec"), "#!/bin/sh\n").unwrap();
}

/// A config with everything that an exec has to take over.
fn config(id: &str) -> Value {
    let capabilities = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "args": ["sleep", "100000"],
            "env": [PATH, "HOME=/work", "COLOUR=blue and green"],
            "cwd": "/work",
            "user": {"uid": 1000, "gid": 1001, "additionalGids": [2000, 2001], "umask": 0o027},
            "capabilities": {
                "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID"],
                "effective": capabilities, "permitted": capabilities, "inheritable": ["CAP_NET_BIND_SERVICE"],
                "ambient": ["CAP_NET_BIND_SERVICE"],
            },
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 1000, "hard": 3000},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            ],
            "oomScoreAdj": 321,
        },
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        ],
        "linux": {
            "cgroupsPath": format!("/barepod-exec-test-{id}"),
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                {"type": "cgroup"},
            ],
            "maskedPaths": ["/proc/kcore"],
        },
    })
}

impl Container {
    fn new(name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let id = format!("exec-{name}-{}", std::process::id());
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        busybox(&dir.path().join("rootfs"));
        let mut config = config(&id);
        change(&mut config);
        fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let pid_file = dir.path().join("pid");
        let made = runc(
            &dir,
            &["run", "-d", "--pid-file", pid_file.to_str().unwrap(), "-b", dir.path().to_str().unwrap(), &id],
        );
        assert!(made, "runc run");
        let pid = fs::read_to_string(pid_file).unwrap().parse().unwrap();
        let spec = serde_json::from_value(config).unwrap();
        Self { init: spawn::open_pidfd(pid).unwrap(), dir, id, pid, spec }
    }

    fn process(&self, arguments: &[&str]) -> Process {
        let mut process = self.spec.process().clone().unwrap();
        process.set_args(Some(arguments.iter().map(|text| (*text).to_owned()).collect()));
        process
    }

    fn begin(&self, process: &Process, filter: Option<&Filter>) -> Result<Exec, ExecError> {
        Exec::begin(ExecRequest {
            pid: self.pid,
            init: self.init.as_fd(),
            process,
            filter,
            stdio: Stdio::Capture { limit: 1024 },
        })
    }

    fn run(&self, arguments: &[&str]) -> (Result<ExitStatus, ExecError>, String) {
        self.run_process(&self.process(arguments), None)
    }

    fn run_process(&self, process: &Process, filter: Option<&Filter>) -> (Result<ExitStatus, ExecError>, String) {
        let mut exec = self.begin(process, filter).unwrap();
        let end = finish(&mut exec);
        (end, String::from_utf8_lossy(exec.output()).into_owned())
    }

    /// Where the leaves of execs are.
    fn tracking(&self) -> PathBuf {
        let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", self.pid)).unwrap();
        let own = cgroups.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
        Path::new("/sys/fs/cgroup/unified").join(own.trim_start_matches('/'))
    }

    fn leaves(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tracking()).unwrap().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(cgroup::LEAF))
            .collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // An exec'd process that nobody has reaped holds up the end of the container's init, and runc gives up on it.
        let _ = spawn::signal(&self.init, libc::SIGKILL);
        until(|| {
            spawn::reap_ended();
            spawn::has_ended(&self.init)
        });
        let leaves = self.tracking();
        let deleted = runc(&self.dir, &["delete", "-f", &self.id]);
        remove_cgroups(&leaves);
        // A second panic would abort, and hide the first.
        assert!(deleted || std::thread::panicking(), "runc delete");
    }
}

fn remove_cgroups(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && folder.to_string_lossy().contains("barepod-exec-test") {
            remove_cgroups(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

fn runc(dir: &tempfile::TempDir, arguments: &[&str]) -> bool {
    let mut command = Command::new("runc");
    command.arg("--root").arg(dir.path().join("state")).args(arguments);
    command.stdin(Io::null()).stdout(Io::null()).stderr(Io::inherit()).status().unwrap().success()
}

fn wait(exec: &Exec) {
    let limit = rustix::time::Timespec { tv_sec: LIMIT.as_secs() as i64, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&exec.fd(), PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ready, 1, "nothing happened for {LIMIT:?}: {exec:?}");
}

fn finish(exec: &mut Exec) -> Result<ExitStatus, ExecError> {
    let started = Instant::now();
    loop {
        wait(exec);
        if let Progress::Ended(end) = exec.advance() {
            return end;
        }
        assert!(started.elapsed() < LIMIT, "no end: {exec:?}");
    }
}

/// Until the program runs; panics if it doesn't.
fn until_executed(exec: &mut Exec) -> i32 {
    while !exec.is_executed() {
        wait(exec);
        assert!(matches!(exec.advance(), Progress::Pending), "{exec:?}");
    }
    exec.pid().unwrap()
}

fn seccomp() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            {"names": ["personality"], "action": "SCMP_ACT_ERRNO",
             "args": [{"index": 0, "value": 0xff, "valueTwo": 8, "op": "SCMP_CMP_MASKED_EQ"}]},
        ],
    })
}

/// Everything about a process that an exec has to take over from the init, by name.
fn portrait(pid: i32) -> BTreeMap<String, String> {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let mut portrait = BTreeMap::new();
    let fields = [
        "Uid",
        "Gid",
        "Groups",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "Umask",
        "SigBlk",
        "Cpus_allowed",
        "Mems_allowed",
        "THP_enabled",
        "Speculation_Store_Bypass",
    ];
    for line in read("status").lines() {
        let (name, value) = line.split_once(':').unwrap();
        if fields.contains(&name) {
            portrait.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    assert!(portrait.len() >= 16, "{portrait:?}");
    for name in ["user", "mnt", "pid", "pid_for_children", "net", "ipc", "uts", "cgroup", "time"] {
        let link = fs::metadata(format!("/proc/{pid}/ns/{name}")).unwrap();
        portrait.insert(format!("namespace {name}"), link.ino().to_string());
    }
    for name in ["root", "cwd"] {
        let at = fs::metadata(format!("/proc/{pid}/{name}")).unwrap();
        portrait.insert(name.to_owned(), format!("{}:{}", at.dev(), at.ino()));
    }
    for name in ["limits", "environ", "oom_score_adj", "personality", "uid_map", "gid_map", "setgroups"] {
        portrait.insert(name.to_owned(), read(name));
    }
    for line in read("cgroup").lines() {
        let (name, value) = line.split_once(':').unwrap().1.split_once(':').unwrap();
        // The one thing that differs: an exec has its own leaf below the container's cgroup.
        let value = value.split(&format!("/{}", cgroup::LEAF)).next().unwrap();
        portrait.insert(format!("cgroup {name}"), value.to_owned());
    }
    portrait
}

fn pids(container: &Container) -> Vec<i32> {
    let mut found = Vec::new();
    let mut folders = vec![container.tracking()];
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        found.extend(text.lines().map(|line| line.parse::<i32>().unwrap()));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.filter(|entry| entry.file_type().unwrap().is_dir()).map(|entry| entry.path()));
    }
    found.sort_unstable();
    found
}

/// Polls something that has no descriptor to wait for.
fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "it never came to be");
        std::thread::yield_now();
    }
}
