//! What becomes of pods whose state can't be read.

use std::fs;

use super::{is_written_down, said, with_volume};
use crate::harness::{Case, wait};

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
