//! Execs into real containers that runc has made: what an exec'd process is, compared with the container's init. Needs
//! root and runc; each test looks for leftovers at its end.
#![allow(unsafe_code, clippy::unwrap_used)]

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

/// Compares an exec'd process with the init, field by field.
fn compare(container: &Container, filter: Option<&Filter>) {
    for _ in 0..2 {
        let mut exec = container.begin(&container.process(&["sleep", "100000"]), filter).unwrap();
        let pid = until_executed(&mut exec);
        let (inits, ours) = (portrait(container.pid), portrait(pid));
        for (name, value) in &inits {
            assert_eq!(&ours[name], value, "{name}");
        }
        let mut fds: Vec<_> =
            fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        fds.sort();
        assert_eq!(fds, ["0", "1", "2"]);
        // The init's are what runc's runtime (Go) has left; a program of ours starts with none.
        assert!(fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("SigIgn:\t0000000000000000\n"));
        assert!(!fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap().contains("0::/\n"));
        exec.kill_tree().unwrap();
        assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    }
}

#[test]
fn a_process_is_what_the_init_is() {
    if can_run() {
        compare(&Container::new("plain", |_| ()), None);
    }
}

#[test]
fn a_process_is_what_a_root_init_is() {
    if can_run() {
        let container = Container::new("root", |config| {
            config["process"]["user"] = json!({"uid": 0, "gid": 0});
            config["process"]["capabilities"]["ambient"] = json!([]);
            config["process"]["capabilities"]["inheritable"] = json!([]);
            config["process"]["oomScoreAdj"] = json!(700);
        });
        compare(&container, None);
    }
}

#[test]
fn a_process_is_what_the_init_of_a_user_namespace_is() {
    if can_run() {
        let container = Container::new("userns", |config| {
            let map = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
            config["linux"]["uidMappings"] = map.clone();
            config["linux"]["gidMappings"] = map;
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        });
        for entry in ["work", "tmp"] {
            std::os::unix::fs::chown(container.dir.path().join("rootfs").join(entry), Some(101_000), None).unwrap();
        }
        compare(&container, None);
        let (end, output) = container.run(&["id", "-u"]);
        assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
        assert_eq!(output, "1000\n");
    }
}

#[test]
fn a_process_has_the_inits_seccomp_filter() {
    if !can_run() {
        return;
    }
    for no_new_privileges in [false, true] {
        let container = Container::new(&format!("seccomp-{no_new_privileges}"), |config| {
            config["linux"]["seccomp"] = seccomp();
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        });
        let profile: LinuxSeccomp = serde_json::from_value(seccomp()).unwrap();
        let filter = Filter::new(&profile).unwrap();
        compare(&container, Some(&filter));
        // Compiled by the first, remembered for the others.
        for _ in 0..2 {
            let process = container.process(&["mkdir", "/tmp/new"]);
            let (end, output) = container.run_process(&process, Some(&filter));
            assert!(matches!(end, Ok(ExitStatus::Code(1))), "{end:?}");
            assert!(output.contains("Operation not supported"), "{output}");
        }
        // SCMP_CMP_MASKED_EQ: 8 is refused, 0 is not.
        let mut process = container.process(&["sh", "-c", "true"]);
        process.set_cwd("/".into());
        assert!(matches!(container.run_process(&process, Some(&filter)).0, Ok(ExitStatus::Code(0))));
    }
}

#[test]
fn output_and_exit_status_come_back() {
    if !can_run() {
        return;
    }
    let container = Container::new("status", |_| ());
    let (end, output) = container.run(&["sh", "-c", "echo out; echo err >&2; pwd; echo $COLOUR; exit 7"]);
    assert!(matches!(end, Ok(ExitStatus::Code(7))), "{end:?}");
    assert_eq!(output, "out\nerr\n/work\nblue and green\n");
    let (end, _) = container.run(&["sh", "-c", "kill -TERM $$"]);
    assert!(matches!(end, Ok(ExitStatus::Signal(15))), "{end:?}");
    let (end, output) = container.run(&["sh", "-c", "echo written through a path > /dev/stderr; cat"]);
    assert!(matches!(end, Ok(ExitStatus::Code(0 | 1))), "{end:?}");
    assert!(output.len() < 100, "{output}");
    // More than the pipe and the limit hold: the program isn't held up, the first bytes are kept.
    let (end, output) =
        container.run(&["sh", "-c", "yes | while read x; do echo $x; i=$((i+1)); [ $i -lt 60000 ] || exit 3; done"]);
    assert!(matches!(end, Ok(ExitStatus::Code(3))), "{end:?}");
    assert_eq!(output.len(), 1024);
    assert_eq!(container.leaves(), Vec::<String>::new());
}

#[test]
fn a_program_that_cannot_run_is_told_apart_from_one_that_fails() {
    if !can_run() {
        return;
    }
    let container = Container::new("cannot", |_| ());
    let failed = |arguments: &[&str]| match container.run(arguments).0 {
        Err(error @ ExecError::Failed(_)) => error.to_string(),
        other => panic!("{arguments:?}: {other:?}"),
    };
    assert_eq!(failed(&["nowhere"]), "exec: nowhere: executable file not found in $PATH");
    assert_eq!(failed(&[""]), "exec: : executable file not found in $PATH");
    assert_eq!(
        failed(&["/nowhere"]),
        "exec: /nowhere: no such file or directory (execve); the container has no such file"
    );
    assert_eq!(
        failed(&["/notexec"]),
        "exec: /notexec: permission denied (execve); the file in the container is not executable"
    );
    assert_eq!(failed(&["/etc"]), "exec: /etc: permission denied (execve); it is a directory");
    let mut process = container.process(&["true"]);
    process.set_cwd("/gone".into());
    let (end, _) = container.run_process(&process, None);
    assert_eq!(end.unwrap_err().to_string(), "exec: working directory /gone: no such file or directory");
    // 127 and 126 of a shell are exit statuses like others.
    assert!(matches!(container.run(&["sh", "-c", "nowhere"]).0, Ok(ExitStatus::Code(127))));
    process.set_terminal(Some(true));
    assert!(matches!(container.begin(&process, None), Err(ExecError::Unsupported { field: "terminal" })));
}

#[test]
fn a_killed_exec_takes_its_daemons_along_and_nothing_else() {
    if !can_run() {
        return;
    }
    let container = Container::new("tree", |_| ());
    let before = pids(&container);
    let script = "setsid sh -c 'sleep 100001 & sleep 100002' & sh -c '(setsid sleep 100003 &) ; sleep 100004' & echo up; sleep 100005";
    let mut exec = container.begin(&container.process(&["sh", "-c", script]), None).unwrap();
    until(|| {
        let _ = exec.advance();
        // Shells become the last command of their script.
        pids(&container).len() >= before.len() + 5 && exec.output() == b"up\n"
    });
    exec.kill_tree().unwrap();
    assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    assert_eq!(exec.output(), b"up\n");
    until(|| pids(&container) == before);
    drop(exec);
    until(|| {
        cgroup::remove_left();
        container.leaves().is_empty()
    });
    // A second kill, and one of something that never ran, are no errors.
    let mut exec = container.begin(&container.process(&["sleep", "100000"]), None).unwrap();
    exec.kill_tree().unwrap();
    exec.kill_tree().unwrap();
    assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    // Dropped without an end.
    let exec = container.begin(&container.process(&["sleep", "100000"]), None).unwrap();
    drop(exec);
    until(|| pids(&container) == before);
}

#[test]
fn a_daemon_that_a_probe_leaves_behind_lives_and_holds_nothing_up() {
    if !can_run() {
        return;
    }
    let container = Container::new("daemon", |_| ());
    let before = pids(&container);
    let (end, output) = container.run(&["sh", "-c", "setsid sleep 100000 & echo left"]);
    assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
    assert_eq!(output, "left\n");
    assert_eq!(pids(&container).len(), before.len() + 1);
    assert_eq!(container.leaves().len(), 1);
}

#[test]
fn a_container_that_has_ended_cannot_be_entered() {
    if !can_run() {
        return;
    }
    let container = Container::new("gone", |_| ());
    spawn::signal(&container.init, 9).unwrap();
    until(|| spawn::has_ended(&container.init));
    let end = match container.begin(&container.process(&["true"]), None) {
        Ok(mut exec) => finish(&mut exec).map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(end, Err(ExecError::NotRunning)), "{end:?}");
}

/// CVE-2019-5736.
#[test]
fn a_container_cannot_write_to_the_binary_that_comes_in() {
    for clone in [exe::read_only_clone(), exe::sealed_copy()] {
        let Ok(clone) = clone else {
            crate::skips::skip("needs root");
            continue;
        };
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&clone));
        let opened = fs::File::options().write(true).open(&path).map_err(|cause| cause.raw_os_error());
        match opened {
            // A sealed memfd can be opened, but not written to.
            Ok(mut file) => assert_eq!(
                std::io::Write::write(&mut file, b"x").map_err(|cause| cause.raw_os_error()).unwrap_err(),
                Some(libc::EPERM)
            ),
            // ETXTBSY proves nothing, as the binary runs only now: the mount must be read-only as well.
            Err(errno) => {
                assert!(matches!(errno, Some(libc::EROFS | libc::ETXTBSY)), "{errno:?}");
                let flags = rustix::fs::fstatvfs(&clone).unwrap().f_flag;
                assert!(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY));
            }
        }
        assert!(fs::metadata(path).unwrap().len() > 10_000);
    }
    if !can_run() {
        return;
    }
    let container = Container::new("cve", |config| {
        config["process"]["user"] = json!({"uid": 0, "gid": 0});
    });
    // The program's interpreter is the binary that came in: executed inside, it must be the read-only clone.
    let script = container.dir.path().join("rootfs/evil");
    fs::write(&script, "#!/proc/self/exe\n").unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut exec = container.begin(&container.process(&["/evil"]), None).unwrap();
    let stop = Instant::now();
    let mut seen = None;
    while seen.is_none() && stop.elapsed() < LIMIT {
        if let Some(pid) = exec.pid()
            && exec.is_executed()
        {
            let opened = fs::File::options().write(true).open(format!("/proc/{pid}/exe"));
            seen = opened.err().and_then(|cause| cause.raw_os_error());
            break;
        }
        wait(&exec);
        if let Progress::Ended(_) = exec.advance() {
            return;
        }
    }
    assert!(matches!(seen, None | Some(libc::EROFS | libc::ETXTBSY | libc::ENOENT | libc::EPERM)), "{seen:?}");
}

#[test]
#[ignore = "a measurement: prints how long an exec of `true` takes"]
fn how_long_an_exec_takes() {
    if !can_run() {
        return;
    }
    let container = Container::new("time", |_| ());
    let process = container.process(&["true"]);
    let mut begins = Vec::new();
    let mut totals = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let mut exec = container.begin(&process, None).unwrap();
        begins.push(started.elapsed());
        finish(&mut exec).unwrap();
        totals.push(started.elapsed());
    }
    begins.sort();
    totals.sort();
    println!("begin p50 {:?} p99 {:?}; whole p50 {:?} p99 {:?}", begins[100], begins[198], totals[100], totals[198]);
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

/// What a container with CAP_SYS_PTRACE could get hold of: whoever is in its pid namespace, from its first moment there,
/// has no more than the container, whatever stands in the way of giving it up early.
#[test]
fn nobody_comes_into_the_pid_namespace_with_rights_of_the_box() {
    if !can_run() {
        return;
    }
    let capabilities = json!(["CAP_CHOWN", "CAP_SYS_PTRACE"]);
    let container = Container::new("trace", |config| {
        let all = ["bounding", "effective", "permitted"];
        config["process"]["capabilities"] = all.into_iter().map(|set| (set.to_owned(), capabilities.clone())).collect();
    });
    let filter = Filter::new(&serde_json::from_value(seccomp()).unwrap()).unwrap();
    for (filter, no_new_privileges) in [(None, false), (Some(&filter), false), (Some(&filter), true)] {
        let mut process = container.process(&["true"]);
        process.set_no_new_privileges(Some(no_new_privileges));
        let over = std::sync::atomic::AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch_for_rights(&container, filter.is_some() && !no_new_privileges, &over));
            for _ in 0..40 {
                let (end, _) = container.run_process(&process, filter);
                assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            watcher.join().unwrap()
        });
        assert!(seen > 0, "none was looked at on its way");
    }
    // One that can't be let in this way isn't let in.
    let mut profile = seccomp();
    profile["syscalls"][0]["names"] = json!(["clone"]);
    let filter = Filter::new(&serde_json::from_value(profile).unwrap()).unwrap();
    let (end, _) = container.run_process(&container.process(&["true"]), Some(&filter));
    assert!(end.unwrap_err().to_string().contains("allowPrivilegeEscalation"));
    let plain = Container::new("no-trace", |_| ());
    let (end, _) = plain.run_process(&plain.process(&["true"]), Some(&filter));
    assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
}

/// Looks at all that comes into the container until it is over; gives how many were seen before their execve.
fn watch_for_rights(container: &Container, filtered: bool, over: &std::sync::atomic::AtomicBool) -> usize {
    let own = portrait(container.pid);
    let mut seen = std::collections::BTreeSet::new();
    while !over.load(std::sync::atomic::Ordering::Relaxed) {
        for pid in pids(container).into_iter().filter(|pid| *pid != container.pid) {
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.map(|value| value.trim().to_owned()).unwrap_or_default()
            };
            if field("NSpid").split_whitespace().count() < 2 {
                continue;
            }
            if field("Name") == "barepod-exec" {
                seen.insert(pid);
            }
            for name in ["Uid", "Gid", "Groups", "CapBnd", "CapInh"] {
                assert_eq!(field(name), own[name], "{name}: {status}");
            }
            let set = |text: &str| u64::from_str_radix(text, 16).unwrap();
            assert_eq!(set(&field("CapPrm")) & !set(&own["CapBnd"]), 0, "{status}");
            assert!(!filtered || field("Seccomp") == "2", "{status}");
            for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
                let Ok(target) = fs::read_link(entry.path()) else { continue };
                let target = target.display().to_string();
                assert!(target.starts_with("pipe:") || target == "/dev/null" || target == "/bin/busybox", "{target}");
            }
            for name in ["root", "cwd"] {
                let Ok(at) = fs::metadata(format!("/proc/{pid}/{name}")) else { continue };
                assert_eq!(format!("{}:{}", at.dev(), at.ino()), own[name]);
            }
        }
    }
    seen.len()
}
