//! What `barepod simulate` tells is what happens: scenarios of tests/simulate with a file `real` run with real containers
//! as well. The file holds a number: all times of manifest and script are divided by it, for both. Then both must agree
//! on what containers are told and do, on the events, and on the order of all that. Of times only this is sure on any
//! machine: nothing happens earlier than it was simulated.
//!
//! A machine that has no time to spare may do everything so late that other things happen (a deadline comes before a
//! container is up). So where both disagree and the machine's CPUs were busy, that scenario is tried again at a slower
//! pace, with fewer beside it; the slowest pace is the last word. On a machine that had time the first pace is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Case, Manifest, Run, binary, slow, wait, wait_until, worker};

/// Containers whose entries are closer than this, and have nothing to do with each other, may come in any order: that
/// much later a container may be made on a busy machine.
const APART: Duration = Duration::from_millis(700);
/// Most of the time a scenario waits.
const AT_ONCE: usize = 12;
/// The kernel's coarse clocks, and times that are rounded to milliseconds.
const CLOCKS: Duration = Duration::from_millis(15);

/// Something that happened, and when: `web up`, `web SIGTERM`, `web exit 0`, `web preStop begins`; `Killing web`.
#[derive(Debug)]
struct Entry {
    at: Duration,
    container: String,
    text: String,
}

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

/// What all times of a scenario are multiplied with.
#[derive(Clone, Copy, Debug)]
struct Pace {
    times: u32,
    over: u32,
}

impl Pace {
    fn slower(self) -> Option<Self> {
        let Self { times, over } = self;
        match (over, times) {
            (1, 1) => Some(Self { times: 3, over }),
            (1, _) => None,
            _ => Some(Self { times, over: 1 }),
        }
    }

    fn of(self, time: Duration) -> Duration {
        time * self.times / self.over
    }

    fn of_seconds(self, key: &str, seconds: u64) -> u64 {
        let multiplied = seconds * u64::from(self.times);
        assert_eq!(multiplied % u64::from(self.over), 0, "{key}: {seconds} is no multiple of {}", self.over);
        multiplied / u64::from(self.over)
    }
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

/// What the machine's CPUs have done since it was started, in ticks.
struct CpuTime {
    idle: u64,
    all: u64,
}

impl CpuTime {
    fn now() -> Self {
        // user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5)).
        let text = fs::read_to_string("/proc/stat").unwrap();
        let ticks: Vec<u64> =
            text.lines().next().unwrap().split_whitespace().skip(1).take(8).map(|one| one.parse().unwrap()).collect();
        Self { idle: ticks[3], all: ticks.iter().sum() }
    }

    /// Whether less than half of their time since then was to spare.
    fn was_busy(&self) -> bool {
        let now = Self::now();
        (now.idle - self.idle) * 2 < now.all - self.all
    }
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

/// Events that came before their time.
fn too_early(name: &str, expected: &[Entry], real: &[(jiff::Timestamp, String)], began: jiff::Timestamp) -> String {
    let texts: Vec<String> = real.iter().map(|(_, text)| text.clone()).collect();
    let mut early = String::new();
    for (entry, place) in expected.iter().zip(places(expected, &texts)) {
        let Some((at, _)) = place.map(|place| &real[place]) else { continue };
        let after = Duration::try_from(at.duration_since(began)).unwrap_or_default();
        if after + CLOCKS < entry.at {
            let _ = writeln!(early, "{name}: {} after {after:?}, not before {:?} have passed", entry.text, entry.at);
        }
    }
    early
}

/// Gives every time in a manifest or a script another pace.
fn change_times(value: &mut Value, pace: Pace) {
    const SECONDS: [&str; 6] = [
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "periodSeconds",
        "initialDelaySeconds",
        "seconds",
        "gracePeriodSeconds",
    ];
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| change_times(one, pace)),
        Value::Object(all) => {
            for (key, one) in all {
                if SECONDS.contains(&key.as_str()) {
                    *one = json!(pace.of_seconds(key, one.as_u64().unwrap()));
                } else if key == "barepod.dev/sidecar-grace-seconds" {
                    *one = json!(pace.of_seconds(key, one.as_str().unwrap().parse().unwrap()).to_string());
                } else {
                    change_times(one, pace);
                }
            }
        }
        Value::String(text) => {
            if let Some(time) = time(text) {
                *text = format!("{}ms", pace.of(time).as_millis());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn time(text: &str) -> Option<Duration> {
    let letters = text.find(|letter: char| !letter.is_ascii_digit()).filter(|at| *at > 0)?;
    let (number, unit) = text.split_at(letters);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.parse::<u64>().ok()? * millis))
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

/// The manifest with containers and hooks that do as the script says.
fn real(case: &Case, manifest: &Value, script: &Value) -> Manifest {
    let mut spec = manifest["spec"].clone();
    let restarts = spec["restartPolicy"].as_str().unwrap_or("Always").to_owned();
    spec["restartPolicy"] = json!(restarts);
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            let name = container["name"].as_str().unwrap().to_owned();
            let is_init = list == "initContainers" && container["restartPolicy"] != "Always";
            let nothing = json!([{}]);
            let attempts = script["containers"].get(&name).unwrap_or(&nothing).as_array().unwrap().clone();
            let signal = container["lifecycle"]["stopSignal"].as_str().unwrap_or("SIGTERM").to_owned();
            let bodies: Vec<String> = attempts.iter().map(|attempt| life(&name, attempt, &signal, is_init)).collect();
            let script = by_attempt(&format!("{name}.n"), &bodies, true);
            for (key, value) in worker(&name, &script).as_object().unwrap() {
                container[key] = value.clone();
            }
            if attempts[0]["startFails"] == true {
                container["command"] = json!(["/there/is/none"]);
            }
            for hook in ["postStart", "preStop"] {
                if container["lifecycle"][hook].get("exec").is_some() {
                    let bodies: Vec<String> =
                        attempts.iter().map(|attempt| hook_script(&name, hook, &attempt[hook])).collect();
                    // A postStart may be quicker than its container; it counts for itself.
                    let script = match hook {
                        "postStart" => by_attempt(&format!("{name}.{hook}"), &bodies, true),
                        _ => by_attempt(&format!("{name}.n"), &bodies, false),
                    };
                    container["lifecycle"][hook] = crate::harness::hook(&script);
                }
            }
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                if !container[probe].is_null() {
                    let fails = attempts[0][probe]["fails"] == true;
                    container[probe]["exec"]["command"] = json!([if fails { "false" } else { "true" }]);
                    container[probe]["timeoutSeconds"] = json!(crate::harness::PATIENT);
                }
            }
        }
    }
    let annotations = manifest["metadata"]["annotations"].clone();
    let metadata = if annotations.is_null() { json!({}) } else { json!({"annotations": annotations}) };
    case.pod().metadata(metadata).spec(spec)
}

/// Another script for each start; the last one is repeated. Who is not `counted` belongs to the start before.
fn by_attempt(file: &str, bodies: &[String], counted: bool) -> String {
    let mut text = format!("n=$(cat /t/{file} 2>/dev/null || echo 0)\n");
    text += &if counted { format!("echo $((n+1)) > /t/{file}\n") } else { "n=$((n-1))\n".to_owned() };
    text += "case $n in\n";
    for (number, body) in bodies.iter().enumerate() {
        let pattern = if number + 1 == bodies.len() { "*".to_owned() } else { number.to_string() };
        let _ = writeln!(text, "{pattern})\n{body}\n;;");
    }
    text + "esac\n"
}

fn seconds(value: &Value) -> f64 {
    value.as_str().and_then(time).unwrap_or_default().as_secs_f64()
}

/// A container's life: what it does with its stop signal, and when it ends by itself.
fn life(name: &str, attempt: &Value, signal: &str, is_init: bool) -> String {
    let (exits, stop) = (&attempt["exits"], &attempt["onStop"]);
    let on_stop = if stop["ignores"] == true {
        String::new()
    } else {
        let code = stop["code"].as_u64().unwrap_or(143);
        format!("sleep {} & wait $!; say {name} exit {code}; exit {code}", seconds(&stop["after"]))
    };
    let trap = format!("trap 'say {name} {signal}; {on_stop}' {}\nsay {name} up\n", signal.trim_start_matches("SIG"));
    let never = exits["never"] == true || exits.is_null() && !is_init;
    if never {
        return format!("{trap}while :; do sleep 1000 & wait $!; done");
    }
    let (after, code) = (seconds(&exits["after"]), exits["code"].as_u64().unwrap_or(0));
    // A wait is over when a signal comes.
    format!(
        "{trap}sleep {after} & p=$!\nwhile kill -0 $p 2>/dev/null; do wait $p; done\nsay {name} exit {code}\nexit {code}"
    )
}

fn hook_script(name: &str, hook: &str, script: &Value) -> String {
    let begins = format!("say {name} {hook} begins\n");
    if script["hangs"] == true {
        return format!("{begins}sleep 1000");
    }
    let takes = format!("{begins}sleep {}\n", seconds(&script["takes"]));
    // Of a failed one there is an event.
    if script["fails"] == true { format!("{takes}exit 1") } else { format!("{takes}say {name} {hook} done") }
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

fn entry(line: &Value, text: impl Fn(&str, &str) -> Option<String>) -> Option<Entry> {
    let container = line["container"].as_str().unwrap_or("pod");
    let text = text(line["reason"].as_str().unwrap(), container)?;
    let at: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
    let at = Duration::from_nanos(u64::try_from(at.as_nanosecond()).unwrap());
    Some(Entry { at, container: container.to_owned(), text })
}

/// What containers will say.
fn said(simulated: &[Value]) -> Vec<Entry> {
    let was_killed = |line: &Value, before: usize| {
        simulated[..before].iter().any(|one| {
            one["reason"] == "SIGKILL"
                && one["container"] == line["container"]
                && one["restartCount"] == line["restartCount"]
        })
    };
    let all = simulated.iter().enumerate().filter_map(|(number, line)| {
        entry(line, |reason, name| match line["type"].as_str().unwrap() {
            "Normal" if reason == "Started" => Some(format!("{name} up")),
            "Signal" if reason != "SIGKILL" => Some(format!("{name} {reason}")),
            "Hook" => Some(format!("{name} {reason} {}", line["message"].as_str().unwrap())),
            "State" if reason == "Terminated" && !was_killed(line, number) => {
                let code = line["exitCode"].as_i64().filter(|code| *code != 128)?;
                Some(format!("{name} exit {code}"))
            }
            _ => None,
        })
    });
    all.collect()
}

/// The events there will be.
fn told(simulated: &[Value]) -> Vec<Entry> {
    let events = simulated.iter().filter(|line| matches!(line["type"].as_str(), Some("Normal" | "Warning")));
    let all = events.filter_map(|line| entry(line, |reason, name| Some(format!("{reason} {name}"))));
    all.filter(|entry| !is_left_out(&entry.text)).collect()
}

/// How often a probe fails is a matter of time.
fn is_left_out(event: &str) -> bool {
    ["Unhealthy", "GracePeriodUsed"].iter().any(|reason| event.starts_with(reason))
}

/// The events there are, in order.
fn events(case: &Case) -> Vec<String> {
    timed_events(case).into_iter().map(|(_, text)| text).collect()
}

fn timed_events(case: &Case) -> Vec<(jiff::Timestamp, String)> {
    let text = fs::read_to_string(case.state().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let all = lines.map(|line| {
        let text = format!("{} {}", line["reason"].as_str().unwrap(), line["container"].as_str().unwrap_or("pod"));
        (line["time"].as_str().unwrap().parse().unwrap(), text)
    });
    all.filter(|(_, event)| !is_left_out(event)).collect()
}

/// How each container ended last, and how often it was restarted.
fn last_ends(simulated: &[Value]) -> BTreeMap<String, (i64, i64)> {
    let ends = simulated.iter().filter(|line| line["type"] == "State" && line["reason"] == "Terminated");
    let of = |line: &Value| {
        let name = line["container"].as_str().unwrap().to_owned();
        (name, (line["exitCode"].as_i64().unwrap(), line["restartCount"].as_i64().unwrap()))
    };
    ends.map(of).collect()
}

/// Where each expected entry is in the real list: equal ones in their order.
fn places(expected: &[Entry], real: &[String]) -> Vec<Option<usize>> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let place = |entry| {
        let text: &str = entry;
        let nth = seen.entry(text).or_default();
        *nth += 1;
        real.iter().enumerate().filter(|(_, one)| *one == text).map(|(at, _)| at).nth(*nth - 1)
    };
    expected.iter().map(|entry| entry.text.as_str()).map(place).collect()
}

fn missing(expected: &[Entry], real: &[String]) -> Vec<String> {
    let found = places(expected, real);
    expected.iter().zip(found).filter(|(_, place)| place.is_none()).map(|(entry, _)| entry.text.clone()).collect()
}

fn agree(expected: &[Entry], real: &[String], whole: bool) -> Result<(), String> {
    let missing = missing(expected, real);
    if !missing.is_empty() {
        return Err(format!("did not happen: {missing:?}"));
    }
    if whole && real.len() != expected.len() {
        return Err(format!("{} things happened, {} were simulated", real.len(), expected.len()));
    }
    let found = places(expected, real);
    for (first, before) in expected.iter().enumerate() {
        for (second, after) in expected.iter().enumerate().skip(first + 1) {
            if must_follow(before, after) && found[first] > found[second] {
                return Err(format!("{:?} came before {:?}", after.text, before.text));
            }
        }
    }
    Ok(())
}

/// Whether the order of two entries is no accident.
fn must_follow(before: &Entry, after: &Entry) -> bool {
    let apart = after.at - before.at;
    if before.container == after.container {
        // A hook is run beside its container's program.
        return !(apart.is_zero() && after.text.ends_with("postStart begins"));
    }
    let is_answer = |text: &str| text.ends_with(" up") || text.contains(" SIG");
    apart >= APART || apart.is_zero() && before.text.contains(" exit ") && is_answer(&after.text)
}

/// The comparison can fail.
#[test]
fn another_order_is_noticed() {
    let entry = |millis: u64, container: &str, text: &str| Entry {
        at: Duration::from_millis(millis),
        container: container.to_owned(),
        text: text.to_owned(),
    };
    let expected = [
        entry(0, "a", "a up"),
        entry(0, "b", "b up"),
        entry(2000, "b", "b exit 0"),
        entry(2000, "a", "a SIGTERM"),
        entry(2100, "a", "a exit 1"),
    ];
    let agrees = |real: &[&str]| {
        let real: Vec<String> = real.iter().map(|&one| one.to_owned()).collect();
        agree(&expected, &real, true).is_ok()
    };
    assert!(agrees(&["a up", "b up", "b exit 0", "a SIGTERM", "a exit 1"]));
    // They start at once: who is first is an accident.
    assert!(agrees(&["b up", "a up", "b exit 0", "a SIGTERM", "a exit 1"]));
    for real in [
        &["a up", "b up", "a SIGTERM", "b exit 0", "a exit 1"][..],
        &["a up", "b up", "b exit 0", "a exit 1", "a SIGTERM"],
        &["a up", "b exit 0", "b up", "a SIGTERM", "a exit 1"],
        &["a up", "b up", "b exit 0", "a SIGTERM"],
        &["a up", "b up", "b exit 0", "a SIGTERM", "a exit 1", "a up"],
        &["a up", "b up", "b exit 0", "a SIGTERM", "a exit 2"],
    ] {
        assert!(!agrees(real), "{real:?}");
    }
}

/// Slowness makes things late, never early; and the slowest pace has the last word.
#[test]
fn what_comes_too_early_is_noticed() {
    let entry = |millis: u64, text: &str| Entry {
        at: Duration::from_millis(millis),
        container: "a".to_owned(),
        text: text.to_owned(),
    };
    let expected = [entry(0, "Started a"), entry(2000, "Killing a"), entry(4000, "Killing a")];
    let began = jiff::Timestamp::from_second(1_000_000).unwrap();
    let early = |killings: [i64; 2]| {
        let at = |millis: i64| began + jiff::SignedDuration::from_millis(millis);
        let mut real = vec![(at(3), "Started a".to_owned())];
        real.extend(killings.map(|millis| (at(millis), "Killing a".to_owned())));
        too_early("x", &expected, &real, began)
    };
    assert_eq!(early([2003, 4003]), "");
    assert_eq!(early([2900, 9000]), "");
    assert_eq!(early([1500, 4003]), "x: Killing a after 1.5s, not before 2s have passed\n");
    assert_eq!(early([2003, 3000]), "x: Killing a after 3s, not before 4s have passed\n");
    let paces: Vec<u64> = std::iter::successors(Some(Pace { times: 1, over: 5 }), |pace| pace.slower())
        .map(|pace| pace.of_seconds("periodSeconds", 10))
        .collect();
    assert_eq!(paces, [2, 10, 30]);
}
