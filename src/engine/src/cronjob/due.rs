//! Whether a Job is to begin (R16.1 to R16.5, R16.8, R16.9).

use alloc::vec::Vec;
use core::time::Duration;

use super::event::{CronAction, CronNote, JobNumber};
use super::schedule::Schedule;
use super::spec::Concurrency;
use super::{CronJob, Entry, Stage, Why};
use crate::job::Suspension;
use crate::time::{Now, WallTime};

/// More times that have passed are worth a word.
const MANY: u32 = 100;
/// A clock that is set back by more was wrong before; by less, what has run once doesn't run again (cron(8)).
const CORRECTED: Duration = Duration::from_secs(3 * 60 * 60);

impl CronJob {
    pub(super) fn begin_what_is_due(&mut self, now: Now, schedule: &dyn Schedule, actions: &mut Vec<CronAction>) {
        if !self.is_scheduled() || self.next_try.is_some_and(|at| at > now.monotonic) {
            return;
        }
        self.next_try = None;
        self.correct(now.wall);
        let from = self.counts_from(now.wall);
        let Some(due) = schedule.latest(from, now.wall) else { return };
        if self.spec.starting_deadline.is_some_and(|limit| due.after(limit) < now.wall) {
            return self.tell_once(due, Why::Late, CronNote::MissSchedule(due), actions);
        }
        match self.spec.concurrency {
            Concurrency::Forbid if self.active().next().is_some() => {
                return self.tell_once(due, Why::Forbidden, CronNote::JobAlreadyActive, actions);
            }
            Concurrency::Replace => self.end_all(actions),
            Concurrency::Allow | Concurrency::Forbid => {}
        }
        let counted_from = self.spec.starting_deadline.map_or(from, |limit| from.max(now.wall.before(limit)));
        if schedule.count(counted_from, now.wall, MANY + 1) > MANY {
            actions.push(CronAction::Tell(CronNote::TooManyMissedTimes));
        }
        let job = JobNumber(self.next_job);
        self.next_job += 1;
        self.jobs.insert(job, Entry { due, before: self.last_schedule, stage: Stage::Beginning });
        self.last_schedule = Some(due);
        actions.push(CronAction::Begin { job, due });
    }

    /// R16.7: what a clock said that was far ahead counts no more.
    fn correct(&mut self, now: WallTime) {
        if now.after(CORRECTED) < self.counts_from(now) {
            self.since = now;
            self.last_schedule = None;
        }
    }

    /// Times up to this one have been dealt with (R16.1, R16.9).
    fn counts_from(&self, now: WallTime) -> WallTime {
        let last = self.last_schedule.unwrap_or(self.since).max(self.since);
        // Only what users are told: a time that was missed stays missed.
        match self.told {
            Some((due, Why::Late)) if due <= now => last.max(due),
            Some(_) | None => last,
        }
    }

    /// The first time after now.
    pub(super) fn after(&self, now: WallTime, schedule: &dyn Schedule) -> Option<WallTime> {
        let from = self.counts_from(now);
        schedule.next(schedule.latest(from, now).unwrap_or(from))
    }

    pub(super) fn is_scheduled(&self) -> bool {
        self.spec.suspension == Suspension::Active
    }

    pub(super) fn active(&self) -> impl Iterator<Item = JobNumber> {
        self.jobs.iter().filter(|(_, entry)| entry.stage.is_active()).map(|(job, _)| *job)
    }

    fn tell_once(&mut self, due: WallTime, why: Why, note: CronNote, actions: &mut Vec<CronAction>) {
        if self.told != Some((due, why)) {
            self.told = Some((due, why));
            actions.push(CronAction::Tell(note));
        }
    }

    /// R16.4: the new one doesn't wait for them.
    fn end_all(&mut self, actions: &mut Vec<CronAction>) {
        for (job, entry) in self.jobs.iter_mut().filter(|(_, entry)| entry.stage.is_active()) {
            entry.stage = Stage::Ending;
            actions.push(CronAction::End(*job));
        }
    }
}
