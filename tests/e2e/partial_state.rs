//! Pods of whose state folder a part is missing: cut off at their very beginning, or removed by somebody.

use std::fs;
use std::process::Output;

use crate::harness::Case;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run that was cut off before its pod had a status (a kill -9, a full disk) is to be seen, before and after `stop`.
#[test]
fn a_pod_without_a_status_is_listed() {
    let Some(case) = Case::new("remains-no-status") else { return };
    let mut run = case.start(&case.pod().main("main", "exec serve main"));
    case.wait_for("main up");
    run.kill();
    for file in ["pod.json", "state.json"] {
        fs::remove_file(case.state().join(file)).unwrap();
    }
    let row = |case: &Case| {
        let get = case.barepod(&["get"]);
        let table = String::from_utf8_lossy(&get.stdout).into_owned();
        let row = table.lines().find(|line| line.starts_with(case.name())).map(str::to_owned);
        (row.unwrap_or_else(|| panic!("{table}{}", said(&get))), said(&get))
    };
    let (shown, note) = row(&case);
    assert!(shown.contains(" Unknown "), "{shown}");
    assert!(note.contains("was cut off at its very beginning; `barepod rm default/"), "{note}");
    assert!(case.barepod(&["stop", case.name()]).status.success());
    assert_eq!(case.processes("serve"), [""; 0]);
    let (shown, note) = row(&case);
    assert!(shown.contains(" Unknown ") && note.contains("never came to have a status"), "{shown}\n{note}");
    assert!(case.barepod(&["rm", case.name()]).status.success());
    case.nothing_left();
}

/// Without its ledger a pod is known by its folder's name and by what its data and logs say of it: nothing of it stays.
#[test]
fn a_ledger_that_is_gone() {
    let Some(case) = Case::new("remains-no-ledger") else { return };
    assert_eq!(case.run(&case.pod().main("main", "echo hello")), 0);
    fs::remove_file(case.state().join("ledger.json")).unwrap();
    for command in [&["get", case.name()][..], &["stop", case.name()], &["rm", case.name()], &["run", "pod.yaml"]] {
        let output = case.barepod(command);
        let text = said(&output);
        assert!(!output.status.success(), "{command:?}: {text}");
        assert!(text.contains("ledger.json: it is gone") && text.contains("rm --force"), "{command:?}: {text}");
    }
    assert!(case.barepod(&["rm", "--force", case.name()]).status.success());
    case.nothing_left();
}
