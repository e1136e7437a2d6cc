//! Random facts about random CronJobs, saved and loaded at random moments: what must hold whatever happens (R16).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use barepod_engine::cronjob::{Concurrency, CronAction, CronEvent, CronJob, CronSpec, JobEnd, JobNumber};
use barepod_engine::job::Suspension;
use barepod_engine::time::{Instant, Now, WallTime};

use crate::cronjob::{Minutes, at};
use crate::random::{Random, seeds};

/// Facts of each run, unless `BAREPOD_PROPERTY_EVENTS` says how many.
const ALL_FACTS: u64 = 200_000;
/// For each.
const FACTS: u32 = 100;

/// As the world sees it.
#[derive(Default)]
struct Jobs {
    beginning: BTreeSet<JobNumber>,
    running: BTreeSet<JobNumber>,
    finished: BTreeMap<JobNumber, JobEnd>,
    going: BTreeSet<JobNumber>,
    due: Vec<WallTime>,
}

impl Jobs {
    fn take(&mut self, action: CronAction, spec: &CronSpec, now: WallTime, seed: u64) {
        match action {
            CronAction::Begin { job, due } => {
                assert!(due <= now, "{seed}: {job:?} begins before its time");
                if let Some(limit) = spec.starting_deadline {
                    assert!(due.after(limit) >= now, "{seed}: {job:?} begins too late");
                }
                let others = self.beginning.union(&self.running).filter(|one| !self.going.contains(one)).count();
                assert!(
                    spec.concurrency == Concurrency::Allow || others == 0,
                    "{seed}: {job:?} beside {others} others"
                );
                assert_eq!(spec.suspension, Suspension::Active, "{seed}");
                assert!(self.beginning.insert(job), "{seed}");
                self.due.push(due);
            }
            CronAction::End(job) => {
                assert_eq!(spec.concurrency, Concurrency::Replace, "{seed}");
                assert!(self.beginning.contains(&job) || self.running.contains(&job), "{seed}");
                assert!(self.going.insert(job), "{seed}: {job:?} is ended twice");
            }
            CronAction::Forget(job) => {
                assert!(self.finished.contains_key(&job), "{seed}");
                assert!(self.going.insert(job), "{seed}: {job:?} is forgotten twice");
            }
            CronAction::Tell(_) => {}
        }
    }

    fn remove(&mut self, job: JobNumber) {
        self.beginning.remove(&job);
        self.running.remove(&job);
        self.finished.remove(&job);
        self.going.remove(&job);
    }

    /// A fact that can be.
    fn fact(&mut self, random: &mut Random, now: WallTime) -> CronEvent {
        let one_of = |set: &BTreeSet<JobNumber>, random: &mut Random| {
            let many = u32::try_from(set.len()).ok().filter(|many| *many > 0)?;
            set.iter().nth(random.below(many) as usize).copied()
        };
        match random.below(5) {
            0 => one_of(&self.beginning, random).map(|job| match random.below(4) {
                0 => {
                    self.remove(job);
                    self.due.pop();
                    CronEvent::NotBegun(job)
                }
                _ => {
                    self.beginning.remove(&job);
                    self.running.insert(job);
                    CronEvent::Begun(job)
                }
            }),
            1 => one_of(&self.running, random).map(|job| {
                let end = if random.one_in(2) { JobEnd::Complete(now) } else { JobEnd::Failed };
                self.running.remove(&job);
                self.finished.insert(job, end);
                CronEvent::Finished(job, end)
            }),
            2 => one_of(&self.going, random).map(|job| {
                self.remove(job);
                CronEvent::Gone(job)
            }),
            _ => None,
        }
        .unwrap_or(CronEvent::Tick)
    }
}

fn spec(random: &mut Random) -> CronSpec {
    CronSpec {
        concurrency: random.of(&[Concurrency::Allow, Concurrency::Forbid, Concurrency::Replace]),
        starting_deadline: random.one_in(2).then(|| Duration::from_secs(60 * u64::from(random.below(30)))),
        suspension: if random.one_in(6) { Suspension::Suspended } else { Suspension::Active },
        successful_kept: random.below(3),
        failed_kept: random.below(3),
    }
}

#[test]
fn whatever_happens() {
    for seed in seeds(ALL_FACTS, FACTS) {
        let mut random = Random(seed);
        let mut spec_now = spec(&mut random);
        let schedule = Minutes(1 + i64::from(random.below(20)));
        let mut minutes = 1_000;
        let mut cron = CronJob::new(spec_now.clone(), at(minutes));
        let mut jobs = Jobs::default();
        for _ in 0..FACTS {
            minutes += i64::from(random.below(12));
            let mut event = jobs.fact(&mut random, at(minutes));
            if random.one_in(30) && event == CronEvent::Tick {
                spec_now = spec(&mut random);
                event = CronEvent::Changed(spec_now.clone());
            }
            if random.one_in(8) {
                cron = serde_json::from_str(&serde_json::to_string(&cron).unwrap()).unwrap();
            }
            let nanos = u64::try_from(at(minutes).as_unix_nanos()).unwrap();
            let now = Now { monotonic: Instant::from_nanos(nanos), wall: at(minutes) };
            let mut actions = Vec::new();
            cron.step(now, event, &schedule, &mut actions);
            for action in actions {
                jobs.take(action, &spec_now, at(minutes), seed);
            }
            assert!(jobs.due.windows(2).all(|pair| pair[0] < pair[1]), "{seed}: one time began two Jobs");
            let kept = |is: fn(&JobEnd) -> bool| {
                let left = jobs.finished.iter().filter(|(job, _)| !jobs.going.contains(job));
                left.filter(|(_, end)| is(end)).count()
            };
            let is_complete = |end: &JobEnd| matches!(end, JobEnd::Complete(_));
            assert!(kept(is_complete) <= spec_now.successful_kept as usize, "{seed}");
            assert!(kept(|end| *end == JobEnd::Failed) <= spec_now.failed_kept as usize, "{seed}");
            assert!(cron.next_time().is_none_or(|next| next > at(minutes)), "{seed}");
            let running = jobs.beginning.union(&jobs.running).filter(|job| !jobs.going.contains(job));
            assert!(cron.status().active.iter().eq(running), "{seed}");
        }
    }
}
