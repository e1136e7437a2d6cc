//! The controller of Deployments, table by table.

use std::time::Duration;

use barepod_engine::deployment::{Deployment, DeploymentSpec, Rollout, Strategy};
use barepod_engine::replica::{Amount, ConditionKind, Reason, RolloutProgress, UndoRefusal};

use super::play::{Play, template};

/// The API server's defaults, for so many.
pub fn spec(letter: char, replicas: u32) -> DeploymentSpec {
    DeploymentSpec {
        replicas,
        template: template(letter),
        strategy: rolling(Amount::Percent(25), Amount::Percent(25)),
        min_ready: Duration::ZERO,
        progress_deadline: Some(Duration::from_secs(600)),
        history_limit: Some(10),
        rollout: Rollout::Goes,
        generation: 1,
    }
}

fn rolling(max_surge: Amount, max_unavailable: Amount) -> Strategy {
    Strategy::RollingUpdate { max_surge, max_unavailable }
}

fn begin(spec: DeploymentSpec) -> (Play<Deployment>, String) {
    Play::new(Deployment::new(spec))
}

fn settled(spec: DeploymentSpec) -> Play<Deployment> {
    Play::settled(Deployment::new(spec))
}

/// `replicas/updated/available/unavailable/terminating`.
fn is(play: &Play<Deployment>) -> String {
    let status = play.controller.status();
    let counts = status.counts;
    let all = [counts.replicas, status.updated, counts.available, status.unavailable, counts.terminating];
    all.map(|count| count.to_string()).join("/")
}

fn reason(play: &Play<Deployment>, kind: ConditionKind) -> Option<Reason> {
    play.controller.status().conditions.iter().find(|one| one.kind == kind).map(|one| one.reason)
}

fn progress(play: &Play<Deployment>) -> Reason {
    reason(play, ConditionKind::Progressing).unwrap()
}

fn numbers(play: &Play<Deployment>) -> Vec<(u64, char)> {
    let letter = |id: u64| char::from_u32(u32::try_from(id).unwrap()).unwrap();
    play.controller.revisions().iter().map(|one| (one.number, letter(one.template.id))).collect()
}

/// R13.6, R13.8, R13.9, R13.12: one after the other, as there may be one more and must be as many.
#[test]
fn a_rollout_goes_step_by_step() {
    let mut play = settled(spec('a', 3));
    assert_eq!((is(&play).as_str(), progress(&play)), ("3/3/3/0/0", Reason::NewReplicaSetAvailable));
    assert_eq!((play.change(10, spec('b', 3)).as_str(), numbers(&play)), ("+3b", vec![(1, 'a'), (2, 'b')]));
    assert_eq!((is(&play).as_str(), play.controller.status().revision), ("4/1/3/1/0", 2));
    play.goes(&[(11, "made 3", ""), (12, "ready 3", "-2 +4b"), (13, "end 2", ""), (13, "made 4", "")]);
    assert_eq!((is(&play).as_str(), progress(&play)), ("4/2/3/1/0", Reason::ReplicaSetUpdated));
    play.goes(&[(14, "ready 4", "-1 +5b"), (15, "end 1", ""), (16, "up 5", "-0")]);
    // The last old one is still ending: the rollout has come to its end.
    assert_eq!((is(&play).as_str(), progress(&play)), ("3/3/3/0/1", Reason::NewReplicaSetAvailable));
    assert_eq!(play.next(), None);
    play.goes(&[(17, "end 0", "")]);
    // A pod that is made anew, and a scaled one, are no rollouts.
    play.goes(&[(18, "end 3", "+6b"), (18, "tick", "")]);
    assert_eq!((is(&play).as_str(), progress(&play), play.next()), ("3/3/2/1/0", Reason::NewReplicaSetAvailable, None));
    play.goes(&[(19, "up 6", "")]);
    assert_eq!(play.change(20, spec('b', 4)), "+7b");
    assert_eq!(progress(&play), Reason::NewReplicaSetAvailable);
    assert_eq!(play.change(20, spec('b', 1)), "-7 -6 -5");
}

/// R13.7, R13.8, R13.9: as many at once as the bounds allow.
#[test]
fn a_rollout_in_large_steps() {
    let strategy = rolling(Amount::Count(3), Amount::Count(2));
    let mut play = settled(DeploymentSpec { strategy, ..spec('a', 10) });
    let new = DeploymentSpec { strategy, ..spec('b', 10) };
    // Three above, two below, which leave room for two more; of the new ones one is made first.
    assert_eq!(play.change(1, new), "+10b -9 -8");
    assert_eq!(is(&play), "9/1/8/5/2");
    play.goes(&[(2, "made 10", "+11b +12b"), (2, "ready 10", "-7")]);
    // Neither more nor fewer: one goes before one comes.
    let strategy = rolling(Amount::Count(0), Amount::Count(0));
    let mut play = settled(DeploymentSpec { strategy, ..spec('a', 2) });
    assert_eq!(play.change(1, DeploymentSpec { strategy, ..spec('b', 2) }), "-1 +2b");
    play.goes(&[(2, "end 1", ""), (2, "made 2", ""), (3, "ready 2", "-0 +3b"), (4, "up 3", "")]);
    assert_eq!(progress(&play), Reason::NewReplicaSetAvailable);
}

/// R13.9: another template in the middle of a rollout; what is broken goes first.
#[test]
fn a_rollout_after_a_bad_one() {
    let mut play = settled(spec('a', 4));
    assert_eq!(play.change(1, spec('b', 4)), "+4b -3");
    play.goes(&[(1, "made 4", "+5b"), (1, "made 5", ""), (2, "end 3", "")]);
    assert_eq!(is(&play), "5/2/3/2/0");
    // The broken ones of b go at once, the good ones of a stay until there is something better.
    assert_eq!(play.change(3, spec('c', 4)), "-5 -4 +6c");
    play.goes(&[(4, "made 6", "+7c"), (4, "made 7", ""), (5, "ready 6", "-2 +8c")]);
    assert_eq!(numbers(&play), [(1, 'a'), (2, 'b'), (3, 'c')]);
    // Back to a: what there is of it counts.
    assert_eq!(play.change(6, spec('a', 4)), "-8 -7 +9a");
    assert_eq!(numbers(&play), [(2, 'b'), (3, 'c'), (4, 'a')]);
    play.goes(&[(7, "up 9", "+10a -6"), (8, "up 10", "")]);
    assert_eq!((is(&play).as_str(), progress(&play)), ("4/4/4/0/6", Reason::NewReplicaSetAvailable));
}

/// R13.10.
#[test]
fn all_old_ones_end_before_new_ones_come() {
    let recreate = |letter| DeploymentSpec { strategy: Strategy::Recreate, ..spec(letter, 2) };
    let mut play = settled(recreate('a'));
    assert_eq!(play.change(1, recreate('b')), "-1 -0");
    assert_eq!((is(&play).as_str(), numbers(&play).len()), ("0/0/0/0/2", 1));
    play.goes(&[(2, "end 1", ""), (3, "tick", ""), (4, "end 0", "+2b"), (4, "up 2", "+3b"), (5, "leave 2", "")]);
    // One of the new template that ends is in nobody's way.
    play.goes(&[(6, "made 3", "+4b"), (6, "ready 3", ""), (6, "up 4", "")]);
    assert_eq!((is(&play).as_str(), progress(&play)), ("2/2/2/0/1", Reason::NewReplicaSetAvailable));
    // One that somebody else deletes is.
    assert_eq!(play.change(7, recreate('c')), "-4 -3");
    play.goes(&[(8, "end 3", ""), (8, "end 4", ""), (9, "end 2", "+5c")]);
}

/// R13.8, R13.9: only what has been Ready for a while is available.
#[test]
fn new_ones_prove_themselves() {
    let slow = |letter| DeploymentSpec { min_ready: Duration::from_secs(30), ..spec(letter, 1) };
    let (mut play, _) = begin(slow('a'));
    play.goes(&[(0, "up 0", ""), (29, "tick", "")]);
    assert_eq!((is(&play).as_str(), play.next()), ("1/1/0/1/0", Some(30)));
    play.goes(&[(30, "tick", "")]);
    assert_eq!((play.change(40, slow('b')).as_str(), play.next()), ("+1b", Some(640)));
    play.goes(&[(41, "up 1", ""), (70, "tick", ""), (71, "tick", "-0")]);
}

/// R13.11: in the middle of a rollout all revisions get their share.
#[test]
fn scaled_in_the_middle() {
    let strategy = rolling(Amount::Count(3), Amount::Count(2));
    let of = |letter, replicas| DeploymentSpec { strategy, ..spec(letter, replicas) };
    let mut play = settled(of('a', 10));
    play.change(1, of('b', 10));
    play.goes(&[(1, "made 10", "+11b +12b"), (1, "made 11", ""), (1, "made 12", "+13b +14b")]);
    assert_eq!(is(&play), "13/5/8/5/2");
    play.goes(&[(1, "made 13", ""), (1, "made 14", "")]);
    // 8 and 5 of 13 are 11 and 7 of 18.
    assert_eq!(play.change(2, of('b', 15)), "+15a +16b");
    assert_eq!((play.at(2, "up 15").as_str(), play.at(2, "made 16").as_str()), ("+17a +18a", "+19b"));
    assert_eq!(is(&play), "18/7/9/9/2");
    // And back to nothing.
    assert_eq!(play.change(3, of('b', 0)).split(' ').count(), 18);
    assert_eq!((is(&play).as_str(), progress(&play)), ("0/0/0/0/20", Reason::NewReplicaSetAvailable));
}

/// R13.12.
#[test]
fn a_rollout_that_is_late() {
    let late = |letter| DeploymentSpec { progress_deadline: Some(Duration::from_secs(60)), ..spec(letter, 1) };
    let (mut play, _) = begin(late('a'));
    assert_eq!((progress(&play), play.next()), (Reason::ReplicaSetUpdated, Some(60)));
    play.goes(&[(10, "made 0", ""), (59, "tick", "")]);
    assert_eq!(progress(&play), Reason::ReplicaSetUpdated);
    play.goes(&[(60, "tick", "")]);
    assert_eq!((progress(&play), play.next()), (Reason::ProgressDeadlineExceeded, None));
    // It goes on all the same, and what gets better is said.
    play.goes(&[(70, "ready 0", "")]);
    assert_eq!(progress(&play), Reason::NewReplicaSetAvailable);
    // One that is gone back to, and is bad, is late as well.
    play.change(80, late('b'));
    play.goes(&[(81, "up 1", "-0"), (82, "end 0", "")]);
    assert_eq!((play.change(90, late('a')).as_str(), play.next()), ("+2a", Some(150)));
    play.goes(&[(150, "tick", "")]);
    assert_eq!(progress(&play), Reason::ProgressDeadlineExceeded);
    // Without a deadline nothing is said, and with one again from then on.
    play.change(160, DeploymentSpec { progress_deadline: None, ..late('a') });
    assert_eq!((reason(&play, ConditionKind::Progressing), play.next()), (None, None));
    play.change(200, late('a'));
    assert_eq!((progress(&play), play.next()), (Reason::FoundNewReplicaSet, Some(260)));
    // The time for which it was stopped doesn't count.
    play.goes(&[(210, "stop", "-1 -2"), (300, "begin", "+3a +4b"), (301, "tick", "")]);
    assert_eq!((progress(&play), play.next()), (Reason::ReplicaSetUpdated, Some(360)));
}

/// R13.13.
#[test]
fn a_paused_one() {
    let paused = |letter, replicas| DeploymentSpec { rollout: Rollout::Paused, ..spec(letter, replicas) };
    let (play, asked) = begin(paused('a', 2));
    assert_eq!((asked.as_str(), progress(&play), play.next()), ("", Reason::DeploymentPaused, None));
    let mut play = settled(spec('a', 2));
    assert_eq!(play.change(1, paused('b', 2)), "");
    assert_eq!(
        (is(&play).as_str(), progress(&play), numbers(&play)),
        ("2/0/2/0/0", Reason::DeploymentPaused, vec![(1, 'a')])
    );
    // It is scaled, and its pods are kept.
    assert_eq!(play.change(2, paused('b', 3)), "+2a");
    play.goes(&[(3, "up 2", ""), (4, "end 0", "+3a"), (4, "up 3", ""), (9999, "tick", "")]);
    assert_eq!(play.change(10_000, spec('b', 3)), "+4b");
    assert_eq!((progress(&play), play.next()), (Reason::ReplicaSetUpdated, Some(10_600)));
    play.goes(&[(10_001, "up 4", "-3 +5b")]);
    // In the middle of a rollout as well: it stands where it is.
    assert_eq!(play.change(10_002, paused('b', 3)), "");
    play.goes(&[(10_003, "up 5", ""), (20_000, "tick", "")]);
    assert_eq!((progress(&play), is(&play).as_str()), (Reason::DeploymentPaused, "4/2/4/0/1"));
    assert_eq!(play.change(20_001, spec('b', 3)), "-2 +6b");
    // What was late stays so.
    let (mut play, _) = begin(spec('a', 1));
    play.goes(&[(600, "tick", "")]);
    play.change(601, paused('a', 1));
    assert_eq!(progress(&play), Reason::ProgressDeadlineExceeded);
}

/// R13.6, R13.14.
#[test]
fn the_way_back() {
    let limited = |letter| DeploymentSpec { history_limit: Some(2), ..spec(letter, 1) };
    let mut play = settled(limited('a'));
    assert_eq!(play.controller.undo(None), Err(UndoRefusal::Unknown));
    for (at, letter) in [(1, 'b'), (2, 'c'), (3, 'd')] {
        assert_eq!(play.change(at, limited(letter)), format!("+{at}{letter}"));
        let before = at - 1;
        play.goes(&[(at, &format!("up {at}"), &format!("-{before}")), (at, &format!("end {before}"), "")]);
    }
    assert_eq!(numbers(&play), [(2, 'b'), (3, 'c'), (4, 'd')]);
    assert_eq!(play.controller.templates().len(), 3);
    let undo = |play: &Play<Deployment>, to| play.controller.undo(to);
    assert_eq!((undo(&play, None), undo(&play, Some(2))), (Ok(template('c')), Ok(template('b'))));
    assert_eq!((undo(&play, Some(1)), undo(&play, Some(4))), (Err(UndoRefusal::Unknown), Err(UndoRefusal::Current)));
    // What is gone back to has a new number, and the one before it is what was left.
    assert_eq!(play.change(5, limited('b')), "+4b");
    assert_eq!((numbers(&play), undo(&play, None)), (vec![(3, 'c'), (4, 'd'), (5, 'b')], Ok(template('d'))));
    play.change(6, DeploymentSpec { rollout: Rollout::Paused, ..limited('b') });
    assert_eq!(undo(&play, None), Err(UndoRefusal::Paused));
    // Old ones with pods are kept, whatever the limit.
    play.change(7, DeploymentSpec { history_limit: Some(0), ..limited('b') });
    assert_eq!(numbers(&play), [(3, 'c'), (4, 'd'), (5, 'b')]);
    play.goes(&[(8, "up 4", "-3")]);
    assert_eq!(numbers(&play), [(4, 'd'), (5, 'b')]);
    play.goes(&[(9, "end 3", "")]);
    assert_eq!(numbers(&play), [(5, 'b')]);
}

/// R13.3, R13.15.
#[test]
fn what_is_available_and_what_fails() {
    let (mut play, _) = begin(spec('a', 4));
    assert_eq!(reason(&play, ConditionKind::Available), Some(Reason::MinimumReplicasUnavailable));
    play.goes(&[(1, "up 0", "+1a +2a"), (1, "up 1", ""), (2, "refused 2", "")]);
    assert_eq!(reason(&play, ConditionKind::ReplicaFailure), Some(Reason::FailedCreate));
    play.goes(&[(3, "tick", "+3a"), (3, "up 3", "+4a")]);
    assert_eq!(reason(&play, ConditionKind::ReplicaFailure), None);
    // Three of four are enough.
    assert_eq!(reason(&play, ConditionKind::Available), Some(Reason::MinimumReplicasAvailable));
    play.goes(&[(4, "unready 0", "")]);
    assert_eq!(reason(&play, ConditionKind::Available), Some(Reason::MinimumReplicasUnavailable));
    // What can't be made of one template doesn't keep the other one's from being made.
    let mut play = settled(spec('a', 1));
    assert_eq!(play.change(1, spec('b', 1)), "+1b");
    play.goes(&[(1, "refused 1", "")]);
    assert_eq!((reason(&play, ConditionKind::ReplicaFailure), play.next()), (Some(Reason::FailedCreate), Some(2)));
    assert_eq!(play.change(1, spec('c', 1)), "+2c");
    assert_eq!(reason(&play, ConditionKind::ReplicaFailure), None);
}

/// R13.16: in the middle of a rollout, which goes on from where it was, and isn't late.
#[test]
fn after_another_start_of_the_box() {
    let mut play = settled(spec('a', 4));
    assert_eq!(play.change(9000, spec('b', 4)), "+4b -3");
    play.goes(&[(9001, "made 4", "+5b"), (9001, "made 5", ""), (2, "reboot", "+6a +7b")]);
    assert_eq!(play.next(), Some(602));
    play.goes(&[(3, "made 6", "+8a +9a"), (3, "made 7", "+10b")]);
    assert_eq!((is(&play).as_str(), progress(&play), play.next()), ("5/2/0/5/0", Reason::ReplicaSetUpdated, Some(603)));
    play.goes(&[(4, "up 7", "-9"), (5, "up 10", "+11b -8"), (5, "up 11", "+12b -6"), (6, "up 12", "")]);
    assert_eq!(progress(&play), Reason::NewReplicaSetAvailable);
    // Where nothing gets better by it, time begins anew all the same.
    let (mut play, _) = begin(spec('a', 2));
    play.goes(&[(9000, "made 0", "+1a"), (9001, "made 1", ""), (2, "reboot", "+2a")]);
    assert_eq!(play.next(), Some(602));
}

/// R13.17.
#[test]
fn how_far_it_is() {
    let late = |letter| DeploymentSpec { progress_deadline: Some(Duration::from_secs(60)), ..spec(letter, 2) };
    let mut play = settled(late('a'));
    assert_eq!(play.controller.rollout(), RolloutProgress::Done);
    assert_eq!(play.change(1, late('b')), "+2b");
    assert_eq!(play.controller.rollout(), RolloutProgress::Updating { updated: 1, wanted: 2 });
    let of = |play: &Play<Deployment>| -> Vec<(u64, u32, u32, u32)> {
        let all = play.controller.of_revisions().into_iter();
        all.map(|one| (one.revision.number, one.size, one.counts.replicas, one.counts.available)).collect()
    };
    assert_eq!(of(&play), [(1, 2, 2, 2), (2, 1, 1, 0)]);
    play.goes(&[(2, "up 2", "-1 +3b")]);
    assert_eq!(
        (play.controller.rollout(), of(&play)),
        (RolloutProgress::OldOnesGo(1), vec![(1, 1, 1, 1), (2, 2, 2, 1)])
    );
    play.goes(&[(3, "leave 0", "+4a"), (62, "tick", "")]);
    assert_eq!(play.controller.rollout(), RolloutProgress::Late);
    // What it is gone back to has the highest number.
    play.change(63, late('a'));
    assert_eq!(of(&play).first().map(|one| one.0), Some(2));
    // Without a word of it.
    let (mut play, _) = begin(DeploymentSpec { progress_deadline: None, ..spec('a', 1) });
    play.goes(&[(1, "made 0", "")]);
    assert_eq!(play.controller.rollout(), RolloutProgress::NotAvailable { available: 0, wanted: 1 });
}
