//! Pasta ends with its pod, and its end is told.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::networks::{connected, lonely};
use super::{start, warnings, with_own_pasta};
use crate::harness::{Case, Run, wait, wait_for};

/// The pasta of this case.
fn pasta(case: &Case) -> Option<i32> {
    let mark = format!("BAREPOD_E2E={}", case.uid());
    let mut all = fs::read_dir("/proc").unwrap().flatten();
    all.find_map(|entry| {
        let read =
            |file: &str| String::from_utf8_lossy(&fs::read(entry.path().join(file)).unwrap_or_default()).into_owned();
        let is = read("environ").contains(&mark) && read("comm").starts_with("pas");
        is.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
}

/// Kills the process that was started, or `the supervisor` that it has started, or `nobody`: then it is asked to end.
fn end(run: &mut Run<'_>, who: &str) {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).unwrap();
    let inner = Pid::from_raw(children.split_whitespace().next().unwrap().parse().unwrap()).unwrap();
    match who {
        "the supervisor" => kill_process(inner, Signal::KILL).unwrap(),
        "nobody" => run.signal(Signal::TERM),
        _ => run.signal(Signal::KILL),
    }
    run.end();
}

/// It ends with its pod, however that ends.
#[test]
fn it_ends_with_its_pod() {
    let Some((case, _own, _outside)) = connected("pasta-killed") else { return };
    for who in ["the process that was started", "the supervisor", "nobody"] {
        fs::write(case.shared("log"), "").unwrap();
        let mut run = start(&case, &case.pod().main("main", "serve main"), &["--network", "pasta"]);
        case.wait_for("main up");
        assert!(pasta(&case).is_some());
        end(&mut run, who);
        wait(&format!("the end of pasta, once {who} was killed"), || pasta(&case).is_none());
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{who}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Its end before the pod's is said; the pod goes on.
#[test]
fn its_end_is_told() {
    let Some((case, _own, _outside)) = connected("pasta-lost") else { return };
    let mut run = start(&case, &case.pod().main("main", "serve main"), &[]);
    case.wait_for("main up");
    kill_process(Pid::from_raw(pasta(&case).unwrap()).unwrap(), Signal::KILL).unwrap();
    run.wait_for_line("the pod has lost its network");
    assert!(!run.has_ended());
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(warnings(&run).len(), 1, "{}", run.stderr());
}

/// What connects the pod is in the ledger before it begins. While it does, the pod can be ended in every way, and nothing
/// is left of it.
#[test]
fn an_end_while_it_connects() {
    let Some((case, _own)) = lonely("pasta-slow") else { return };
    let (seen, state) = (case.shared("seen"), case.state());
    let script = format!("cat {}/ledger.json >{}; exec sleep 1000", state.display(), seen.display());
    for who in ["the process that was started", "the supervisor", "nobody"] {
        let mut run = with_own_pasta(&case, &case.pod().main("main", "say never"), &script);
        let ledger = wait_for("what stands for pasta", || serde_json::from_slice::<Value>(&fs::read(&seen).ok()?).ok());
        assert_eq!(ledger["network"]["kind"], "pasta", "{ledger}");
        assert!(
            ledger["network"]["pid"].as_u64() > Some(1) && ledger["network"]["start"].as_u64() > Some(0),
            "{ledger}"
        );
        end(&mut run, who);
        wait(&format!("the end of all, once {who} was killed"), || case.marked().is_empty());
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{who}: {}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(&seen).unwrap();
        assert!(!case.said("never"));
    }
}
