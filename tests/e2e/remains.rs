//! What remains of pods when something goes wrong at their end, between two boots, or in their state folder; and that a pod
//! touches only what is its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Manifest, binary, main, wait, wait_for};

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

/// Half a ledger, half a status, something foreign: `get` shows what it can and says what it can't, and `rm --force` removes
/// all that is the pod's.
#[test]
fn a_state_that_cant_be_read() {
    let Some(case) = Case::new("remains-torn") else { return };
    for (file, text) in
        [("ledger.json", "{\"version\":1,"), ("ledger.json", ""), ("pod.json", "{\"kind\""), ("events.jsonl", "\0\0")]
    {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&with_volume(&case, "echo x > /v/f; echo x > /root/f; echo printed; exec serve main"));
        case.wait_for("main up");
        wait("the log", || case.logs("main", &[]) == "printed\n");
        run.kill();
        fs::write(case.state().join(file), text).unwrap();
        let get = case.barepod(&["get"]);
        assert!(get.status.success(), "{file}");
        let table = String::from_utf8_lossy(&get.stdout).into_owned();
        assert!(table.contains(case.name()) && table.contains(" Unknown "), "{file}: {table}");
        if file != "events.jsonl" {
            let name = case.name();
            assert!(said(&get).contains(&format!("`barepod rm --force default/{name}`")), "{file}: {}", said(&get));
        }
        if file != "events.jsonl" {
            one_by_one(&case, file);
        }
        if file == "ledger.json" {
            let output = case.barepod(&["run", "pod.yaml"]);
            assert!(
                !output.status.success() && said(&output).contains("not a readable state file"),
                "{}",
                said(&output)
            );
        }
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{file} {text:?}: {}", said(&output));
        case.nothing_left();
    }
    fs::create_dir_all(case.state().parent().unwrap()).unwrap();
    fs::write(case.state(), "a file in the folder's place").unwrap();
    let get = case.barepod(&["get"]);
    assert!(get.status.success() && String::from_utf8_lossy(&get.stdout).contains(case.name()), "{get:?}");
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
}

/// What each command that asks for one pod makes of a file that can't be read: those that show the pod or change it say
/// what is wrong, where, and what to do; events and logs do so, too, and show what is there.
fn one_by_one(case: &Case, file: &str) {
    let name = case.name();
    let path = case.state().join(file);
    let commands = [
        (&["get", name][..], false),
        (&["get", name, "-o", "json"], false),
        (&["describe", name], false),
        (&["events", name], true),
        (&["events", name, "-o", "json"], true),
        (&["logs", name], true),
        (&["logs", name, "-c", "main"], true),
    ];
    for (command, shows) in commands {
        let output = case.barepod(command);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(if shows { 0 } else { 1 }), "{file} {command:?}: {text}");
        assert_eq!(output.stdout.is_empty(), !shows, "{file} {command:?}: {text}");
        let words = [format!("the state of pod \"default/{name}\" can't be read: {}", path.display())];
        for part in words.iter().map(String::as_str).chain([&*format!("`barepod rm --force default/{name}`")]) {
            assert_eq!(text.matches(part).count(), 1, "{file} {command:?} {part}: {text}");
        }
    }
    let logs = case.barepod(&["logs", name]);
    assert_eq!(String::from_utf8_lossy(&logs.stdout), "printed\n", "{file}");
}

/// A file torn under a pod that lives (a full disk, an editor) isn't the end of the pod: nobody is told to kill it, it can
/// be stopped, and its supervisor leaves a whole file behind.
#[test]
fn a_torn_file_of_a_pod_that_lives() {
    let Some(case) = Case::new("remains-torn-alive") else { return };
    for file in ["ledger.json", "pod.json"] {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&with_volume(&case, "exec serve main"));
        case.wait_for("main up");
        is_written_down(&case);
        fs::write(case.state().join(file), "{\"version\":1,").unwrap();
        let output = case.barepod(&["describe", case.name()]);
        assert_eq!(output.status.success(), file == "ledger.json", "{file}: {}", said(&output));
        for part in ["can't be read", file, "the pod runs", &format!("`barepod stop default/{}`", case.name())] {
            assert!(said(&output).contains(part), "{file} {part}: {}", said(&output));
        }
        assert!(!said(&output).contains("rm --force"), "{file}: {}", said(&output));
        if file == "ledger.json" {
            assert_eq!(case.phase(), "Running");
        }
        let stop = case.barepod(&["stop", case.name()]);
        assert!(stop.status.success(), "{file}: {}", said(&stop));
        run.end();
        assert_eq!((case.phase(), said(&case.barepod(&["get", case.name()]))), ("Succeeded".to_owned(), String::new()));
        assert!(case.barepod(&["rm", case.name()]).status.success());
    }
}

/// State on a disk that is full: the pod is removed all the same.
#[test]
fn removal_needs_no_space() {
    let Some(case) = Case::new("remains-full") else { return };
    let script = r#"
        set -e; mkdir -p "$ROOT"; mount -t tmpfs -o size=2m,mode=755 full "$ROOT"
        "$BAREPOD" --root "$ROOT" run -q pod.yaml & pid=$!
        until grep -q "main up" "$TRACE"; do kill -0 $pid; done
        [ "$HOW" = lives ] || { kill -9 $pid; wait $pid || true; }
        ! dd if=/dev/zero of="$ROOT/ballast" bs=4k 2>/dev/null
        "$BAREPOD" --root "$ROOT" rm --force "$NAME"
        find "$ROOT" -mindepth 1 ! -name ballast ! -type d
    "#;
    for how in ["killed", "lives"] {
        fs::write(case.shared("log"), "").unwrap();
        case.write(&with_volume(&case, "exec serve main").text());
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", script]).current_dir(case.dir());
        command.env("BAREPOD", binary()).env("ROOT", case.root()).env("TRACE", case.shared("log"));
        command.env("NAME", case.name()).env("HOW", how);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{how}: {}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{how}");
    }
}

/// Several `rm --force` at the same moment, of a pod that lives and of one whose supervisor was killed: none is told that it
/// runs.
#[test]
fn many_at_once() {
    let Some(case) = Case::new("remains-many") else { return };
    for how in ["lives", "killed"] {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = case.start(&with_volume(&case, "exec serve main"));
        case.wait_for("main up");
        if how == "killed" {
            run.kill();
        }
        let remove = || {
            let mut command = case.command(&["rm", "--force", case.name()]);
            command.stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let all: Vec<_> = (0..4).map(|_| remove()).collect();
        let outputs: Vec<_> = all.into_iter().map(|one| one.wait_with_output().unwrap()).collect();
        assert!(outputs.iter().any(|output| output.status.success()), "{how}");
        for output in outputs {
            // One that comes when it is all over finds no pod.
            let text = said(&output);
            assert!(output.status.success() || text.contains("not found"), "{how}: {text}");
        }
        wait("the end of the run", || run.has_ended());
        case.nothing_left();
    }
}

/// Right after the kill, while children of the supervisor may still be on their way.
#[test]
fn right_after_a_kill() {
    let Some(case) = Case::new("remains-kill") else { return };
    for _ in 0..20 {
        fs::write(case.shared("log"), "").unwrap();
        let run = case.start(&case.pod().main("main", "say up; exec serve main"));
        wait("its ledger", || case.state().join("ledger.json").exists());
        // Not waited for, as a shell's `kill -9` isn't.
        run.signal(Signal::KILL);
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// A supervisor that is stopped answers nobody: `rm --force` says for whom it waits, and then does without it.
#[test]
fn a_stopped_supervisor_is_killed() {
    let Some(case) = Case::new("remains-stopped") else { return };
    let mut run = case.start(&with_volume(&case, "exec serve main"));
    case.wait_for("main up");
    run.signal(Signal::STOP);
    let output = wait_for("the end of rm", || Some(case.barepod(&["rm", "--force", case.name()])));
    let (text, pid) = (said(&output), run.pid().as_raw_nonzero());
    assert!(output.status.success(), "{text}");
    let name = case.name();
    let waits = format!("waiting for the supervisor of pod default/{name}, process {pid}, which is stopped (SIGSTOP)");
    assert!(text.contains(&waits) && text.contains("it is killed"), "{text}");
    assert_eq!(run.end(), 137);
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
