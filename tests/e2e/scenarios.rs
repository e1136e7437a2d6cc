//! What `barepod simulate` tells is what happens: scenarios of tests/simulate with a file `real` run with real containers
//! as well. The file holds a number: all times of manifest and script are divided by it, for both. Then both must agree
//! on what containers are told and do, on the events, and on the order of all that. Of times only this is sure on any
//! machine: nothing happens earlier than it was simulated.
//!
//! A machine that has no time to spare may do everything so late that other things happen (a deadline comes before a
//! container is up). So where both disagree and the machine's CPUs were busy, that scenario is tried again at a slower
//! pace, with fewer beside it; the slowest pace is the last word. On a machine that had time the first pace is.

mod containers;
mod entries;
mod pace;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Case, Run, binary, slow, wait, wait_until};
use containers::real;
use entries::{agree, events, last_ends, missing, said, timed_events, told, too_early};
use pace::{CpuTime, Pace, change_times, time};

/// Most of the time a scenario waits.
const AT_ONCE: usize = 12;
#[test]
fn real_containers_do_what_was_simulated() {
    if Case::new("scenarios").is_none() {
        return;
    }
    if slow() {
        crate::skips::skip("the machine is too slow for times that are divided");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate");
    let all: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut marked: Vec<PathBuf> = all.into_iter().filter(|dir| dir.join("real").exists()).collect();
    marked.sort();
    if let Ok(only) = std::env::var("BAREPOD_SCENARIO") {
        marked.retain(|dir| dir.ends_with(&only));
    }
    assert!(!marked.is_empty());
    let mut trials: Vec<Trial> = marked.into_iter().map(Trial::new).collect();
    let (mut at_once, mut wrong) = (AT_ONCE, Vec::new());
    while !trials.is_empty() {
        let (queue, again, failed) = (Mutex::new(trials), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let Some(trial) = queue.lock().unwrap().pop() else { return };
                        match trial.run() {
                            Verdict::Agreed => {}
                            Verdict::Wrong(cause) => failed.lock().unwrap().push(cause),
                            Verdict::Hurried(cause, slower) => {
                                crate::skips::again(
                                    "e2e::scenarios::real_containers_do_what_was_simulated",
                                    format_args!("slower, as the CPUs were busy: {cause}"),
                                );
                                again.lock().unwrap().push(slower);
                            }
                        }
                    }
                });
            }
        });
        trials = again.into_inner().unwrap();
        wrong.extend(failed.into_inner().unwrap());
        at_once = (at_once / 3).max(1);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What came of a trial.
enum Verdict {
    Agreed,
    Wrong(String),
    /// They disagree, and the machine may be to blame.
    Hurried(String, Trial),
}

/// A scenario, and how fast it is to go.
struct Trial {
    dir: PathBuf,
    pace: Pace,
}

impl Trial {
    fn new(dir: PathBuf) -> Self {
        let over = fs::read_to_string(dir.join("real")).unwrap().trim().parse().unwrap();
        Self { dir, pace: Pace { times: 1, over } }
    }

    fn run(self) -> Verdict {
        let before = CpuTime::now();
        let Disagreement { early, other } = compare(&self.dir, self.pace);
        if !early.is_empty() {
            return Verdict::Wrong(early + &other);
        }
        if other.is_empty() {
            return Verdict::Agreed;
        }
        match self.pace.slower() {
            Some(pace) if before.was_busy() => Verdict::Hurried(other, Self { pace, ..self }),
            Some(_) | None => Verdict::Wrong(format!("at {:?}: {other}", self.pace)),
        }
    }
}

/// Where a simulation and reality part.
#[derive(Default)]
struct Disagreement {
    /// What no slowness explains.
    early: String,
    other: String,
}

fn compare(dir: &Path, pace: Pace) -> Disagreement {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let read = |file: &str| -> Value {
        let mut value: Value = serde_saphyr::from_str(&fs::read_to_string(dir.join(file)).unwrap()).unwrap();
        if value["spec"].is_object() && value["spec"]["terminationGracePeriodSeconds"].is_null() {
            value["spec"]["terminationGracePeriodSeconds"] = json!(30);
        }
        change_times(&mut value, pace);
        value
    };
    let (manifest, script) = (read("pod.yaml"), read("script.yaml"));
    let case = Case::new(name).unwrap();
    let initial = format!("{}ms", pace.of(Duration::from_secs(10)).as_millis());
    let max = format!("{}s", pace.of(Duration::from_secs(300)).as_secs());
    let options = ["--backoff-initial", &initial, "--backoff-max", &max];
    let simulated = simulate(&case, &manifest, &script, &options);
    let began = jiff::Timestamp::now();
    let mut run = case.start_with(&real(&case, &manifest, &script), &options);
    requests(&case, &mut run, &script);
    let expected = [said(&simulated), told(&simulated)];
    let ended = simulated.iter().find(|entry| entry["reason"] == "Ended");
    let last = expected.iter().flatten().map(|entry| entry.at).max().unwrap_or_default();
    let real = match ended {
        Some(_) => {
            within(last, &format!("the end of {name}"), || run.has_ended());
            [case.trace(), events(&case)]
        }
        None => {
            let real = || [case.trace(), events(&case)];
            let all = || expected.iter().zip(&real()).all(|(expected, real)| missing(expected, real).is_empty());
            within(last, &format!("all of {name}"), all);
            let real = real();
            case.barepod(&["rm", "--force", name]);
            run.end();
            real
        }
    };
    let mut wrong =
        Disagreement { early: too_early(name, &expected[1], &timed_events(&case), began), ..Disagreement::default() };
    for (expected, real) in expected.iter().zip(real) {
        if let Err(cause) = agree(expected, &real, ended.is_some()) {
            let simulated = expected.iter().map(|entry| format!("{:?} {}", entry.at, entry.text)).collect::<Vec<_>>();
            let _ = write!(wrong.other, "{name}: {cause}\nsimulated: {simulated:#?}\nreal: {real:#?}");
        }
    }
    if let Some(ended) = ended {
        let last = last_ends(&simulated);
        let real: BTreeMap<String, (i64, i64)> = last
            .keys()
            .map(|name| (name.clone(), (case.ended(name).0, case.container(name)["restartCount"].as_i64().unwrap())))
            .collect();
        if real != last || run.end() != ended["exitCode"] {
            let _ = write!(wrong.other, "{name}: ended {last:?} {ended}, really {real:?} {}", run.end());
        }
    }
    wrong
}

/// Waits for what is simulated to have happened by then. A machine in a hurry may never see it: that is found out later.
fn within(simulated: Duration, what: &str, condition: impl FnMut() -> bool) {
    if !wait_until(Instant::now() + simulated + crate::harness::patience(), condition) {
        println!("never came true: {what}");
    }
}

/// What is simulated, line by line.
fn simulate(case: &Case, manifest: &Value, script: &Value, options: &[&str]) -> Vec<Value> {
    let (pod, file) = (case.dir().join("simulated.yaml"), case.dir().join("script.yaml"));
    fs::write(&pod, manifest.to_string()).unwrap();
    fs::write(&file, script.to_string()).unwrap();
    let mut command = std::process::Command::new(binary());
    command.args(["simulate", "-o", "json"]).args(options).arg(&pod).arg("--script").arg(&file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Carries out the script's requests, counted from when the first container is up.
fn requests(case: &Case, run: &mut Run<'_>, script: &Value) {
    let requests = script["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() {
        return;
    }
    // Where a deadline comes before it, there is none.
    wait("the first container", || !case.trace().is_empty() || run.has_ended());
    let began = Instant::now();
    for request in requests {
        let at = request["at"].as_str().and_then(time).unwrap();
        if wait_until(began + at, || run.has_ended()) {
            return;
        }
        if let Some(grace) = request["gracePeriodSeconds"].as_u64() {
            // It waits for the pod's end, and there may be more requests.
            let mut stop = case.command(&["stop", "--grace-period", &grace.to_string(), case.name()]);
            let mut stop = stop.stdout(std::process::Stdio::null()).spawn().unwrap();
            std::thread::spawn(move || stop.wait());
        } else {
            run.signal(rustix::process::Signal::TERM);
        }
    }
}
