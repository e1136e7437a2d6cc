//! What `barepod simulate` tells is what happens: scenarios of tests/simulate with a file `real` run with real containers
//! as well. The file holds a number: all times of manifest and script are divided by it, for both. Then both must agree
//! on what containers are told and do, on the events, and on the order of all that; not on times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Case, Manifest, Run, binary, slow, wait, wait_for, worker};

/// Containers whose entries are closer than this, and have nothing to do with each other, may come in any order: that
/// much later a container may be made on a busy machine.
const APART: Duration = Duration::from_millis(700);
/// Most of the time a scenario waits.
const AT_ONCE: usize = 12;

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
        println!("skipped: scenarios: the machine is too slow for times that are divided");
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
    let (queue, wrong) = (Mutex::new(marked), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(dir) = queue.lock().unwrap().pop() else { return };
                    if let Err(cause) = compare(&dir) {
                        wrong.lock().unwrap().push(cause);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn compare(dir: &Path) -> Result<(), String> {
    let name = dir.file_name().unwrap().to_str().unwrap();
    let scale: u32 = fs::read_to_string(dir.join("real")).unwrap().trim().parse().unwrap();
    let read = |file: &str| -> Value {
        let mut value: Value = serde_saphyr::from_str(&fs::read_to_string(dir.join(file)).unwrap()).unwrap();
        if value["spec"].is_object() && value["spec"]["terminationGracePeriodSeconds"].is_null() {
            value["spec"]["terminationGracePeriodSeconds"] = json!(30);
        }
        divide(&mut value, scale);
        value
    };
    let (manifest, script) = (read("pod.yaml"), read("script.yaml"));
    let case = Case::new(name).unwrap();
    let initial = format!("{}ms", 10_000 / scale);
    let max = format!("{}s", 300 / scale);
    let options = ["--backoff-initial", &initial, "--backoff-max", &max];
    let simulated = simulate(&case, &manifest, &script, &options);
    let mut run = case.start_with(&real(&case, &manifest, &script), &options);
    requests(&case, &run, &script);
    let expected = [said(&simulated), told(&simulated)];
    let ended = simulated.iter().find(|entry| entry["reason"] == "Ended");
    let real = match ended {
        Some(_) => {
            run.end();
            [case.trace(), events(&case)]
        }
        None => {
            let real = wait_for(&format!("all of {name}"), || {
                let real = [case.trace(), events(&case)];
                expected.iter().zip(&real).all(|(expected, real)| missing(expected, real).is_empty()).then_some(real)
            });
            case.barepod(&["rm", "--force", name]);
            run.end();
            real
        }
    };
    let mut wrong = String::new();
    for (expected, real) in expected.iter().zip(real) {
        if let Err(cause) = agree(expected, &real, ended.is_some()) {
            let simulated = expected.iter().map(|entry| format!("{:?} {}", entry.at, entry.text)).collect::<Vec<_>>();
            let _ = write!(wrong, "{name}: {cause}\nsimulated: {simulated:#?}\nreal: {real:#?}");
        }
    }
    if let Some(ended) = ended {
        let last = last_ends(&simulated);
        let real: BTreeMap<String, (i64, i64)> = last
            .keys()
            .map(|name| (name.clone(), (case.ended(name).0, case.container(name)["restartCount"].as_i64().unwrap())))
            .collect();
        if real != last || run.end() != ended["exitCode"] {
            let _ = write!(wrong, "{name}: ended {last:?} {ended}, really {real:?} {}", run.end());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Divides every time in a manifest or a script.
fn divide(value: &mut Value, scale: u32) {
    const SECONDS: [&str; 6] = [
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "periodSeconds",
        "initialDelaySeconds",
        "seconds",
        "gracePeriodSeconds",
    ];
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| divide(one, scale)),
        Value::Object(all) => {
            for (key, one) in all {
                if SECONDS.contains(&key.as_str()) {
                    let seconds = one.as_u64().unwrap();
                    assert_eq!(seconds % u64::from(scale), 0, "{key}: {seconds} is no multiple of {scale}");
                    *one = json!(seconds / u64::from(scale));
                } else if key == "barepod.dev/sidecar-grace-seconds" {
                    *one = json!((one.as_str().unwrap().parse::<u32>().unwrap() / scale).to_string());
                } else {
                    divide(one, scale);
                }
            }
        }
        Value::String(text) => {
            if let Some(time) = time(text) {
                *text = format!("{}ms", time.as_millis() / u128::from(scale));
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
fn requests(case: &Case, run: &Run<'_>, script: &Value) {
    let requests = script["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() {
        return;
    }
    wait("the first container", || !case.trace().is_empty());
    let began = Instant::now();
    for request in requests {
        let at = request["at"].as_str().and_then(time).unwrap();
        wait("a request's time", || began.elapsed() >= at);
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
    let text = fs::read_to_string(case.state().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let all = lines
        .map(|line| format!("{} {}", line["reason"].as_str().unwrap(), line["container"].as_str().unwrap_or("pod")));
    all.filter(|event| !is_left_out(event)).collect()
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
