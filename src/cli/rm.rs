//! `barepod rm`: forgets a pod.

use super::args::{Global, RmArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{Client, Request};
use crate::store::PodStore;
use crate::store::read::Life;

/// Removes an ended pod's state and logs; with `--force` ends a running one first.
pub fn rm(args: &RmArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout();
    let found = recover::find(&layout, &args.pod)?;
    let name = format!("{}/{}", found.namespace, found.name);
    if matches!(found.life()?, Life::Running) {
        if !args.force {
            return Err(CliError::StillRunning(name));
        }
        let ended = Client::connect(&found.dir).and_then(|mut client| {
            client.ask(Request::Kill)?;
            client.wait_end()
        });
        // A supervisor that died instead is cleaned up after; one that ended meanwhile is what was wanted.
        if let Err(error) = ended
            && matches!(found.life()?, Life::Running)
        {
            return Err(error.into());
        }
        recover::find(&layout, &args.pod)?;
    }
    PodStore::take_over(&layout, &found.namespace, &found.name)?.remove()?;
    eprintln!("pod {name} removed");
    Ok(Exit::Success)
}
