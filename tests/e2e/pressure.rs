//! A supervisor under pressure: readers that stall, clients that only sit there, few open files, signals that whoever
//! started it wants ignored.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Case, Manifest, Run, main, probe, wait};

/// A socket that takes nothing more, as journald's when that is held up; the end that nobody reads, and the other.
fn full_socket() -> (UnixStream, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[b'-'; 1 << 16]).is_ok() {}
    while writer.write(b"-").is_ok() {}
    writer.set_nonblocking(false).unwrap();
    (reader, writer)
}

/// Output and lifecycle lines that nobody takes hold up neither probes, restarts, commands nor the end; and the socket is
/// left as it was, as others write to it too.
#[test]
fn a_socket_that_nobody_reads() {
    let Some(case) = Case::new("stalled") else { return };
    let (reader, writer) = full_socket();
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure"}))
        .container(main("web", "yes & yes >&2 & exec serve web", json!({"livenessProbe": probe("say probed")})))
        .main("again", "say again; [ $(grep -cx again /t/log) -ge 2 ]");
    let file = case.write(&pod.text());
    let mut command = case.command(&["run", "--backoff-initial", "300ms", "--backoff-max", "1200ms"]);
    let end = || Stdio::from(OwnedFd::from(writer.try_clone().unwrap()));
    command.arg(file).stdout(end()).stderr(end());
    let mut run = Run::of(&case, &mut command);
    drop(command);
    case.wait_for("web up");
    wait("a probe and a restart", || case.said("probed") && case.times_said("again") == 2);
    assert!(case.barepod(&["stop", "stalled"]).status.success());
    assert!(case.said("web term"));
    run.end();
    assert!(!rustix::fs::fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
    drop(reader);
}

/// As every program that is started by `nohup`, or by a script with `&`: what is ignored stays so. Its containers start
/// with nothing ignored.
#[test]
fn signals_that_are_ignored_stay_so() {
    let Some(mut case) = Case::new("ignored") else { return };
    case.within(&["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh"]);
    let script = "grep SigIgn /proc/self/status; trap 'say term; exit 3' TERM; say up; hold go; say done";
    let mut run = case.start(&case.pod().main("main", script));
    case.wait_for("up");
    for signal in [Signal::HUP, Signal::QUIT, Signal::INT, Signal::INT] {
        run.signal(signal);
    }
    case.release("go");
    assert_eq!(run.end(), 0);
    assert!(!case.said("term") && case.said("done"), "{:?}", case.trace());
    assert_eq!(case.logs("main", &[]), "SigIgn:\t0000000000000000\n");
}

/// Ctrl-\ and a terminal that goes away ask for the pod's end, as SIGTERM does: a supervisor that they killed would leave
/// its pod behind.
#[test]
fn what_ends_a_program_ends_the_pod() {
    for signal in [Signal::QUIT, Signal::HUP, Signal::TERM] {
        let Some(case) = Case::new("asked-to-end") else { return };
        let mut run = case.start(&case.pod().main("main", "exec serve main"));
        case.wait_for("main up");
        run.signal(signal);
        assert_eq!(run.end(), 0, "{signal:?}");
        assert!(case.said("main term"), "{signal:?}");
        case.nothing_left();
    }
}

/// SIGTERM is how a supervisor is asked for its pod's end, also in the background.
#[test]
fn in_the_background_sigterm_is_heard() {
    let Some(mut case) = Case::new("background") else { return };
    case.within(&["sh", "-c", "trap '' HUP INT QUIT; exec \"$@\"", "sh"]);
    let mut run = case.start(&case.pod().main("main", "exec serve main"));
    case.wait_for("main up");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
    assert!(case.said("main term"));
}

/// A run that may have so many open files, soft and hard; other commands may have what the test has.
fn start_limited<'a>(case: &'a Case, limits: &str, pod: &Manifest) -> Run<'a> {
    let inner = case.command(&["run"]);
    let mut command = std::process::Command::new("prlimit");
    command.arg(format!("--nofile={limits}")).arg(inner.get_program()).args(inner.get_args());
    command.arg(case.write(&pod.text())).current_dir(case.dir());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Run::to_files(case, &mut command)
}

/// The supervisor takes what it may have of open files; containers, probes and hooks have what barepod was started with.
#[test]
fn containers_have_the_limit_of_open_files_that_barepod_was_started_with() {
    let Some(case) = Case::new("files") else { return };
    let ask = "echo $(ulimit -n) $(ulimit -Hn)";
    let more = json!({"startupProbe": probe(&format!("say probe $({ask})"))});
    let pod = case.pod().container(main("main", &format!("say main $({ask}); await probe 57 4000"), more));
    let mut run = start_limited(&case, "57:4000", &pod);
    case.wait_for("main 57 4000");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.pid().as_raw_nonzero())).unwrap();
    let files: Vec<_> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3..5], ["4000", "4000"]);
    assert_eq!(run.end(), 0);
}

/// A small pod is content with few; where they are too few that is said before anything is made.
#[test]
fn few_open_files() {
    let Some(case) = Case::new("few-files") else { return };
    assert_eq!(start_limited(&case, "64:64", &case.pod().main("main", "exit 3")).end(), 3);
    assert_eq!(case.ended("main"), (3, "Error".to_owned()));
    case.barepod(&["rm", case.name()]);
    let mut run = start_limited(&case, "40:40", &case.pod().main("main", "say never"));
    assert_eq!(run.end(), 125);
    let told = run.stderr();
    assert!(told.contains("open files") && told.contains("ulimit -Hn"), "{told}");
    assert!(!case.state().exists());
}

/// Processor time that a process has used, in hundredths of a second.
fn used(run: &Run) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", run.pid().as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn patient(case: &Case) -> Manifest {
    case.pod().main(
        "main",
        "trap 'say term; exit 0' TERM; say up; hold go; sleep 1; say later; while :; do usleep 9000; done",
    )
}

/// A client's end of a pod's control socket.
fn connect(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    // One that isn't let in now comes again, as the commands do.
    wait("a connection", || rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).is_ok());
    socket
}

/// Clients that send all they can, whether they read or not, hold up neither output, probes, restarts nor the end;
/// and the supervisor keeps nothing of theirs.
#[test]
fn a_flood_of_frames_delays_nothing() {
    let Some(case) = Case::new("flood") else { return };
    let pod = case
        .pod()
        .spec(json!({"restartPolicy": "OnFailure"}))
        .container(main("web", "exec serve web", json!({"livenessProbe": probe("say probed")})))
        .main("again", "hold go; say again; echo printed; [ $(grep -cx again /t/log) -ge 3 ]");
    let mut run = case.start_with(&pod, &["--backoff-initial", "300ms", "--backoff-max", "1200ms"]);
    case.wait_for("web up");
    let socket = case.state().join("control.sock");
    let clients: Vec<_> = (0..8).map(|_| connect(&socket)).collect();
    let files = || std::fs::read_dir(format!("/proc/{}/fd", run.pid().as_raw_nonzero())).unwrap().count();
    let before = files();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sent = 0_u64;
            while !over.load(Ordering::Relaxed) {
                for (number, client) in clients.iter().enumerate() {
                    sent += 1;
                    let frame =
                        format!(r#"{{"v":1,"id":{sent},"ask":{{"kind":"resize","limits":{{"cpu":"{sent}x"}}}}}}"#);
                    let _ = rustix::net::send(client, frame.as_bytes(), SendFlags::NOSIGNAL);
                    // Who doesn't read isn't heard for long.
                    if number % 2 == 0 {
                        let _ = rustix::net::recv(client, &mut [0_u8; 512], RecvFlags::empty());
                    }
                }
            }
        });
        // Whatever fails here, the flood ends.
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let probed = case.times_said("probed");
            case.release("go");
            wait("restarts and probes", || case.times_said("again") == 3 && case.times_said("probed") > probed);
            // A probe or a container that is just being made has some too.
            wait("clients' descriptors to be closed", || files() <= before + 8);
            assert!(case.barepod(&["stop", "flood"]).status.success());
        }));
        over.store(true, Ordering::Relaxed);
        told.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
    });
    assert!(case.said("web term"));
    run.end();
}

/// Who asks for the end hears whom it waits for.
#[test]
fn stop_tells_whom_it_waits_for() {
    let Some(case) = Case::new("awaited") else { return };
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 4})).main("slow", "defy slow");
    let mut run = case.start(&pod);
    case.wait_for("slow up");
    let stop = case.barepod(&["stop", "awaited"]);
    let told = String::from_utf8_lossy(&stop.stderr).into_owned();
    assert!(stop.status.success(), "{told}");
    assert!(
        told.starts_with("waiting for slow (") && told.contains("of 4 s grace left); `barepod rm --force"),
        "{told}"
    );
    assert!(told.contains("pod default/awaited stopped: Failed (exit code 137)"), "{told}");
    assert_eq!(run.end(), 137);
}

/// Clients that connect and say nothing keep out nobody, also where there is no room for another open file; and they cost
/// nothing.
#[test]
fn idle_clients_keep_out_nobody() {
    for (name, limits) in [("crowd", "4000:4000"), ("crowd-few", "64:64")] {
        let Some(case) = Case::new(name) else { return };
        let mut run = start_limited(&case, limits, &patient(&case));
        case.wait_for("up");
        let socket = case.state().join("control.sock");
        let crowd: Vec<_> = (0..100).map(|_| connect(&socket)).collect();
        let before = used(&run);
        case.release("go");
        case.wait_for("later");
        assert!(used(&run) - before < 50, "{name}: the supervisor spins");
        let stop = case.barepod(&["stop", case.name()]);
        assert!(stop.status.success(), "{name}: {}", String::from_utf8_lossy(&stop.stderr));
        assert!(case.said("term"));
        assert_eq!(run.end(), 0);
        drop(crowd);
    }
}

/// A program that isn't there was never started: nothing of it exits, in words or in the status.
#[test]
fn what_was_not_started_does_not_exit() {
    let Some(case) = Case::new("not-started") else { return };
    let names: Vec<String> = (0..16).map(|number| format!("m{number}")).collect();
    let nope = |name: &String| json!({"name": name, "image": "IMAGE", "command": ["/nope"]});
    let pod = names.iter().fold(case.pod(), |pod, name| pod.container(nope(name)));
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 128);
    let told = run.stderr();
    assert!(!told.contains("exited") && !told.contains("ended by"), "{told}");
    let status = case.get()["status"]["containerStatuses"].take();
    for one in status.as_array().unwrap() {
        let ended = &one["state"]["terminated"];
        assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(128), &json!("StartError")), "{one}");
        assert!(ended["message"].as_str().unwrap().contains("/nope"), "{one}");
    }
}

/// A log file on a full disk, and output to one: the pod is run all the same, and what is missing is said.
#[test]
fn standard_output_on_a_full_disk() {
    let Some(case) = Case::new("full-out") else { return };
    let file = case.write(&case.pod().main("main", "echo hello; exit 3").text());
    let said = case.dir().join("err.txt");
    let mut command = case.command(&["run", "-q"]);
    command
        .arg(file)
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .stderr(File::create(&said).unwrap());
    let mut run = Run::of(&case, &mut command);
    assert_eq!(run.end(), 3);
    let told = std::fs::read_to_string(said).unwrap();
    assert!(told.contains("could not be written to standard output") && told.contains("barepod logs"), "{told}");
    assert_eq!(case.logs("main", &[]), "hello\n");
}

/// Ten lines that come to ten gigabytes, and a manifest without an end: refused with what is too long, nothing made.
#[test]
fn what_is_too_much_is_refused() {
    let Some(case) = Case::new("bomb") else { return };
    let ten = |name: String| format!("$({name})").repeat(10);
    let variable = |at: usize| match at {
        0 => json!({"name": "A0", "value": "x".repeat(10)}),
        at => json!({"name": format!("A{at}"), "value": ten(format!("A{}", at - 1))}),
    };
    let env: Vec<_> = (0..10).map(variable).collect();
    let words = json!({"env": [{"name": "A", "value": "x".repeat(100_000)}], "args": vec!["$(A)"; 100]});
    for (more, said) in [(json!({"env": env}), "env[5] (A5)"), (words, "args")] {
        let mut run = case.start(&case.pod().container(main("main", "say never", more)));
        assert_eq!(run.end(), 2);
        let told = run.stderr();
        assert!(told.contains("too long") && told.contains("execve") && told.contains(said), "{told}");
        assert!(!case.state().exists());
    }
    let endless = case.barepod(&["run", "/dev/zero"]);
    assert_eq!(endless.status.code(), Some(2));
    let told = String::from_utf8_lossy(&endless.stderr);
    assert!(told.contains("Too long"), "{told}");
}
