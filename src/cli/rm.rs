//! `barepod rm`: forgets a pod.

use super::args::{Global, RmArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::control::{self, Request};
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};
use crate::store::{Error, PodStore};

/// Removes an ended pod's state and logs; with `--force` ends a running one first.
pub fn rm(args: &RmArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let name = match recover::find(&layout, &args.pod) {
        Ok(found) => {
            remove(&layout, &found, args.force)?;
            recover::full_name(&found)
        }
        // Looking for it removed it.
        Err(CliError::CutOff(name)) => name,
        Err(error) => return Err(error),
    };
    eprintln!("pod {name} removed");
    Ok(Exit::Success)
}

fn remove(layout: &Layout, found: &Found, force: bool) -> Result<(), CliError> {
    let name = recover::full_name(found);
    if found.life()? == Life::Running {
        if !force {
            return Err(CliError::StillRunning(name));
        }
        if control::end(&found.dir, Request::Kill, || found.runs_on())?.is_none() {
            // It died instead: there is something to clean up after.
            recover::clean_if_lost(layout, &found.namespace, &found.name)?;
        }
    }
    match PodStore::take_over(layout, &found.namespace, &found.name).and_then(PodStore::remove) {
        // Another rm was faster.
        Ok(()) | Err(Error::NotFound(_)) => Ok(()),
        Err(Error::NotCleanedUp { .. }) => Err(CliError::NotSwept(name)),
        Err(error) => Err(error.into()),
    }
}
