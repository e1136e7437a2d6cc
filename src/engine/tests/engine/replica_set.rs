//! The controller of ReplicaSets, table by table.

use std::time::Duration;

use barepod_engine::replica::{Action, ConditionKind, Event, Reason, Template, Truth};
use barepod_engine::replica_set::{ReplicaSet, ReplicaSetSpec};

use super::play::{Play, template};

fn spec(replicas: u32) -> ReplicaSetSpec {
    ReplicaSetSpec { replicas, template: template('a'), min_ready: Duration::ZERO, generation: 1 }
}

fn begin(spec: ReplicaSetSpec) -> (Play<ReplicaSet>, String) {
    Play::new(ReplicaSet::new(spec))
}

/// `replicas/ready/available/terminating`.
fn counts(play: &Play<ReplicaSet>) -> [u32; 4] {
    let counts = play.controller.status().counts;
    [counts.replicas, counts.ready, counts.available, counts.terminating]
}

fn scale(play: &mut Play<ReplicaSet>, second: u64, replicas: u32) -> String {
    play.second = second;
    play.tell(Event::Spec(spec(replicas)))
}

/// R13.1, R13.2.
#[test]
fn as_many_as_are_wanted_whatever_becomes_of_them() {
    let (mut set, asked) = begin(spec(8));
    // One, and where that works twice as many each time.
    assert_eq!(asked, "+0a");
    set.goes(&[(0, "made 0", "+1a +2a"), (0, "made 1", ""), (0, "made 2", "+3a +4a +5a +6a"), (0, "made 3", "")]);
    set.goes(&[(0, "made 4", ""), (0, "made 5", ""), (0, "made 6", "+7a"), (0, "made 7", "")]);
    assert_eq!(counts(&set), [8, 0, 0, 0]);
    // One that somebody deletes is replaced before it has gone, whichever way it goes.
    set.goes(&[(1, "leave 3", "+8a"), (1, "leave 3", ""), (2, "end 3", ""), (2, "end 3", ""), (3, "made 8", "")]);
    assert_eq!((counts(&set), set.next()), ([8, 0, 0, 0], None));
    // The next ones begin with one again.
    set.goes(&[(4, "leave 0", "+9a"), (4, "leave 1", ""), (4, "leave 2", ""), (4, "made 9", "+10a +11a")]);
    assert_eq!(counts(&set), [8, 0, 0, 3]);
    let (set, asked) = begin(spec(0));
    assert_eq!((asked.as_str(), counts(&set), set.next()), ("", [0; 4], None));
}

/// R13.3.
#[test]
fn what_fails_is_waited_for() {
    let failure = |set: &Play<ReplicaSet>| set.controller.status().conditions.first().copied();
    let (mut set, _) = begin(spec(3));
    set.goes(&[(0, "refused 0", "")]);
    let condition = failure(&set).unwrap();
    assert_eq!((condition.kind, condition.status), (ConditionKind::ReplicaFailure, Truth::True));
    assert_eq!((condition.reason, set.next()), (Reason::FailedCreate, Some(1)));
    // 1 s, 2 s, 4 s ..., and a batch that is refused is one try.
    set.goes(&[
        (1, "tick", "+1a"),
        (1, "refused 1", ""),
        (2, "tick", ""),
        (3, "tick", "+2a"),
        (3, "made 2", "+3a +4a"),
    ]);
    assert!(failure(&set).is_none());
    set.goes(&[(4, "refused 3", ""), (4, "refused 4", ""), (4, "tick", ""), (5, "tick", "+5a"), (5, "made 5", "+6a")]);
    // What is said of one that isn't there, or of one that runs, is no failure.
    set.goes(&[(5, "made 6", ""), (6, "refused 6", ""), (6, "refused 99", ""), (6, "made 99", "")]);
    assert_eq!((counts(&set), set.next(), failure(&set)), ([3, 0, 0, 0], None, None));
    // Those that end together are one failure, and the first is replaced at once.
    set.goes(&[(10, "end 2", "+7a"), (10, "end 5", ""), (10, "end 6", ""), (10, "made 7", "+8a +9a")]);
    set.goes(&[(10, "made 8", ""), (10, "made 9", "")]);
    // The next one waits 10 s, the one after it 20 s.
    set.goes(&[(20, "end 7", ""), (29, "tick", ""), (30, "tick", "+10a"), (30, "made 10", ""), (40, "end 10", "")]);
    assert_eq!(set.next(), Some(60));
    set.goes(&[(60, "tick", "+11a"), (60, "made 11", ""), (661, "end 11", "+12a"), (661, "made 12", "")]);
    // What somebody deletes hasn't failed.
    set.goes(&[
        (670, "leave 12", "+13a"),
        (671, "end 12", ""),
        (671, "end 13", ""),
        (680, "tick", ""),
        (681, "tick", "+14a"),
    ]);
}

/// R13.4.
#[test]
fn the_least_loss_goes_first() {
    let (mut set, _) = begin(ReplicaSetSpec { min_ready: Duration::from_secs(10), ..spec(8) });
    for pod in 0..7 {
        set.at(0, &format!("made {pod}"));
    }
    // 7 doesn't run, 6 isn't Ready, 5 isn't available, 4 costs less, 3 is Ready for a shorter time, of the rest 1 was restarted.
    for (second, pod) in [(0, 0), (0, 1), (0, 2), (0, 4), (1, 3), (90, 5)] {
        set.at(second.max(set.second), &format!("ready {pod}"));
    }
    set.goes(&[(95, "cost 4 -1", ""), (95, "restarts 1 2", ""), (95, "cost 5 100", "")]);
    assert_eq!(counts(&set), [8, 6, 5, 0]);
    let min_ready = Duration::from_secs(10);
    let less =
        |set: &mut Play<ReplicaSet>, replicas| set.tell(Event::Spec(ReplicaSetSpec { min_ready, ..spec(replicas) }));
    for (replicas, asked) in [(7, "-7"), (6, "-6"), (5, "-5"), (4, "-4"), (3, "-3"), (2, "-1"), (1, "-2")] {
        assert_eq!(less(&mut set, replicas), asked);
    }
    assert_eq!((counts(&set), less(&mut set, 1).as_str()), ([1, 1, 1, 7], ""));
    // What is being deleted isn't taken back, and a refusal of it is no failure.
    set.goes(&[(96, "refused 7", ""), (96, "end 6", ""), (96, "end 5", "")]);
    assert_eq!((less(&mut set, 3).as_str(), counts(&set)), ("+8a", [2, 1, 1, 4]));
}

/// R13.1, R13.4: availability comes with time.
#[test]
fn available_after_a_while() {
    let (mut set, _) = begin(ReplicaSetSpec { min_ready: Duration::from_secs(30), ..spec(1) });
    set.goes(&[(5, "up 0", "")]);
    assert_eq!((counts(&set), set.next()), ([1, 1, 0, 0], Some(35)));
    set.goes(&[(20, "ready 0", ""), (30, "unready 0", "")]);
    assert_eq!((counts(&set), set.next()), ([1, 0, 0, 0], None));
    set.goes(&[(31, "ready 0", ""), (61, "tick", "")]);
    assert_eq!((counts(&set), set.next()), ([1, 1, 1, 0], None));
}

/// R13.1: a template is for new pods alone.
#[test]
fn another_template() {
    let (mut set, _) = begin(spec(2));
    set.goes(&[(0, "made 0", "+1a"), (1, "refused 1", "")]);
    let template = Template { labels: 2, ..template('b') };
    let new = ReplicaSetSpec { template, generation: 2, ..spec(2) };
    // What kept the other one from being made says nothing of it.
    assert_eq!(set.tell(Event::Spec(new)), "+2b");
    assert_eq!(set.controller.templates().into_iter().collect::<Vec<_>>(), [template]);
    let status = set.controller.status();
    assert_eq!((status.fully_labeled, status.counts.replicas, status.observed_generation), (1, 2, 2));
    // One that doesn't run yet still needs the text that it is made from.
    let newer = ReplicaSetSpec { template: Template { id: 99, labels: 2 }, generation: 3, ..spec(2) };
    assert_eq!((set.tell(Event::Spec(newer)).as_str(), set.controller.templates().len()), ("", 2));
    assert_eq!(
        set.controller.under_way(),
        [Action::Create { pod: barepod_engine::replica::PodNumber(2), template, ordinal: None }]
    );
}

/// R13.5.
#[test]
fn stopped_and_begun_again() {
    let mut set = Play { controller: ReplicaSet::new(spec(2)), second: 0 };
    // Nothing before it begins.
    set.goes(&[(0, "tick", ""), (0, "begin", "+0a"), (0, "made 0", "+1a"), (1, "stop", "-0 -1"), (1, "stop", "")]);
    assert_eq!((counts(&set), set.next()), ([0, 0, 0, 2], None));
    set.goes(&[(2, "end 0", ""), (2, "tick", ""), (3, "begin", "+2a"), (4, "refused 1", ""), (5, "made 2", "+3a")]);
    assert_eq!(counts(&set), [2, 0, 0, 0]);
    assert_eq!(scale(&mut set, 6, 1), "-3");
}

/// R13.16.
#[test]
fn after_another_start_of_the_box() {
    let (mut set, _) = begin(spec(2));
    set.goes(&[(9000, "up 0", "+1a"), (9000, "refused 1", "")]);
    // Its clock begins anew, and so do waits; what is said of pods of before is left alone.
    set.goes(&[(3, "reboot", "+2a"), (3, "end 0", ""), (4, "up 2", "+3a"), (5, "up 3", "")]);
    assert_eq!((counts(&set), set.next()), ([2, 2, 2, 0], None));
    // One that was stopped stays so.
    set.goes(&[(6, "stop", "-2 -3"), (1, "reboot", ""), (2, "begin", "+4a")]);
}
