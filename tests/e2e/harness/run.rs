//! A `barepod run` in the background.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Case, wait, wait_for};

/// Ended by force when it is dropped while it runs.
pub struct Run<'a> {
    case: &'a Case,
    child: Child,
}

impl<'a> Run<'a> {
    pub fn start(case: &'a Case, file: &Path, options: &[&str]) -> Self {
        let mut command = case.command(&[&["run"], options].concat());
        command.arg(file);
        Self::to_files(case, &mut command)
    }

    /// As [`Case::start`], of a command that is put together already.
    pub fn to_files(case: &'a Case, command: &mut std::process::Command) -> Self {
        let file = |name: &str| File::create(case.dir().join(name)).unwrap();
        Self::of(case, command.stdout(file("out.txt")).stderr(file("err.txt")))
    }

    /// As [`Run::to_files`]; its output goes where the command says.
    pub fn of(case: &'a Case, command: &mut std::process::Command) -> Self {
        Self { case, child: command.stdin(Stdio::null()).spawn().unwrap() }
    }

    /// As [`Run::of`], with the standard input that the command has.
    pub fn on_terminal(case: &'a Case, command: &mut std::process::Command) -> Self {
        let child = command.spawn().unwrap();
        // The command holds the terminal open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { case, child }
    }

    /// Waits for its end; the exit code. 128+n where a signal ended it.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let what = format!("the end of `barepod run` of {}", self.case.name());
        let status = wait_for(&what, || self.child.try_wait().unwrap());
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal to the supervisor.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The supervisor's pid.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        if !self.has_ended() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.case.dir().join("out.txt")).unwrap()).into_owned()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.case.dir().join("err.txt")).unwrap()).into_owned()
    }

    /// Waits for a lifecycle line that holds `text`.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) {
        wait(&format!("{text:?} on standard error"), || self.stderr().contains(text));
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.kill();
    }
}
