//! What may change of a Job that has begun.

use std::time::Duration;

use barepod_engine::job::{JobEvent, JobSpec, Suspension};

use crate::job_play::{Play, indexed, spec};

impl Play {
    /// At this second the spec is another one.
    fn changed(&mut self, second: u64, spec: JobSpec) -> String {
        self.tell_at(second, JobEvent::Changed(Box::new(spec)))
    }
}

/// R11.17.
#[test]
fn what_may_change() {
    let (mut job, _) = Play::new(spec(1, Some(3)));
    assert_eq!(job.changed(1, JobSpec { backoff_limit: 0, ..spec(2, Some(9)) }), "+1");
    job.goes(&[(2, "ok 0", "+2"), (3, "ok 1", ""), (4, "ok 2", "")]);
    assert_eq!(job.is(), "0/0/3/0 Complete CompletionsReached", "completions stay as they were");
    let (mut job, _) = Play::new(spec(2, Some(3)));
    job.goes(&[(1, "fail 0", "")]);
    assert_eq!(job.changed(2, JobSpec { backoff_limit: 0, ..spec(2, Some(3)) }), "-1");
    assert_eq!(job.is(), "0/1/0/1 FailureTarget BackoffLimitExceeded");
    // Its end is decided: nothing begins again, but how long it is remembered may change.
    assert_eq!(job.changed(3, JobSpec { ttl_after_finished: Some(Duration::from_secs(9)), ..spec(5, Some(5)) }), "");
    job.goes(&[(4, "fail 1", "")]);
    assert_eq!((job.is().as_str(), job.next()), ("0/0/0/2 Failed BackoffLimitExceeded", Some(13)));
    let (mut job, _) = Play::new(spec(1, Some(1)));
    let limited = JobSpec { active_deadline: Some(Duration::from_secs(5)), ..spec(1, Some(1)) };
    assert_eq!((job.changed(9, limited).as_str(), job.is().as_str()), ("-0", "0/1/0/0 FailureTarget DeadlineExceeded"));
    let (mut job, _) = Play::new(spec(1, Some(1)));
    assert_eq!(job.changed(1, JobSpec { suspension: Suspension::Suspended, ..spec(1, Some(1)) }), "-0");
    assert_eq!(job.changed(2, spec(1, Some(1))), "+1");
}

/// R11.17: an Indexed Job grows and shrinks where as many run at once as there are indexes.
#[test]
fn an_elastic_job() {
    let (mut job, asked) = Play::new(indexed(2, 2));
    assert_eq!(asked, "+0#0 +1#1");
    assert_eq!(job.changed(1, indexed(4, 4)), "+2#2 +3#3");
    job.goes(&[(2, "ok 3", ""), (2, "ok 0", ""), (2, "leave 2", "")]);
    assert_eq!(job.job.status().completed_indexes, "0,3");
    // The pod of index 1 stays; that of 2 was on its way out, and what becomes of it means nothing any more.
    assert_eq!(job.changed(3, indexed(2, 2)), "");
    assert_eq!((job.job.status().completed_indexes.as_str(), job.is().as_str()), ("0", "1/1/1/1"));
    job.goes(&[(4, "ok 2", "")]);
    assert_eq!(job.changed(13, indexed(3, 3)), "+4#2");
    assert_eq!(job.changed(14, indexed(2, 2)), "-4");
    job.goes(&[(15, "ok 4", ""), (16, "ok 1", "")]);
    assert_eq!(
        (job.job.status().completed_indexes.as_str(), job.is().as_str()),
        ("0,1", "0/0/2/1 Complete CompletionsReached")
    );
    // Not where the two are different.
    let (mut job, _) = Play::new(indexed(2, 2));
    assert_eq!(job.changed(1, indexed(2, 4)), "");
    job.goes(&[(2, "ok 0", ""), (2, "ok 1", "")]);
    assert_eq!(job.is(), "0/0/2/0 Complete CompletionsReached");
    // With fewer indexes those that are left may be all there is to do.
    let (mut job, _) = Play::new(indexed(3, 3));
    job.goes(&[(1, "ok 0", ""), (1, "ok 1", "")]);
    assert_eq!(
        (job.changed(2, indexed(2, 2)).as_str(), job.is().as_str()),
        ("-2", "0/1/2/0 SuccessCriteriaMet CompletionsReached")
    );
}

/// R11.11: what a pod's annotations say.
#[test]
fn how_often_an_index_has_failed() {
    let (mut job, _) = Play::new(JobSpec { backoff_limit_per_index: Some(3), ..indexed(2, 2) });
    job.goes(&[(0, "fail 1", ""), (10, "tick", "+2#1"), (11, "fail 2", "")]);
    assert_eq!([0, 1].map(|index| job.job.failures_of(index)), [Some((0, 0)), Some((2, 0))]);
    let (job, _) = Play::new(indexed(2, 2));
    assert_eq!(job.job.failures_of(0), None);
}
