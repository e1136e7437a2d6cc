//! `barepod stop`: graceful deletion, waited for.

use std::time::Duration;

use super::args::{Global, StopArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::terminal::sanitize;
use super::{phrases, recover};
use crate::control::{self, Request, Waiting};
use crate::runtime::process;
use crate::store::read::{Found, Life};

/// Asks a pod's supervisor to stop it and waits for the end.
pub fn stop(args: &StopArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let found = recover::find(&layout, &args.pod)?;
    let name = recover::full_name(&found);
    match recover::life(&found)? {
        Life::Running => {}
        Life::Ended => {
            tell!("pod {name} has ended already");
            return Ok(Exit::Success);
        }
        Life::Left | Life::Lost => return Err(not_swept(&found, name)),
    }
    tell_if_stopped(&found, &name);
    let grace_period = args.grace_period.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let news = |waiting: &Waiting| tell!("{}", words_of(waiting, &name));
    match control::end(&found.dir, Request::stop(grace_period), || found.runs_on(), news)? {
        Some(ended) => tell!("pod {name} stopped: {} (exit code {})", ended.phase, ended.exit_code),
        None => match recover::find(&layout, &name) {
            Ok(found) if matches!(recover::life(&found)?, Life::Left | Life::Lost) => {
                return Err(not_swept(&found, name));
            }
            // Another command was as fast as to remove it.
            Ok(_) | Err(CliError::CutOff(_) | CliError::Store(crate::store::Error::NotFound(_))) => {
                tell!("pod {name} has ended");
            }
            Err(error) => return Err(error),
        },
    }
    Ok(Exit::Success)
}

/// Whom the pod's end waits for.
fn words_of(waiting: &Waiting, pod: &str) -> String {
    let names: Vec<String> = waiting.containers.iter().map(|name| sanitize(name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (left, grace) = (Duration::from_millis(waiting.left_millis), Duration::from_millis(waiting.grace_millis));
    phrases::waiting(&names, left, grace, &format!("`barepod rm --force {pod}` ends the pod at once"))
}

fn not_swept(found: &Found, pod: String) -> CliError {
    let left = found.ledger().ok().flatten().map(|ledger| ledger.left.join("; ")).unwrap_or_default();
    CliError::NotSwept { pod, left }
}

/// Who waits for a supervisor that can't answer is told what it can do.
fn tell_if_stopped(found: &Found, name: &str) {
    let pid = found.ledger().ok().flatten().map(|ledger| ledger.supervisor_pid);
    if let Some(pid) = pid.filter(|pid| *pid > 1 && process::is_stopped(*pid)) {
        tell!(
            "note: the supervisor of pod {name}, process {pid}, is stopped (SIGSTOP) and answers when it is let go on: \
             `kill -CONT {pid}`; `barepod rm --force {name}` ends the pod without it"
        );
    }
}
