#![allow(clippy::unwrap_used)]
use std::path::Path;

use barepod_engine::action::{Action, ContainerAction};
use barepod_engine::event::Event;
use barepod_engine::spec::ContainerIndex;
use barepod_engine::status::Phase;
use barepod_engine::time::{Instant, Now, WallTime};
use serde_json::{Value, json};

use super::*;

fn state(engine: &Engine) -> State<'_> {
    let process = |pid| ProcessState { pid, start: 4711 };
    let at = Instant::from_nanos(7_000_000_000);
    let present = |pid, start, ran| StageState::Present { process: process(pid), start, ran };
    let stages = [
        StageState::Absent,
        present(102, Start::Started { at }, None),
        present(103, Start::Asked { at, exit_waits: true }, None),
        StageState::Removing { unmade: Some((CreateFailure::Config, "no such user".to_owned())) },
        StageState::Creating,
        StageState::Removing { unmade: None },
        present(104, Start::NotAsked, None),
        present(105, Start::Failed, Some(Duration::from_millis(1_500))),
    ];
    let containers = stages.map(|stage| ContainerState { attempt: Attempt(2), stage }).into();
    State { sandbox: Some(process(101)), containers, ..State::of_ended(engine) }
}

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state-1.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The file is what pods on people's boxes have: here of one in the middle of its life, with an init done at its second
/// try, a sidecar, probes that fail, a back-off, and a request for its end that waits for a hook. Whoever changes what is
/// written raises [`VERSION`], adds a file of the new format beside this one, and goes on reading this one.
#[test]
fn what_is_written_is_format_1() {
    let read: State<'_> = serde_json::from_value(golden()).unwrap();
    let written = serde_json::to_value(state(&read.engine)).unwrap();
    assert_eq!(written, golden(), "written:\n{}", serde_json::to_string_pretty(&written).unwrap());
}

#[test]
fn format_1_is_read_whole_and_goes_on() {
    let read: State<'_> = serde_json::from_value(golden()).unwrap();
    assert_eq!(read.containers, state(&read.engine).containers);
    assert_eq!(read.sandbox.map(|one| one.pid), Some(101));
    let mut engine = read.engine.into_owned();
    let status = engine.status();
    assert_eq!(status.phase, Phase::Running);
    assert!(status.deletion.is_some());
    let restarts: Vec<u32> = status.containers.iter().map(|one| one.restart_count).collect();
    assert_eq!(restarts, [1, 0, 0, 3]);
    // The hook of the main is a sleep that ends then, three seconds after the request.
    let then = Instant::from_nanos(65_000_000_000);
    assert_eq!(engine.next_deadline(), Some(then));
    let mut actions = Vec::new();
    engine.step(Now { monotonic: then, wall: WallTime::default() }, Event::Tick, &mut actions);
    let signals: Vec<_> = actions.iter().filter(|one| matches!(one, Action::Container { .. })).collect();
    let signal = Action::Container {
        container: ContainerIndex(2),
        attempt: Attempt(0),
        action: ContainerAction::Signal(libc::SIGTERM),
    };
    assert!(signals.contains(&&signal), "{actions:?}");
}

#[test]
fn keys_of_later_versions_are_skipped_and_later_formats_refused() {
    let mut file = golden();
    file["later"] = json!({"a": 1});
    file["containers"][0]["later"] = json!(1);
    file["engine"]["later"] = json!([1]);
    serde_json::from_value::<State<'_>>(file.clone()).unwrap();
    file["version"] = json!(VERSION + 1);
    let refused = serde_json::from_value::<State<'_>>(file).unwrap_err().to_string();
    assert!(refused.contains("format 2 is a newer barepod's"), "{refused}");
}

#[test]
fn a_process_is_named_by_pid_and_start() {
    let own = ProcessState::of(i32::try_from(std::process::id()).unwrap());
    assert_eq!(own.start, crate::store::process::process_start(std::process::id()).unwrap());
    assert_ne!(own.start, 0);
}
