//! What a process that goes on with a saved Job has to do still.

use barepod_engine::job::{Job, JobAction, JobEvent, PodEnd, PodNumber, Suspension};

use crate::job_play::{now, spec};

#[test]
fn what_is_asked_for_stays_asked_for_until_it_is_answered() {
    let [first, second] = [PodNumber(0), PodNumber(1)];
    let create = |pod| JobAction::Create { pod, index: None };
    let mut job = Job::new(spec(2, Some(2)));
    let tell = |job: &mut Job, event| job.step(now(0), event, &mut Vec::new());
    tell(&mut job, JobEvent::Begin);
    assert_eq!(job.under_way(), [create(first), create(second)]);
    tell(&mut job, JobEvent::Created(first));
    assert_eq!(job.under_way(), [create(second)]);
    tell(&mut job, JobEvent::Suspend(Suspension::Suspended));
    assert_eq!(job.under_way(), [JobAction::Delete(first), JobAction::Delete(second)]);
    tell(&mut job, JobEvent::Ended(first, PodEnd::Succeeded));
    assert_eq!((job.under_way(), job.is_finished()), (vec![JobAction::Delete(second)], false));
    let mut job = Job::new(spec(1, Some(1)));
    tell(&mut job, JobEvent::Begin);
    tell(&mut job, JobEvent::Ended(first, PodEnd::Succeeded));
    assert_eq!((job.under_way(), job.is_finished()), (Vec::new(), true));
}
