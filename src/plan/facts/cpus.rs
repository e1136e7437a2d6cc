//! Cpus of a box, by number.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

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

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, cpu: u32) -> bool {
        self.0.contains(&cpu)
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
