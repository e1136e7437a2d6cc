//! Containers from their creation to their removal.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use barepod::plan::*;
use barepod::runtime::container::ExitStatus;
use oci_spec::runtime::{LinuxMemoryBuilder, LinuxResourcesBuilder};
use rustix::event::{PollFd, PollFlags, poll};

use crate::world::{World, begin, finish, is_root, output, remove, start, wait_any, wait_exit};

#[test]
fn a_container_runs_and_leaves_nothing() {
    if !is_root() {
        return;
    }
    let world = World::new("run", Scope::Container, &[]);
    let (exit, text, container) = world.run("web", &["sh", "-c", "echo hello; hostname; echo err >&2; exit 7"]);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(7), "hello\npod\nerr\n"));
    assert!(!container.oom_killed());
    remove(container);
    assert!(!world.attempt("web").state.exists() && !world.attempt("web").data.exists());
    assert!(world.cgroups_of("web").is_empty());
    world.end();
}

#[test]
fn nothing_of_the_supervisor_leaks_in() {
    if !is_root() {
        return;
    }
    let world = World::new("leak", Scope::Container, &[]);
    let (_, text, container) = world.run("fds", &["ls", "/proc/self/fd"]);
    // `ls` has the folder it lists open as 3.
    assert_eq!(text, "0\n1\n2\n3\n");
    remove(container);
    let (_, text, container) = world.run("signals", &["cat", "/proc/self/status"]);
    for line in ["Umask:\t0022", "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000"] {
        assert!(text.contains(line), "{text}");
    }
    remove(container);
    world.end();
}

#[test]
fn signals_and_kills_are_seen() {
    if !is_root() {
        return;
    }
    let world = World::new("signal", Scope::Container, &[]);
    for (name, signal, expected) in
        [("usr", libc::SIGKILL, ExitStatus::Signal(libc::SIGKILL)), ("trap", libc::SIGTERM, ExitStatus::Code(3))]
    {
        let mut container =
            world.create(&world.plan(name, &["sh", "-c", "trap 'exit 3' TERM; echo up; sleep 1000 & wait"])).unwrap();
        let (stdout, _stderr) = output(&mut container);
        start(&mut container).unwrap();
        wait_any(&[stdout.as_fd()]);
        assert_eq!(container.exit(), None);
        container.signal(signal).unwrap();
        assert_eq!(wait_exit(&mut container), expected);
        container.signal(signal).unwrap();
        remove(container);
    }
    world.end();
}

#[test]
fn what_cannot_be_executed_is_a_failed_start() {
    if !is_root() {
        return;
    }
    let world = World::new("start", Scope::Container, &[]);
    let cases = [
        ("a", "nope", "nope: executable file not found in $PATH"),
        ("b", "/nope", "/nope: no such file or directory (execve); the container has no such file"),
        ("c", "/notexec", "/notexec: permission denied (execve); the file in the container is not executable"),
        ("d", "/etc", "/etc: permission denied (execve); it is a directory"),
        (
            "e",
            "/nointerp",
            "/nointerp: no such file or directory (execve); the container lacks its interpreter: what its #! line names, or the dynamic loader",
        ),
    ];
    for (name, program, text) in cases {
        let mut container = world.create(&world.plan(name, &[program])).unwrap();
        let error = start(&mut container).unwrap_err();
        assert_eq!(error.to_string(), format!("container {name:?}: start: {text}"));
        wait_exit(&mut container);
        remove(container);
    }
    world.end();
}

#[test]
fn an_oom_kill_is_known() {
    if !is_root() {
        return;
    }
    let world = World::new("oom", Scope::Container, &[]);
    let mut plan = world.plan("fat", &["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    let memory = LinuxMemoryBuilder::default().limit(16 << 20).build().unwrap();
    let resources = LinuxResourcesBuilder::default().memory(memory).build().unwrap();
    plan.spec.linux_mut().as_mut().unwrap().set_resources(Some(resources));
    let (exit, _, container) = world.run_plan(&plan);
    assert_eq!(exit, ExitStatus::Signal(libc::SIGKILL));
    assert!(container.oom_killed());
    remove(container);
    world.end();
}

#[test]
fn the_bundle_is_never_written_to() {
    if !is_root() {
        return;
    }
    let world = World::new("lower", Scope::Container, &[]);
    let listing = || -> HashSet<PathBuf> {
        walkdir::WalkDir::new(world.dir.path().join("rootfs"))
            .into_iter()
            .flatten()
            .map(walkdir::DirEntry::into_path)
            .collect()
    };
    let before = listing();
    let mut plan = world.plan("w", &["sh", "-c", "echo x > /new; echo y > /etc/passwd; cat /new"]);
    plan.spec.process_mut().as_mut().unwrap().set_cwd("/made/for/me".into());
    let (exit, text, container) = world.run_plan(&plan);
    assert_eq!((exit, text.as_str()), (ExitStatus::Code(0), "x\n"));
    remove(container);
    let mut plan = world.plan("r", &["sh", "-c", "touch /new 2>/dev/null || echo refused"]);
    plan.spec.root_mut().as_mut().unwrap().set_readonly(Some(true));
    let (_, text, container) = world.run_plan(&plan);
    assert_eq!(text, "refused\n");
    remove(container);
    assert_eq!(before, listing());
    world.end();
}

#[test]
fn an_aborted_creation_leaves_nothing() {
    if !is_root() {
        return;
    }
    let world = World::new("abort", Scope::Container, &[]);
    for number in 0..20 {
        let plan = world.plan(&format!("c{number}"), &["sleep", "1000"]);
        let creation = begin(&plan, &world.attempt(&plan.name), world.sandbox.as_ref().unwrap().hierarchies()).unwrap();
        if number > 0 {
            // Anywhere in the helper's life, so as to hit as many of its steps as possible.
            let limit = rustix::time::Timespec { tv_sec: 0, tv_nsec: number * 700_000 };
            let _ = poll(&mut [PollFd::new(&creation.fd(), PollFlags::IN)], Some(&limit));
        }
        finish(creation.abort());
        assert!(world.cgroups_of(&plan.id).is_empty());
        let attempt = world.attempt(&plan.name);
        assert!(!attempt.state.exists() && !attempt.data.exists());
    }
    world.end();
}

/// Not an assertion: prints the medians that the bench's bars rest on.
#[test]
fn timings() {
    if !is_root() {
        return;
    }
    let world = World::new("time", Scope::Container, &[]);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for number in 0..20 {
        let plan = world.plan(&format!("c{number}"), &["true"]);
        let begin = Instant::now();
        let mut container = world.create(&plan).unwrap();
        times[0].push(begin.elapsed());
        let begin = Instant::now();
        start(&mut container).unwrap();
        times[1].push(begin.elapsed());
        wait_exit(&mut container);
        let begin = Instant::now();
        remove(container);
        times[2].push(begin.elapsed());
    }
    for (what, mut times) in ["create", "start", "remove"].into_iter().zip(times) {
        times.sort();
        println!("{what}: median {:?}, worst {:?}", times[times.len() / 2], times.last().unwrap());
    }
    world.end();
}
