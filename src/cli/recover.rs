//! After a supervisor that was killed: whoever names the pod next ends what is left of it and writes down what became
//! of it (design.md, section 5).

use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, EventRecord};
use barepod_engine::event::Event;
use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::{cpus, rootless};
use crate::report;
use crate::runtime::sweep::{SweepRequest, sweep};
use crate::store::events::EventLine;
use crate::store::layout::Layout;
use crate::store::ledger::Stage;
use crate::store::read::{self, Found, Life};
use crate::store::{self, Error, PodStore};
use crate::supervisor;

/// How long killed processes may take to die.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pod that `name` means, cleaned up after where its supervisor is dead.
///
/// # Errors
/// [`CliError::CutOff`] where its run was killed before it made anything: nothing is left of that one.
pub fn find(layout: &Layout, name: &str) -> Result<Found, CliError> {
    let found = read::find(layout, name)?;
    match look_after(layout, &found)? {
        Cleaned::Nothing => Ok(found),
        Cleaned::Swept => Ok(read::find(layout, name)?),
        Cleaned::Unborn => Err(CliError::CutOff(full_name(&found))),
    }
}

/// Cleans up after a dead supervisor of the pod that is about to be run, if it has one.
pub fn clean_if_lost(layout: &Layout, namespace: &str, name: &str) -> Result<(), CliError> {
    match read::find(layout, &format!("{namespace}/{name}")) {
        Ok(found) => look_after(layout, &found).map(|_| ()),
        Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `v1::Pod` with its status, of a pod that has one.
pub fn pod(found: &Found) -> Result<v1::Pod, CliError> {
    match found.pod()? {
        Some(pod) => Ok(pod),
        None if found.life()? == Life::Running => Err(CliError::NotYet(full_name(found))),
        None => Err(CliError::NoStatus(full_name(found))),
    }
}

/// `NAMESPACE/NAME`.
pub fn full_name(found: &Found) -> String {
    format!("{}/{}", found.namespace, found.name)
}

#[derive(Debug, PartialEq, Eq)]
enum Cleaned {
    /// There was nothing to do.
    Nothing,
    /// It had been made, in part or whole.
    Swept,
    /// It had made nothing, and is forgotten.
    Unborn,
}

fn look_after(layout: &Layout, found: &Found) -> Result<Cleaned, CliError> {
    if found.settled_life()? != Life::Lost {
        return Ok(Cleaned::Nothing);
    }
    // What containers have made belongs to users of theirs.
    rootless::become_root()?;
    let taken = match found.ledger()? {
        Some(_) => PodStore::take_over(layout, &found.namespace, &found.name).map(Some),
        None => store::forget_unborn(layout, &found.namespace, &found.name).map(|_| None),
    };
    match taken {
        Ok(Some(mut store)) => {
            clean(&mut store, found).and_then(|()| cpus::give_back(layout, &store)).map(|()| Cleaned::Swept)
        }
        Ok(None) => Ok(Cleaned::Unborn),
        // Somebody else is at it, or was faster.
        Err(Error::Running { .. }) => Ok(Cleaned::Nothing),
        Err(error) => Err(error.into()),
    }
}

fn clean(store: &mut PodStore, found: &Found) -> Result<(), CliError> {
    // Whoever was faster may have done it all before we got the lock.
    if store.ledger().stage == Stage::Ended {
        return Ok(());
    }
    let ledger = store.ledger().clone();
    let folders = [
        store.dir().join("containers"),
        store.dir().join("sandbox"),
        store.dir().join(crate::control::SOCKET),
        ledger.data_dir.clone(),
    ];
    let errors = sweep(&SweepRequest { cgroup: &ledger.cgroup, folders: &folders, patience: PATIENCE });
    settle(store, found)?;
    for error in &errors {
        eprintln!("warning: {error}");
    }
    let pod = full_name(found);
    if errors.is_empty() {
        store.finish()?;
        eprintln!("note: the supervisor of pod {pod} had been killed; what was left of the pod has been removed");
    } else {
        // Its ledger stays alive: what is left must not be forgotten.
        eprintln!("note: the supervisor of pod {pod} had been killed; the next command that names the pod tries again");
    }
    Ok(())
}

/// Writes down what the pod is now: as its engine says, else as its last status does. A state that can't be understood
/// must not keep the pod from being removed.
fn settle(store: &mut PodStore, found: &Found) -> Result<(), CliError> {
    let pod = found.pod().unwrap_or_else(|error| {
        eprintln!("warning: {error}");
        None
    });
    let engine = found.state::<Engine>().unwrap_or_else(|error| {
        eprintln!("warning: {error}");
        None
    });
    match (engine, pod) {
        (Some(mut engine), pod) => {
            let mut actions = Vec::new();
            engine.step(supervisor::now(), Event::SupervisorLost, &mut actions);
            for action in &actions {
                if let Action::Record(record) = action {
                    store.append_event(report::event_line(record, container(&engine, record)))?;
                }
            }
            if let Some(pod) = pod {
                store.write_pod(&report::status::v1(&pod, &engine.status(), &facts(&pod)))?;
            }
            store.write_state(&engine)?;
        }
        (None, Some(pod)) => {
            let now = jiff::Timestamp::now();
            let lost = report::lost(&pod, now);
            if lost != pod {
                let message = lost.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
                store.append_event(EventLine {
                    time: now,
                    first: None,
                    kind: "Warning".to_owned(),
                    reason: "SupervisorLost".to_owned(),
                    container: None,
                    message,
                    count: 1,
                })?;
                store.write_pod(&lost)?;
            }
        }
        // It ended before there was anything to write.
        (None, None) => {}
    }
    Ok(())
}

fn container<'a>(engine: &'a Engine, record: &EventRecord) -> Option<&'a str> {
    let index = record.container?;
    engine.spec().containers.get(usize::from(index.0)).map(|container| container.name.as_str())
}

/// What the engine doesn't know, from the status that was written last.
fn facts(pod: &v1::Pod) -> report::StatusFacts {
    let before = pod.status.clone().unwrap_or_default();
    let lists = [&before.init_container_statuses, &before.container_statuses];
    let statuses = || lists.into_iter().flatten().flatten();
    report::StatusFacts {
        resources: statuses().filter_map(|one| Some((one.name.clone(), one.resources.clone()?))).collect(),
        users: statuses().filter_map(|one| Some((one.name.clone(), one.user.clone()?))).collect(),
        host_ips: before.host_ips.into_iter().flatten().map(|ip| ip.ip).collect(),
        pod_ips: before.pod_ips.into_iter().flatten().map(|ip| ip.ip).collect(),
        qos_class: before.qos_class.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
