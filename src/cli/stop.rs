//! `barepod stop`: graceful deletion, waited for.

use std::time::Duration;

use super::args::{Global, StopArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{Client, Request};
use crate::store::read::Life;

/// Asks a pod's supervisor to stop it and waits for the end.
pub fn stop(args: &StopArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout();
    let found = recover::find(&layout, &args.pod)?;
    let name = format!("{}/{}", found.namespace, found.name);
    if !matches!(found.life()?, Life::Running) {
        eprintln!("pod {name} has ended already");
        return Ok(Exit::Success);
    }
    let grace_period = args.grace_period.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let end = Client::connect(&found.dir).and_then(|mut client| {
        client.ask(Request::Stop { grace_period })?;
        client.wait_end()
    });
    match end {
        Ok(ended) => {
            eprintln!("pod {name} stopped: {} (exit code {})", ended.phase, ended.exit_code);
            Ok(Exit::Success)
        }
        // It may have ended between our look and our call.
        Err(_) if !matches!(found.life()?, Life::Running) => {
            recover::find(&layout, &args.pod)?;
            eprintln!("pod {name} has ended");
            Ok(Exit::Success)
        }
        Err(error) => Err(error.into()),
    }
}
