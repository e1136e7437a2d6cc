//! How an exec ends, what it leaves, and how long it takes.

use super::*;

#[test]
fn output_and_exit_status_come_back() {
    if !can_run() {
        return;
    }
    let container = Container::new("status", |_| ());
    let (end, output) = container.run(&["sh", "-c", "echo out; echo err >&2; pwd; echo $COLOUR; exit 7"]);
    assert!(matches!(end, Ok(ExitStatus::Code(7))), "{end:?}");
    assert_eq!(output, "out\nerr\n/work\nblue and green\n");
    let (end, _) = container.run(&["sh", "-c", "kill -TERM $$"]);
    assert!(matches!(end, Ok(ExitStatus::Signal(15))), "{end:?}");
    let (end, output) = container.run(&["sh", "-c", "echo written through a path > /dev/stderr; cat"]);
    assert!(matches!(end, Ok(ExitStatus::Code(0 | 1))), "{end:?}");
    assert!(output.len() < 100, "{output}");
    // More than the pipe and the limit hold: the program isn't held up, the first bytes are kept.
    let (end, output) =
        container.run(&["sh", "-c", "yes | while read x; do echo $x; i=$((i+1)); [ $i -lt 60000 ] || exit 3; done"]);
    assert!(matches!(end, Ok(ExitStatus::Code(3))), "{end:?}");
    assert_eq!(output.len(), 1024);
    assert_eq!(container.leaves(), Vec::<String>::new());
}

#[test]
fn a_program_that_cannot_run_is_told_apart_from_one_that_fails() {
    if !can_run() {
        return;
    }
    let container = Container::new("cannot", |_| ());
    let failed = |arguments: &[&str]| match container.run(arguments).0 {
        Err(error @ ExecError::Failed(_)) => error.to_string(),
        other => panic!("{arguments:?}: {other:?}"),
    };
    assert_eq!(failed(&["nowhere"]), "exec: nowhere: executable file not found in $PATH");
    assert_eq!(failed(&[""]), "exec: : executable file not found in $PATH");
    assert_eq!(
        failed(&["/nowhere"]),
        "exec: /nowhere: no such file or directory (execve); the container has no such file"
    );
    assert_eq!(
        failed(&["/notexec"]),
        "exec: /notexec: permission denied (execve); the file in the container is not executable"
    );
    assert_eq!(failed(&["/etc"]), "exec: /etc: permission denied (execve); it is a directory");
    let mut process = container.process(&["true"]);
    process.set_cwd("/gone".into());
    let (end, _) = container.run_process(&process, None);
    assert_eq!(end.unwrap_err().to_string(), "exec: working directory /gone: no such file or directory");
    // 127 and 126 of a shell are exit statuses like others.
    assert!(matches!(container.run(&["sh", "-c", "nowhere"]).0, Ok(ExitStatus::Code(127))));
    process.set_terminal(Some(true));
    assert!(matches!(container.begin(&process, None), Err(ExecError::Unsupported { field: "terminal" })));
}

#[test]
fn a_killed_exec_takes_its_daemons_along_and_nothing_else() {
    if !can_run() {
        return;
    }
    let container = Container::new("tree", |_| ());
    let before = pids(&container);
    let script = "setsid sh -c 'sleep 100001 & sleep 100002' & sh -c '(setsid sleep 100003 &) ; sleep 100004' & echo up; sleep 100005";
    let mut exec = container.begin(&container.process(&["sh", "-c", script]), None).unwrap();
    until(|| {
        let _ = exec.advance();
        // Shells become the last command of their script.
        pids(&container).len() >= before.len() + 5 && exec.output() == b"up\n"
    });
    exec.kill_tree().unwrap();
    assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    assert_eq!(exec.output(), b"up\n");
    until(|| pids(&container) == before);
    drop(exec);
    until(|| {
        cgroup::remove_left();
        container.leaves().is_empty()
    });
    // A second kill, and one of something that never ran, are no errors.
    let mut exec = container.begin(&container.process(&["sleep", "100000"]), None).unwrap();
    exec.kill_tree().unwrap();
    exec.kill_tree().unwrap();
    assert!(matches!(finish(&mut exec), Ok(ExitStatus::Signal(9))));
    // Dropped without an end.
    let exec = container.begin(&container.process(&["sleep", "100000"]), None).unwrap();
    drop(exec);
    until(|| pids(&container) == before);
}

#[test]
fn a_daemon_that_a_probe_leaves_behind_lives_and_holds_nothing_up() {
    if !can_run() {
        return;
    }
    let container = Container::new("daemon", |_| ());
    let before = pids(&container);
    let (end, output) = container.run(&["sh", "-c", "setsid sleep 100000 & echo left"]);
    assert!(matches!(end, Ok(ExitStatus::Code(0))), "{end:?}");
    assert_eq!(output, "left\n");
    assert_eq!(pids(&container).len(), before.len() + 1);
    assert_eq!(container.leaves().len(), 1);
}

#[test]
fn a_container_that_has_ended_cannot_be_entered() {
    if !can_run() {
        return;
    }
    let container = Container::new("gone", |_| ());
    spawn::signal(&container.init, 9).unwrap();
    until(|| spawn::has_ended(&container.init));
    let end = match container.begin(&container.process(&["true"]), None) {
        Ok(mut exec) => finish(&mut exec).map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(matches!(end, Err(ExecError::NotRunning)), "{end:?}");
}

#[test]
#[ignore = "a measurement: prints how long an exec of `true` takes"]
fn how_long_an_exec_takes() {
    if !can_run() {
        return;
    }
    let container = Container::new("time", |_| ());
    let process = container.process(&["true"]);
    let mut begins = Vec::new();
    let mut totals = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        let mut exec = container.begin(&process, None).unwrap();
        begins.push(started.elapsed());
        finish(&mut exec).unwrap();
        totals.push(started.elapsed());
    }
    begins.sort();
    totals.sort();
    println!("begin p50 {:?} p99 {:?}; whole p50 {:?} p99 {:?}", begins[100], begins[198], totals[100], totals[198]);
}
