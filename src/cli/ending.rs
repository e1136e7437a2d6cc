//! The end of a pod by force: its supervisor is asked for it, and where that doesn't answer, killed.

use std::time::{Duration, Instant};

use super::error::CliError;
use super::recover;
use crate::control::{Client, Request};
use crate::runtime::process;
use crate::store::ledger::{Ledger, Supervisor};
use crate::store::read::Found;

/// After how long whoever waits says for whom.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a supervisor that can run may take to remove its pod.
const PATIENCE: Duration = Duration::from_secs(60);

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
