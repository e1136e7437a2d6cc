//! `barepod run --detach`, and `run --stdin`, which is attached to the pod then: the process that was called, which waits until the pod's sandbox is there, and the one that runs
//! the pod from then on, of nobody's terminal.

use std::io;

use super::args::{Global, RunArgs};
use super::attach::at_the_beginning;
use super::error::CliError;
use super::exit_code::Exit;
use super::files::{self, Stdin};
use super::output::{exit_of_all, print, show};
use super::pulling::shown_of_a_pod;
use super::recover;
use super::until::{Deadline, Waited, until};
use crate::report::wanted::Wanted;
use crate::runtime::detach::{self, Above, Detached, ExitStatus, Outcome, Report, SocketType};
use crate::store::Error;

/// As timeout(1): the time ran out, and what was waited for may still come true.
const TIMED_OUT: u8 = 124;

/// Of a pod that has ended and left nothing, as with `--rm`.
const FORGOTTEN: &str = "it has been forgotten";

/// To a process that is attached: for what it is told, standard output and standard error.
const LINKS: [SocketType; 3] = [SocketType::SEQPACKET, SocketType::STREAM, SocketType::STREAM];

/// Who goes on after [`begin`].
pub enum Side {
    /// The process that was called, when all is said: it ends with this.
    Caller(Exit),
    /// The one that is to run the pod.
    Supervisor(Report),
}

/// What a pod that is to be detached, or attached to, can't have.
///
/// # Errors
/// It is asked for.
pub fn check(args: &RunArgs) -> Result<(), CliError> {
    if !(args.detach || args.is_interactive()) {
        return Ok(());
    }
    if let Some(path) = args.exit_code_file.as_deref().filter(|path| files::is_of_the_caller(path)) {
        let why =
            format!("--exit-code-file {}: a detached pod has none of its caller's files; name one", path.display());
        return Err(CliError::Words(why));
    }
    let taken = match files::of_stdin(&args.files, &args.config).filter(|_| args.stdin) {
        Some(Stdin::Manifest) => "the manifest",
        Some(Stdin::Config) => "--config",
        None => return Ok(()),
    };
    Err(CliError::Words(format!("-i: standard input is {taken} already; name a file")))
}

/// How a pod of several has begun.
pub enum Begun {
    /// It is ready, and that is said; and the process above it.
    Ready(String, Above),
    /// It has ended before that.
    Ended(Exit),
    /// Likewise, by a signal that was meant for all of them.
    Stopped(Exit),
    /// This is the process that is to run it.
    Supervisor(Report),
}

/// As [`begin`], of one pod of several: its wait is [`wait_for_all`]'s, and `say` tells that it is there.
///
/// # Errors
/// As [`begin`].
pub fn begin_one(say: &dyn Fn(&str) -> Result<Exit, CliError>) -> Result<Begun, CliError> {
    let mut above = match detach::detach(&[]).map_err(CliError::Detach)? {
        Detached::Below(report) => return Ok(Begun::Supervisor(report)),
        Detached::Above(above) => above,
    };
    let outcome = above.wait().map_err(CliError::Detach)?;
    above.let_go().map_err(CliError::Detach)?;
    Ok(match outcome {
        Outcome::Ready(ready) => {
            say(&ready.pod)?;
            Begun::Ready(ready.pod, above)
        }
        Outcome::Interrupted(ready, signal) => {
            say(&ready.pod)?;
            Begun::Stopped(interrupted(&ready.pod, signal))
        }
        Outcome::Ended(end) => Begun::Ended(ended(end)?),
        Outcome::Asked(end) => Begun::Stopped(ended(end)?),
        Outcome::Stopped(signal) => Begun::Stopped(of_signal(signal)),
    })
}

/// A signal came: what was still to be begun is left.
pub(super) fn tell_left(names: impl Iterator<Item = String>) {
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        tell!("note: a signal came, and these were not begun: {}", names.join(", "));
    }
}

/// `--wait` for pods that have begun, all together; the first code that isn't 0. Which code one of them has ended with is told by
/// `barepod get`.
///
/// # Errors
/// Where there is no folder for pods.
pub fn wait_for_all(args: &RunArgs, global: &Global, pods: &[String]) -> Result<Exit, CliError> {
    let Some(wanted) = &args.wait else { return Ok(Exit::Success) };
    let layout = global.layout()?;
    let deadline = args.wait_timeout.map_or(Deadline::never(), Deadline::after);
    exit_of_all(pods.iter().map(|pod| {
        let never = |why| CliError::Never { pod: pod.clone(), wanted: wanted.to_string(), why };
        match until(&layout, pod, wanted, deadline) {
            Ok(Waited::Met) => Ok(Exit::Success),
            Ok(Waited::Late) => {
                late(pod);
                Ok(Exit::Pod(TIMED_OUT))
            }
            Ok(Waited::Never { why }) => Err(never(why)),
            Ok(Waited::Unsupervised) => Err(CliError::Unsupervised(pod.clone())),
            Err(CliError::Store(Error::NotFound(_))) => Err(never(FORGOTTEN.to_owned())),
            Err(error) => Err(error),
        }
    }))
}

fn late(pod: &str) {
    show(&CliError::WaitedTooLong(pod.rsplit('/').next().unwrap_or(pod).to_owned()));
    tell!("note: the pod runs on: `barepod stop {pod}` ends it");
}

/// Forks. Until the pod is ready the new process says what there is to say where its caller hears it; what ends it before that
/// is the caller's exit code, too.
///
/// # Errors
/// In the process that was called: where there can't be another, or that was killed.
pub fn begin(args: &RunArgs, global: &Global) -> Result<Side, CliError> {
    let links = if args.is_interactive() { &LINKS[..] } else { &[] };
    let mut above = match detach::detach(links).map_err(CliError::Detach)? {
        Detached::Below(report) => return Ok(Side::Supervisor(report)),
        Detached::Above(above) => above,
    };
    match above.wait().map_err(CliError::Detach)? {
        Outcome::Ready(ready) | Outcome::Interrupted(ready, _) if args.is_interactive() => {
            let Some(mut above) = at_the_beginning(args, above, &ready.pod)? else {
                return Ok(Side::Caller(Exit::Success));
            };
            // Signals are handed down for as long as that takes.
            let end = above.wait_for_end().map_err(CliError::Detach)?;
            above.let_go().map_err(CliError::Detach)?;
            ended(end).map(Side::Caller)
        }
        Outcome::Ready(ready) => {
            let printed = print_name(&ready.pod)?;
            let Some(wanted) = &args.wait else { return Ok(Side::Caller(printed)) };
            let deadline = args.wait_timeout.map_or(Deadline::never(), Deadline::after);
            above.let_go().map_err(CliError::Detach)?;
            let layout = global.layout()?;
            let wait = || until(&layout, &ready.pod, wanted, deadline);
            let waited = match recover::look(&layout, &ready.pod) {
                Ok(found) if !args.quiet => shown_of_a_pod(&found.dir, wait),
                Ok(_) | Err(_) => wait(),
            };
            awaited(&ready.pod, wanted, waited, || above.wait_for_end()).map(Side::Caller)
        }
        Outcome::Interrupted(ready, signal) => {
            print_name(&ready.pod)?;
            Ok(Side::Caller(interrupted(&ready.pod, signal)))
        }
        Outcome::Ended(end) | Outcome::Asked(end) => ended(end).map(Side::Caller),
        // Before the process below was far enough to end its pod in order there was none.
        Outcome::Stopped(signal) => Ok(Side::Caller(of_signal(signal))),
    }
}

/// What `run -d` says of a pod that is there.
pub fn print_name(pod: &str) -> Result<Exit, CliError> {
    print(&format!("{pod}\n"))
}

/// Of a pod that is there, and ends by a signal that it was sent before its caller knew that.
fn interrupted(pod: &str, signal: i32) -> Exit {
    let what = if pod.starts_with("job/") { "job" } else { "pod" };
    tell!("note: the {what} is being stopped: a signal came while it began; `barepod stop {pod}` waits for its end");
    of_signal(signal)
}

fn of_signal(signal: i32) -> Exit {
    Exit::Pod(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

/// What came of `--wait`. `end` waits for the end of the process below, which ends with the pod's exit code.
fn awaited(
    pod: &str,
    wanted: &Wanted,
    waited: Result<Waited, CliError>,
    end: impl FnOnce() -> io::Result<ExitStatus>,
) -> Result<Exit, CliError> {
    let why = match waited {
        Ok(Waited::Met) => return Ok(Exit::Success),
        Ok(Waited::Late) => {
            late(pod);
            return Ok(Exit::Pod(TIMED_OUT));
        }
        Ok(Waited::Never { why }) => why,
        Ok(Waited::Unsupervised) => return Err(CliError::Unsupervised(pod.to_owned())),
        // It has ended already, and been forgotten with that.
        Err(CliError::Store(Error::NotFound(_))) => FORGOTTEN.to_owned(),
        Err(error) => return Err(error),
    };
    let exit = ended(end().map_err(CliError::Detach)?)?;
    if wanted.held_in(if exit.code() == 0 { "Succeeded" } else { "Failed" }) {
        return Ok(Exit::Success);
    }
    show(&CliError::Never { pod: pod.to_owned(), wanted: wanted.to_string(), why });
    Ok(if exit.code() == 0 { Exit::Failure } else { exit })
}

/// What the process below ended with.
fn ended(end: ExitStatus) -> Result<Exit, CliError> {
    end.code().map(Exit::Pod).ok_or(CliError::NeverReady)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    /// What run reads from standard input no container can have.
    #[test]
    fn standard_input_is_one_things() {
        let said = |options: &str| {
            let words = format!("barepod run {options}");
            let Command::Run(args) = Cli::try_parse_from(words.split_whitespace()).unwrap().command else { panic!() };
            check(&args).err().map(|error| error.to_string())
        };
        for (options, taken) in [("-i -", "the manifest"), ("-i web.yaml --config -", "--config")] {
            assert_eq!(said(options), Some(format!("-i: standard input is {taken} already; name a file")));
        }
        for options in ["-i web.yaml", "-d -", "-d web.yaml --config -"] {
            assert_eq!(said(options), None, "{options}");
        }
    }

    #[test]
    fn what_the_caller_ends_with() {
        for code in [0, 2, 125] {
            assert_eq!(ended(ExitStatus::Code(code)).unwrap().code(), u8::try_from(code).unwrap());
        }
        assert_eq!(ended(ExitStatus::Signal(9)).unwrap_err().exit_of_run(), Exit::Own);
    }

    #[test]
    fn what_a_wait_ends_with() {
        let never = || Ok(Waited::Never { why: "Failed".to_owned() });
        let gone = || Err(CliError::Store(Error::NotFound("web".to_owned())));
        let of = |wanted: &str, waited, code| {
            let wanted = Wanted::parse_short(wanted).unwrap();
            awaited("default/web", &wanted, waited, || Ok(ExitStatus::Code(code))).unwrap().code()
        };
        assert_eq!(of("Ready", Ok(Waited::Met), 9), 0);
        assert_eq!(of("Ready", Ok(Waited::Late), 9), 124);
        assert_eq!(of("Ready", never(), 7), 7);
        // It succeeded, and what was wanted never came.
        assert_eq!(of("Ready", never(), 0), 1);
        assert_eq!(of("phase=Succeeded", gone(), 0), 0);
        assert_eq!(of("phase=Succeeded", gone(), 3), 3);
        assert_eq!(of("phase=Failed", gone(), 3), 0);
    }
}
