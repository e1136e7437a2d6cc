//! Whole cpus for containers of Guaranteed pods: the kubelet's static cpu manager policy. Which cpus are free is a fact
//! that comes in; that nobody else takes them meanwhile is the store's lock's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use barepod_engine::spec::Kind;
use k8s_openapi::api::core::v1;
use serde::{Deserialize, Serialize};

use super::QosClass;
use crate::plan::lifecycle::containers;
use crate::plan::resources;

/// Cpus by number, written as the kernel does: `0-2,5` (cpuset(7), List Format).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CpuSet(BTreeSet<u32>);

/// A cpu, and the core it is a thread of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// Package and core.
    pub core: (u32, u32),
}

/// What containers have for themselves, by name.
pub type Exclusive = BTreeMap<String, CpuSet>;

/// There are not enough cpus. In the kubelet's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough cpus available to satisfy request: requested={requested}, available={available}")]
pub struct NotEnoughCpus {
    /// By one container.
    pub requested: usize,
    /// What is left for it.
    pub available: usize,
}

/// No list of cpus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a list of cpus; write it like 0-2,5")]
pub struct NoCpuSet(String);

/// Above this no kernel numbers cpus.
const MOST: u32 = 8192;

impl CpuSet {
    /// `0-2,5`; empty text is the empty set.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn parse(text: &str) -> Result<Self, NoCpuSet> {
        let fail = || NoCpuSet(text.to_owned());
        let mut cpus = BTreeSet::new();
        for part in text.trim().split(',').filter(|_| !text.trim().is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (first.parse().map_err(|_| fail())?, last.parse().map_err(|_| fail())?);
            if first > last || last >= MOST {
                return Err(fail());
            }
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }

    /// These and those of the other.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }

    /// Those that aren't in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// The one with the lowest number, alone.
    #[must_use]
    pub fn first(&self) -> Self {
        Self(self.0.first().copied().into_iter().collect())
    }
}

impl FromIterator<u32> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u32>>(cpus: I) -> Self {
        Self(cpus.into_iter().collect())
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for &cpu in &self.0 {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == cpu => *last = cpu,
                _ => runs.push((cpu, cpu)),
            }
        }
        let text =
            |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        f.write_str(&runs.iter().map(text).collect::<Vec<_>>().join(","))
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for CpuSet {
    type Error = NoCpuSet;

    fn try_from(text: String) -> Result<Self, NoCpuSet> {
        Self::parse(&text)
    }
}

/// How many cpus a container gets for itself: all it requests, where that is a whole number and the pod Guaranteed.
fn whole_cpus(qos: QosClass, container: &v1::Container) -> usize {
    match resources::requests(container).cpu {
        Some(cpu) if qos == QosClass::Guaranteed && cpu.0 % 1000 == 0 => usize::try_from(cpu.0 / 1000).unwrap_or(0),
        Some(_) | None => 0,
    }
}

/// Whether some container of a pod is to have cpus for itself.
#[must_use]
pub fn wants_exclusive(spec: &v1::PodSpec) -> bool {
    let qos = resources::qos(spec);
    containers(spec).any(|(.., one)| whole_cpus(qos, one) > 0)
}

/// Gives each container of a pod that gets cpus for itself some of the free ones. What an init container had goes to
/// those behind it; what a sidecar has it keeps, as it runs beside them (the kubelet's podCPUsToReuse).
///
/// # Errors
/// Where there are not enough for one.
pub fn allot(spec: &v1::PodSpec, free: &CpuSet, box_has: &[Cpu]) -> Result<Exclusive, NotEnoughCpus> {
    let qos = resources::qos(spec);
    let (mut free, mut reusable) = (free.clone(), CpuSet::default());
    let mut exclusive = Exclusive::new();
    for (_, kind, container) in containers(spec) {
        let requested = whole_cpus(qos, container);
        if requested == 0 {
            continue;
        }
        let available = free.with(&reusable).0.len();
        if available < requested {
            return Err(NotEnoughCpus { requested, available });
        }
        let mut taken = take(&reusable, requested, box_has);
        taken = taken.with(&take(&free, requested - taken.0.len(), box_has));
        free = free.without(&taken);
        reusable = match kind {
            Kind::Init => reusable.with(&taken),
            Kind::Sidecar | Kind::Main => reusable.without(&taken),
        };
        exclusive.insert(container.name.clone(), taken);
    }
    Ok(exclusive)
}

/// At most `count` cpus: whole free cores first, then threads of the cores that have the fewest left, so that whole ones
/// remain for others.
fn take(free: &CpuSet, count: usize, box_has: &[Cpu]) -> CpuSet {
    let mut cores: BTreeMap<(u32, u32), (usize, Vec<u32>)> = BTreeMap::new();
    for cpu in box_has {
        let (threads, left) = cores.entry(cpu.core).or_default();
        *threads += 1;
        left.extend(free.0.contains(&cpu.number).then_some(cpu.number));
    }
    let mut taken = BTreeSet::new();
    let missing = |taken: &BTreeSet<u32>| count - taken.len();
    for (threads, left) in cores.values() {
        if left.len() == *threads && left.len() <= missing(&taken) {
            taken.extend(left);
        }
    }
    let mut rest: Vec<&Vec<u32>> = cores.values().map(|(_, left)| left).collect();
    rest.sort_by_key(|left| left.len());
    for cpu in rest.into_iter().flatten() {
        if missing(&taken) > 0 {
            taken.insert(*cpu);
        }
    }
    CpuSet(taken)
}
