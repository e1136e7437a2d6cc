//! Random Jobs with random pods, held against what no history of a Job may break: never more than `parallelism` active by
//! a new pod, never more successes than `completions`, no pod before its back-off is over (R11.8, R11.9), nothing made and no word of
//! `suspend` once the end is decided, always an end, and none of it otherwise for one that was saved and loaded (R12.1).
//! Half of the seeds are the same in each run. `BAREPOD_PROPERTY_SEED` repeats one.

use std::collections::BTreeMap;
use std::time::Duration;

use barepod_engine::job::{
    CodeOperator, CompletionMode, ConditionKind, FailureAction, FailureMatch, FailureRule, Job, JobAction, JobBackoff,
    JobCondition, JobEvent, JobSpec, PodEnd, PodNumber, Replacement, Restarts, SuccessRule, Suspension,
};

use super::job_play::{now, spec};
use super::random::{Random, seeds};

/// Facts for each Job, before it is brought to its end.
const FACTS: u32 = 60;
/// Facts of each run, unless `BAREPOD_PROPERTY_EVENTS` says how many.
const ALL_FACTS: u64 = 300_000;
/// How many facts apart a Job is saved and loaded.
const SAVED: u32 = 8;
/// R11.9.
const TRIES: JobBackoff = JobBackoff { initial: Duration::from_secs(1), max: Duration::from_secs(60) };

impl Random {
    fn job(&mut self) -> JobSpec {
        let is_indexed = self.one_in(2);
        let completions = (is_indexed || !self.one_in(3)).then(|| self.below(7));
        let per_index = (is_indexed && self.one_in(2)).then(|| self.below(3));
        let rules = self.one_in(3);
        let actions = [FailureAction::FailJob, FailureAction::Ignore, FailureAction::FailIndex, FailureAction::Count];
        let rule = |action: usize, code: i32| FailureRule {
            action: actions[action],
            on: FailureMatch::ExitCodes { container: None, operator: CodeOperator::In, values: vec![code] },
        };
        JobSpec {
            mode: if is_indexed { CompletionMode::Indexed } else { CompletionMode::NonIndexed },
            backoff_limit: if per_index.is_some() { u32::MAX } else { self.below(8) },
            max_failed_indexes: per_index.filter(|_| self.one_in(2)).map(|_| self.below(3)),
            backoff_limit_per_index: per_index,
            failure_rules: if rules { vec![rule(0, 42), rule(1, 43), rule(2, 44), rule(3, 45)] } else { Vec::new() },
            success_rules: match is_indexed && self.one_in(3) {
                true => vec![SuccessRule { indexes: Some(vec![(0, self.below(4))]), count: Some(1 + self.below(2)) }],
                false => Vec::new(),
            },
            active_deadline: self.one_in(4).then(|| Duration::from_secs(1 + u64::from(self.below(2000)))),
            ttl_after_finished: self.one_in(2).then(|| Duration::from_secs(u64::from(self.below(50)))),
            suspension: if self.one_in(8) { Suspension::Suspended } else { Suspension::Active },
            replacement: if rules || self.one_in(2) { Replacement::Failed } else { Replacement::TerminatingOrFailed },
            restarts: if !rules && self.one_in(3) { Restarts::OnFailure } else { Restarts::Never },
            ..spec(1 + self.below(4), completions)
        }
    }
}

/// What a bystander knows of a pod.
#[derive(Clone, Copy)]
struct Seen {
    index: Option<u32>,
    is_running: bool,
    is_going: bool,
    /// Its end counts for nothing any more.
    is_counted: bool,
}

fn delay(backoff: JobBackoff, row: u32) -> u64 {
    u64::try_from(backoff.delay(row).as_millis()).unwrap()
}

fn saved(job: &Job) -> String {
    serde_json::to_string(job).unwrap()
}

/// A Job, and what a bystander makes of it.
struct Watched {
    job: Job,
    spec: JobSpec,
    seed: u64,
    millis: u64,
    pods: BTreeMap<PodNumber, Seen>,
    made: u32,
    /// Failures in a row and when the last was, of each index or of all.
    rows: BTreeMap<Option<u32>, (u32, u64)>,
    /// Likewise of tries to make pods.
    refusals: Option<(u32, u64)>,
    facts: u32,
    is_forgotten: bool,
}

impl Watched {
    fn new(seed: u64, spec: JobSpec) -> Self {
        let (job, pods, rows) = (Job::new(spec.clone()), BTreeMap::new(), BTreeMap::new());
        Self { job, spec, seed, millis: 0, pods, made: 0, rows, refusals: None, facts: 0, is_forgotten: false }
    }

    fn has(&self, kinds: &[ConditionKind]) -> bool {
        self.job.status().conditions.iter().any(|one| kinds.contains(&one.kind))
    }

    fn is_ending(&self) -> bool {
        self.has(&[ConditionKind::FailureTarget, ConditionKind::SuccessCriteriaMet])
    }

    fn is_finished(&self) -> bool {
        self.has(&[ConditionKind::Failed, ConditionKind::Complete])
    }

    fn row_of(&self, index: Option<u32>) -> Option<u32> {
        index.filter(|_| self.spec.backoff_limit_per_index.is_some())
    }

    fn fails(&mut self, index: Option<u32>) {
        let row = self.rows.entry(self.row_of(index)).or_default();
        *row = (row.0 + 1, self.millis);
    }

    /// Tells a fact, and looks at what comes of it.
    fn tell(&mut self, event: JobEvent) {
        match &event {
            JobEvent::Ended(pod, end) => {
                let Seen { index, is_counted, .. } = self.pods.remove(pod).unwrap();
                match end {
                    _ if is_counted => {}
                    PodEnd::Succeeded => _ = self.rows.remove(&self.row_of(index)),
                    PodEnd::Failed { .. } => self.fails(index),
                }
            }
            JobEvent::Created(pod) => {
                self.refusals = None;
                let seen = self.pods.get_mut(pod).unwrap();
                seen.is_running |= !seen.is_going;
            }
            // One that runs has been made.
            JobEvent::NotCreated(pod) if self.pods[pod].is_running && !self.pods[pod].is_going => {}
            JobEvent::NotCreated(pod) => {
                self.pods.remove(pod);
                let row = self.refusals.map_or(0, |(row, _)| row);
                if self.refusals.is_none_or(|(row, last)| self.millis >= last + delay(TRIES, row)) {
                    self.refusals = Some((row + 1, self.millis));
                }
            }
            JobEvent::Leaving(pod) => {
                let counts = self.spec.replacement == Replacement::TerminatingOrFailed;
                let seen = self.pods.get_mut(pod).unwrap();
                if !seen.is_going {
                    (seen.is_going, seen.is_counted) = (true, counts);
                    let index = seen.index;
                    if counts {
                        self.fails(index);
                    }
                }
            }
            JobEvent::Parallelism(parallelism) => self.spec.parallelism = *parallelism,
            _ => {}
        }
        let was_ending = self.is_ending();
        let was_finished = self.is_finished();
        let was_suspended = self.suspended();
        let mut actions = Vec::new();
        self.step(event, &mut actions);
        assert!(!was_ending || self.suspended() == was_suspended, "{}: {was_suspended:?}", self.seed);
        for action in actions {
            self.look(&action, was_ending, was_finished);
        }
        self.check();
    }

    fn suspended(&self) -> Option<JobCondition> {
        self.job.status().conditions.into_iter().find(|one| one.kind == ConditionKind::Suspended)
    }

    /// Now and then with one that was saved and loaded beside it, which does the same, and goes on.
    fn step(&mut self, event: JobEvent, actions: &mut Vec<JobAction>) {
        self.facts += 1;
        let loaded = self.facts.is_multiple_of(SAVED).then(|| serde_json::from_str::<Job>(&saved(&self.job)).unwrap());
        self.job.step(now(self.millis), event.clone(), actions);
        let Some(mut loaded) = loaded else { return };
        let mut asked = Vec::new();
        loaded.step(now(self.millis), event, &mut asked);
        assert_eq!((&asked, saved(&loaded)), (&*actions, saved(&self.job)), "{}", self.seed);
        self.job = loaded;
    }

    fn look(&mut self, action: &JobAction, was_ending: bool, was_finished: bool) {
        let seed = self.seed;
        match action {
            JobAction::Create { pod, index } => {
                assert!(!was_ending && !self.is_ending(), "{seed}: {pod:?} is made at the end");
                assert_eq!(pod.0, self.made, "{seed}");
                self.made += 1;
                let is_active = |seen: &&Seen| !seen.is_going;
                let active = self.pods.values().filter(is_active).count();
                assert!(active < self.spec.parallelism as usize, "{seed}: too many with {pod:?}");
                let twin = self.pods.values().filter(is_active).find(|seen| index.is_some() && seen.index == *index);
                assert!(twin.is_none(), "{seed}: {index:?} twice");
                assert!(index.is_none_or(|index| index < self.spec.completions.unwrap()), "{seed}: {index:?}");
                if let Some((row, last)) = self.rows.get(&self.row_of(*index)) {
                    let delay = delay(JobBackoff::default(), *row);
                    assert!(self.millis >= last + delay, "{seed}: {pod:?} is {row} failures early");
                }
                if let Some((row, last)) = self.refusals {
                    assert!(self.millis >= last + delay(TRIES, row), "{seed}: {pod:?} is {row} refusals early");
                }
                self.pods.insert(*pod, Seen { index: *index, is_running: false, is_going: false, is_counted: false });
            }
            JobAction::Delete(pod) => {
                let is_ending = self.is_ending();
                let seen = self.pods.get_mut(pod).unwrap();
                assert!(!seen.is_going, "{seed}: {pod:?} is deleted twice");
                (seen.is_going, seen.is_counted) = (true, !is_ending);
            }
            JobAction::Forget => {
                assert!(was_finished || self.is_finished(), "{seed}");
                assert!(!std::mem::replace(&mut self.is_forgotten, true), "{seed}: forgotten twice");
            }
        }
    }

    fn check(&self) {
        let (status, seed) = (self.job.status(), self.seed);
        let going = self.pods.values().filter(|seen| seen.is_going).count();
        assert_eq!((status.active + status.terminating) as usize, self.pods.len(), "{seed}: {status:?}");
        assert_eq!(status.terminating as usize, going, "{seed}: {status:?}");
        assert!(self.spec.completions.is_none_or(|most| status.succeeded <= most), "{seed}: {status:?}");
        assert!(!self.is_finished() || self.pods.is_empty(), "{seed}: {status:?}");
        assert!(!(self.has(&[ConditionKind::Failed]) && self.has(&[ConditionKind::Complete])), "{seed}");
        let next = self.job.next_deadline();
        assert!(next.is_none_or(|at| at > now(self.millis).monotonic), "{seed}: {next:?} at {}", self.millis);
    }

    /// Some fact that can be.
    fn happens(&mut self, random: &mut Random) {
        self.millis += u64::from(random.below(4)) * u64::from(random.below(8000));
        let pods: Vec<PodNumber> = self.pods.keys().copied().collect();
        let pod = (!pods.is_empty()).then(|| pods[random.below(u32::try_from(pods.len()).unwrap()) as usize]);
        let failed = |random: &mut Random| PodEnd::Failed {
            exits: vec![("main".to_owned(), i32::try_from(40 + random.below(7)).unwrap())],
            conditions: Vec::new(),
        };
        let event = match (random.below(20), pod) {
            (0..4, Some(pod)) => JobEvent::Ended(pod, PodEnd::Succeeded),
            (4..9, Some(pod)) => JobEvent::Ended(pod, failed(random)),
            (9..11, Some(pod)) => JobEvent::Created(pod),
            (11, Some(pod)) => JobEvent::NotCreated(pod),
            (12, Some(pod)) => JobEvent::Leaving(pod),
            (13, Some(pod)) => JobEvent::Restarted(pod, random.below(3)),
            (14, _) if random.one_in(2) => JobEvent::Suspend(Suspension::Suspended),
            (14 | 15, _) => JobEvent::Suspend(Suspension::Active),
            (16, _) => JobEvent::Parallelism(random.below(5)),
            _ => JobEvent::Tick,
        };
        self.tell(event);
    }

    /// Whatever it is asked for is done, and nobody meddles any more.
    fn ends(&mut self, random: &mut Random) {
        self.tell(JobEvent::Suspend(Suspension::Active));
        self.tell(JobEvent::Parallelism(2));
        for _ in 0..1000 {
            if let Some(pod) = self.pods.keys().next().copied() {
                self.millis += 1;
                let end = if random.one_in(3) {
                    PodEnd::Failed { exits: vec![("main".to_owned(), 1)], conditions: Vec::new() }
                } else {
                    PodEnd::Succeeded
                };
                self.tell(JobEvent::Ended(pod, end));
            } else if let Some(at) = self.job.next_deadline() {
                self.millis = at.as_nanos().div_ceil(1_000_000);
                self.tell(JobEvent::Tick);
            } else {
                break;
            }
        }
        assert!(self.is_finished() && self.job.next_deadline().is_none(), "{}: {:?}", self.seed, self.job.status());
        assert_eq!(self.is_forgotten, self.spec.ttl_after_finished.is_some(), "{}", self.seed);
        self.millis = u64::from(u32::MAX);
        let before = self.job.status();
        self.tell(JobEvent::Tick);
        assert_eq!(self.job.status(), before, "{}: nothing happens after the end", self.seed);
    }
}

/// R11.1, R11.5 to R11.8, R11.14, R11.15.
#[test]
fn random_jobs_keep_the_rules() {
    let seeds = seeds(ALL_FACTS, FACTS);
    let all = seeds.len();
    let mut ends = BTreeMap::new();
    for seed in seeds {
        let mut random = Random(seed);
        let mut watched = Watched::new(seed, random.job());
        watched.tell(JobEvent::Begin);
        for _ in 0..FACTS {
            watched.happens(&mut random);
        }
        watched.ends(&mut random);
        let last = *watched.job.status().conditions.last().unwrap();
        *ends.entry(format!("{:?}", last.reason)).or_insert(0u32) += 1;
    }
    // Each way to end was gone.
    assert!(all == 1 || ends.len() == 7, "{ends:?}");
}
