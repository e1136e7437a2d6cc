//! What a pod may not leave behind: processes, cgroups, mounts (in whatever mount namespace), sockets, files.
//! Namespaces live as long as processes, mounts or descriptors hold them, so these three tell of them too.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Case, MARK, rootfs};

/// What stays readable of a pod that ended.
const KEPT: [&str; 7] =
    ["pod.json", "state.json", "ledger.json", "events.jsonl", "lock", "control.sock", "supervisor.log"];

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
    left.extend(files_below(&case.root()).iter().map(|path| format!("file {}", path.display())));
    left
}

fn on_the_machine(case: &Case) -> Vec<String> {
    let mut left = processes(case);
    left.extend(cgroups(Path::new("/sys/fs/cgroup"), &case.uid));
    for tree in [case.root().join("data"), case.dir().join("tmp")] {
        left.extend(entries_below(&tree).iter().map(|path| format!("data {}", path.display())));
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
        // The dead hold nothing; whoever is their parent reaps them.
        if text(&path.join("stat")).contains(") Z ") {
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
        if why.iter().any(|(_, is)| *is) && is_dying(&path) {
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

fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn cgroups(folder: &Path, uid: &str) -> Vec<String> {
    let all = walkdir::WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_type().is_dir()).flatten();
    let ours = all.filter(|entry| entry.file_name().to_string_lossy().contains(uid));
    ours.map(|entry| format!("cgroup {}", entry.path().display())).collect()
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
