//! The end of a pod: gracefully, which its supervisor is asked for, or by force, and where it doesn't answer then it is killed.

use std::time::{Duration, Instant};

use super::error::CliError;
use super::terminal::sanitize;
use super::{phrases, recover};
use crate::control::{self, Client, ControlError, Ended, Request, Waiting};
use crate::runtime::process;
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::ledger::{Ledger, Supervisor};
use crate::store::read::{Found, Life};

/// After how long whoever waits says for whom.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a supervisor that can run may take to remove its pod.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks a pod's supervisor for its end, waits for that, and says meanwhile whom it waits for. `None`: it ended before it could be
/// asked, or its supervisor died.
pub fn gracefully(found: &Found, pod: &str, grace_period: Option<Duration>) -> Result<Option<Ended>, ControlError> {
    let news = |waiting: &Waiting| tell!("{}", words_of(waiting, pod));
    control::end(&found.dir, Request::stop(grace_period), || found.runs_on(), news)
}

/// Whom the pod's end waits for.
pub fn words_of(waiting: &Waiting, pod: &str) -> String {
    let names: Vec<String> = waiting.containers.iter().map(|name| sanitize(name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (left, grace) = (Duration::from_millis(waiting.left_millis), Duration::from_millis(waiting.grace_millis));
    phrases::waiting(&names, left, grace, &format!("`barepod rm --force {pod}` ends the pod at once"))
}

/// Who waits for a supervisor that can't answer is told what it can do.
pub fn tell_if_stopped(found: &Found, name: &str) {
    if let Some(pid) = recover::stopped_supervisor(found) {
        tell!("note: {}", phrases::stopped(name, pid));
    }
}

/// Ends the pod of this name for another run of it, if one runs: with its own grace period.
///
/// # Errors
/// Where its supervisor can't be asked, or can't end it.
pub fn for_another(layout: &Layout, namespace: &str, name: &str) -> Result<(), CliError> {
    let pod = format!("{namespace}/{name}");
    let found = match recover::look(layout, &pod) {
        Ok(found) => found,
        Err(CliError::Store(Error::NotFound(_))) => return Ok(()),
        Err(error) => return Err(error),
    };
    match recover::life(&found)? {
        // What nobody supervises any more any run cleans up after.
        Life::Ended | Life::Left | Life::Lost => return Ok(()),
        Life::Running => {}
    }
    tell_if_stopped(&found, &pod);
    tell!("stopping pod {pod} to replace it");
    gracefully(&found, &pod, None)?;
    Ok(())
}

/// Ends a pod's supervisor, and the pod's processes with it where that still can; a sweep has to follow.
pub fn force(found: &Found) -> Result<(), CliError> {
    let began = Instant::now();
    let mut told = false;
    let mut asked = None;
    // By its socket it removes all there is; once it has been asked, its end is waited for.
    while found.runs_on() {
        // Asked repeatedly: at first the supervisor may have had no place for this client.
        if asked.as_ref().is_none_or(|(_, at): &(Client, Instant)| at.elapsed() >= SILENCE) {
            asked = ask(found).map(|client| (client, Instant::now()));
        }
        let waited = began.elapsed();
        let Some(supervisor) = found.ledger().ok().flatten().filter(|ledger| ledger.supervisor() == Supervisor::Alive)
        else {
            // Of another pid namespace, or one that hasn't written its ledger: nobody whom a signal could be sent to.
            if waited < PATIENCE {
                continue;
            }
            let why = "it is not a process of this pid namespace".to_owned();
            return Err(CliError::Stuck { pod: recover::full_name(found), process: String::new(), why });
        };
        let pid = supervisor.supervisor_pid;
        if waited >= SILENCE && !told {
            let stopped = if process::is_stopped(pid) { ", which is stopped (SIGSTOP)" } else { "" };
            let pod = recover::full_name(found);
            tell!("note: waiting for the supervisor of pod {pod}, process {pid}{stopped}");
            told = true;
        }
        // What is stopped answers nobody.
        if waited >= PATIENCE || (waited >= SILENCE * 2 && process::is_stopped(pid)) {
            kill(found, &supervisor)?;
        }
    }
    Ok(())
}

/// Asks for the end, where somebody listens.
fn ask(found: &Found) -> Option<Client> {
    let mut client = Client::connect(&found.dir).ok()?;
    client.ask(Request::Kill).ok()?;
    Some(client)
}

fn kill(found: &Found, supervisor: &Ledger) -> Result<(), CliError> {
    let pid = supervisor.supervisor_pid;
    let pod = recover::full_name(found);
    tell!("note: the supervisor of pod {pod}, process {pid}, doesn't answer: it is killed");
    let is_it = || supervisor.supervisor() == Supervisor::Alive;
    process::kill_if(pid, is_it).map_err(|cause| CliError::Stuck {
        pod,
        process: format!(" (process {pid})"),
        why: cause.to_string(),
    })
}
