//! What barepod will do, as documentation: each folder of tests/simulate/ has a manifest (whose first line cites the rules
//! it shows), a script, and the timeline that `barepod simulate` prints for the two. To see one yourself:
//! `barepod simulate tests/simulate/NAME/pod.yaml --script tests/simulate/NAME/script.yaml`.
//! Where a folder has a file `real`, tests/e2e/scenarios.rs runs it with real containers too and compares; the file says
//! by how much all times are divided for that.
//!
//! `BAREPOD_UPDATE=1 cargo test --test simulate` writes the timelines anew; read them against the rules then.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn simulate(arguments: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barepod"));
    command.arg("simulate").args(arguments).current_dir(dir).env("NO_COLOR", "1").output().unwrap()
}

fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate");
    let mut all: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// At least 60 of them, each about a rule that is named.
#[test]
fn every_scenario_goes_as_written() {
    let update = std::env::var_os("BAREPOD_UPDATE").is_some();
    let all = scenarios();
    assert!(all.len() >= 60, "{} scenarios", all.len());
    let mut wrong = Vec::new();
    for dir in &all {
        let name = dir.file_name().unwrap().to_str().unwrap();
        let output = simulate(&["pod.yaml", "--script", "script.yaml"], dir);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && errors.is_empty(), "{name}: {}\n{errors}", output.status);
        let timeline = String::from_utf8(output.stdout).unwrap();
        let file = dir.join("timeline.txt");
        if update {
            fs::write(&file, &timeline).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != timeline {
            wrong.push(format!("{name} goes like this now:\n{timeline}"));
        }
    }
    assert!(wrong.is_empty(), "{}\nBAREPOD_UPDATE=1 writes them anew", wrong.join("\n"));
}

#[test]
fn every_scenario_cites_a_rule() {
    for dir in scenarios() {
        let text = fs::read_to_string(dir.join("pod.yaml")).unwrap();
        let first = text.lines().next().unwrap();
        let cites = first.strip_prefix("# R").and_then(|rest| rest.split_once('.'));
        assert!(cites.is_some_and(|(section, _)| section.parse::<u8>().is_ok()), "{}: {first}", dir.display());
    }
}

/// A day of crash loops takes no time: 300 restarts and some.
#[test]
fn a_day_of_crash_loops() {
    let dir = tempfile::tempdir().unwrap();
    let manifest =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: a, image: \"bundle:a\"}]\n";
    fs::write(dir.path().join("pod.yaml"), manifest).unwrap();
    fs::write(dir.path().join("script.yaml"), "containers: {a: [{exits: {after: 1s, code: 1}}]}\n").unwrap();
    let began = Instant::now();
    let output = simulate(&["pod.yaml", "--script", "script.yaml"], dir.path());
    let took = began.elapsed();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("24h ") && text.contains("restart 288"), "{text}");
    // A generous bar for a debug build on a busy machine: alone it is a few hundredths of that.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Exit code 2, everything at once, with places; nothing on standard output.
#[test]
fn a_bad_script_is_refused() {
    let dir = scenarios().into_iter().find(|dir| dir.ends_with("who-used-the-grace")).unwrap();
    for (script, says) in [
        ("container: {}\n", "did you mean containers?"),
        ("until: 5\n", "a time needs a unit"),
        ("until: soon\n", "not a time"),
        ("until: -3s\n", "can't be negative"),
        ("requests: [{force: true, gracePeriodSeconds: 3, at: 1s}]\n", "may not be set with `force`"),
        ("requests: [{}]\n", "Required value: at"),
        ("requests: [{at: 1s, exceeds: {limit: 1Gi}}]\n", "whose limit is exceeded"),
        ("requests: [{at: 1s, exceeds: {pod: true, emptyDir: x, limit: 1Gi}}]\n", "whose limit is exceeded"),
        ("requests: [{at: 1s, exceeds: {pod: true}}]\n", "Required value: limit"),
        ("requests: [{at: 1s, exceeds: {container: nobody, limit: 1Gi}}]\n", "Not found"),
        ("requests: [{at: 1s, exceeds: {emptyDir: nothing, limit: 1Gi}}]\n", "the pod has none"),
        ("requests: [{at: 1s, sandboxLost: true}]\n", "add shareProcessNamespace: true"),
        ("requests: [{at: 1s, sandboxLost: true, force: true}]\n", "may not be set with `sandboxLost`"),
        ("requests: [{at: 1s, force: true, exceeds: {pod: true, limit: 1Gi}}]\n", "may not be set with `exceeds`"),
        ("containers: {wbe: [{}]}\n", "did you mean web?"),
        ("containers: {web: []}\n", "at least one attempt"),
        ("containers: {web: {}}\n", "must be a list"),
        ("containers: {web: [{exits: {code: 300}}]}\n", "must be between 0 and 255"),
        ("containers: {web: [{exits: {signal: SIGFOO}}]}\n", "no such signal"),
        ("containers: {web: [{exits: {never: true, code: 1}}]}\n", "may not be set with `never`"),
        ("containers: {web: [{exits: {}, exits: {}}]}\n", "duplicate field"),
        ("containers: {web: [{startFails: true, exits: {}}]}\n", "may not be set with `startFails`"),
        ("containers: {web: [{onStop: {ignores: true, after: 1s}}]}\n", "may not be set with `ignores`"),
        ("containers: {web: [{preStop: {hangs: true, takes: 1s}}]}\n", "may not be set with `hangs`"),
        ("containers: {web: [{postStart: {}}]}\n", "has no lifecycle.postStart"),
        ("containers: {web: [{livenessProbe: {}}]}\n", "has no livenessProbe"),
        ("containers: {web: [{image: {fails: 1, reason: ErrImage}}]}\n", "ErrImageNeverPull"),
        ("containers: {web: [{image: {absent: true}}]}\n", "the image of \"web\" is a folder on this box"),
        ("containers: {web: [{image: {pullFails: 2}}]}\n", "a folder is never pulled"),
        ("containers: {web: [{image: {pullHangs: true, pullFails: 2}}]}\n", "may not be set with `pullHangs`"),
        ("containers: {web: [{create: {reason: CreateContainerError}}]}\n", "Required value: fails"),
        ("a: b\n---\nc: d\n", "a second document"),
        ("", "the script is empty"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), script).unwrap();
        let output = simulate(&["pod.yaml", "--script", file.path().to_str().unwrap()], &dir);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{script}{errors}");
        assert!(output.stdout.is_empty() && errors.contains(says), "{script}{errors}");
        assert!(errors.starts_with("error: ") && errors.contains(" --> "), "{errors}");
    }
}

/// Only an emptyDir can exceed its limit: neither a volume of another kind, nor one that isn't there.
#[test]
fn what_exceeds_a_limit_is_an_empty_dir() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: a, image: \"bundle:a\"}]\n  \
                    volumes: [{name: cache, emptyDir: {}}, {name: host, hostPath: {path: /srv}}]\n";
    fs::write(dir.path().join("pod.yaml"), manifest).unwrap();
    for (name, help) in [("cache", None), ("host", Some("the pod has cache")), ("cach", Some("did you mean cache?"))] {
        let script = format!("requests: [{{at: 1s, exceeds: {{emptyDir: {name}, limit: 1Gi}}}}]\n");
        fs::write(dir.path().join("script.yaml"), script).unwrap();
        let output = simulate(&["pod.yaml", "--script", "script.yaml"], dir.path());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(if help.is_none() { 0 } else { 2 }), "{errors}");
        let expected = help.is_none_or(|help| {
            [help, "requests[0].exceeds.emptyDir", &format!("Not found: \"{name}\"")]
                .iter()
                .all(|part| errors.contains(part))
        });
        assert!(expected, "{errors}");
    }
}

/// Before it is made there is nothing to lose, and nothing is said to be.
#[test]
fn a_sandbox_that_is_not_there_is_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  shareProcessNamespace: true\n  \
                    containers: [{name: a, image: \"bundle:a\"}]\n";
    fs::write(dir.path().join("pod.yaml"), manifest).unwrap();
    let script = "latencies: {sandbox: 2s}\nrequests: [{at: 1s, sandboxLost: true}]\n";
    fs::write(dir.path().join("script.yaml"), script).unwrap();
    let text = String::from_utf8(simulate(&["pod.yaml", "--script", "script.yaml"], dir.path()).stdout).unwrap();
    assert!(text.contains("there is none now") && !text.contains("SandboxChanged") && text.contains("1/1"), "{text}");
}

/// The example of docs/simulate.md goes as it says.
#[test]
fn the_documented_example() {
    let doc = documentation();
    let block = |head: &str| {
        let from = doc.find(head).unwrap() + head.len();
        doc[from..].split("```").next().unwrap().to_owned()
    };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pod.yaml"), block("```yaml\n# pod.yaml\n")).unwrap();
    fs::write(dir.path().join("script.yaml"), block("```yaml\n# script.yaml\n")).unwrap();
    let output = simulate(&["pod.yaml", "--script", "script.yaml"], dir.path());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), block("```text\n"));
}

/// Every key that a script can have is in docs/simulate.md.
#[test]
fn every_key_is_documented() {
    let doc = documentation();
    let dir = scenarios().into_iter().find(|dir| dir.ends_with("startup-first")).unwrap();
    let attempt = |inner: &str| format!("containers: {{web: [{inner}]}}\n");
    let mut keys = 0;
    for script in [
        "zzzz: {}\n".to_owned(),
        "latencies: {zzzz: 1}\n".to_owned(),
        "sandbox: {zzzz: 1}\n".to_owned(),
        "requests: [{zzzz: 1}]\n".to_owned(),
        attempt("{zzzz: 1}"),
        attempt("{image: {zzzz: 1}}"),
        attempt("{create: {zzzz: 1}}"),
        attempt("{exits: {zzzz: 1}}"),
        attempt("{onStop: {zzzz: 1}}"),
        attempt("{preStop: {zzzz: 1}}"),
        attempt("{livenessProbe: {zzzz: 1}}"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &script).unwrap();
        let output = simulate(&["pod.yaml", "--script", file.path().to_str().unwrap()], &dir);
        let errors = String::from_utf8(output.stderr).unwrap();
        let known = errors.split("known here: ").nth(1).and_then(|rest| rest.lines().next());
        for key in known.unwrap_or_else(|| panic!("{script}{errors}")).split(", ") {
            assert!(doc.contains(&format!("`{key}`")) || doc.contains(&format!("`{key}: ")), "{key}");
            keys += 1;
        }
    }
    assert!(keys > 35, "{keys}");
}

fn documentation() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulate.md")).unwrap()
}

/// Keys that `barepod events -o json` has too, and times that never go back.
#[test]
fn json_has_one_object_a_line() {
    for dir in scenarios() {
        let output = simulate(&["pod.yaml", "--script", "script.yaml", "-o", "json"], &dir);
        assert!(output.status.success());
        let mut last = String::new();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            for key in ["time", "type", "reason", "container", "message", "count"] {
                assert!(object.get(key).is_some(), "{key}: {line}");
            }
            let time: jiff::Timestamp = object["time"].as_str().unwrap().parse().unwrap();
            let time = format!("{:020}", time.as_nanosecond());
            assert!(time >= last, "{}: {line}", dir.display());
            last = time;
        }
    }
}
