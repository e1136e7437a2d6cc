//! `barepod stop`: graceful deletion, waited for.

use std::time::Duration;

use super::args::{Global, StopArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{self, Request};
use crate::store::read::Life;

/// Asks a pod's supervisor to stop it and waits for the end.
pub fn stop(args: &StopArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let found = recover::find(&layout, &args.pod)?;
    let name = recover::full_name(&found);
    if found.life()? != Life::Running {
        eprintln!("pod {name} has ended already");
        return Ok(Exit::Success);
    }
    let grace_period = args.grace_period.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let request = Request::Stop { grace_period };
    match control::end(&found.dir, request, || found.runs_on())? {
        Some(ended) => eprintln!("pod {name} stopped: {} (exit code {})", ended.phase, ended.exit_code),
        None => match recover::find(&layout, &name) {
            // Another command was as fast as to remove it.
            Ok(_) | Err(CliError::CutOff(_) | CliError::Store(crate::store::Error::NotFound(_))) => {
                eprintln!("pod {name} has ended");
            }
            Err(error) => return Err(error),
        },
    }
    Ok(Exit::Success)
}
