//! R8.15, R8.16: images that are brought here before their container's turn, and pulls that several wait for.

use barepod_engine::event::{Event, ImageFailure};
use barepod_engine::spec::PullPolicy::{Always, IfNotPresent, Never};
use barepod_engine::spec::{Ahead, ContainerIndex, ImageSpec};
use barepod_engine::world::script::{AttemptScript, Latencies};

use crate::pods::*;
use crate::timeline::*;

fn absent(script: AttemptScript) -> AttemptScript {
    AttemptScript { image_absent: true, ..script }
}

/// An init of so many seconds, and a main whose image takes so long to pull.
fn behind_an_init(init: f64, pull: f64, main: AttemptScript) -> Case {
    let slow = Latencies { pull: secs(pull), ..Latencies::default() };
    never().init("i1", &[ends(init, 0)]).main("m1", &[main]).stored("web:1", IfNotPresent).latencies(slow)
}

/// What was done for containers whose names begin so, without what was told.
fn words<'a>(run: &'a Run, name: &str) -> Vec<&'a str> {
    let all = run.of(&["image", "pull", "start", "kill"]).into_iter();
    all.filter(|line| !line.contains(" record ") && line.contains(&format!(" {name}"))).collect()
}

/// R8.15: pulled while the init runs; at its turn it is there.
#[test]
fn a_main_is_pulled_while_an_init_runs() {
    let run = run(behind_an_init(5.0, 3.0, absent(ends(1.0, 0))), &[]);
    assert_eq!(words(&run, "m1"), ["0 m1 image", "0 m1 pull", "5 m1 image", "5 m1 start"]);
    assert_eq!(
        run.of(&["Pulling", "Pulled"])[1..],
        [
            "0 record Pulling m1: Pulling image \"web:1\"",
            "3 record Pulled m1: Successfully pulled image \"web:1\" in 3s (3s including waiting). Image size: 4096 bytes.",
            "5 record Pulled m1: Container image \"web:1\" already present on machine and can be accessed by the pod",
        ]
    );
}

/// R8.15: a pull that is under way when the turn comes is waited for, and is this attempt's from there on.
#[test]
fn a_pull_that_is_under_way_is_not_begun_twice() {
    let done = run(behind_an_init(5.0, 8.0, absent(ends(1.0, 0))), &[]);
    assert_eq!(words(&done, "m1"), ["0 m1 image", "0 m1 pull", "8 m1 start"]);
    let failing = AttemptScript { pull_fails: (1, ImageFailure::Pull), ..absent(ends(1.0, 0)) };
    let failed = run(behind_an_init(5.0, 8.0, failing), &[]);
    assert_eq!(failed.times("m1 pull"), [0.0, 18.0]);
    assert_eq!(failed.of(&["Failed"])[0], "8 record Failed m1: Failed to pull image \"web:1\": scripted");
}

/// R8.15: what fails before its turn is no event and no failure.
#[test]
fn a_failure_ahead_is_nobodys_business() {
    let failing = AttemptScript { pull_fails: (1, ImageFailure::Pull), ..absent(ends(1.0, 0)) };
    let mut case = behind_an_init(5.0, 3.0, failing);
    case.spec.fail_fast = barepod_engine::spec::FailFast::Yes;
    let run = run(case, &[]);
    assert_eq!(words(&run, "m1"), ["0 m1 image", "0 m1 pull", "5 m1 image", "5 m1 pull", "8 m1 start"]);
    assert_eq!(run.of(&["Failed"]), [""; 0]);
}

/// R8.15: nobody looks for what is never pulled, and with `ahead: No` for nothing.
#[test]
fn what_is_not_pulled_ahead() {
    let mut serial = behind_an_init(5.0, 3.0, absent(ends(1.0, 0)));
    serial.spec.ahead = Ahead::No;
    let serial = run(serial, &[]);
    assert_eq!(words(&serial, "m1"), ["5 m1 image", "5 m1 pull", "8 m1 start"]);
    let never_pulled = never().init("i1", &[ends(5.0, 0)]).main("m1", &[ends(1.0, 0)]).stored("web:1", Never);
    assert_eq!(words(&run(never_pulled, &[]), "m1"), ["5 m1 image", "5 m1 start"]);
}

/// R8.15, R8.16: Always is satisfied by the pull of this start, once for all who have the image.
#[test]
fn one_pull_for_all_who_wait() {
    let slow = Latencies { pull: secs(3.0), ..Latencies::default() };
    let mut case = never()
        .init("i1", &[ends(5.0, 0)])
        .main("m1", &[ends(1.0, 0)])
        .stored("web", Always)
        .main("m2", &[ends(1.0, 0)])
        .stored("web", Always)
        .latencies(slow);
    for script in &mut case.script.containers[1..] {
        script.image = Some(1);
    }
    let ahead = run(case.clone(), &[]);
    assert_eq!(ahead.times("m1 pull"), [0.0]);
    assert_eq!(ahead.times("m2 pull"), [0.0; 0]);
    assert_eq!(ahead.of(&["start"]), ["0 i1 start", "5 m1 start", "5 m2 start"]);
    // Not ahead: the second waits for the first's. The order of start stays.
    case.spec.ahead = Ahead::No;
    let serial = run(case.clone(), &[]);
    assert_eq!(words(&serial, "m"), ["5 m1 pull", "8 m2 image", "8 m1 start", "8 m2 start"]);
    // Where it fails each tries for itself.
    case.script.containers[1].attempts[0].pull_fails = (1, ImageFailure::Pull);
    let failed = run(case, &[]);
    assert_eq!((failed.times("m1 pull"), failed.times("m2 pull")), (vec![5.0], vec![8.0]));
    assert_eq!(failed.of(&["start"])[1..], ["11 m2 start", "18 m1 start"]);
}

/// R8.16: two that look at the same time and find nothing.
#[test]
fn two_that_are_absent_are_pulled_once() {
    let slow = Latencies { image: secs(1.0), pull: secs(3.0), ..Latencies::default() };
    let mut case = never().latencies(slow);
    for name in ["m1", "m2", "m3"] {
        case = case.main(name, &[absent(ends(1.0, 0))]).stored("web:1", IfNotPresent);
        case.script.containers.last_mut().unwrap().image = Some(1);
    }
    let case = case.main("m4", &[ends(1.0, 0)]);
    let run = run(case, &[]);
    let times = |what| run.times(what);
    assert_eq!((times("m1 image"), times("m2 image"), times("m3 image")), (vec![0.0], vec![0.0, 4.0], vec![0.0, 4.0]));
    assert_eq!((times("m1 pull"), times("m2 pull"), times("m3 pull")), (vec![1.0], vec![], vec![]));
    assert_eq!(run.of(&["start"]), ["4 m1 start", "5 m2 start", "5 m3 start", "5 m4 start"]);
}

/// R5.16: what is under way ends with the pod, and the sandbox goes after it.
#[test]
fn what_is_under_way_ends_with_the_pod() {
    let hangs = AttemptScript { pull_hangs: true, ..absent(ends(1.0, 0)) };
    let run = run(behind_an_init(50.0, 3.0, hangs), &[stop_in(5.0, 0.0)]);
    assert_eq!(
        run.of(&["pull", "kill", "signal", "sandbox"])[1..],
        ["0 m1 pull", "5 m1 kill", "5 i1 signal 15", "5 sandbox remove"]
    );
    assert_eq!(run.of(&["Failed", "Pulled"]).len(), 1);
}

/// R3.10, R8.15: another image ends the pull of the one before.
#[test]
fn a_new_image_ends_the_pull_of_the_old() {
    let slow = Latencies { pull: secs(60.0), ..Latencies::default() };
    let unstarted = AttemptScript {
        startup: barepod_engine::world::script::ProbeScript {
            good_from: secs(20.0),
            ..AttemptScript::default().startup
        },
        ..obeys(0.0)
    };
    let case = always().sidecar("s1", &[unstarted]).with(|s| s.startup_probe = Some(probe()));
    let mut run = begin(case.main("m1", &[absent(obeys(0.0))]).stored("web:1", IfNotPresent).latencies(slow));
    run.until(5.0);
    let image = ImageSpec::Store { name: "web:2".into(), policy: IfNotPresent };
    run.tell(&Event::DefinitionChanged { container: ContainerIndex(1), image });
    run.until(100.0);
    assert_eq!(words(&run, "m1"), ["0 m1 image", "0 m1 pull", "5 m1 kill", "5 m1 image", "5 m1 pull", "65 m1 start"]);
}
