//! `run --cpu-manager static`: which cpus a pod's containers get for themselves, agreed upon with all pods of the root.

use k8s_openapi::api::core::v1;

use super::args::{CpuManager, RunArgs};
use super::error::CliError;
use super::recover;
use crate::plan::cpus::{allot as choose, wants_exclusive};
use crate::plan::{Cpu, CpuSet};
use crate::plan::{NodeFacts, PodPlan};
use crate::runtime::node;
use crate::store::PodStore;
use crate::store::cpus::{CpuBook, left};
use crate::store::layout::Layout;
use crate::supervisor::cpus::{CpuError, taken};

/// The box's cpus, for a pod that is to get some.
pub(super) struct BoxCpus {
    all: CpuSet,
    cpus: Vec<Cpu>,
    reserved: CpuSet,
}

/// Looks at the box, where the pod asks for cpus of its own.
pub(super) fn needed(args: &RunArgs, pod: &v1::Pod, node: &NodeFacts) -> Result<Option<BoxCpus>, CliError> {
    if args.cpu_manager == CpuManager::None {
        return match args.reserved_cpus {
            Some(_) => Err(CliError::Usage("--reserved-cpus needs --cpu-manager static")),
            None => Ok(None),
        };
    }
    let (all, cpus) = node::cpus(&node.cgroup_parent).map_err(CpuError::from)?;
    let reserved = args.reserved_cpus.clone().unwrap_or_else(|| all.first());
    if !reserved.without(&all).is_empty() {
        return Err(CliError::Usage("--reserved-cpus names a cpu that pods can't run on"));
    }
    Ok(pod.spec.as_ref().is_some_and(wants_exclusive).then_some(BoxCpus { all, cpus, reserved }))
}

/// Takes the cpus, and writes them into the plan and down. Gives why the pod is rejected where there aren't enough.
pub(super) fn allot(
    layout: &Layout,
    store: &PodStore,
    box_has: &BoxCpus,
    pod: &v1::Pod,
    plan: &mut PodPlan,
) -> Result<Option<String>, CliError> {
    let Some(spec) = &pod.spec else { return Ok(None) };
    // What a killed supervisor or a failed removal left may still run on cpus that are to be given away. Before the lock: it may take a while.
    for found in left(layout)? {
        recover::clean_if_lost(layout, &found.namespace, &found.name)?;
    }
    let book = CpuBook::open(layout)?;
    let taken = taken(&book.sharers()?).map_err(CpuError::from)?;
    let rest = box_has.all.without(&taken);
    let free = rest.without(&box_has.reserved);
    let chosen = choose(spec, &free, &box_has.cpus);
    let rejected = |why: &dyn std::fmt::Display| Some(format!("Allocate failed due to {why}, which is unexpected"));
    let why = match chosen {
        Err(error) => rejected(&error),
        // Others may have been told to reserve other ones.
        Ok(all) if all.values().fold(rest, |rest, own| rest.without(own)).is_empty() => {
            rejected(&"no cpu would be left for everybody else")
        }
        Ok(all) => {
            book.note(store.dir(), &all.iter().map(|(name, cpus)| (name.clone(), cpus.to_string())).collect())?;
            plan.pin(all);
            None
        }
    };
    book.close()?;
    Ok(why)
}
