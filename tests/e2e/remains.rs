//! What remains of pods when something goes wrong at their end, between two boots, or in their state folder; and that a pod
//! touches only what is its own.

mod force;
mod unreadable;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, main, wait};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A pod with an emptyDir at /v.
fn with_volume(case: &Case, script: &str) -> Manifest {
    let mounts = json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    case.pod().spec(json!({"volumes": [{"name": "v", "emptyDir": {}}]})).container(main("main", script, mounts))
}

/// Waits until the pod's status says that main runs: the last change before its end.
fn is_written_down(case: &Case) {
    wait("the status", || case.container("main")["state"]["running"].is_object());
}

fn change(file: &Path, by: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    by(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

/// Two pods whose manifests have one uid (one was exported and renamed), and a third below another root: the end of one,
/// and a sweep after one that was killed, touch none of the others.
#[test]
fn pods_with_one_uid_live_side_by_side() {
    let Some(case) = Case::new("remains-uid") else { return };
    let mut first = case.start(&case.pod().main("main", "say first; hold go"));
    case.wait_for("first");
    let text = case.pod().main("main", "say other; exec serve main").text();
    let file = case.write(&text).display().to_string();
    let other_root = case.dir().join("other");
    let other_root = ["--root", other_root.to_str().unwrap()];
    let mut killed = case.command(&["run", "-q", "--name", "renamed", &file]).spawn().unwrap();
    let mut elsewhere = case.command_at(&other_root, &["run", "-q", &file]).spawn().unwrap();
    wait("both are up", || case.times_said("main up") == 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(case.barepod(&["rm", "renamed"]).status.success());
    assert_eq!(case.processes("serve main").len(), 1, "that of the other root");
    assert!(case.command_at(&other_root, &["rm", "--force", case.name()]).status().unwrap().success());
    assert!(!elsewhere.wait().unwrap().success());
    assert_eq!(case.phase(), "Running");
    case.release("go");
    assert_eq!(first.end(), 0);
}

/// A file that can't be removed: the exit code tells, the pod stays known, its name is not free, and when the obstacle is
/// gone the next command removes the rest.
fn is_known_until_it_is_removed(case: &str, script: &str, name: &str) {
    let Some(case) = Case::new(case) else { return };
    let mut run = case.start(&with_volume(&case, &format!("{script}; say made; hold go")));
    case.wait_for("made");
    let file = data_file(&case, name);
    if !immutable(&file, "+i") {
        crate::skips::skip("no file here can be made immutable");
        case.release("go");
        run.end();
        return;
    }
    case.release("go");
    assert_eq!(run.end(), 125, "{}", run.stderr());
    let name = format!("default/{}", case.name());
    assert!(run.stderr().contains(&format!("`barepod rm {name}` tries again to remove it")), "{}", run.stderr());
    let get = case.barepod(&["get"]);
    assert!(String::from_utf8_lossy(&get.stdout).contains(" CleanupFailed "), "{get:?}");
    assert!(said(&get).contains("not all of it could be removed"), "{}", said(&get));
    // What became of the pod itself is the truth, too.
    assert_eq!(case.phase(), "Succeeded");
    let describe = case.barepod(&["describe", case.name()]);
    let page = String::from_utf8_lossy(&describe.stdout).into_owned();
    let (_, section) = page.split_once("\nLeft Behind:\n").unwrap_or_else(|| panic!("{page}"));
    let (section, _) = section.split_once("\nEvents:").unwrap();
    for part in
        [&*file.file_name().unwrap().to_string_lossy(), "Operation not permitted", &format!("`barepod rm {name}`")]
    {
        assert!(section.contains(part), "{part}: {page}");
    }
    for command in
        [&["rm", case.name()][..], &["rm", "--force", case.name()], &["stop", case.name()], &["run", "pod.yaml"]]
    {
        let output = case.barepod(command);
        assert!(!output.status.success(), "{command:?}");
        assert!(said(&output).contains("Operation not permitted"), "{command:?}: {}", said(&output));
        assert!(file.exists());
    }
    assert!(immutable(&file, "-i"));
    let output = case.barepod(&["rm", case.name()]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!file.exists());
}

/// Of a volume, of what a container has written, and of the sandbox's own files.
#[test]
fn what_cant_be_removed_is_known_until_it_can() {
    is_known_until_it_is_removed("remains-left", "echo x > /v/f", "f");
}

#[test]
fn what_cant_be_removed_of_a_container() {
    is_known_until_it_is_removed("remains-upper", "echo x > /written-by-main", "written-by-main");
}

#[test]
fn what_cant_be_removed_of_a_sandbox() {
    is_known_until_it_is_removed("remains-sandbox", "true", "hosts");
}

/// The file of this name in what pods have on the disk.
fn data_file(case: &Case, name: &str) -> PathBuf {
    let mut all = walkdir::WalkDir::new(case.root().join("data")).into_iter().flatten();
    all.find(|entry| entry.file_name() == name && entry.file_type().is_file()).unwrap().into_path()
}

/// Data of an earlier life of a pod, whose state somebody has taken away, can't be removed. What ran then is ended once; the
/// pod's new life, which has the same uid and so the same cgroup, is left alone by whoever tries to remove the data again.
#[test]
fn data_that_stay_end_nobody() {
    let Some(case) = Case::new("remains-orphan") else { return };
    let pod = with_volume(&case, "echo x > /v/kept; say up; exec serve main");
    let other = case.dir().join("other.yaml");
    fs::rename(case.write(&case.pod().main("main", "say other").text()), &other).unwrap();
    let mut run = case.start(&pod);
    case.wait_for("main up");
    if !immutable(&data_file(&case, "kept"), "+i") {
        crate::skips::skip("no file here can be made immutable");
        run.signal(Signal::TERM);
        run.end();
        return;
    }
    run.kill();
    fs::remove_dir_all(case.state()).unwrap();
    let run_another = |name: &str| {
        let output = case.barepod(&["run", "-q", "--name", name, other.to_str().unwrap()]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(case.barepod(&["rm", name]).status.success());
        said(&output)
    };
    let warned = run_another("first");
    assert!(warned.contains(&format!("what was left of pod default/{}", case.name())), "{warned}");
    assert_eq!(case.processes("serve main").len(), 0);
    let mut run = case.start(&pod);
    wait("its new life", || case.times_said("main up") == 2);
    let warned = run_another("second");
    assert!(warned.contains("Operation not permitted"), "{warned}");
    assert_eq!((case.processes("serve main").len(), case.phase()), (1, "Running".to_owned()));
    for kept in walkdir::WalkDir::new(case.root().join("data")).into_iter().flatten() {
        if kept.file_name() == "kept" {
            immutable(kept.path(), "-i");
        }
    }
    assert_eq!(run_another("third"), "");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

fn immutable(file: &Path, how: &str) -> bool {
    Command::new("chattr").arg(how).arg(file).output().is_ok_and(|output| output.status.success())
}

/// State is gone, as after a reboot, and so are all processes; data and logs are there, and their records say of which boot.
/// The next run of the same identity begins with nothing of the old life, and what another pod left goes as well.
#[test]
fn after_a_reboot() {
    let Some(case) = Case::new("remains-boot") else { return };
    let script = "ls /v; echo old > /v/old; echo from-the-old-life; say made; hold go";
    let pod = with_volume(&case, script);
    let mut run = case.start(&pod);
    case.wait_for("made");
    wait("the log", || case.logs("main", &[]).contains("old-life"));
    let mut other = case.command(&["run", "-q", "--name", "other", "pod.yaml"]).spawn().unwrap();
    wait("the other", || case.times_said("made") == 2);
    let saved = case.dir().join("saved");
    fs::create_dir(&saved).unwrap();
    // Not the state, which the supervisors go on to write.
    let trees = ["data", "logs"].map(|tree| case.root().join(tree));
    let copied = Command::new("cp").arg("-a").args(trees).arg(&saved).status().unwrap();
    assert!(copied.success());
    run.kill();
    other.kill().unwrap();
    other.wait().unwrap();
    for name in [case.name(), "other"] {
        assert!(case.barepod(&["rm", name]).status.success());
    }
    // What a disk has after the boot: data and logs, no state.
    for tree in ["data", "logs"] {
        for folder in fs::read_dir(saved.join(tree)).unwrap().flatten() {
            let there = case.root().join(tree).join(folder.file_name());
            fs::rename(folder.path(), &there).unwrap();
            change(&there.join(".barepod.json"), |record| record["boot"] = json!("an earlier one"));
        }
    }
    fs::remove_dir_all(saved).unwrap();
    // Logs of before are found.
    let output = case.barepod(&["logs", "other"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("from-the-old-life"), "{output:?}");
    assert!(said(&output).contains("nothing but its logs is left"), "{}", said(&output));
    case.release("go");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.logs("main", &[]), "from-the-old-life\n", "an empty volume, and a log of its own");
    assert_eq!(fs::read_dir(case.root().join("data")).unwrap().count(), 0);
    assert!(case.barepod(&["logs", "default/other"]).status.success(), "they stay");
    assert!(case.barepod(&["rm", "other"]).status.success());
    assert!(!case.barepod(&["logs", "other"]).status.success());
}

/// State on a disk, which a reboot leaves: the pod is shown as what it is, whoever has its supervisor's pid now.
#[test]
fn a_state_of_another_boot() {
    let Some(case) = Case::new("remains-disk") else { return };
    let mut run = case.start(&with_volume(&case, "say up; exec serve main"));
    case.wait_for("main up");
    is_written_down(&case);
    let ledger = case.state().join("ledger.json");
    let saved = fs::read(&ledger).unwrap();
    // Of this very supervisor: its pid and its start are those of a process that lives.
    change(&ledger, |ledger| ledger["boot"] = json!("an earlier one"));
    let status = case.get()["status"].clone();
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Failed"), &json!("NodeRebooted")));
    assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["reason"], "ContainerStatusUnknown");
    fs::write(&ledger, saved).unwrap();
    assert_eq!(case.phase(), "Running");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// Names of which no folder could be made, and a root far below: said before anything is made, or no trouble at all.
#[test]
fn long_names() {
    let Some(case) = Case::new("remains-long") else { return };
    let file = case.write(&case.pod().main("main", "say ran").text()).display().to_string();
    let output = case.barepod(&["run", "--name", &"n".repeat(230), &file]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("bytes too long"), "{}", said(&output));
    assert!(!case.root().join("pods").exists() && !case.said("ran"));
    // As long as can be, with the uid of the case.
    let longest = "n".repeat(255 - "default__".len() - case.uid().len());
    assert!(case.barepod(&["run", "-q", "--name", &longest, &file]).status.success());
    assert!(case.said("ran"));
    assert!(case.barepod(&["rm", "--force", &longest]).status.success());
    // Longer than a socket's path may be.
    let deep = case.dir().join("d".repeat(200)).join("e".repeat(200));
    let root = ["--root", deep.to_str().unwrap()];
    let output = case.command_at(&root, &["run", "-q", &file]).output().unwrap();
    assert!(output.status.success() && case.times_said("ran") == 2, "{}", said(&output));
    assert!(case.command_at(&root, &["rm", case.name()]).status().unwrap().success());
    let too_deep = format!("{}/{}", case.dir().display(), "x/".repeat(1800));
    let output = case.command_at(&["--root", &too_deep], &["run", &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("bytes too long for what is made below it"), "{}", said(&output));
}
