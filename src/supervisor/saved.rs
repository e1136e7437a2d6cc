//! What of a supervisor outlives it: `state.json`, written anew after every change, and one `attempt.json` for each
//! attempt, written once. Counts and due times of probes, which nothing else shows, are a second old at most when the
//! next event comes.
//!
//! What isn't in them is found again by who takes the pod over, or is worth nothing without the process that had it:
//!
//! - pidfds, by pid and start time; the end of a process that is gone by then nobody has seen (R8.6)
//! - namespaces, cgroups, mounts, folders: by the pid of the sandbox or of a container, and by names that the ledger and
//!   the attempt's number give
//! - variables of containers: the kernel has those that their inits were started with
//! - what the status shows of resources, users and addresses: `pod.json` has it
//! - helpers that make, look for, measure or remove: they die with their supervisor, or what they did is done again
//! - probes, hooks, removals and whatever else is under way: the engine says for which answers it waits (`Engine::under_way`)
//!
//! All instants are `CLOCK_BOOTTIME`, comparable as long as the ledger's boot is the box's.

use std::borrow::Cow;
use std::time::Duration;

use barepod_engine::Engine;
use barepod_engine::event::CreateFailure;
use barepod_engine::spec::Attempt;
use oci_spec::runtime::{LinuxSeccomp, Process};
use serde::{Deserialize, Deserializer, Serialize};

use super::slot::{Present, ProcessState, RemovalOf, Slot, Stage, Start};

/// The format this barepod writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// `state.json`. Unknown keys are skipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State<'a> {
    /// [`VERSION`]. A newer one is refused: what its keys mean isn't known.
    #[serde(deserialize_with = "known_version")]
    pub version: u32,
    /// The pod's lifecycle, whole.
    pub engine: Cow<'a, Engine>,
    /// The pid 1 of a pid namespace that all containers share; `None`: there is none.
    #[serde(default)]
    pub sandbox: Option<ProcessState>,
    /// In the order of the engine's containers.
    #[serde(default)]
    pub containers: Vec<ContainerState>,
}

impl<'a> State<'a> {
    /// Of a pod that nobody supervises any more: there is nothing but its engine.
    pub fn of_ended(engine: &'a Engine) -> Self {
        let engine = Cow::Borrowed(engine);
        Self { version: VERSION, engine, sandbox: None, containers: Vec::new() }
    }
}

fn known_version<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(from)?;
    if version > VERSION {
        let why = format!("format {version} is a newer barepod's; this one reads formats up to {VERSION}");
        return Err(serde::de::Error::custom(why));
    }
    Ok(version)
}

/// One container's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerState {
    /// The attempt that `stage` is about; where there is none, the last one.
    pub attempt: Attempt,
    /// How far it is.
    pub stage: StageState,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageState {
    /// There is none.
    Absent,
    /// It was being made: what there is of it is to be removed, and the engine to be told that it wasn't made.
    Creating,
    /// It exists. What it was made with is in its `attempt.json`.
    Present {
        /// Its init.
        process: ProcessState,
        /// How far its start is.
        start: Start,
        /// How long its program ran, once it has ended.
        ran: Option<Duration>,
    },
    /// It is being removed.
    Removing {
        /// Why it could not be made, where it wasn't; the engine is told that once all is gone.
        unmade: Option<(CreateFailure, String)>,
    },
}

/// `attempt.json`: what programs that are run beside an attempt's own need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptState<'a> {
    /// The process of its OCI config without its arguments and variables: a Secret may be in them, and no Secret is written
    /// to a disk. The kernel has the variables that its init was started with (proc(5), /proc/PID/environ).
    pub process: Option<Process>,
    /// Its seccomp profile.
    pub seccomp: Option<Cow<'a, LinuxSeccomp>>,
}

impl<'a> AttemptState<'a> {
    /// Of one that exists.
    pub(super) fn of(present: &'a Present) -> Self {
        let seccomp = present.made.filter.as_ref().map(|compiled| Cow::Borrowed(&compiled.profile));
        let mut process = present.made.process.clone();
        if let Some(process) = &mut process {
            process.set_args(None).set_env(None);
        }
        Self { process, seccomp }
    }
}

impl ContainerState {
    /// What there is to be known of a place.
    pub(super) fn of(slot: &Slot) -> Self {
        let stage = match &slot.stage {
            Stage::Absent => StageState::Absent,
            Stage::Creating(_) => StageState::Creating,
            Stage::Present(present) => StageState::Present {
                process: present.process.unwrap_or_else(|| ProcessState::of(present.container.pid())),
                start: present.start,
                ran: present.ran,
            },
            Stage::Removing(removing) => StageState::Removing {
                unmade: match &removing.of {
                    RemovalOf::Made(_) => None,
                    RemovalOf::Unmade(failure, why) => Some((*failure, why.clone())),
                },
            },
        };
        Self { attempt: slot.attempt, stage }
    }
}

#[cfg(test)]
mod tests;
