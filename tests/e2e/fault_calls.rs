//! A call of a kind that fails: the n-th of the supervisor (and with it of each of its helpers, where those are followed),
//! alone or with all that come after it, for n from 1 until there is no n-th. strace makes them fail: nothing in barepod
//! knows of it. Wherever it fails, nobody hangs or panics, nobody says what isn't so, and once calls work again the next
//! command leaves nothing behind.
//!
//! Some of the numbers always, all of them with `BAREPOD_FAULTS=all` (scripts/nightly), which prints a table; the kinds
//! whose names hold `$BAREPOD_FAULTS` with any other word, and with `KIND:ERROR:N` that one alone.

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::json;

use crate::harness::{Case, PATIENT, main, patience, wait_until, worker};

/// Calls that fail alike.
struct Kind {
    name: &'static str,
    calls: &'static str,
    errors: &'static [Error],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Error {
    Eio,
    Enospc,
    Emfile,
    Eagain,
    Enomem,
    /// SIGKILL in its stead.
    Kill,
}

use Error::{Eagain, Eio, Emfile, Enomem, Enospc, Kill};

impl Error {
    fn name(self) -> &'static str {
        match self {
            Eio => "EIO",
            Enospc => "ENOSPC",
            Emfile => "EMFILE",
            Eagain => "EAGAIN",
            Enomem => "ENOMEM",
            Kill => "KILL",
        }
    }

    /// Whether a text names it.
    fn is_in(self, text: &str) -> bool {
        let words: &[&str] = match self {
            Eio => &["input/output error", "i/o error"],
            Enospc => &["no space left"],
            Emfile => &["too many open files", "open files"],
            Eagain => &["temporarily unavailable", "try again"],
            Enomem => &["cannot allocate memory", "out of memory"],
            Kill => &[],
        };
        words.iter().any(|word| text.to_lowercase().contains(word))
    }
}

const KINDS: &[Kind] = &[
    Kind { name: "write", calls: "write,pwrite64,writev", errors: &[Eio, Enospc, Kill] },
    Kind { name: "sync", calls: "fsync,fdatasync", errors: &[Eio, Kill] },
    Kind { name: "rename", calls: "rename,renameat,renameat2", errors: &[Eio, Enospc, Kill] },
    Kind { name: "mkdir", calls: "mkdir,mkdirat", errors: &[Eio, Enospc, Kill] },
    Kind { name: "open", calls: "open,openat,openat2", errors: &[Eio, Emfile] },
    Kind { name: "read", calls: "read,pread64,getdents64", errors: &[Eio] },
    Kind { name: "stat", calls: "statx,newfstatat,fstat", errors: &[Eio] },
    Kind { name: "remove", calls: "unlink,unlinkat,rmdir", errors: &[Eio, Kill] },
    Kind { name: "owner", calls: "chmod,fchmod,chown,fchown,fchownat,fchmodat", errors: &[Eio] },
    Kind { name: "socket", calls: "socket,socketpair,bind,listen", errors: &[Emfile] },
    Kind { name: "accept", calls: "accept4", errors: &[Emfile] },
    Kind {
        name: "pipe",
        calls: "pipe2,eventfd2,memfd_create,timerfd_create,epoll_create1,pidfd_open",
        errors: &[Emfile],
    },
    Kind { name: "epoll", calls: "epoll_ctl", errors: &[Enomem] },
    Kind {
        name: "mount",
        calls: "mount,fsopen,fsmount,move_mount,open_tree,mount_setattr,umount2",
        errors: &[Enomem, Kill],
    },
    Kind { name: "clone", calls: "clone,clone3,fork,vfork,unshare,setns", errors: &[Eagain, Kill] },
];

/// Whose calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Supervisor,
    Everybodys,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Nth,
    NthOn,
}

/// One fault.
#[derive(Clone, Copy)]
struct Fault {
    kind: &'static Kind,
    error: Error,
    whose: Whose,
    which: Which,
    number: u32,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, error, number, .. } = self;
        let plus = if self.which == Which::NthOn { "+" } else { "" };
        write!(f, "{}:{}:{number}{plus} ({:?})", kind.name, error.name(), self.whose)
    }
}

impl Fault {
    /// What runs barepod with it.
    fn words(self, case: &Case) -> Vec<String> {
        let Self { kind: Kind { calls, .. }, error, number, .. } = self;
        let plus = if self.which == Which::NthOn { "+" } else { "" };
        let mut words = ["strace", "-D", "-qq", "-o"].map(str::to_owned).to_vec();
        words.push(case.dir().join("strace.txt").display().to_string());
        if self.whose == Whose::Everybodys {
            words.extend(["-f", "--seccomp-bpf"].map(str::to_owned));
        }
        words.extend(["-e".to_owned(), format!("trace={calls}")]);
        let how = if error == Kill { "signal=KILL".to_owned() } else { format!("error={}", error.name()) };
        words.extend(["-e".to_owned(), format!("inject={calls}:{how}:when={number}{plus}")]);
        words
    }
}

/// The calls that were made to fail; none: there is no n-th.
fn injected(case: &Case) -> Vec<String> {
    let text = fs::read(case.dir().join("strace.txt")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    // Watching a descriptor no longer needs nothing that there could be a lack of.
    let real = |line: &str| line.contains("(INJECTED)") && !line.contains("EPOLL_CTL_DEL");
    let fails = |line: &&str| real(line) || line.contains("killed by SIGKILL");
    text.lines().filter(fails).map(str::to_owned).collect()
}

fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !has {
        crate::skips::skip("needs strace");
    }
    has
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
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
    let told = |run: &crate::harness::Run<'_>| fault.error.is_in(&run.stderr());
    // A fault that passes holds up nobody for good; one that stays is told, and the pod can be ended all the same.
    wait_until(began + patience(), || run.has_ended() || (fault.which == Which::NthOn && told(&run)));
    let by_itself = run.has_ended();
    let mut stop = String::new();
    if !by_itself {
        let output = case_again.plainly(&["stop", case_again.name()]);
        stop = format!("\nstop: {}", text(&output));
        wait_until(Instant::now() + patience(), || run.has_ended());
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
    let verdict = if !ended {
        fail("it can't be ended")
    } else if fault.error == Kill && code == 137 {
        // Whoever comes next cleans up, be it `stop`, of which the status stays.
        let stop = text(&case_again.plainly(&["stop", case_again.name()]));
        let left = case_again.left_of_the_ended();
        let killed = if left.is_empty() { Ok("killed") } else { fail(&format!("left behind: {left:?}: {stop}")) };
        if stop.contains("panicked") { fail(&stop) } else { killed }
    } else if !by_itself && (fault.which == Which::Nth || !told(&run)) {
        fail("it hangs")
    } else if stderr.contains("panicked") {
        fail("a panic")
    } else if fault.whose == Whose::Supervisor && (code == 3) != case_again.said("ran") && by_itself && code != 125 {
        fail("not the pod's exit code")
    } else if code != 3 && !told(&run) {
        fail("nobody said what failed")
    } else if ![1, 3, 125, 128, 137, 143].contains(&code) && fault.whose == Whose::Supervisor {
        fail("an exit code of nobody's")
    } else if code == 3 && !told(&run) && !failed.is_empty() {
        whole(case_again).map(|()| "no harm").or_else(|why| fail(&why))
    } else if failed.is_empty() {
        Ok("none")
    } else {
        Ok(match code {
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

/// Which are tried.
fn chosen(kind: &Kind, error: Error, whose: Whose, number: u32) -> bool {
    match std::env::var("BAREPOD_FAULTS").as_deref() {
        Ok("all") => true,
        Ok(word) => {
            let words: Vec<&str> = word.split(':').collect();
            kind.name.contains(words[0])
                && words.get(1).is_none_or(|name| *name == error.name())
                && words.get(2).is_none_or(|wanted| *wanted == number.to_string())
        }
        // Whoever follows everybody takes its time.
        Err(_) if whose == Whose::Everybodys => kind.name == "sync" && number == 5,
        Err(_) => ["rename", "mkdir", "sync", "pipe", "clone"].contains(&kind.name) && number % 13 == 5,
    }
}

/// More calls of a kind than a small pod makes.
const MOST: u32 = 2000;

fn walk(name: &str, whose: Whose, which: Which) {
    let tried = walk_with(name, "run", whose, which, try_run);
    // A kind that somebody has chosen may have no such call.
    let chosen = std::env::var("BAREPOD_FAULTS").is_ok_and(|word| word != "all");
    assert!(chosen || tried != Some(0), "no call was made to fail");
}

/// How many faults were tried; `None`: nothing can be tried here.
fn walk_with(
    name: &str,
    what: &str,
    whose: Whose,
    which: Which,
    attempt: impl Fn(&mut Case, Fault) -> Result<&'static str, String>,
) -> Option<u32> {
    if !has_strace() {
        return None;
    }
    let mut case = Case::new(name)?;
    let (mut failures, mut sum) = (Vec::new(), 0);
    for kind in KINDS {
        for &error in kind.errors {
            let (mut outcomes, mut tried) = (std::collections::BTreeMap::<&str, u32>::new(), 0);
            // No more calls come after it.
            let errors_end = error == Kill && which == Which::NthOn;
            for number in (1..MOST).filter(|_| !errors_end).filter(|number| chosen(kind, error, whose, *number)) {
                match attempt(&mut case, Fault { kind, error, whose, which, number }) {
                    Ok("none") => break,
                    Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
                    Err(why) => {
                        println!("FAULT {why}\n");
                        failures.push(why);
                    }
                }
                tried += 1;
            }
            sum += tried;
            println!("{what}: {whose:?} {which:?} {} {}: {tried} tried, {outcomes:?}", kind.name, error.name());
        }
    }
    assert!(failures.is_empty(), "{} failures; the first:\n{}", failures.len(), failures[0]);
    Some(sum)
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
    let killed = fault.error == Error::Kill && output.status.code() == Some(137);
    let fail = |why: &str| Err(format!("{why}: {what}"));
    let ends = matches!(command[0], "stop" | "rm");
    let ended = !ends || !well || wait_until(Instant::now() + patience(), || run.try_wait().unwrap().is_some());
    let verdict = if told.contains("panicked") {
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
