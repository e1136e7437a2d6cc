//! What a CronJob's controller is told, and what it asks for.

use serde::{Deserialize, Serialize};

use super::spec::CronSpec;
use crate::time::WallTime;

/// A Job of the CronJob's; each has a number that no other one has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobNumber(pub u32);

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CronEvent {
    /// Nothing but that time has passed, or the clock was set.
    Tick,
    /// A Job that was asked for is there.
    Begun(JobNumber),
    /// One that was asked for couldn't be made (R16.8).
    NotBegun(JobNumber),
    /// A Job has finished.
    Finished(JobNumber, JobEnd),
    /// A Job is there no more.
    Gone(JobNumber),
    /// Its spec has changed.
    Changed(CronSpec),
    /// Its schedule has changed: from now on the new one is handed in (R16.9).
    Rescheduled,
}

/// How a Job has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobEnd {
    /// At this time.
    Complete(WallTime),
    /// The Job is Failed.
    Failed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CronAction {
    /// Begin a Job; answered by `Begun` or `NotBegun`, and by `Finished` or `Gone`.
    Begin {
        /// Which.
        job: JobNumber,
        /// When it was due.
        due: WallTime,
    },
    /// End and forget a Job that runs (R16.4); answered by `Gone`.
    End(JobNumber),
    /// Forget a Job that has finished (R16.6); answered by `Gone`.
    Forget(JobNumber),
    /// Tell users.
    Tell(CronNote),
}

/// What users are told, by the names that a cluster's events have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CronNote {
    /// A time has passed by more than `startingDeadlineSeconds` (R16.2).
    MissSchedule(WallTime),
    /// More than 100 times have passed since the last one that counted (R16.3).
    TooManyMissedTimes,
    /// `concurrencyPolicy: Forbid` (R16.4).
    JobAlreadyActive,
}
