//! CronJobs in virtual time (R16): the clock is in minutes, and a Job is due whenever the schedule divides them.

use std::time::Duration;

use barepod_engine::cronjob::{
    Concurrency, CronAction, CronEvent, CronJob, CronNote, CronSpec, Every, JobEnd, JobNumber, Schedule,
};
use barepod_engine::job::Suspension;
use barepod_engine::time::{Instant, Now, WallTime};

/// Each so many minutes, as `*/N` is.
pub struct Minutes(pub i64);

impl Schedule for Minutes {
    fn next(&self, after: WallTime) -> Option<WallTime> {
        Some(at((after.as_unix_nanos().div_euclid(at(self.0).as_unix_nanos()) + 1) * self.0))
    }
}

pub fn at(minutes: i64) -> WallTime {
    WallTime::from_unix_nanos(minutes * 60_000_000_000)
}

pub fn spec() -> CronSpec {
    CronSpec {
        concurrency: Concurrency::Allow,
        starting_deadline: None,
        suspension: Suspension::Active,
        successful_kept: 3,
        failed_kept: 1,
    }
}

struct Box {
    cron: CronJob,
    schedule: Minutes,
    said: Vec<CronAction>,
}

impl Box {
    /// Made at 1, due at 10, 20, ...
    fn new(spec: CronSpec) -> Self {
        Self { cron: CronJob::new(spec, at(1)), schedule: Minutes(10), said: Vec::new() }
    }

    fn tell(&mut self, minutes: i64, event: CronEvent) -> Vec<CronAction> {
        let nanos = u64::try_from(at(minutes).as_unix_nanos()).unwrap();
        let now = Now { monotonic: Instant::from_nanos(nanos), wall: at(minutes) };
        self.said.clear();
        self.cron.step(now, event, &self.schedule, &mut self.said);
        self.said.clone()
    }

    fn tick(&mut self, minutes: i64) -> Vec<CronAction> {
        self.tell(minutes, CronEvent::Tick)
    }

    /// Begins what is due, and says which one that is.
    fn begin(&mut self, minutes: i64) -> JobNumber {
        let begun = self.tick(minutes).into_iter().find_map(|action| match action {
            CronAction::Begin { job, .. } => Some(job),
            CronAction::End(_) | CronAction::Forget(_) | CronAction::Tell(_) => None,
        });
        let job = begun.unwrap();
        self.tell(minutes, CronEvent::Begun(job));
        job
    }
}

fn begin(job: u32, due: i64) -> CronAction {
    CronAction::Begin { job: JobNumber(job), due: at(due) }
}

/// R16.1.
#[test]
fn a_job_begins_when_it_is_due_and_once() {
    let mut one = Box::new(spec());
    assert_eq!(one.tick(1), []);
    assert_eq!(one.cron.next_time(), Some(at(10)));
    assert_eq!(one.tick(9), []);
    assert_eq!(one.tick(10), [begin(0, 10)]);
    assert_eq!(one.tick(11), []);
    assert_eq!(one.cron.next_time(), Some(at(20)));
    assert_eq!(one.cron.status().last_schedule_time, Some(at(10)));
}

/// R16.1, R16.3.
#[test]
fn of_many_that_were_missed_the_latest_begins() {
    let mut one = Box::new(spec());
    assert_eq!(one.tick(57), [begin(0, 50)]);
    assert_eq!(one.tick(1_055), [begin(1, 1_050)]);
    assert_eq!(one.tick(2_065), [CronAction::Tell(CronNote::TooManyMissedTimes), begin(2, 2_060)]);
    // Years.
    assert_eq!(one.tick(2_000_009), [CronAction::Tell(CronNote::TooManyMissedTimes), begin(3, 2_000_000)]);
}

/// R16.2, R16.3.
#[test]
fn one_that_is_too_late_begins_no_more() {
    let starting_deadline = Some(Duration::from_secs(180));
    let mut one = Box::new(CronSpec { starting_deadline, ..spec() });
    assert_eq!(one.tick(13), [begin(0, 10)]);
    assert_eq!(one.tick(2_024), [CronAction::Tell(CronNote::MissSchedule(at(2_020)))]);
    // Said once.
    assert_eq!(one.tick(2_025), []);
    assert_eq!(one.cron.next_time(), Some(at(2_030)));
    assert_eq!(one.tick(2_031), [begin(1, 2_030)]);
    assert_eq!(one.cron.status().last_schedule_time, Some(at(2_030)));
}

/// R16.4.
#[test]
fn what_runs_decides_by_the_policy() {
    let [first, second] = [JobNumber(0), JobNumber(1)];
    let with = |concurrency| {
        let mut one = Box::new(CronSpec { concurrency, ..spec() });
        assert_eq!(one.begin(10), first);
        one
    };
    let mut allow = with(Concurrency::Allow);
    assert_eq!(allow.tick(20), [begin(1, 20)]);
    assert_eq!(allow.cron.status().active, [first, second]);

    let mut forbid = with(Concurrency::Forbid);
    assert_eq!(forbid.tick(20), [CronAction::Tell(CronNote::JobAlreadyActive)]);
    assert_eq!((forbid.tick(21), forbid.cron.next_time()), (vec![], Some(at(30))));
    assert_eq!(forbid.tick(30), [CronAction::Tell(CronNote::JobAlreadyActive)]);
    assert_eq!(forbid.tell(34, CronEvent::Finished(first, JobEnd::Complete(at(34)))), [begin(1, 30)]);

    let mut replace = with(Concurrency::Replace);
    assert_eq!(replace.tick(20), [CronAction::End(first), begin(1, 20)]);
    assert_eq!(replace.cron.status().active, [second]);
    // It ends otherwise than it was asked to: it is forgotten all the same, once.
    assert_eq!(replace.tell(21, CronEvent::Finished(first, JobEnd::Complete(at(21)))), []);
    assert_eq!(replace.cron.under_way(), [CronAction::End(first), begin(1, 20)]);
    assert_eq!(replace.tell(22, CronEvent::Gone(first)), []);
    assert_eq!(replace.cron.under_way(), [begin(1, 20)]);
}

/// R16.2, R16.4.
#[test]
fn one_that_was_forbidden_too_long_is_missed() {
    let starting_deadline = Some(Duration::from_secs(180));
    let mut one = Box::new(CronSpec { concurrency: Concurrency::Forbid, starting_deadline, ..spec() });
    let first = one.begin(10);
    assert_eq!(one.tick(20), [CronAction::Tell(CronNote::JobAlreadyActive)]);
    let missed = CronAction::Tell(CronNote::MissSchedule(at(20)));
    assert_eq!(one.tell(24, CronEvent::Finished(first, JobEnd::Failed)), [missed]);
    assert_eq!(one.tick(30), [begin(1, 30)]);
}

/// R16.5.
#[test]
fn while_it_is_suspended_none_begins() {
    let mut one = Box::new(CronSpec { suspension: Suspension::Suspended, ..spec() });
    assert_eq!((one.tick(10), one.cron.next_time(), one.cron.next_deadline()), (vec![], None, None));
    assert_eq!(one.tell(25, CronEvent::Changed(spec())), [begin(0, 20)]);
}

/// R16.6.
#[test]
fn the_last_ones_are_kept() {
    let mut one = Box::new(CronSpec { successful_kept: 2, failed_kept: 0, ..spec() });
    for round in 1..=2 {
        let job = one.begin(round * 10);
        assert_eq!(one.tell(round * 10 + 1, CronEvent::Finished(job, JobEnd::Complete(at(round * 10 + 1)))), []);
    }
    let failed = one.begin(30);
    assert_eq!(one.tell(31, CronEvent::Finished(failed, JobEnd::Failed)), [CronAction::Forget(failed)]);
    assert_eq!(one.cron.under_way(), [CronAction::Forget(failed)]);
    assert_eq!(one.tell(31, CronEvent::Gone(failed)), []);
    let third = one.begin(40);
    let oldest = CronAction::Forget(JobNumber(0));
    assert_eq!(one.tell(41, CronEvent::Finished(third, JobEnd::Complete(at(41)))), [oldest]);
    assert_eq!(one.cron.status().last_successful_time, Some(at(41)));
    // Fewer are wanted.
    let fewer = CronSpec { successful_kept: 0, ..spec() };
    let rest = [CronAction::Forget(third), CronAction::Forget(JobNumber(1))];
    assert_eq!(one.tell(42, CronEvent::Changed(fewer)), rest);
}

/// R16.7.
#[test]
fn a_clock_that_is_set_back() {
    let mut one = Box::new(spec());
    one.begin(600);
    assert_eq!((one.tick(530), one.cron.next_time()), (vec![], Some(at(610))));
    assert_eq!(one.tick(600), []);
    // It had been wrong before: a board without a clock of its own, say.
    one.begin(5_000_000);
    assert_eq!((one.tick(655), one.cron.next_time()), (vec![], Some(at(660))));
    assert_eq!(one.tick(660), [begin(2, 660)]);
}

/// R16.8.
#[test]
fn one_that_cannot_be_made_is_tried_again() {
    let mut one = Box::new(spec());
    assert_eq!(one.tick(10), [begin(0, 10)]);
    assert_eq!(one.tell(10, CronEvent::NotBegun(JobNumber(0))), []);
    let later = |seconds: u64| Instant::from_nanos(600_000_000_000).after(Duration::from_secs(seconds));
    assert_eq!(one.cron.next_deadline(), Some(later(1)));
    assert_eq!(one.cron.status().last_schedule_time, None);
    assert_eq!(one.tick(11), [begin(1, 10)]);
    assert_eq!(one.cron.next_deadline(), None);
    one.tell(11, CronEvent::NotBegun(JobNumber(1)));
    assert_eq!(one.cron.next_deadline(), Some(later(62)));
    // The next time comes meanwhile: it is that one's turn.
    assert_eq!(one.begin(21), JobNumber(2));
    assert_eq!(one.cron.status().last_schedule_time, Some(at(20)));
    one.tick(30);
    one.tell(30, CronEvent::NotBegun(JobNumber(3)));
    assert_eq!(one.cron.next_deadline(), Some(later(1_201)));
}

/// R16.9.
#[test]
fn of_a_new_schedule_only_what_comes_counts() {
    let mut one = Box::new(spec());
    one.begin(10);
    one.schedule = Minutes(3);
    assert_eq!((one.tell(19, CronEvent::Rescheduled), one.cron.next_time()), (vec![], Some(at(21))));
    assert_eq!(one.tick(21), [begin(1, 21)]);
}

/// R16.1: `@every` counts from the last time, whenever it is looked at.
#[test]
fn every_so_often() {
    let every = Every(Duration::from_secs(7 * 60));
    let mut cron = CronJob::new(spec(), at(1));
    let mut begun = Vec::new();
    for minutes in [1, 5, 9, 16, 40, 44, 50] {
        let now = Now { monotonic: Instant::default(), wall: at(minutes) };
        let mut actions = Vec::new();
        cron.step(now, CronEvent::Tick, &every, &mut actions);
        begun.extend(actions);
    }
    assert_eq!(begun, [begin(0, 8), begin(1, 15), begin(2, 36), begin(3, 43), begin(4, 50)]);
    assert_eq!(cron.next_time(), Some(at(57)));
}

/// A schedule that never comes true, as of 31 February.
struct Never;

impl Schedule for Never {
    fn next(&self, _: WallTime) -> Option<WallTime> {
        None
    }
}

#[test]
fn a_schedule_without_times_does_nothing() {
    let mut cron = CronJob::new(spec(), at(1));
    let mut actions = Vec::new();
    let now = Now { monotonic: Instant::default(), wall: at(1_000_000) };
    cron.step(now, CronEvent::Tick, &Never, &mut actions);
    assert_eq!((actions, cron.next_time()), (vec![], None));
}
