//! Containers and hooks of a real pod that do as the script of a simulation says.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::pace::time;
use crate::harness::{Case, Manifest, worker};

/// The manifest with containers and hooks that do as the script says.
pub(super) fn real(case: &Case, manifest: &Value, script: &Value) -> Manifest {
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
