//! `barepod exec -it`: shells at terminals.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;

use super::{IDLE, exec, finish, idle, ran};
use crate::harness::user::Ids;
use crate::harness::{Case, main, patience, wait};

/// A command at a terminal of its own.
pub(super) struct Terminal {
    pub(super) master: File,
    pub(super) slave: OwnedFd,
    pub(super) child: std::process::Child,
    seen: String,
}

impl Terminal {
    pub(super) fn begin(case: &Case, options: &[&str], command: &[&str]) -> Self {
        Self::begin_sized(case, (0, 0), options, command)
    }

    /// With so many rows and columns from the beginning.
    pub(super) fn begin_sized(case: &Case, size: (u16, u16), options: &[&str], command: &[&str]) -> Self {
        Self::of(case, size, &exec(options, command))
    }

    /// Of another command.
    pub(super) fn of(case: &Case, (rows, columns): (u16, u16), args: &[&str]) -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        tcsetwinsize(&pty.slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let inner = case.command(args);
        let mut command = Command::new("setsid");
        command.arg("-c").arg(inner.get_program()).args(inner.get_args()).current_dir(case.dir());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { master: File::from(pty.master), slave: pty.slave, child, seen: String::new() }
    }

    pub(super) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until it shows `text`, behind what was waited for before.
    #[track_caller]
    pub(super) fn shows(&mut self, text: &str) {
        let end = Instant::now() + patience();
        let mut seen = String::new();
        while !seen.contains(text) {
            let more = self.reads(end);
            assert!(!more.is_empty(), "no {text:?} in {seen:?}");
            seen += &more;
        }
        self.seen = seen.split_off(seen.find(text).unwrap() + text.len());
    }

    /// What it shows behind what was waited for before; empty: nothing until then.
    pub(super) fn reads(&mut self, end: Instant) -> String {
        let mut part = [0; 4096];
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).unwrap();
        if !self.seen.is_empty() {
            return std::mem::take(&mut self.seen);
        }
        let readable = poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&left)).unwrap();
        let count = if readable > 0 { self.master.read(&mut part).unwrap() } else { 0 };
        String::from_utf8_lossy(&part[..count]).into_owned()
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    /// The command's exit code; the terminal is as it was.
    #[track_caller]
    pub(super) fn end(mut self, before: &rustix::termios::Termios) -> Option<i32> {
        let mut code = None;
        wait("the command's end", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        let code = code.unwrap().code();
        assert_eq!(format!("{:?}", tcgetattr(&self.slave).unwrap()), format!("{before:?}"));
        code
    }
}

/// A shell as one has it at a terminal of the box: its size and changes of that, Ctrl-C, Ctrl-Z, Ctrl-D, exit code.
#[test]
fn a_shell() {
    let Some(case) = Case::new("exec-shell") else { return };
    let mut run = idle(&case);
    let mut at = Terminal::begin(&case, &["-it", case.name()], &["sh"]);
    let before = tcgetattr(&at.slave).unwrap();
    at.resize(33, 101);
    at.types("echo begun-$((1+1)); tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; echo term=$TERM\n");
    at.shows("begun-2");
    at.shows("/dev/pts/0");
    at.shows("all\r\n");
    at.shows("term=xterm");
    // The new size comes as a signal, in its own time.
    at.types("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.1; done; echo sized-$((2+2))\n");
    at.shows("sized-4");
    at.resize(10, 40);
    at.types("until [ \"$(stty size)\" = '10 40' ]; do sleep 0.1; done; echo sized-$((3+3))\n");
    at.shows("sized-6");
    at.types("echo waits-$((4+4)); sleep 1000\n");
    at.shows("waits-8");
    // As soon as it is in the foreground.
    wait("sleep", || case.processes("sleep 1000").len() == 1);
    at.types("\x03");
    wait("the end of it", || case.processes("sleep 1000").is_empty());
    at.types("echo stops-$((5+5)); sleep 1001\n");
    at.shows("stops-10");
    wait("sleep", || case.processes("sleep 1001").len() == 1);
    at.types("\x1a");
    at.types("jobs; kill %1; fg; echo ended-$((6+6))\n");
    at.shows("Stopped");
    at.shows("ended-12");
    // Ctrl-D is the end of the shell's input while that edits a line; between two lines it would be a key like any other.
    at.shows("# ");
    at.types("(exit 9)\n");
    at.shows("(exit 9)");
    at.shows("# ");
    at.types("\x04");
    assert_eq!(at.end(&before), Some(9));
    finish(&mut run);
    case.nothing_left();
}

/// The end of our input is the end of the program's, also in the midst of a line.
#[test]
fn input_that_ends_in_the_midst_of_a_line() {
    let Some(case) = Case::new("exec-end") else { return };
    let mut run = idle(&case);
    let mut child = case.command(&exec(&["-it", case.name()], &["cat"]));
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"foo").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.ends_with(b"foo"), "{output:?}");
    finish(&mut run);
    case.nothing_left();
}

/// The container's end is told, its shell with it, and the terminal is as it was.
#[test]
fn a_shell_in_a_container_that_ends() {
    let Some(case) = Case::new("exec-ends") else { return };
    let mut run = idle(&case);
    let mut at = Terminal::begin(&case, &["-it", case.name()], &["sh"]);
    let before = tcgetattr(&at.slave).unwrap();
    at.types("echo begun-$((1+1))\n");
    at.shows("begun-2");
    finish(&mut run);
    at.shows("note: container \"main\" of pod default/exec-ends has ended, and the program with it");
    assert_eq!(at.end(&before), Some(137));
    case.nothing_left();
}

/// A terminal that is gone is hung up in the container too.
#[test]
fn a_shell_whose_client_is_killed() {
    let Some(case) = Case::new("exec-hangs-up") else { return };
    let mut run = idle(&case);
    let mut at = Terminal::begin(
        &case,
        &["-it", case.name()],
        &["sh", "-c", "trap 'say hup; exit' HUP; say up; while :; do sleep 0.1; done"],
    );
    case.wait_for("up");
    at.child.kill().unwrap();
    at.child.wait().unwrap();
    case.wait_for("hup");
    finish(&mut run);
    case.nothing_left();
}

/// The bytes don't go through the supervisor: an open shell outlives it, until somebody ends the pod.
#[test]
fn a_shell_whose_supervisor_is_killed() {
    let Some(case) = Case::new("exec-alone") else { return };
    let mut run = idle(&case);
    let mut at = Terminal::begin(&case, &["-it", case.name()], &["sh"]);
    at.types("echo begun-$((1+1))\n");
    // With its next prompt: nothing more comes then.
    at.shows("begun-2\r\n/ # ");
    run.kill();
    // Longer than anything is read after an end. What happens meanwhile is that nothing happens.
    let silent = rustix::time::Timespec { tv_sec: 2, tv_nsec: 0 };
    let polled = rustix::event::PollFd::new(&at.master, rustix::event::PollFlags::IN);
    assert_eq!(rustix::event::poll(&mut [polled], Some(&silent)).unwrap(), 0);
    at.types("echo still-$((2+2))\n");
    at.shows("still-4");
    at.types("exit\n");
    assert_eq!(at.child.wait().unwrap().code(), Some(125));
    case.barepod(&["rm", "--force", case.name()]);
    case.nothing_left();
}

/// The user of the container has its terminal.
#[test]
fn a_terminal_of_another_user() {
    let Some(case) = Case::new("exec-user") else { return };
    let pod = case.pod().container(main("main", IDLE, json!({"securityContext": {"runAsUser": 1000}})));
    let mut run = case.start(&pod);
    case.wait_for("main up");
    let mut at = Terminal::begin(&case, &["-t", "-i", case.name()], &["sh"]);
    let before = tcgetattr(&at.slave).unwrap();
    at.types("echo mine > /dev/tty; echo also > $(tty); stat -c 'of %u' $(tty); exit 4\n");
    at.shows("mine\r\n");
    at.shows("also\r\n");
    at.shows("of 1000");
    assert_eq!(at.end(&before), Some(4));
    finish(&mut run);
    case.nothing_left();
}

/// An ordinary user's pod, whose supervisor is in another pid namespace and user namespace than the command.
#[test]
fn a_shell_in_a_users_pod() {
    let Some(case) = Case::of_user("user-exec", Ids::Subordinate) else { return };
    let mut run = idle(&case);
    assert_eq!(ran(&case, &[case.name()], &["sh", "-c", "echo out; exit 3"]).0, Some(3));
    let mut at = Terminal::begin(&case, &["-it", case.name()], &["sh"]);
    let before = tcgetattr(&at.slave).unwrap();
    at.types("tty; exit 4\n");
    at.shows("/dev/pts/0");
    assert_eq!(at.end(&before), Some(4));
    finish(&mut run);
}
