//! Pods with limits of disk use: measured every so often by a helper, and the engine told when one is exceeded. Other
//! pods are never woken up for it.

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::event::Event;

use super::clock::Alarm;
use super::sources::{Interest, Token};
use super::{Supervisor, now};
use crate::plan::storage::{Measured, StorageFolders, StorageLimits};
use crate::runtime::container::reap_ended;
use crate::runtime::usage::Measurement;

/// What is known of the pod's use of the disk.
pub(super) struct Storage {
    limits: StorageLimits,
    /// Between the end of one measurement and the beginning of the next.
    interval: Duration,
    /// When the next one begins; `None`: nobody watches.
    alarm: Option<Alarm>,
    measurement: Option<(Measurement, Vec<Measured>)>,
    /// Whether it was said that nothing can be measured.
    warned: bool,
}

impl Storage {
    pub fn new(limits: StorageLimits, interval: Duration) -> Self {
        Self { limits, interval, alarm: None, measurement: None, warned: false }
    }

    /// The pod has one more container, with no limit of its own.
    pub fn add_container(&mut self, name: &str) {
        self.limits.add_container(name);
    }
}

impl Supervisor<'_> {
    /// The pod's folders are there.
    pub(super) fn watch_storage(&mut self) {
        if self.storage.limits.is_empty() {
            return;
        }
        let alarm = Alarm::new().and_then(|mut alarm| {
            self.sources.add(&alarm, Token::StorageAlarm, Interest::Readable)?;
            alarm.set(Some(now().monotonic.after(self.storage.interval)))?;
            Ok(alarm)
        });
        match alarm {
            Ok(alarm) => self.storage.alarm = Some(alarm),
            Err(errno) => self.audience.warn(&format!("the pod's use of the disk is not watched: {errno}")),
        }
    }

    /// They are about to go.
    pub(super) fn leave_storage(&mut self) {
        if let Some(alarm) = self.storage.alarm.take() {
            self.sources.remove(&alarm);
        }
        if let Some((measurement, _)) = self.storage.measurement.take() {
            self.sources.remove(measurement.fd());
        }
    }

    /// It is time for the next measurement.
    pub(super) fn measure_storage(&mut self) {
        let Some(alarm) = &mut self.storage.alarm else { return };
        alarm.acknowledge();
        let folders = StorageFolders { data: &self.pod.dirs.data, logs: &self.store.ledger().log_dir };
        let (what, places): (Vec<_>, Vec<_>) = self.storage.limits.places(folders).into_iter().unzip();
        let begun = Measurement::begin(&places).and_then(|measurement| {
            self.sources.add(measurement.fd(), Token::Storage, Interest::Readable)?;
            Ok(measurement)
        });
        match begun {
            Ok(measurement) => self.storage.measurement = Some((measurement, what)),
            Err(cause) => self.not_measured(&cause),
        }
    }

    /// The helper has something to say.
    pub(super) fn storage_measured(&mut self) {
        let Some((measurement, _)) = &mut self.storage.measurement else { return };
        let Some(outcome) = measurement.outcome() else { return };
        let Some((measurement, what)) = self.storage.measurement.take() else { return };
        self.sources.remove(measurement.fd());
        drop(measurement);
        reap_ended();
        match outcome {
            Ok(bytes) => {
                let used: BTreeMap<Measured, u64> = what.into_iter().zip(bytes).collect();
                match self.storage.limits.exceeded(&used) {
                    // What follows is the engine's; there is nothing more to be watched.
                    Some(exceeded) => {
                        self.leave_storage();
                        self.facts.push_back(Event::StorageExceeded(exceeded));
                    }
                    None => self.measure_later(),
                }
            }
            Err(cause) => self.not_measured(&cause),
        }
    }

    fn not_measured(&mut self, cause: &std::io::Error) {
        if !std::mem::replace(&mut self.storage.warned, true) {
            self.audience.warn(&format!("can't measure the pod's use of the disk, which goes on being tried: {cause}"));
        }
        self.measure_later();
    }

    fn measure_later(&mut self) {
        let next = now().monotonic.after(self.storage.interval);
        if let Some(alarm) = &mut self.storage.alarm
            && let Err(errno) = alarm.set(Some(next))
        {
            self.audience.warn(&format!("the pod's use of the disk is not watched any more: {errno}"));
        }
    }
}
