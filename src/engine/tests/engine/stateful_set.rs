//! The controller of StatefulSets, table by table.

use std::time::Duration;

use barepod_engine::replica::{Amount, RolloutProgress, UndoRefusal};
use barepod_engine::stateful_set::{ClaimRetention, Management, StatefulSet, StatefulSetSpec, UpdateStrategy};

use super::play::{Play, template};

/// The API server's defaults, for so many.
pub fn spec(letter: char, replicas: u32) -> StatefulSetSpec {
    StatefulSetSpec {
        replicas,
        start: 0,
        template: template(letter),
        management: Management::OrderedReady,
        update: rolling(0, 1),
        min_ready: Duration::ZERO,
        history_limit: Some(10),
        when_scaled: ClaimRetention::Retain,
        generation: 1,
    }
}

fn rolling(partition: u32, max_unavailable: u32) -> UpdateStrategy {
    UpdateStrategy::RollingUpdate { partition, max_unavailable: Amount::Count(max_unavailable) }
}

fn parallel(letter: char, replicas: u32) -> StatefulSetSpec {
    StatefulSetSpec { management: Management::Parallel, ..spec(letter, replicas) }
}

fn begin(spec: StatefulSetSpec) -> (Play<StatefulSet>, String) {
    Play::new(StatefulSet::new(spec))
}

fn settled(spec: StatefulSetSpec) -> Play<StatefulSet> {
    Play::settled(StatefulSet::new(spec))
}

/// `replicas/ready/available/current/updated`.
fn is(play: &Play<StatefulSet>) -> String {
    let status = play.controller.status();
    let all = [status.replicas, status.ready, status.available, status.current, status.updated];
    all.map(|count| count.to_string()).join("/")
}

/// R14.1, R14.2: each waits for those before it.
#[test]
fn made_in_order() {
    let (mut play, asked) = begin(spec('a', 3));
    assert_eq!(asked, "+0a#0");
    play.goes(&[(1, "made 0", ""), (2, "ready 0", "+1a#1"), (3, "up 1", "+2a#2")]);
    // While one before it isn't Ready, none is made; this one goes on.
    play.goes(&[(4, "unready 0", ""), (4, "end 2", ""), (5, "ready 0", "+3a#2"), (6, "up 3", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("3/3/3/3/3", None));
    // In the place of one that ends comes one, and not before the place is free.
    play.goes(&[
        (7, "leave 1", ""),
        (8, "end 1", "+4a#1"),
        (9, "made 4", ""),
        (9, "leave 3", ""),
        (9, "end 3", ""),
        (10, "ready 4", "+5a#2"),
    ]);
    let (mut play, asked) = begin(StatefulSetSpec { start: 5, min_ready: Duration::from_secs(10), ..spec('a', 2) });
    assert_eq!(asked, "+0a#5");
    play.goes(&[(1, "up 0", ""), (10, "tick", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("1/1/0/1/1", Some(11)));
    play.goes(&[(11, "tick", "+1a#6")]);
}

/// R14.3.
#[test]
fn made_at_once() {
    let (mut play, asked) = begin(parallel('a', 4));
    assert_eq!(asked, "+0a#0");
    play.goes(&[(0, "made 0", "+1a#1 +2a#2"), (0, "made 1", ""), (0, "made 2", "+3a#3"), (0, "made 3", "")]);
    play.goes(&[(1, "end 2", "+4a#2"), (1, "leave 0", ""), (1, "made 4", ""), (2, "end 0", "+5a#0")]);
    // All that are too many go, whether those before them are Ready or not.
    assert_eq!(play.change(3, parallel('a', 1)), "-3 -4 -1");
    assert_eq!(is(&play), "4/0/0/1/1");
    // A place that is wanted again waits until it is free.
    assert_eq!(play.change(4, parallel('a', 2)), "");
    play.goes(&[(4, "made 5", ""), (5, "end 1", "+6a#1"), (5, "end 3", ""), (5, "end 4", "")]);
}

/// R14.4.
#[test]
fn deleted_from_the_highest_on() {
    let mut play = settled(spec('a', 4));
    assert_eq!(play.change(1, spec('a', 1)), "-3");
    assert_eq!(play.controller.rollout(), RolloutProgress::OldOnesGo(3));
    play.goes(&[(2, "tick", ""), (3, "end 3", "-2"), (4, "unready 0", ""), (5, "end 2", ""), (6, "ready 0", "-1")]);
    // More and fewer before it has gone: it goes, and comes again.
    assert_eq!((play.change(7, spec('a', 2)).as_str(), play.at(8, "end 1").as_str()), ("", "+4a#1"));
    // The lowest that isn't Ready may go, others that aren't are waited for.
    let mut play = settled(spec('a', 3));
    play.goes(&[(1, "unready 1", ""), (1, "unready 2", "")]);
    assert_eq!(play.change(2, spec('a', 1)), "");
    play.goes(&[(3, "ready 1", "-2"), (4, "unready 1", ""), (5, "end 2", "-1")]);
    // Those below the first ordinal are too many as well.
    let mut play = settled(spec('a', 2));
    assert_eq!(play.change(1, StatefulSetSpec { start: 1, ..spec('a', 2) }), "+2a#2");
    play.goes(&[(2, "up 2", "-0"), (3, "end 0", "")]);
    assert_eq!(is(&play), "2/2/2/2/2");
}

/// R13.3, R14.5.
#[test]
fn what_fails_is_waited_for() {
    let (mut play, _) = begin(spec('a', 2));
    play.goes(&[(0, "refused 0", ""), (0, "tick", "")]);
    assert_eq!(play.next(), Some(1));
    play.goes(&[
        (1, "tick", "+1a#0"),
        (1, "refused 1", ""),
        (2, "tick", ""),
        (3, "tick", "+2a#0"),
        (3, "up 2", "+3a#1"),
    ]);
    // The first that ends is replaced at once, the next one after 10 s, of each place by itself.
    play.goes(&[(4, "end 3", "+4a#1"), (5, "up 4", ""), (6, "end 4", ""), (7, "end 2", "+5a#0"), (8, "up 5", "")]);
    assert_eq!(play.next(), Some(16));
    play.goes(&[(15, "tick", ""), (16, "tick", "+6a#1"), (17, "up 6", ""), (18, "end 6", "")]);
    assert_eq!(play.next(), Some(38));
    // Another template has not failed yet.
    assert_eq!(play.change(19, spec('b', 2)), "+7b#1");
    let (mut play, _) = begin(parallel('a', 2));
    play.goes(&[(0, "made 0", "+1a#1"), (0, "refused 1", ""), (0, "end 0", ""), (1, "tick", "+2a#0")]);
    play.goes(&[(1, "made 2", "+3a#1")]);
}

/// R13.5, R14.1.
#[test]
fn stopped_and_begun_again() {
    let mut play = settled(spec('a', 2));
    play.goes(&[(1, "stop", "-0 -1"), (2, "end 1", ""), (3, "begin", ""), (4, "end 0", "+2a#0"), (5, "up 2", "+3a#1")]);
    play.goes(&[(6, "stop", "-2 -3"), (6, "tick", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("2/0/0/0/0", None));
    assert_eq!(play.controller.under_way().len(), 2);
}

/// R14.6, R14.7, R14.8.
#[test]
fn updated_from_the_highest_on() {
    let mut play = settled(spec('a', 3));
    assert_eq!(play.change(1, spec('b', 3)), "-2");
    assert_eq!(is(&play), "3/2/2/2/0");
    play.goes(&[(2, "end 2", "+3b#2"), (3, "made 3", ""), (4, "ready 3", "-1"), (5, "end 1", "+4b#1")]);
    assert_eq!((is(&play).as_str(), play.controller.status().current_revision), ("3/2/2/1/2", template('a')));
    // One that ends meanwhile is made from the new one.
    play.goes(&[(6, "up 4", "-0"), (7, "end 0", "+5b#0"), (8, "up 5", "")]);
    assert_eq!((is(&play).as_str(), play.controller.status().current_revision), ("3/3/3/3/3", template('b')));
    // Nothing is updated before all are there, nor in the middle of a scaling.
    let mut play = settled(spec('a', 2));
    assert_eq!(play.change(1, spec('b', 3)), "+2b#2");
    play.goes(&[(2, "up 2", "-1"), (3, "end 1", "+3b#1")]);
    // A bad one stays until somebody deletes it, as in a cluster.
    assert_eq!(play.change(4, spec('c', 3)), "");
    play.goes(&[
        (5, "leave 3", ""),
        (6, "end 3", "+4c#1"),
        (7, "up 4", "-2"),
        (8, "end 2", "+5c#2"),
        (8, "up 5", "-0"),
    ]);
}

/// R13.17, R14.6.
#[test]
fn a_partition_keeps_the_first_ones() {
    let canary = |letter, partition| StatefulSetSpec { update: rolling(partition, 1), start: 3, ..spec(letter, 3) };
    let mut play = settled(canary('a', 0));
    assert_eq!(play.change(1, canary('b', 2)), "-2");
    play.goes(&[(2, "end 2", "+3b#5"), (3, "up 3", "")]);
    assert_eq!((is(&play).as_str(), play.controller.status().current_revision), ("3/3/3/2/1", template('a')));
    // As many are new as are to be.
    assert_eq!(play.controller.rollout(), RolloutProgress::Done);
    // Those below it are made from the old one.
    play.goes(&[(4, "end 1", "+4a#4"), (5, "up 4", "")]);
    assert_eq!(play.controller.templates().len(), 2);
    assert_eq!(play.change(6, canary('b', 1)), "-4");
    assert_eq!(play.controller.rollout(), RolloutProgress::Updating { updated: 1, wanted: 2 });
    play.goes(&[(7, "end 4", "+5b#4"), (8, "up 5", "")]);
    // A higher partition takes nothing back.
    assert_eq!(play.change(9, canary('b', 9)), "");
    assert_eq!(play.change(9, canary('b', 0)), "-0");
    play.goes(&[(10, "end 0", "+6b#3"), (11, "up 6", "")]);
    assert_eq!(play.controller.status().current_revision, template('b'));
}

/// R14.7.
#[test]
fn several_at_once_or_none() {
    let many = |letter| StatefulSetSpec { update: rolling(0, 2), ..spec(letter, 4) };
    let mut play = settled(many('a'));
    assert_eq!(play.change(1, many('b')), "-3 -2");
    play.goes(&[(2, "end 3", ""), (3, "end 2", "+4b#2"), (4, "up 4", "+5b#3"), (5, "up 5", "-1 -0")]);
    // A percentage is rounded down, to one at least.
    let update = UpdateStrategy::RollingUpdate { partition: 0, max_unavailable: Amount::Percent(70) };
    let mut play = settled(StatefulSetSpec { update, ..spec('a', 4) });
    assert_eq!(play.change(1, StatefulSetSpec { update, ..spec('b', 4) }), "-3 -2");
    // At once: one that isn't available goes first, as it is missing already.
    let mut play = settled(parallel('a', 3));
    play.goes(&[(1, "unready 1", "")]);
    assert_eq!(play.change(2, parallel('b', 3)), "-1");
    play.goes(&[(3, "end 1", "+3b#1"), (4, "up 3", "-2"), (5, "end 2", "+4b#2"), (6, "up 4", "-0")]);
    // Only who is deleted gets the new one.
    let on_delete = |letter| StatefulSetSpec { update: UpdateStrategy::OnDelete, ..spec(letter, 2) };
    let mut play = settled(on_delete('a'));
    assert_eq!((play.change(1, on_delete('b')).as_str(), play.controller.rollout()), ("", RolloutProgress::OnDelete));
    play.goes(&[(2, "leave 0", ""), (3, "end 0", "+2b#0"), (4, "up 2", "")]);
    assert_eq!((is(&play).as_str(), play.controller.status().current_revision), ("2/2/2/1/1", template('a')));
}

/// R14.8.
#[test]
fn the_way_back() {
    let limited = |letter| StatefulSetSpec { history_limit: Some(1), ..spec(letter, 1) };
    let mut play = settled(limited('a'));
    assert_eq!(play.controller.undo(None), Err(UndoRefusal::Unknown));
    for (at, letter) in [(1, 'b'), (2, 'c'), (3, 'd')] {
        let before = at - 1;
        assert_eq!(play.change(at, limited(letter)), format!("-{before}"));
        play.goes(&[(at, &format!("end {before}"), &format!("+{at}{letter}#0")), (at, &format!("up {at}"), "")]);
    }
    let numbers =
        |play: &Play<StatefulSet>| -> Vec<u64> { play.controller.revisions().iter().map(|one| one.number).collect() };
    assert_eq!((numbers(&play), play.controller.status().revision), (vec![3, 4], 4));
    assert_eq!((play.controller.undo(None), play.controller.undo(Some(3))), (Ok(template('c')), Ok(template('c'))));
    assert_eq!(play.controller.undo(Some(4)), Err(UndoRefusal::Current));
    // What is gone back to is the newest then, and what pods still have is kept beside the limit.
    assert_eq!(play.change(4, limited('c')), "-3");
    assert_eq!((numbers(&play), play.controller.undo(None)), (vec![4, 5], Ok(template('d'))));
    assert_eq!(play.change(4, limited('e')), "");
    assert_eq!(numbers(&play), [4, 5, 6]);
}

/// R13.16, R14.9.
#[test]
fn claims_of_places_that_are_not_wanted() {
    let delete = |replicas| StatefulSetSpec { when_scaled: ClaimRetention::Delete, ..spec('a', replicas) };
    let mut play = settled(delete(3));
    assert_eq!(play.change(1, delete(1)), "-2");
    play.goes(&[(2, "end 2", "claims#2 -1")]);
    // Wanted again before it has gone: they stay.
    assert_eq!(play.change(3, delete(2)), "");
    play.goes(&[(4, "end 1", "+3a#1"), (5, "up 3", "")]);
    // Without that policy they stay in any case, and so do those of pods that are replaced.
    play.goes(&[(6, "end 3", "+4a#1"), (7, "up 4", "")]);
    assert_eq!(play.change(8, spec('a', 1)), "-4");
    play.goes(&[(9, "end 4", "")]);
    // Pods that went with the box have ended.
    let mut play = settled(delete(3));
    assert_eq!((play.change(1, delete(1)).as_str(), play.at(0, "reboot").as_str()), ("-2", "claims#1 claims#2 +3a#0"));
}
