//! Signals that commands send to containers. What comes of one is the engine's to say, as of any exit.

use barepod_engine::action::{EventReason, EventRecord, Severity};
use barepod_engine::spec::{ContainerIndex, Kind};

use super::execs::LAST_SIGNAL;
use super::{Supervisor, now};
use crate::control::Signalled;
use crate::plan;

const KILL: i32 = rustix::process::Signal::KILL.as_raw();

impl Supervisor<'_> {
    /// Sends a signal to the first process of the container of this name, or of all main containers, where they run.
    pub(super) fn signal_containers(&mut self, container: Option<&str>, signal: i32) -> Signalled {
        if !(1..=LAST_SIGNAL).contains(&signal) {
            return Signalled::Refused { why: format!("{signal} is no signal") };
        }
        let all = self.pod.plan.lifecycle.containers.iter().zip(0..);
        let chosen = all.filter(|(one, _)| container.map_or(one.kind == Kind::Main, |name| one.name == name));
        let chosen: Vec<ContainerIndex> = chosen.map(|(_, index)| ContainerIndex(index)).collect();
        if chosen.is_empty() {
            return Signalled::NoContainer;
        }
        let mut sent = Vec::new();
        for index in chosen {
            let Some(present) = self.slots[usize::from(index.0)].running() else { continue };
            // One that has ended takes signals, too, until that was seen.
            if present.container.is_ending() {
                continue;
            }
            if let Err(error) = present.container.signal(signal) {
                return Signalled::Refused { why: error.to_string() };
            }
            if signal == KILL {
                self.execs_are_killed(index);
            }
            let message =
                format!("Container {} was sent {} by barepod kill", self.name(index), plan::signal_name(signal));
            self.records.push(EventRecord {
                time: now().wall,
                severity: Severity::Normal,
                reason: EventReason::SignalSent,
                container: Some(index),
                message,
            });
            self.records_are_to_be_written();
            sent.push(self.name(index).to_owned());
        }
        if sent.is_empty() { Signalled::NotRunning } else { Signalled::Sent { containers: sent } }
    }
}
