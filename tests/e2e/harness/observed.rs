//! What a reader of a pod's status may ever see (R8): a status that is true in itself, and one that can have come after
//! the one before. Reads after each write, so that hardly one goes unseen.

use std::fs;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{PidfdFlags, pidfd_open};
use serde_json::Value;

use super::{Case, Run};

/// All that was seen of one pod, in order, without repetitions.
pub struct Observed<'a> {
    case: &'a Case,
    seen: Vec<Value>,
}

impl<'a> Observed<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self { case, seen: Vec::new() }
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
        // Whole documents help nobody; the status says what is wrong.
        let faults = faults(&pod);
        assert!(faults.is_empty(), "a status that can't be: {faults:#?}\n{:#}", pod["status"]);
        if let Some(before) = self.seen.last() {
            let faults = breaks(before, &pod);
            let [before, after] = [before, &pod].map(|pod| &pod["status"]);
            assert!(faults.is_empty(), "a status that can't follow: {faults:#?}\n{before:#}\nthen\n{after:#}");
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Init,
    Sidecar,
    Main,
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
    let (kind, state) = status["state"].as_object().and_then(|state| state.iter().next()).expect("a state");
    (kind, state)
}

fn is(status: &Value, kind: &str) -> bool {
    state(status).0 == kind
}

fn condition<'a>(pod: &'a Value, kind: &str) -> &'a Value {
    let all = pod["status"]["conditions"].as_array().into_iter().flatten();
    all.into_iter().find(|one| one["type"] == kind).unwrap_or(&Value::Null)
}

/// What of one status contradicts itself.
fn faults(pod: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let all = containers(pod);
    for (kind, status) in &all {
        let name = status["name"].as_str().unwrap();
        let said = |what: &str| format!("{name}: {what}");
        let (in_state, state) = state(status);
        check(status["state"].as_object().is_some_and(|state| state.len() == 1), &said("one state"));
        let ready = status["ready"] == true;
        let started = status["started"] == true;
        check(!started || in_state == "running", &said("R8.3: started is running"));
        let may_be_ready = match kind {
            Kind::Init => in_state == "terminated" && state["exitCode"] == 0,
            Kind::Sidecar | Kind::Main => started,
        };
        check(!ready || may_be_ready, &said("R8.3: ready"));
        match in_state {
            "running" => check(state["startedAt"].is_string(), &said("startedAt")),
            "waiting" => check(state["reason"].is_string(), &said("a reason to wait")),
            _ => check(
                state["exitCode"].is_i64() && state["reason"].is_string(),
                &said("an end has a code and a reason"),
            ),
        }
        if in_state != "waiting" && state["reason"] != "ContainerStatusUnknown" {
            check(status["containerID"].is_string(), &said("containerID"));
        }
        let last = &status["lastState"];
        check(last.is_object(), &said("lastState is there"));
        check(
            status["restartCount"] == 0 || last["terminated"].is_object(),
            &said("a restart has had an instance before"),
        );
    }
    let mut of_pod = of_the_pod(pod, &all);
    faults.append(&mut of_pod);
    faults
}

/// As [`faults`], of phase and conditions.
fn of_the_pod(pod: &Value, all: &[(Kind, &Value)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    let mains = || all.iter().filter(|(kind, _)| *kind == Kind::Main).map(|(_, status)| *status);
    let lasting = || all.iter().filter(|(kind, _)| *kind != Kind::Init).map(|(_, status)| *status);
    let runs = all.iter().any(|(_, status)| is(status, "running"));
    match pod["status"]["phase"].as_str().unwrap_or_default() {
        "Pending" => {
            let new = |one: &Value| is(one, "waiting") && one["lastState"] == serde_json::json!({});
            check(mains().any(new), "R8.1: Pending as long as a main waits to start for the first time");
        }
        "Running" => check(pod["status"]["startTime"].is_string(), "Running has begun"),
        "Succeeded" => {
            check(!runs, "R8.1: nothing runs in a pod that has succeeded");
            check(mains().all(|one| state(one).1["exitCode"] == 0), "R8.1: all mains exited 0");
        }
        "Failed" => check(!runs, "R8.1: nothing runs in a pod that has failed"),
        other => check(false, &format!("phase {other:?}")),
    }
    let kinds = ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"];
    for kind in kinds {
        check(condition(pod, kind)["lastTransitionTime"].is_string(), &format!("condition {kind}"));
    }
    let holds = |kind: &str| condition(pod, kind)["status"] == "True";
    let ready = lasting().all(|one| one["ready"] == true);
    check(holds("ContainersReady") == ready, "R8.2: ContainersReady is that all mains and sidecars are ready");
    check(holds("Ready") == holds("ContainersReady"), "R8.2: Ready, without readiness gates");
    let started = mains().any(|one| !is(one, "waiting") || one["restartCount"] != 0);
    check(!started || holds("Initialized"), "R8.2: Initialized once a main has started");
    if let Some(waiting) = all.iter().position(|(kind, one)| *kind == Kind::Init && !is(one, "terminated")) {
        let later = all[waiting + 1..].iter().all(|(_, one)| !is(one, "running"));
        check(later || holds("Initialized"), "R2: nothing starts before the init container ahead of it");
    }
    faults
}

/// What of two statuses of a pod can't be in this order.
fn breaks(before: &Value, after: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    check(before["metadata"]["uid"] == after["metadata"]["uid"], "the same pod");
    let phase = |pod: &Value| {
        ["Pending", "Running", "Succeeded", "Failed"].iter().position(|one| pod["status"]["phase"] == *one)
    };
    let [from, to] = [phase(before), phase(after)];
    let is_final = from >= Some(2);
    check(from <= to && (!is_final || from == to), "R8.1: a phase never goes back");
    check(
        before["metadata"]["deletionTimestamp"].is_null() || !after["metadata"]["deletionTimestamp"].is_null(),
        "deleted",
    );
    for kind in ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"] {
        let [from, to] = [before, after].map(|pod| condition(pod, kind));
        let time = |one: &Value| one["lastTransitionTime"].as_str().unwrap().to_owned();
        check(time(from) <= time(to), &format!("R8.2: {kind} changes later and later"));
        let flips = matches!(kind, "ContainersReady" | "Ready");
        let moved = from["status"] != to["status"];
        check(flips || moved || time(from) == time(to), &format!("R8.2: the time of {kind} changes with it only"));
        check(kind != "Initialized" || from["status"] != "True" || !moved, "R8.2: Initialized stays");
    }
    for ((_, from), (_, to)) in containers(before).into_iter().zip(containers(after)) {
        faults.extend(of_a_container(from, to, is_final));
    }
    faults
}

/// As [`breaks`], of one container.
fn of_a_container(from: &Value, to: &Value, is_final: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(format!("{}: {what}", from["name"]));
        }
    };
    let count = |one: &Value| one["restartCount"].as_u64().unwrap();
    check(count(from) <= count(to), "a restart is not undone");
    let same = count(from) == count(to);
    if is(from, "running") && is(to, "running") && same {
        check(from["containerID"] == to["containerID"], "one instance has one id");
        check(state(from).1["startedAt"] == state(to).1["startedAt"], "one instance starts once");
        check(from["started"] != true || to["started"] == true, "what has started has started");
    }
    if from["containerID"].is_string() && is(from, "running") && is(to, "running") {
        check(same == (from["containerID"] == to["containerID"]), "a new instance is a restart");
    }
    if is(from, "terminated") && is(to, "running") {
        check(!same, "what has ended doesn't run on");
    }
    if is(from, "running") && is(to, "waiting") {
        check(to["lastState"]["terminated"].is_object(), "what ran and waits has ended");
    }
    let ended = |one: &Value| one["lastState"]["terminated"]["finishedAt"].as_str().unwrap_or_default().to_owned();
    check(ended(from) <= ended(to), "lastState is the last");
    check(!is_final || from["state"] == to["state"], "nothing happens after the end");
    faults
}
