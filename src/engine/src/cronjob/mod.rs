//! A CronJob's controller as a pure state machine (R16), beside the Job's: facts in, actions out, no clock and no I/O. Times are of the
//! wall clock, as schedules are; it may jump. Who runs it hands in the schedule, which knows of calendars and time zones.
//!
//! Where to start reading: [`CronJob::step`] takes a fact; `due` says whether a Job is to begin; [`CronJob::next_time`] when to ask again.

mod due;
mod event;
mod schedule;
mod spec;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use event::{CronAction, CronEvent, CronNote, JobEnd, JobNumber};
pub use schedule::{Every, Schedule};
pub use spec::{Concurrency, CronSpec};

use crate::replica::{Failures, TRIES};
use crate::time::{Instant, Now, WallTime};

/// A CronJob and its Jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CronJob {
    spec: CronSpec,
    /// From when times count, where no Job has begun since: when it was made, or its schedule changed.
    since: WallTime,
    jobs: BTreeMap<JobNumber, Entry>,
    next_job: u32,
    last_schedule: Option<WallTime>,
    last_success: Option<WallTime>,
    /// Of which time users have been told that it didn't count.
    told: Option<(WallTime, Why)>,
    /// Jobs that couldn't be made, since the last one that could.
    refusals: Failures,
    next_try: Option<Instant>,
    next_time: Option<WallTime>,
}

/// A Job that there is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    due: WallTime,
    /// What `last_schedule` was before.
    before: Option<WallTime>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Asked for.
    Beginning,
    Running,
    Complete,
    Failed,
    /// It is being ended, as the next one takes its place.
    Ending,
    /// It has finished and is being forgotten.
    Leaving,
}

impl Stage {
    fn is_active(self) -> bool {
        match self {
            Self::Beginning | Self::Running => true,
            Self::Complete | Self::Failed | Self::Ending | Self::Leaving => false,
        }
    }
}

/// Why a time doesn't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Why {
    Late,
    Forbidden,
}

/// What users see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronStatus {
    /// Jobs that run.
    pub active: Vec<JobNumber>,
    /// When the last one that has begun was due.
    pub last_schedule_time: Option<WallTime>,
    /// When the last one was complete.
    pub last_successful_time: Option<WallTime>,
}

impl CronJob {
    /// One that is made now.
    pub fn new(spec: CronSpec, now: WallTime) -> Self {
        Self {
            spec,
            since: now,
            jobs: BTreeMap::new(),
            next_job: 0,
            last_schedule: None,
            last_success: None,
            told: None,
            refusals: Failures::default(),
            next_try: None,
            next_time: None,
        }
    }

    /// Takes a fact and appends what is to be done. What is said of a Job that isn't there any more is left alone.
    pub fn step(&mut self, now: Now, event: CronEvent, schedule: &dyn Schedule, actions: &mut Vec<CronAction>) {
        match event {
            CronEvent::Tick => {}
            CronEvent::Begun(job) => self.begun(job),
            CronEvent::NotBegun(job) => self.not_begun(job, now.monotonic),
            CronEvent::Finished(job, end) => self.finished(job, end),
            CronEvent::Gone(job) => _ = self.jobs.remove(&job),
            CronEvent::Changed(spec) => self.spec = spec,
            CronEvent::Rescheduled => self.since = now.wall,
        }
        self.begin_what_is_due(now, schedule, actions);
        self.forget_history(actions);
        self.next_time = self.is_scheduled().then(|| self.after(now.wall, schedule)).flatten();
    }

    fn begun(&mut self, job: JobNumber) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            self.refusals = Failures::default();
            if entry.stage == Stage::Beginning {
                entry.stage = Stage::Running;
            }
        }
    }

    /// R16.8: the time counts still.
    fn not_begun(&mut self, job: JobNumber, now: Instant) {
        if let Some(entry) = self.jobs.remove(&job) {
            self.refusals.add(now);
            self.next_try = self.refusals.until(TRIES);
            if self.last_schedule == Some(entry.due) {
                self.last_schedule = entry.before;
            }
        }
    }

    fn finished(&mut self, job: JobNumber, end: JobEnd) {
        if let JobEnd::Complete(at) = end {
            self.last_success = self.last_success.max(Some(at));
        }
        if let Some(entry) = self.jobs.get_mut(&job).filter(|entry| entry.stage.is_active()) {
            entry.stage = match end {
                JobEnd::Complete(_) => Stage::Complete,
                JobEnd::Failed => Stage::Failed,
            };
        }
    }

    /// R16.6: the oldest go first.
    fn forget_history(&mut self, actions: &mut Vec<CronAction>) {
        for (stage, kept) in [(Stage::Complete, self.spec.successful_kept), (Stage::Failed, self.spec.failed_kept)] {
            let kept = usize::try_from(kept).unwrap_or(usize::MAX);
            let of_stage = self.jobs.iter_mut().filter(|(_, entry)| entry.stage == stage).rev();
            for (job, entry) in of_stage.skip(kept) {
                entry.stage = Stage::Leaving;
                actions.push(CronAction::Forget(*job));
            }
        }
    }

    /// What was asked for and isn't answered yet, for who goes on with a CronJob that was saved.
    pub fn under_way(&self) -> Vec<CronAction> {
        let asked = |(job, entry): (&JobNumber, &Entry)| match entry.stage {
            Stage::Beginning => Some(CronAction::Begin { job: *job, due: entry.due }),
            Stage::Running | Stage::Complete | Stage::Failed => None,
            Stage::Ending => Some(CronAction::End(*job)),
            Stage::Leaving => Some(CronAction::Forget(*job)),
        };
        self.jobs.iter().filter_map(asked).collect()
    }

    /// The next time at which a Job is due: then [`Self::step`] is to be called though nothing has happened, and when the clock is set.
    pub fn next_time(&self) -> Option<WallTime> {
        self.next_time
    }

    /// When [`Self::step`] is to be called to try once more to make a Job.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.next_try.filter(|_| self.is_scheduled())
    }

    /// What users see.
    pub fn status(&self) -> CronStatus {
        CronStatus {
            active: self.active().collect(),
            last_schedule_time: self.last_schedule,
            last_successful_time: self.last_success,
        }
    }
}
