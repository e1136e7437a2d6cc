//! A call of a kind that fails: the n-th of the supervisor (and with it of each of its helpers, where those are followed),
//! alone or with all that come after it, for n from 1 until there is no n-th. strace makes them fail: nothing in barepod
//! knows of it. Wherever it fails, nobody hangs or panics, nobody says what isn't so, and once calls work again the next
//! command leaves nothing behind.
//!
//! Some of the numbers always, all of them with `BAREPOD_FAULTS=all` (scripts/nightly), which prints a table; the kinds
//! whose names hold `$BAREPOD_FAULTS` with any other word, with `KIND:ERROR:N` that one alone, with `KIND:ERROR:/S` each
//! S-th from the first on (an empty ERROR stands for all).

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use serde_json::json;

use crate::fault_kinds::{Error, Fault, Which, Whose};
use crate::fault_walk::{impossible, injected, text, walk_with};
use crate::harness::{Case, PATIENT, main, patience, wait_until, worker};

/// Whether somebody was to be told of what failed, and that failed as well: standard error is written like all else, and where a
/// line of the run's course couldn't be written there, it isn't written to again (its terminal has gone).
fn told_in_vain(case: &Case) -> bool {
    // Lines begin with the container that they are about; one that it has printed has a bar behind its name.
    let is_word = |text: &str| {
        let of_container = ["init", "side", "main"].iter().any(|name| {
            let rest = text.strip_prefix('"').and_then(|text| text.strip_prefix(name));
            rest.is_some_and(|rest| rest.starts_with([' ', ':']) && !rest.trim_start().starts_with('|'))
        });
        of_container || text.starts_with("\"warning: ") || text.starts_with("\"error: ")
    };
    injected(case).iter().any(|call| call.split_once(", ").is_some_and(|(_, text)| is_word(text)))
}

/// A helper that can't write its answer can't say why.
fn of_a_helper(stderr: &str) -> bool {
    ["the helper process died", "ended without an answer", "before it executed the program", "before the program ran"]
        .iter()
        .any(|words| stderr.contains(words))
}

/// Ends strace, and not what it traces.
fn let_calls_work(traced: rustix::process::Pid) {
    let status = fs::read_to_string(format!("/proc/{traced}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok());
    if let Some(tracer) = tracer.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(tracer, rustix::process::Signal::TERM);
    }
}

/// A pod with an init container, a sidecar with a probe, a volume on disk and one of files.
fn small_pod(case: &Case) -> crate::harness::Manifest {
    let secret = json!([{"name": "e", "emptyDir": {}}, {"name": "s", "downwardAPI": {
        "items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]);
    let probe =
        json!({"exec": {"command": ["true"]}, "periodSeconds": 1, "timeoutSeconds": PATIENT, "failureThreshold": 9});
    let mut side = main("side", "serve side", json!({"startupProbe": probe}));
    side["restartPolicy"] = json!("Always");
    let mounts = json!({"volumeMounts": [{"name": "e", "mountPath": "/e"}, {"name": "s", "mountPath": "/s"}]});
    case.pod()
        .spec(json!({"terminationGracePeriodSeconds": 1, "volumes": secret}))
        .init(worker("init", "echo hello"))
        .init(side)
        .container(main("main", "say ran; echo data > /e/data; cat /s/name; exit 3", mounts))
}

/// Runs the pod with a fault and checks what became of it. Gives a word of the outcome.
fn try_run(case: &mut Case, fault: Fault) -> Result<&'static str, String> {
    fs::write(case.shared("log"), "").unwrap();
    let _ = fs::remove_file(case.dir().join("strace.txt"));
    let words = fault.words(case);
    case.within(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let pod = small_pod(case);
    let case_again: &Case = case;
    let mut run = case_again.start(&pod);
    let began = Instant::now();
    let told = |run: &crate::harness::Run<'_>| {
        let stderr = run.stderr();
        fault.error.is_in(&stderr)
            || told_in_vain(case_again)
            || (fault.whose == Whose::Everybodys && of_a_helper(&stderr))
    };
    // A fault that passes holds up nobody for good; one that stays is told, and the pod can be ended all the same.
    wait_until(began + patience(), || run.has_ended() || (fault.stays() && told(&run)));
    let by_itself = run.has_ended();
    let mut stop = String::new();
    if !by_itself {
        let output = case_again.plainly(&["stop", case_again.name()]);
        stop = format!("\nstop: {}", text(&output));
        wait_until(Instant::now() + patience(), || run.has_ended());
        // What must be opened to end it can be as soon as there is room again.
        if !run.has_ended() && fault.stays() && told(&run) {
            let_calls_work(run.pid());
            let well = wait_until(Instant::now() + patience(), || run.has_ended());
            stop.push_str(if well {
                "\nended once calls worked again"
            } else {
                "\nnor does it end once calls work again"
            });
        }
    }
    let failed = injected(case_again);
    let ended = run.has_ended();
    let code = if ended { run.end() } else { -1 };
    let stderr = run.stderr();
    let what = format!("{fault}: exit code {code}, by itself: {by_itself}\n{}\n{stderr}{stop}", failed.join("\n"));
    if !ended {
        run.kill();
    }
    let fail = |why: &str| Err(format!("{why}: {what}"));
    let verdict = if impossible(&failed) {
        Ok("impossible")
    } else if stderr.contains("error while loading shared libraries") {
        // Of a binary that isn't static: it has yet to begin.
        Ok("not begun")
    } else if !ended {
        fail("it can't be ended")
    } else if fault.error == Error::Kill && code == 137 {
        // Whoever comes next cleans up, be it `stop`, of which the status stays.
        let stop = text(&case_again.plainly(&["stop", case_again.name()]));
        let left = case_again.left_of_the_ended();
        let killed = if left.is_empty() { Ok("killed") } else { fail(&format!("left behind: {left:?}: {stop}")) };
        if stop.contains("panicked") { fail(&stop) } else { killed }
    } else if !by_itself && (!fault.stays() || !told(&run)) {
        fail("it hangs")
    } else if stderr.contains("panicked") {
        fail("a panic")
    } else if fault.whose == Whose::Supervisor && (code == 3) != case_again.said("ran") && by_itself && code != 125 {
        fail("not the pod's exit code")
    } else if code != 3 && !told(&run) {
        fail("nobody said what failed")
    } else if code == 2 && stderr.contains("can't read ") && stderr.contains("/pod.yaml: ") {
        // A manifest that can't be read is what `run` was given: nothing was started (docs/exit-codes.md).
        Ok("told, 2")
    } else if ![1, 3, 125, 128, 137, 143].contains(&code) && fault.whose == Whose::Supervisor {
        fail("an exit code of nobody's")
    } else if code == 3 && !told(&run) && !failed.is_empty() {
        whole(case_again).map(|()| "no harm").or_else(|why| fail(&why))
    } else if failed.is_empty() {
        Ok("none")
    } else {
        Ok(match code {
            _ if stop.contains("once calls worked") => "told, ended once calls worked",
            3 => "told, and went on",
            125 => "told, 125",
            _ => "told, ended",
        })
    };
    drop(run);
    let rm = case_again.plainly(&["rm", "--force", case_again.name()]);
    let rm_text = text(&rm);
    let left = case_again.left_behind();
    let verdict = if !(rm.status.success() || rm_text.contains("not found")) {
        Err(format!("rm fails: {rm_text}\n{what}"))
    } else if !left.is_empty() {
        Err(format!("left behind:\n{}\n{rm_text}\n{what}", left.join("\n")))
    } else {
        verdict
    };
    case.within(&[]);
    // So that one failure doesn't spoil what is tried next.
    if verdict.is_err() {
        let _ = fs::remove_dir_all(case.root());
    }
    verdict
}

/// Status, events and logs of a pod to which, as far as anybody said, nothing has happened.
fn whole(case: &Case) -> Result<(), String> {
    let get = case.plainly(&["get", case.name(), "-o", "json"]);
    let pod: serde_json::Value =
        serde_json::from_slice(&get.stdout).map_err(|_| format!("no status: {}", text(&get)))?;
    let code = &pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"];
    if pod["status"]["phase"] != "Failed" || *code != 3 {
        return Err(format!("a status that isn't so: {}", pod["status"]));
    }
    let logs = text(&case.plainly(&["logs", case.name(), "-c", "main"]));
    if logs.trim() != case.name() {
        return Err(format!("a log that was lost: {logs:?}"));
    }
    let events = text(&case.plainly(&["events", case.name()]));
    let started = events.lines().filter(|line| line.contains("Started")).count();
    if started != 3 { Err(format!("events that were lost:\n{events}")) } else { Ok(()) }
}

fn walk(name: &str, whose: Whose, which: Which) {
    let tried = walk_with(name, "run", whose, which, try_run);
    // A kind that somebody has chosen may have no such call.
    let chosen = std::env::var("BAREPOD_FAULTS").is_ok_and(|word| word != "all");
    assert!(chosen || tried != Some(0), "no call was made to fail");
}

/// What a fault does to a command about a pod that runs: where it says that all went well, it did.
fn try_command(case: &mut Case, command: &[&str], fault: Fault) -> Result<&'static str, String> {
    fs::write(case.shared("log"), "").unwrap();
    let _ = fs::remove_file(case.dir().join("strace.txt"));
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 1})).main("main", "exec serve main");
    case.within(&[]);
    let file = case.write(&pod.text());
    let mut run = case.command(&["run", "-q"]).arg(file).stderr(std::process::Stdio::null()).spawn().unwrap();
    case.wait_for("main up");
    let (words, limit) = (fault.words(case), (3 * patience()).as_secs().to_string());
    // With strace -D what is traced is the child itself.
    let limited = ["timeout", "--kill-after=5", &limit].into_iter().chain(words.iter().map(String::as_str));
    case.within(&limited.collect::<Vec<_>>());
    let output = case.barepod(&[command, &[case.name()][..]].concat());
    case.within(&[]);
    let failed = injected(case);
    let told = text(&output);
    let what = format!("{command:?} with {fault}: {}\n{}\n{told}", output.status, failed.join("\n"));
    let well = output.status.success();
    // By the fault, as timeout(1) tells of it.
    let killed = fault.error == Error::Kill && (output.status.code() == Some(137) || output.status.signal() == Some(9));
    let fail = |why: &str| Err(format!("{why}: {what}"));
    let ends = matches!(command[0], "stop" | "rm");
    let ended = !ends || !well || wait_until(Instant::now() + patience(), || run.try_wait().unwrap().is_some());
    let verdict = if impossible(&failed) {
        Ok("impossible")
    } else if told.contains("panicked") {
        fail("a panic")
    } else if !killed && matches!(output.status.code(), Some(124 | 137)) {
        fail("it hangs")
    } else if !ended {
        fail("the pod runs on")
    } else if well && command[0] == "rm" && !case.left_behind().is_empty() {
        fail("not all is gone")
    } else if well && command[0] == "get" && serde_json::from_slice::<serde_json::Value>(&output.stdout).is_err() {
        fail("half an answer")
    } else if !well && String::from_utf8_lossy(&output.stderr).is_empty() && !killed {
        fail("it failed without a word")
    } else if failed.is_empty() {
        Ok("none")
    } else {
        Ok(if well { "went well" } else { "told" })
    };
    let rm = case.plainly(&["rm", "--force", case.name()]);
    if !wait_until(Instant::now() + patience(), || run.try_wait().unwrap().is_some()) {
        run.kill().unwrap();
        return Err(format!("it can't be ended: {what}"));
    }
    let left = case.left_behind();
    if !left.is_empty() {
        let _ = fs::remove_dir_all(case.root());
        return Err(format!("left behind:\n{}\n{}{what}", left.join("\n"), text(&rm)));
    }
    verdict
}

#[test]
fn one_call_of_a_command() {
    for command in [&["get", "-o", "json"][..], &["stop"], &["rm", "--force"]] {
        walk_with(&format!("call-{}", command[0]), command[0], Whose::Supervisor, Which::Nth, |case, fault| {
            try_command(case, command, fault)
        });
    }
}

#[test]
fn one_call_of_the_supervisor() {
    walk("call-once", Whose::Supervisor, Which::Nth);
}

#[test]
fn all_calls_of_the_supervisor_from_one_on() {
    walk("calls-from", Whose::Supervisor, Which::NthOn);
}

#[test]
fn one_call_of_everybody() {
    walk("all-once", Whose::Everybodys, Which::Nth);
}
