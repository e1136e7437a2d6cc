//! What becomes of pods that nobody supervises any more.
//!
//! Only `stop`, `rm` and a new `run` end anything: they clean up after a supervisor that was killed and write down what
//! became of the pod ([`find`], [`clean_if_lost`]). Commands that read ([`look`], [`pod`]) show what is known, say that
//! nobody supervises the pod, and touch nothing.

mod running;

use std::path::Path;
use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::{Action, EventRecord};
use barepod_engine::event::Event;
use k8s_openapi::api::core::v1;

use super::error::CliError;
use super::user::become_root;
use crate::report::{self, Loss};
use crate::runtime::process;
use crate::runtime::sandbox::SandboxDirs;
use crate::runtime::sweep::{SweepError, SweepRequest, sweep};
use crate::store::events::EventLine;
use crate::store::identity::Identity;
use crate::store::layout::Layout;
use crate::store::ledger::{Remains, Stage};
use crate::store::read::{self, Found, Life};
use crate::store::{self, Error, PodStore, old_logs, orphans};
use crate::supervisor::cpus::give_back;
use crate::supervisor::{self, saved::State};
pub use running::look_running;

/// How long killed processes may take to die.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The pod that `name` means, as it is.
///
/// # Errors
/// Where there is none, or more than one.
pub fn look(layout: &Layout, name: &str) -> Result<Found, CliError> {
    Ok(read::find(layout, name)?)
}

/// The pod that `name` means, cleaned up after where its supervisor is dead or something was left.
///
/// # Errors
/// [`CliError::CutOff`] where its run was killed before it made anything: nothing is left of that one.
pub fn find(layout: &Layout, name: &str) -> Result<Found, CliError> {
    let found = read::find(layout, name)?;
    match look_after(layout, &found)? {
        Cleaned::Nothing => Ok(found),
        // This one, whatever pods of its name have come to be in other namespaces.
        Cleaned::Swept => Ok(read::find(layout, &full_name(&found))?),
        Cleaned::NeverMade => Err(CliError::CutOff(full_name(&found))),
    }
}

/// Cleans up after an earlier life of the pod that is about to be run, if it has one.
pub fn clean_if_lost(layout: &Layout, namespace: &str, name: &str) -> Result<(), CliError> {
    match read::find(layout, &format!("{namespace}/{name}")) {
        Ok(found) => look_after(layout, &found).map(|_| ()),
        Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with a pod's state, and what to do about it.
pub fn unreadable(found: &Found, cause: Error) -> CliError {
    let pod = full_name(found);
    match found.life() {
        Ok(Life::Running) => CliError::UnreadableYet { pod, cause },
        Ok(Life::Ended | Life::Left | Life::Lost) | Err(_) => CliError::Unreadable { pod, cause },
    }
}

/// Whether a pod is looked after ([`Found::life`]).
pub fn life(found: &Found) -> Result<Life, CliError> {
    found.life().map_err(|cause| unreadable(found, cause))
}

/// For commands that show something else of the pod than its status: says what of its state can't be read, and whether
/// that is anything.
pub fn warn_of_unreadable(found: &Found) -> bool {
    let wrong: Vec<Error> = [found.ledger().err(), found.pod().err()].into_iter().flatten().collect();
    let is_any = !wrong.is_empty();
    for cause in wrong {
        tell!("warning: {}", unreadable(found, cause));
    }
    is_any
}

/// `v1::Pod` with its status, of a pod that has one; where nobody supervises it, as what it is, with a note.
pub fn pod(found: &Found) -> Result<v1::Pod, CliError> {
    let unreadable = |cause| unreadable(found, cause);
    let life = life(found)?;
    match found.pod().map_err(unreadable)? {
        Some(pod) => {
            let (pod, note) = as_it_is(found, life, pod).map_err(unreadable)?;
            if let Some(note) = note {
                tell!("note: {note}");
            }
            Ok(pod)
        }
        None if life == Life::Running => Err(CliError::NotYet(full_name(found))),
        None => Err(CliError::NoStatus(full_name(found))),
    }
}

/// A pod's last status, or what is to be shown instead where it can't be true any more, and what to say of that.
pub fn as_it_is(found: &Found, life: Life, pod: v1::Pod) -> Result<(v1::Pod, Option<String>), Error> {
    let name = full_name(found);
    let ledger = match life {
        // Nothing of it is shown, and whoever wrote it will do so again.
        Life::Running => None,
        Life::Ended | Life::Left | Life::Lost => found.ledger()?,
    };
    match (life, ledger) {
        (Life::Lost, Some(ledger)) if ledger.is_of_another_boot() => {
            Ok((report::lost(&pod, Loss::Rebooted, jiff::Timestamp::now()), None))
        }
        (Life::Lost, _) => {
            let advice = format!("`barepod rm {name}` ends what is left of it");
            let said = found.supervisor_log(0).ok().flatten();
            let said = said.map(|(log, _)| format!(" (what it said last is in {})", log.display())).unwrap_or_default();
            let note = format!("the supervisor of pod {name} is gone{said}; {advice}");
            Ok((report::unsupervised(&pod, &advice), Some(note)))
        }
        (Life::Left, Some(ledger)) => {
            let left = ledger.left.join("; ");
            Ok((
                pod,
                Some(format!(
                    "pod {name} has ended, and not all of it could be removed: {left}; `barepod rm {name}` tries again"
                )),
            ))
        }
        (Life::Running | Life::Ended | Life::Left, _) => Ok((pod, None)),
    }
}

/// `NAMESPACE/NAME`.
pub fn full_name(found: &Found) -> String {
    format!("{}/{}", found.namespace, found.name)
}

/// The full names of pods as they are named now: they mean the same pods also when others of these names come.
pub fn full_names(layout: &Layout, names: &[String]) -> Result<Vec<String>, CliError> {
    names.iter().map(|name| Ok(full_name(&look(layout, name)?))).collect()
}

/// The process of a pod's supervisor, if that is stopped (SIGSTOP): it answers nobody until it is let go on.
pub fn stopped_supervisor(found: &Found) -> Option<u32> {
    let pid = found.ledger().ok().flatten()?.supervisor_pid;
    (pid > 1 && process::is_stopped(pid)).then_some(pid)
}

/// Says whom a command waits for.
pub fn tell_of_waiting(pod: &str) -> impl Fn(Option<u32>) {
    move |pid| {
        let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        tell!("note: waiting for another barepod command{process}, which is cleaning up after pod {pod}");
    }
}

/// Removes what pods left of which nothing else is known any more: their state went with a reboot, or with somebody's `rm`.
/// What can't be removed stays for the next time.
pub fn sweep_orphans(layout: &Layout) {
    if let Err(error) = store::forget_moved_away(layout) {
        tell!("warning: what was left of pods that have been removed: {error}; the next run tries again");
    }
    let end = |pod: &str, cgroup: &Path| {
        let errors = sweep(&SweepRequest { cgroup, folders: &[], network: None, patience: PATIENCE });
        tell_of_orphans(Some(pod), &errors);
        errors.is_empty()
    };
    let found = old_logs::forget_old_logs(layout, std::time::SystemTime::now());
    let found = match found.and_then(|()| orphans::collect(layout, end)) {
        Ok(found) => found,
        Err(error) => return tell!("warning: looking for what pods have left: {error}"),
    };
    for orphan in found {
        let folders = [orphan.folder];
        let request = SweepRequest { cgroup: Path::new(""), folders: &folders, network: None, patience: PATIENCE };
        tell_of_orphans(orphan.pod.as_deref(), &sweep(&request));
    }
}

fn tell_of_orphans(pod: Option<&str>, errors: &[SweepError]) {
    let of = pod.map(|pod| format!(" of pod {pod}")).unwrap_or_default();
    for error in errors {
        tell!("warning: what was left{of}: {error}; the next run tries again");
    }
}

/// Which pods of this name (`NAME` or `NAMESPACE/NAME`) have logs though nothing else is known of them.
pub fn pods_with_logs(layout: &Layout, name: &str) -> Result<Vec<(String, String)>, Error> {
    let (namespace, bare) = name.split_once('/').map_or((None, name), |(namespace, bare)| (Some(namespace), bare));
    let mut pods = old_logs::pods_with_logs(layout, bare)?;
    pods.retain(|(of, _)| namespace.is_none_or(|namespace| namespace == of));
    Ok(pods)
}

#[derive(Debug, PartialEq, Eq)]
enum Cleaned {
    /// There was nothing to do.
    Nothing,
    /// It had been made, in part or whole.
    Swept,
    /// It had made nothing, and is forgotten.
    NeverMade,
}

fn look_after(layout: &Layout, found: &Found) -> Result<Cleaned, CliError> {
    match found.life() {
        Ok(Life::Running | Life::Ended) => return Ok(Cleaned::Nothing),
        Ok(Life::Lost | Life::Left) => {}
        Err(cause) => return Err(CliError::Unreadable { pod: full_name(found), cause }),
    }
    // What containers have made belongs to users of theirs.
    become_root()?;
    let pod = full_name(found);
    let taken = match found.ledger()? {
        Some(_) => PodStore::take_over(layout, &found.namespace, &found.name, &tell_of_waiting(&pod)).map(Some),
        None => store::forget_unborn(layout, &found.namespace, &found.name).map(|_| None),
    };
    match taken {
        Ok(Some(mut store)) => {
            let left = clean(layout, &mut store, found)?;
            give_back(layout, &store)?;
            for one in left.words() {
                tell!("warning: {one}");
            }
            if !left.words().is_empty() {
                tell!("note: not all that is left of pod {pod} could be removed; `barepod rm {pod}` tries again");
            }
            Ok(Cleaned::Swept)
        }
        Ok(None) => Ok(Cleaned::NeverMade),
        // Somebody else has removed it, or supervises it after all.
        Err(Error::Running { .. } | Error::NotFound(_)) => Ok(Cleaned::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Cleans up after a pod whose lock is held by this process. Gives what is left; the store knows it.
fn clean(layout: &Layout, store: &mut PodStore, found: &Found) -> Result<Remains, CliError> {
    // Whoever was faster may have done it all before we got the lock.
    if store.ledger().stage == Stage::Ended {
        return Ok(Remains::default());
    }
    let was_lost = store.ledger().stage == Stage::Live;
    let remains = sweep_pod(layout, store);
    if was_lost {
        settle(store, found)?;
    }
    let remains = store.finish(remains)?;
    if was_lost && remains.words().is_empty() {
        let pod = full_name(found);
        tell!("note: the supervisor of pod {pod} had been killed; what was left of the pod has been removed");
    }
    Ok(remains)
}

/// Ends and removes all that a pod's ledger names and that is the pod's own.
pub(super) fn sweep_pod(layout: &Layout, store: &PodStore) -> Remains {
    let ledger = store.ledger();
    let pod = Identity::new(layout, &ledger.namespace, &ledger.name, &ledger.uid);
    let dirs = SandboxDirs { state: store.dir().to_owned(), data: ledger.data_dir.clone() };
    let mut folders = dirs.to_sweep().to_vec();
    folders.push(store.dir().join(crate::control::SOCKET));
    let network = ledger.network_to_sweep().map(|network| supervisor::recorded(network, &ledger.pid_namespace));
    let cgroup = ledger.cgroup_to_sweep(&pod);
    Remains::of(sweep(&SweepRequest { cgroup, folders: &folders, network, patience: PATIENCE }))
}

/// Writes down what the pod is now: as its engine says, else as its last status does. A state that can't be understood
/// must not keep the pod from being removed.
fn settle(store: &mut PodStore, found: &Found) -> Result<(), CliError> {
    let pod = found.pod().unwrap_or_else(|error| {
        tell!("warning: {error}");
        None
    });
    let state = found.state::<State<'_>>().unwrap_or_else(|error| {
        tell!("warning: {error}");
        None
    });
    let loss = if store.ledger().is_of_another_boot() { Loss::Rebooted } else { Loss::Killed };
    match (state.map(|state| state.engine.into_owned()), pod) {
        (Some(mut engine), pod) => {
            let mut actions = Vec::new();
            engine.step(supervisor::now(), Event::SupervisorLost, &mut actions);
            for action in &actions {
                if let Action::Record(record) = action {
                    store.append_event(report::event_line(record, container(&engine, record)))?;
                }
            }
            if let Some(pod) = pod {
                let mut pod = report::status::v1(&pod, &engine.status(), &facts(&pod));
                report::explain(&mut pod, loss);
                store.write_pod(&pod)?;
            }
            store.write_state(&State::of_ended(&engine))?;
        }
        (None, Some(pod)) => {
            let now = jiff::Timestamp::now();
            let lost = report::lost(&pod, loss, now);
            if lost != pod {
                let message = lost.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
                store.append_event(EventLine {
                    time: now,
                    first: None,
                    kind: "Warning".to_owned(),
                    reason: lost.status.as_ref().and_then(|status| status.reason.clone()).unwrap_or_default(),
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
    let lists = [&before.init_container_statuses, &before.container_statuses, &before.ephemeral_container_statuses];
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
