//! The removal of pods that have ended, and of a Job's.

use super::error::CliError;
use super::user::become_root;
use super::{ending, recover};
use crate::runtime::sandbox::SandboxDirs;
use crate::runtime::sweep::{SweepRequest, sweep};
use crate::store::jobs::SavedJob;
use crate::store::layout::Layout;
use crate::store::ledger::Stage;
use crate::store::read::{Found, Life};
use crate::store::unreadable::UnreadablePod;
use crate::store::{self, Error, PodStore, identity};
use crate::supervisor::cpus::give_back;

/// The pod of this name, if there is one.
pub fn found(layout: &Layout, namespace: &str, name: &str) -> Found {
    let dir = identity::state_dir(layout, namespace, name);
    Found { namespace: namespace.to_owned(), name: name.to_owned(), dir }
}

/// Forgets all pods of a Job, those that run only by force.
///
/// # Errors
/// Where not all of one can be removed.
pub fn of_job(layout: &Layout, namespace: &str, job: &SavedJob, force: bool) -> Result<(), CliError> {
    for pod in &job.pods {
        let found = found(layout, namespace, &pod.name);
        if found.dir.exists() {
            remove(layout, &found, force)?;
        }
    }
    Ok(())
}

/// Forgets a pod: its state and its logs. One that runs only by force, and then it is ended first.
///
/// # Errors
/// Where it runs, or not all of it can be removed.
pub fn remove(layout: &Layout, found: &Found, force: bool) -> Result<(), CliError> {
    match found.life() {
        // Its supervisor is about to go, and is waited for.
        Ok(Life::Running) if found.has_ended() => {}
        Ok(Life::Running) if !force => return Err(CliError::StillRunning(recover::full_name(found))),
        Ok(Life::Running) => ending::force(found)?,
        Ok(Life::Ended | Life::Left | Life::Lost) => {}
        Err(cause) if force && cause.is_about_content() => return remove_unreadable(layout, found),
        Err(cause) => return Err(CliError::Unreadable { pod: recover::full_name(found), cause }),
    }
    // What containers have made belongs to users of theirs.
    become_root()?;
    let name = recover::full_name(found);
    match PodStore::take_over(layout, &found.namespace, &found.name, &recover::tell_of_waiting(&name)) {
        Ok(store) => forget(layout, store, &name),
        // Another rm was faster, or its run was cut off before it made anything.
        Err(Error::NotFound(_)) => Ok(store::forget_unborn(layout, &found.namespace, &found.name).map(drop)?),
        Err(error) if force && error.is_about_content() => remove_unreadable(layout, found),
        Err(error) => Err(error.into()),
    }
}

/// Nothing has to be written for that where all goes: the disk may be full.
fn forget(layout: &Layout, mut store: PodStore, name: &str) -> Result<(), CliError> {
    if store.ledger().stage != Stage::Ended {
        let left = recover::sweep_pod(layout, &store);
        match store.finish(left) {
            Ok(left) if left.words().is_empty() => {}
            Ok(left) => {
                return Err(CliError::NotSwept { pod: name.to_owned(), left: left.words().join("; ") });
            }
            // It says no more than the ledger did before, and what is not gone is looked at below.
            Err(error) if store.ledger().stage != Stage::Ended => return Err(error.into()),
            Err(_) => {}
        }
        give_back(layout, &store)?;
    }
    Ok(store.remove()?)
}

/// What the pod's folder says can't be understood: everything goes that is a pod's of this name.
fn remove_unreadable(layout: &Layout, found: &Found) -> Result<(), CliError> {
    become_root()?;
    let name = recover::full_name(found);
    let unreadable = UnreadablePod::take_over(layout, &found.namespace, &found.name, &recover::tell_of_waiting(&name))?;
    let state = SandboxDirs { state: unreadable.state().to_owned(), data: unreadable.state().to_owned() };
    let folders: Vec<_> = state.to_sweep().into_iter().chain(unreadable.data.iter().cloned()).collect();
    let mut left = Vec::new();
    for cgroup in &unreadable.cgroups {
        left.extend(sweep(&SweepRequest { cgroup, folders: &[], network: None, patience: recover::PATIENCE }));
    }
    // Their processes first: they may write.
    if left.is_empty() {
        let none = std::path::Path::new("");
        left = sweep(&SweepRequest { cgroup: none, folders: &folders, network: None, patience: recover::PATIENCE });
    }
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        return Err(CliError::NotSwept { pod: name, left: left.join("; ") });
    }
    Ok(unreadable.remove_folder()?)
}
