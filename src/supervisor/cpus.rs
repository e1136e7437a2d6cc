//! Cpus that containers have for themselves (`--cpu-manager static`): all other pods' containers are kept off them from
//! before the first such container is made until all of its pod is gone.

use std::path::Path;

use super::Supervisor;
use crate::plan::cpus::Exclusive;
use crate::plan::{CpuSet, NoCpuSet};
use crate::runtime::cgroup::{CgroupError, Hierarchies};
use crate::store::cpus::{CpuBook, Sharer};
use crate::store::layout::Layout;
use crate::store::{self, PodStore};

/// Why cpus can't be shared out.
#[derive(Debug, thiserror::Error)]
pub enum CpuError {
    /// The state folder.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// The box.
    #[error("{0}")]
    Cgroup(#[from] CgroupError),
    /// A record that makes no sense.
    #[error("a pod's record of its cpus: {0}")]
    Record(#[from] NoCpuSet),
}

/// What a pod's containers have for themselves.
///
/// # Errors
/// Where the record makes no sense.
pub fn exclusive(pod: &Sharer) -> Result<Exclusive, NoCpuSet> {
    pod.exclusive.iter().map(|(name, cpus)| Ok((name.clone(), CpuSet::parse(cpus)?))).collect()
}

/// All that the containers of these pods have for themselves.
///
/// # Errors
/// As [`exclusive`].
pub fn taken(pods: &[Sharer]) -> Result<CpuSet, NoCpuSet> {
    let mut taken = CpuSet::default();
    for pod in pods {
        taken = exclusive(pod)?.values().fold(taken, |all, cpus| all.with(cpus));
    }
    Ok(taken)
}

/// Writes to each pod's cgroups which cpus it may use now. `parent` is the cgroup below which pods are.
///
/// # Errors
/// The first that couldn't be written; the others are.
pub fn share_out(book: &CpuBook<'_>, parent: &Path) -> Result<(), CpuError> {
    let hierarchies = Hierarchies::discover()?;
    let pods = book.sharers()?;
    let shared = hierarchies.cpuset(parent)?.without(&taken(&pods)?);
    let mut result = Ok(());
    for pod in &pods {
        let confined = hierarchies.confine(&pod.cgroup, &exclusive(pod)?, &shared);
        result = result.and(confined.map_err(CpuError::from));
    }
    result
}

/// After a pod's end: what it had for itself is everybody's again where all of it is gone, which its ledger says by now.
///
/// # Errors
/// Where the record can't be read or written, or a cgroup of another pod's.
pub fn give_back(layout: &Layout, store: &PodStore) -> Result<(), CpuError> {
    let Some(book) = CpuBook::open_if_used(layout)? else { return Ok(()) };
    book.give_back(store)?;
    // <parent>/barepod/<the pod's own>
    let parent = store.ledger().cgroup.ancestors().nth(2).map(Path::to_owned);
    let shared = share_out(&book, &parent.unwrap_or_else(|| "/".into()));
    book.close()?;
    shared
}

impl Supervisor<'_> {
    /// The pod's cgroup is there: it, and all others, take what is theirs. The lock is held for moments only, also by others.
    pub(super) fn take_cpus(&mut self) {
        let layout = self.layout();
        let shared = CpuBook::open_if_used(&layout).map_err(CpuError::from).and_then(|book| match book {
            Some(book) => share_out(&book, &self.pod.node.cgroup_parent),
            None => Ok(()),
        });
        self.warn_of_cpus(shared);
    }

    /// The pod has ended: what it had for itself is everybody's again where all of it is gone, which its ledger says by now.
    /// Not with its sandbox: that is made anew where it fails, and containers keep their cpus.
    pub(super) fn give_back_cpus(&mut self) {
        if self.pod.plan.cpus.is_empty() {
            return;
        }
        let shared = give_back(&self.layout(), &self.store);
        self.warn_of_cpus(shared);
    }

    /// For containers that have no cpus for themselves, in a pod where others do.
    pub(super) fn shared_cpus(&self) -> Option<CpuSet> {
        let sandbox = self.sandbox.as_ref().filter(|_| !self.pod.plan.cpus.is_empty())?;
        let pod = sandbox.hierarchies().cpuset(sandbox.cgroup()).ok()?;
        Some(self.pod.plan.cpus.values().fold(pod, |left, own| left.without(own)))
    }

    fn layout(&self) -> Layout {
        let root = self.store.dir().parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        Layout::at(root)
    }

    fn warn_of_cpus(&mut self, result: Result<(), CpuError>) {
        if let Err(error) = result {
            self.audience.warn(&format!("sharing out cpus: {error}"));
        }
    }
}
