//! What a pod has on the box's disk: who gets at it, what of it counts, what of it stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, wait, worker};

fn find(folder: &Path, end: &str) -> PathBuf {
    let mut all = walkdir::WalkDir::new(folder).into_iter().flatten();
    all.find(|entry| entry.path().ends_with(end)).expect(end).into_path()
}

fn log_folder(case: &Case, container: &str) -> PathBuf {
    case.root().join(format!("logs/default_{}_{}/{container}", case.name(), case.uid()))
}

/// Another user of the box reaches neither a set-user-id program of a container's root nor its volumes nor its logs,
/// whatever their modes (CVE-2021-41091's kind), with the host's users and with a user namespace, also where an earlier
/// barepod had left the folders open.
#[test]
fn other_users_are_kept_out() {
    for (name, host_users) in [("kept-out", true), ("kept-out-ns", false)] {
        let Some(case) = Case::new(name) else { return };
        for folder in ["data", "pods", "logs"] {
            let folder = case.root().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let script = "cp /bin/busybox /home/pwn; chmod 4755 /home/pwn; chmod 777 /home; echo secret > /v/f; \
                      mkdir /v/sub; chmod 666 /v/f /etc/hosts; say ready; exec serve main";
        let volumes = json!([{"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}}]);
        let mounts = json!([{"name": "v", "mountPath": "/v"}, {"name": "m", "mountPath": "/v/m"}]);
        let pod = case
            .pod()
            .spec(json!({"hostUsers": host_users, "volumes": volumes}))
            .init(worker("init", "mkdir -p /home"))
            .container(main("main", &format!("mkdir -p /home; {script}"), json!({"volumeMounts": mounts})))
            .container(main(
                "other",
                "echo x > /s/f; say other $(cat /s/f); exec serve other",
                json!({
                    "volumeMounts": [{"name": "v", "mountPath": "/s", "subPath": "below"}]
                }),
            ));
        let mut run = case.start(&pod);
        case.wait_for("ready");
        case.wait_for("other x");
        let things = ["home/pwn", "volumes/v/f", "sandbox/hosts", "main/0.log"].map(|end| find(&case.root(), end));
        for thing in &things {
            let read = |uid| Command::new("cat").arg(thing).uid(uid).gid(uid).output().unwrap().status.success();
            assert!(!read(12345), "{}", thing.display());
            assert!(read(0), "{}", thing.display());
        }
        run.signal(Signal::TERM);
        run.end();
    }
}

/// What a container writes to files that it has of the box, whatever it mounts there, counts as its pod's use of the disk
/// (CVE-2020-8557), and is on that disk, not in the memory of the box's /run.
#[test]
fn files_of_the_box_are_no_hole() {
    for (name, file) in [("hosts", "/etc/hosts"), ("names", "/etc/resolv.conf"), ("words", "/dev/termination-log")] {
        let Some(case) = Case::new(&format!("hole-{name}")) else { return };
        let script = format!("dd if=/dev/zero of={file} bs=64k count=40 2>/dev/null; exec serve main");
        let limits = json!({"resources": {"limits": {"ephemeral-storage": "1Mi"}}});
        let pod = case.pod().container(main("main", &script, limits));
        let mut run = case.start_with(&pod, &["--eviction-interval", "100ms"]);
        let grown = || {
            let state = walkdir::WalkDir::new(case.state()).into_iter().flatten();
            state.filter_map(|entry| entry.metadata().ok()).any(|found| found.is_file() && found.len() > 1 << 20)
        };
        wait("the eviction", || {
            assert!(!grown(), "{file} is in the state folder");
            !case.messages("Evicted").is_empty()
        });
        run.end();
        assert_eq!(case.get()["status"]["reason"], "Evicted", "{file}");
    }
}

/// A container that restarts for ever has two logs, the running one's and the last one's before, as under a kubelet; its
/// history doesn't evict its pod.
#[test]
fn history_is_not_kept() {
    let Some(case) = Case::new("history") else { return };
    let script = "n=$(wc -l < /t/n 2>/dev/null || echo 0); echo x >> /t/n; yes 0123456789abcdef | head -n 12000; \
                  [ $n -ge 8 ] || exit 7; say last; exec serve main";
    let limits = json!({"resources": {"limits": {"ephemeral-storage": "3Mi"}}});
    let pod = case.pod().spec(json!({"restartPolicy": "Always"})).container(main("main", script, limits));
    let options = ["--eviction-interval", "100ms", "--backoff-initial", "1ms", "--backoff-max", "2ms"];
    let mut run = case.start_with(&pod, &options);
    case.wait_for("last");
    let mut logs: Vec<_> =
        fs::read_dir(log_folder(&case, "main")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    logs.sort();
    assert_eq!(logs, ["7.log", "8.log"]);
    assert_eq!(case.messages("Evicted"), [""; 0]);
    let previous = case.barepod(&["logs", "history", "--previous"]);
    assert_eq!(String::from_utf8(previous.stdout).unwrap().lines().count(), 12000);
    run.signal(Signal::TERM);
    run.end();
    assert_eq!(case.messages("Evicted"), [""; 0]);
}

/// Where its log can't be made a container runs all the same, what it prints is shown, the loss is told, and once the file
/// can be made it is written.
#[test]
fn a_log_that_cant_be_made_holds_nobody_up() {
    let Some(case) = Case::new("no-log") else { return };
    let folder = log_folder(&case, "main");
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    // Made before the pod's own log folder is looked at, and in the place of the container's.
    let block = |folder: &Path| fs::write(folder, "in the way");
    let flood = "yes 0123456789abcdef | head -n 20000; say flooded; \
                 until [ -e /t/stop ]; do echo back; usleep 50000; done";
    let pod = case.pod().init(worker("init", "hold block")).main("main", flood);
    let mut run = case.start(&pod);
    wait("the init container's log", || log_folder(&case, "init").exists());
    block(&folder).unwrap();
    case.release("block");
    // More than a pipe holds: somebody has read it.
    case.wait_for("flooded");
    wait("the loss is told", || run.stderr().contains("what the container prints is lost"));
    fs::remove_file(&folder).unwrap();
    wait("the log", || fs::read_to_string(folder.join("0.log")).is_ok_and(|text| text.contains(" stdout F back\n")));
    case.release("stop");
    assert_eq!(run.end(), 0);
    assert_eq!(run.stdout().lines().filter(|line| line.ends_with("0123456789abcdef")).count(), 20000);
    assert!(run.stderr().contains("it can be written again"), "{}", run.stderr());
    // Who asks later is told as well.
    let told = case.messages_of("main", "FailedWriteLog");
    for what in ["what the container prints is lost", "it can be written again", "bytes of what the container printed"]
    {
        assert!(told.iter().any(|message| message.contains(what)), "{what}: {told:?}");
    }
    assert!(case.events().iter().all(|event| event["reason"] != "FailedWriteLog" || event["type"] == "Warning"));
    let described = case.barepod(&["describe", case.name()]);
    assert!(String::from_utf8_lossy(&described.stdout).contains("FailedWriteLog"), "{described:?}");
}

/// Output without a last newline: nothing adds one, in the file, in `logs`, in the message.
#[test]
fn a_last_line_without_its_end() {
    let Some(case) = Case::new("no-newline") else { return };
    let policy: Value = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let pod = case.pod().container(main("main", "echo first; printf DONE; exit 3", policy));
    assert_eq!(case.run(&pod), 3);
    let text = fs::read_to_string(log_folder(&case, "main").join("0.log")).unwrap();
    assert!(text.ends_with(" stdout P DONE\n"), "{text}");
    assert_eq!(String::from_utf8(case.barepod(&["logs", "no-newline"]).stdout).unwrap(), "first\nDONE");
    assert_eq!(case.container("main")["state"]["terminated"]["message"], "first\nDONE");
}
