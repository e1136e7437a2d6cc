//! `rm --force`, whatever stands in its way.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::{said, with_volume};
use crate::harness::{Case, binary, wait, wait_for};

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
