//! What a reader of a pod's status sees (R8): after each write, so that hardly one goes unseen. What may be seen is the
//! engine's observer's to know, who looks at random pods in virtual time as well; here it sees what is on disk.

use std::fs;
use std::time::Duration;

use barepod_engine::observer::{Gates, Observer};
use barepod_engine::spec::Kind;
use barepod_engine::status::{Condition, ContainerState, ContainerStatus, Deletion, PodStatus, Terminated};
use barepod_engine::time::WallTime;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{PidfdFlags, pidfd_open};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Case, Run};

/// All that was seen of one pod, in order, without repetitions.
pub struct Observed<'a> {
    case: &'a Case,
    seen: Vec<Value>,
    observer: Observer,
}

impl<'a> Observed<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self { case, seen: Vec::new(), observer: Observer::new(Gates::None) }
    }

    /// Reads until the run has ended; `act` is called with each status that is new.
    pub fn until_it_ends(&mut self, run: &mut Run<'_>, mut act: impl FnMut(&Value, &mut Run<'_>)) {
        let end = pidfd_open(run.pid(), PidfdFlags::empty()).unwrap();
        let changes = inotify::init(CreateFlags::CLOEXEC).unwrap();
        let mut watched = false;
        loop {
            // Both before the read: the last status comes before the end, and a write after the read wakes us.
            let ended = run.has_ended();
            watched = watched || inotify::add_watch(&changes, self.case.state(), WatchFlags::MOVED_TO).is_ok();
            if self.look() {
                act(self.seen.last().unwrap(), run);
            }
            if ended {
                return;
            }
            let mut ready = [PollFd::new(&end, PollFlags::IN), PollFd::new(&changes, PollFlags::IN)];
            // Until there is a folder to be watched, what is awaited has no descriptor.
            let soon = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            poll(&mut ready, (!watched).then_some(&soon)).unwrap();
            if ready[1].revents().contains(PollFlags::IN) {
                rustix::io::read(&changes, &mut [0_u8; 4096]).unwrap();
            }
        }
    }

    /// Reads the file once. True: it says something new, which has been checked.
    #[track_caller]
    pub fn look(&mut self) -> bool {
        let Ok(text) = fs::read(self.case.state().join("pod.json")) else {
            assert!(self.seen.is_empty(), "the status has gone");
            return false;
        };
        let pod: Value = serde_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("not JSON: {error}: {:?}", String::from_utf8_lossy(&text)));
        self.take(pod)
    }

    /// As [`Self::look`], through `barepod get`.
    #[track_caller]
    pub fn ask(&mut self) {
        self.take(self.case.get());
    }

    #[track_caller]
    fn take(&mut self, pod: Value) -> bool {
        if self.seen.last() == Some(&pod) {
            return false;
        }
        let before = self.seen.last();
        assert!(before.is_none_or(|before| before["metadata"]["uid"] == pod["metadata"]["uid"]), "another pod");
        // Whole documents help nobody; the status says what is wrong.
        if let Err(faults) = self.observer.see(status(&pod)) {
            let [before, after] = [before.unwrap_or(&Value::Null), &pod].map(|pod| &pod["status"]);
            panic!("a status that can't be: {faults:#?}\n{before:#}\nthen\n{after:#}");
        }
        self.seen.push(pod);
        true
    }

    /// The phases in order, without repetitions.
    pub fn phases(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.seen.iter().map(|pod| pod["status"]["phase"].as_str().unwrap()).collect();
        all.dedup();
        all
    }

    /// Of a container's states, in order: `running`, or the reason of the others.
    pub fn states(&self, name: &str) -> Vec<String> {
        let of = |pod: &Value| {
            let (_, status) = containers(pod).into_iter().find(|(_, status)| status["name"] == name).unwrap();
            let (kind, state) = state(status);
            state["reason"].as_str().unwrap_or(kind).to_owned()
        };
        let mut all: Vec<String> = self.seen.iter().map(of).collect();
        all.dedup();
        all
    }

    /// How many different ones were seen.
    pub fn len(&self) -> usize {
        self.seen.len()
    }
}

/// All containers' statuses, in the order of the spec.
fn containers(pod: &Value) -> Vec<(Kind, &Value)> {
    let list = |value: &'static str, of: &'static str| pod[of][value].as_array().into_iter().flatten();
    let inits = list("initContainers", "spec").zip(list("initContainerStatuses", "status"));
    let inits = inits.map(|(spec, status)| {
        assert_eq!(spec["name"], status["name"]);
        (if spec["restartPolicy"] == "Always" { Kind::Sidecar } else { Kind::Init }, status)
    });
    inits.chain(list("containerStatuses", "status").map(|status| (Kind::Main, status))).collect()
}

/// The one state that a container is in.
fn state(status: &Value) -> (&str, &Value) {
    let states = status["state"].as_object().expect("a state");
    let (Some((kind, state)), 1) = (states.iter().next(), states.len()) else { panic!("one state: {status}") };
    (kind, state)
}

/// The status as the engine has it, but for what is not in the document; what has no place there is no status.
fn status(pod: &Value) -> PodStatus {
    let of = &pod["status"];
    let metadata = &pod["metadata"];
    let deletion = time(&metadata["deletionTimestamp"]).map(|requested| Deletion {
        requested,
        grace_period: Duration::from_secs(metadata["deletionGracePeriodSeconds"].as_u64().unwrap()),
    });
    PodStatus {
        phase: word(&of["phase"]),
        reason: None,
        message: String::new(),
        conditions: of["conditions"].as_array().into_iter().flatten().map(condition).collect(),
        start_time: time(&of["startTime"]),
        deletion,
        containers: containers(pod).into_iter().map(|(kind, status)| container(kind, status)).collect(),
        exit_code: None,
        exit_source: None,
    }
}

/// A word that the engine has a variant for.
fn word<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn time(value: &Value) -> Option<WallTime> {
    let time: jiff::Timestamp = value.as_str()?.parse().unwrap();
    Some(WallTime::from_unix_nanos(i64::try_from(time.as_nanosecond()).unwrap()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn condition(one: &Value) -> Condition {
    Condition {
        kind: word(&one["type"]),
        status: ["False", "True"].iter().position(|status| one["status"] == *status).unwrap() == 1,
        reason: text(&one["reason"]),
        message: text(&one["message"]).unwrap_or_default(),
        last_transition: time(&one["lastTransitionTime"]).unwrap(),
    }
}

fn container(kind: Kind, one: &Value) -> ContainerStatus {
    let state = match state(one) {
        ("running", state) => ContainerState::Running { started_at: time(&state["startedAt"]).unwrap() },
        ("waiting", state) => ContainerState::Waiting {
            reason: word(&state["reason"]),
            message: text(&state["message"]).unwrap_or_default(),
        },
        ("terminated", state) => ContainerState::Terminated(terminated(state)),
        (other, _) => panic!("no state: {other}"),
    };
    let last = one["lastState"].as_object().expect("lastState is there");
    ContainerStatus {
        name: text(&one["name"]).unwrap(),
        kind,
        state,
        last_state: last.get("terminated").map(terminated),
        restart_count: word(&one["restartCount"]),
        ready: one["ready"] == true,
        started: one["started"] == true,
        container_id: text(&one["containerID"]),
        image_id: text(&one["imageID"]),
        grace_use: None,
    }
}

fn terminated(state: &Value) -> Terminated {
    Terminated {
        exit_code: word(&state["exitCode"]),
        signal: state["signal"].as_i64().map(|signal| i32::try_from(signal).unwrap()),
        reason: word(&state["reason"]),
        message: text(&state["message"]).unwrap_or_default(),
        started_at: time(&state["startedAt"]),
        finished_at: time(&state["finishedAt"]),
        container_id: text(&state["containerID"]),
    }
}
