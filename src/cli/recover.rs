//! After a supervisor that was killed: whoever names the pod next ends what is left of it and writes down what became
//! of it (design.md, section 5).

use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::action::Action;
use barepod_engine::event::Event;

use super::error::CliError;
use crate::report;
use crate::runtime::sweep::{SweepRequest, sweep};
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};
use crate::store::{Error, PodStore};
use crate::supervisor;

/// How long killed processes may take to die.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pod that `name` means, cleaned up after where its supervisor is dead.
pub fn find(layout: &Layout, name: &str) -> Result<Found, CliError> {
    let found = read::find(layout, name)?;
    if matches!(found.life()?, Life::Lost) {
        clean(layout, &found)?;
        return Ok(read::find(layout, name)?);
    }
    Ok(found)
}

/// Cleans up after a dead supervisor, if the pod has one.
pub fn clean_if_lost(layout: &Layout, namespace: &str, name: &str) -> Result<(), CliError> {
    match read::find(layout, &format!("{namespace}/{name}")) {
        Ok(found) if matches!(found.life()?, Life::Lost) => clean(layout, &found),
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn clean(layout: &Layout, found: &Found) -> Result<(), CliError> {
    let pod = format!("{}/{}", found.namespace, found.name);
    let mut store = match PodStore::take_over(layout, &found.namespace, &found.name) {
        Ok(store) => store,
        // Somebody else is at it.
        Err(Error::Running { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let ledger = store.ledger().clone();
    let folders = [
        store.dir().join("containers"),
        store.dir().join("sandbox"),
        store.dir().join(crate::control::SOCKET),
        ledger.data_dir.clone(),
    ];
    for error in sweep(&SweepRequest { cgroup: &ledger.cgroup, folders: &folders, patience: PATIENCE }) {
        eprintln!("warning: {error}");
    }
    if let Some(mut engine) = found.state::<Engine>()? {
        settle(&mut store, found, &mut engine)?;
    }
    store.finish()?;
    eprintln!("note: the supervisor of pod {pod} had been killed; what was left of the pod has been removed");
    Ok(())
}

/// Has the engine say what the pod is now.
fn settle(store: &mut PodStore, found: &Found, engine: &mut Engine) -> Result<(), CliError> {
    let mut actions = Vec::new();
    engine.step(supervisor::now(), Event::SupervisorLost, &mut actions);
    for action in &actions {
        if let Action::Record(record) = action {
            store.append_event(&report::event_line(record, None))?;
        }
    }
    let Some(pod) = found.pod()? else { return Ok(()) };
    let before = pod.status.clone().unwrap_or_default();
    let facts = report::StatusFacts {
        host_ips: before.host_ips.into_iter().flatten().map(|ip| ip.ip).collect(),
        pod_ips: before.pod_ips.into_iter().flatten().map(|ip| ip.ip).collect(),
        qos_class: before.qos_class.unwrap_or_default(),
    };
    store.write_pod(&report::status::v1(&pod, &engine.status(), &facts))?;
    store.write_state(engine)?;
    Ok(())
}
