//! A Job in virtual time, told facts by their words.

use barepod_engine::job::{
    CompletionMode, IsReady, Job, JobAction, JobBackoff, JobEvent, JobSpec, PodEnd, PodNumber, Replacement, Restarts,
    Suspension,
};
use barepod_engine::time::{Instant, Now, WallTime};

/// The API server's defaults, for a Job of so many.
pub fn spec(parallelism: u32, completions: Option<u32>) -> JobSpec {
    JobSpec {
        parallelism,
        completions,
        mode: CompletionMode::NonIndexed,
        backoff_limit: 6,
        backoff_limit_per_index: None,
        max_failed_indexes: None,
        failure_rules: Vec::new(),
        success_rules: Vec::new(),
        active_deadline: None,
        ttl_after_finished: None,
        suspension: Suspension::Active,
        replacement: Replacement::TerminatingOrFailed,
        restarts: Restarts::Never,
        backoff: JobBackoff::default(),
    }
}

pub fn indexed(parallelism: u32, completions: u32) -> JobSpec {
    JobSpec { mode: CompletionMode::Indexed, ..spec(parallelism, Some(completions)) }
}

pub fn now(millis: u64) -> Now {
    let nanos = millis * 1_000_000;
    Now { monotonic: Instant::from_nanos(nanos), wall: WallTime::from_unix_nanos(i64::try_from(nanos).unwrap()) }
}

pub fn failed(code: i32) -> PodEnd {
    PodEnd::Failed { exits: vec![("main".to_owned(), code)], conditions: Vec::new() }
}

/// A Job, told facts by their words.
pub struct Play {
    pub job: Job,
    millis: u64,
}

impl Play {
    /// Begun at 0; what it asked for.
    pub fn new(spec: JobSpec) -> (Self, String) {
        let mut play = Self { job: Job::new(spec), millis: 0 };
        let asked = play.tell(JobEvent::Begin);
        (play, asked)
    }

    pub fn tell(&mut self, event: JobEvent) -> String {
        let mut actions = Vec::new();
        self.job.step(now(self.millis), event, &mut actions);
        let words: Vec<String> = actions
            .iter()
            .map(|action| match action {
                JobAction::Create { pod, index: None } => format!("+{}", pod.0),
                JobAction::Create { pod, index: Some(index) } => format!("+{}#{index}", pod.0),
                JobAction::Delete(pod) => format!("-{}", pod.0),
                JobAction::Forget => "forget".to_owned(),
            })
            .collect();
        words.join(" ")
    }

    /// Likewise, at this second.
    pub fn tell_at(&mut self, second: u64, event: JobEvent) -> String {
        self.millis = second * 1000;
        self.tell(event)
    }

    /// At this second: `ok 0`, `fail 1`, `exit 1 42`, `leave 0`, `ready 0`, `restarts 0 3`, `made 0`, `refused 0`, `suspend`, `resume`,
    /// `parallelism 2`, `tick`.
    pub fn at(&mut self, second: u64, words: &str) -> String {
        self.millis = second * 1000;
        let words: Vec<&str> = words.split(' ').collect();
        let number = |at: usize| words[at].parse::<u32>().unwrap();
        let pod = |at: usize| PodNumber(number(at));
        self.tell(match words[0] {
            "ok" => JobEvent::Ended(pod(1), PodEnd::Succeeded),
            "fail" => JobEvent::Ended(pod(1), failed(1)),
            "exit" => JobEvent::Ended(pod(1), failed(words[2].parse().unwrap())),
            "leave" => JobEvent::Leaving(pod(1)),
            "ready" => JobEvent::Ready(pod(1), IsReady::Yes),
            "restarts" => JobEvent::Restarted(pod(1), number(2)),
            "made" => JobEvent::Created(pod(1)),
            "refused" => JobEvent::NotCreated(pod(1)),
            "suspend" => JobEvent::Suspend(Suspension::Suspended),
            "resume" => JobEvent::Suspend(Suspension::Active),
            "parallelism" => JobEvent::Parallelism(number(1)),
            "tick" => JobEvent::Tick,
            other => panic!("{other}"),
        })
    }

    /// Each second with what is told, and what must be asked for then.
    pub fn goes(&mut self, table: &[(u64, &str, &str)]) {
        for (second, told, asked) in table {
            assert_eq!(self.at(*second, told), *asked, "{told} at {second}: {:?}", self.job.status());
        }
    }

    /// The second of the next deadline.
    pub fn next(&self) -> Option<u64> {
        self.job.next_deadline().map(|at| at.as_nanos() / 1_000_000_000)
    }

    /// `active/terminating/succeeded/failed`, and the last condition.
    pub fn is(&self) -> String {
        let status = self.job.status();
        let last = status.conditions.last().map(|one| format!(" {:?} {:?}", one.kind, one.reason));
        let counts = [status.active, status.terminating, status.succeeded, status.failed];
        counts.map(|count| count.to_string()).join("/") + &last.unwrap_or_default()
    }
}

/// What a test of the upstream controller says, of one Job: its name there, the Job, what it asks for as it begins, facts with what it asks
/// for then, and how it stands after them.
pub type Case<'a> = (&'a str, JobSpec, &'a str, &'a [(u64, &'a str, &'a str)], &'a str);

pub fn hold(cases: &[Case<'_>]) {
    for (name, spec, begins, facts, is) in cases {
        let (mut job, asked) = Play::new(spec.clone());
        assert_eq!(asked, *begins, "{name}");
        for (second, told, asked) in *facts {
            assert_eq!(job.at(*second, told), *asked, "{name}: {told} at {second}: {:?}", job.job.status());
        }
        assert_eq!(job.is(), *is, "{name}");
    }
}
