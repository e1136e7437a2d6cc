//! What a pod may not leave behind: processes, cgroups, mounts (in whatever mount namespace), sockets, files.
//! Namespaces live as long as processes, mounts or descriptors hold them, so these three tell of them too.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Case, MARK, rootfs};

/// What stays readable of a pod that ended.
const KEPT: [&str; 7] =
    ["pod.json", "state.json", "ledger.json", "events.jsonl", "lock", "control.sock", "supervisor.log"];

/// A supervisor in the background is told of its pod's end before it has its own.
pub fn wait_for_the_supervisor(case: &Case) {
    let ledger = fs::read(case.state().join("ledger.json")).unwrap_or_default();
    let Ok(ledger) = serde_json::from_slice::<serde_json::Value>(&ledger) else { return };
    let (pid, start) = (&ledger["supervisor_pid"], &ledger["supervisor_start"]);
    let lives = || {
        let stat = text(Path::new(&format!("/proc/{pid}/stat")));
        let words: Vec<&str> = stat.rsplit_once(") ").map(|(_, words)| words.split(' ').collect()).unwrap_or_default();
        // The state, and the 22nd field (proc(5)): another process may have its number by now.
        words.first().is_some_and(|state| *state != "Z") && words.get(19) == Some(&start.to_string().as_str())
    };
    super::wait(&format!("the end of {}'s supervisor", case.name), || !lives());
}

/// Of a pod whose run is over and that has not been removed.
pub fn of_an_ended_pod(case: &Case) -> Vec<String> {
    let mut left = on_the_machine(case);
    for entry in files_below(&case.state()) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !KEPT.contains(&name.as_str()) || name == "control.sock" {
            left.push(format!("file {}", entry.display()));
        }
    }
    left
}

/// Of a pod that has been removed: no file at all.
pub fn of_a_removed_pod(case: &Case) -> Vec<String> {
    let mut left = on_the_machine(case);
    let files = files_below(&case.root()).into_iter().filter(|path| !path.starts_with(case.root().join("data/images")));
    left.extend(files.map(|path| format!("file {}", path.display())));
    left
}

fn on_the_machine(case: &Case) -> Vec<String> {
    let mut left = processes(case);
    left.extend(cgroups(Path::new("/sys/fs/cgroup"), &case.uid));
    for tree in [case.root().join("data"), case.dir().join("tmp")] {
        // The store of images is the box's, and no pod's.
        let entries =
            entries_below(&tree).into_iter().filter(|path| !path.starts_with(case.root().join("data/images")));
        left.extend(entries.map(|path| format!("data {}", path.display())));
    }
    for folder in ["/run/barepod/pods", "/var/lib/barepod", "/var/log/pods"] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let ours = entries.filter(|entry| entry.file_name().to_string_lossy().contains(&case.uid));
        left.extend(ours.map(|entry| format!("outside --root: {}", entry.path().display())));
    }
    if rootfs::listing(&case.rootfs()) != case.rootfs {
        left.push("changes in the root file system".to_owned());
    }
    left
}

/// Processes that run in the pod's cgroup, carry the case's mark, or hold its folder (cwd, root, mounts, open files).
fn processes(case: &Case) -> Vec<String> {
    let dir = case.dir().to_string_lossy().into_owned();
    let mut left = Vec::new();
    let myself = fs::read_link("/proc/self/exe").unwrap();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let path = entry.path();
        // This process, and what another test is just about to start: a fork of it that has yet to execute.
        if pid == std::process::id() || fs::read_link(path.join("exe")).is_ok_and(|exe| exe == myself) {
            continue;
        }
        // The dead hold nothing; whoever is their parent reaps them. Nor does a thread of the kernel's own.
        let stat = text(&path.join("stat"));
        if stat.contains(") Z ") || is_the_kernels(&stat) {
            continue;
        }
        let holds = |link: &str| fs::read_link(path.join(link)).is_ok_and(|to| to.starts_with(&dir));
        let open = || fs::read_dir(path.join("fd")).into_iter().flatten().flatten();
        let mark = format!("{MARK}={}", case.uid);
        let why = [
            ("in the pod's cgroup", text(&path.join("cgroup")).contains(&case.uid)),
            ("a process of barepod", text(&path.join("environ")).contains(&mark)),
            ("a mount", text(&path.join("mountinfo")).contains(&dir)),
            ("working folder", holds("cwd")),
            ("root", holds("root")),
            ("open file", open().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(&dir)))),
        ];
        if why.iter().all(|(_, is)| !*is) || is_dying(&path) {
            continue;
        }
        let command = text(&path.join("cmdline")).replace('\0', " ");
        left.extend(why.iter().filter(|(_, is)| *is).map(|(what, _)| format!("{what}: process {pid} {command}")));
    }
    if text(Path::new("/proc/thread-self/mountinfo")).contains(&dir) {
        left.push("a mount in the machine's own namespace".to_owned());
    }
    left
}

/// Ends what runs in cgroups of the case's pod and removes them, whoever knows of them.
pub fn end(case: &Case) {
    let folders = || cgroup_folders(Path::new("/sys/fs/cgroup"), &case.uid);
    let kill = || {
        for folder in folders() {
            for pid in text(&folder.join("cgroup.procs")).lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
                // By its pidfd: it may have ended, and its number be another's, since it was read.
                let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
                if text(Path::new(&format!("/proc/{}/cgroup", pid.as_raw_pid()))).contains(&case.uid) {
                    let _ = pidfd_send_signal(&process, Signal::KILL);
                }
            }
        }
    };
    let gone = super::wait_until(Instant::now() + super::patience(), || {
        kill();
        for folder in folders().iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        folders().is_empty()
    });
    if !gone {
        eprintln!("can't be removed: {:?}", folders());
    }
    // The one that all pods share, where this was the last of them; else it isn't empty.
    for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        let _ = fs::remove_dir(hierarchy.path().join("barepod"));
    }
}

/// Command lines of all processes in the pod's cgroup.
pub fn commands(case: &Case) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = all.filter(|process| text(&process.join("cgroup")).contains(&case.uid));
    ours.map(|process| text(&process.join("cmdline")).replace('\0', " ")).collect()
}

/// Command lines of all processes that carry the case's mark or see its folder, and are not dead.
pub fn marked(case: &Case) -> Vec<String> {
    let (dir, mark) = (case.dir().display().to_string(), format!("{MARK}={}", case.uid));
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = all.filter(|process| {
        text(&process.join("environ")).contains(&mark) || text(&process.join("mountinfo")).contains(&dir)
    });
    ours.map(|process| text(&process.join("cmdline")).replace('\0', " ")).collect()
}

/// A process in the midst of its exit has left its cgroup and given back its memory, files and namespaces, and still is
/// in the table until those of its pid namespace are reaped: waits until it has gone. False: it lives.
fn is_dying(process: &Path) -> bool {
    if fs::read_link(process.join("exe")).is_ok() {
        return false;
    }
    let stat = || text(&process.join("stat"));
    super::wait(&format!("the end of {}", process.display()), || stat().is_empty() || stat().contains(") Z "));
    true
}

/// Whether this line of /proc/PID/stat is a kernel thread's: PF_KTHREAD among the flags, the seventh word after the name
/// (proc(5), include/linux/sched.h). They are most of what runs on a small box.
fn is_the_kernels(stat: &str) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let flags = stat.rsplit_once(") ").and_then(|(_, words)| words.split(' ').nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn cgroups(folder: &Path, uid: &str) -> Vec<String> {
    let folders = cgroup_folders(folder, uid).into_iter();
    folders
        .filter(|folder| folder.file_name().is_some_and(|name| name.to_string_lossy().contains(uid)))
        .map(|folder| format!("cgroup {}", folder.display()))
        .collect()
}

/// A pod's cgroups and all below them, from above to below.
fn cgroup_folders(folder: &Path, uid: &str) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_type().is_dir()).flatten();
    all.map(walkdir::DirEntry::into_path).filter(|path| path.to_string_lossy().contains(uid)).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).into_iter().flatten();
    all.filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path).collect()
}

fn entries_below(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder).min_depth(1).into_iter().flatten().map(walkdir::DirEntry::into_path).collect()
}

/// A search that finds nothing proves nothing until it has found something: of a pod that runs it must see it all.
#[test]
fn the_search_finds_a_pod_that_runs() {
    let Some(case) = Case::new("search") else { return };
    let memory = serde_json::json!({"volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}]});
    let mut run = case.start(&case.pod().spec(memory).main("main", "echo x > /root/f; say up; hold go"));
    case.wait_for("up");
    let found = of_an_ended_pod(&case).join("\n");
    for what in
        ["in the pod's cgroup", "a process of barepod", "a mount", "cgroup /sys", "data /", "control.sock", "open file"]
    {
        assert!(found.contains(what), "{what} is not among\n{found}");
    }
    fs::write(case.rootfs().join("etc/new"), "").unwrap();
    assert!(of_an_ended_pod(&case).contains(&"changes in the root file system".to_owned()));
    fs::remove_file(case.rootfs().join("etc/new")).unwrap();
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// A test that fails leaves nothing either: not the pod whose supervisor it has killed and whose state it has taken away, nor
/// a file that it has made immutable.
#[test]
fn a_test_that_fails_leaves_nothing() {
    let Some(case) = Case::new("failing") else { return };
    let (dir, uid) = (case.dir().to_owned(), case.uid.clone());
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let mut run = case.start(&case.pod().main("main", "echo x > /root/f; say up; exec sleep 1000"));
        case.wait_for("up");
        run.kill();
        fs::remove_dir_all(case.state()).unwrap();
        let _ = std::process::Command::new("chattr").arg("+i").arg(case.dir().join("pod.yaml")).output();
        drop(run);
        let _dropped_by_the_panic = case;
        panic!("this test is to fail");
    }));
    assert!(failed.is_err());
    assert_eq!(cgroup_folders(Path::new("/sys/fs/cgroup"), &uid), Vec::<PathBuf>::new());
    assert!(!dir.exists(), "{}", dir.display());
}
