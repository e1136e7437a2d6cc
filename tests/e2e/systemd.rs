//! A pod as a unit of systemd, by the unit in docs/systemd.md: where its cgroups are, in which order it ends, and what
//! becomes of it when barepod is killed or can't start. Only on boxes that systemd runs (scripts/vm-test).

use std::fs;

use serde_json::json;

use crate::harness::unit::{Unit, has_systemd};
use crate::harness::{Case, PATIENT, main, said, wait};

/// What processes of the pod whose command has this word are in. Other cases run at the same time.
fn cgroups(case: &Case, word: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let ours = all.filter(|process| {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(word)
    });
    let cgroups = ours.map(|process| fs::read_to_string(process.join("cgroup")).unwrap_or_default());
    cgroups.filter(|cgroup| cgroup.contains(case.uid())).collect()
}

/// `systemctl stop` waits for the mains, whatever time they take within the grace period, and ends the sidecars after
/// them, last one first; all of it within the unit's cgroup.
#[test]
fn a_unit_stops_in_order_within_its_cgroup() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-order") else { return };
    let slow = "trap 'say main term; hold go; say main over; exit 0' TERM; say main up; while :; do sleep 1000 & wait $!; done";
    let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 1000}));
    case.write(&pod.sidecar("first", "serve first").sidecar("second", "serve second").main("main", slow).text());
    let unit = Unit::install(&case);
    unit.start();
    case.wait_for("main up");
    let own = unit.show("ControlGroup");
    assert!(own.ends_with(".service"), "{own}");
    let found = cgroups(&case, "/bin/serve");
    assert_eq!(found.len(), 2, "{found:?}");
    for one in &found {
        assert!(one.contains(&format!("0::{own}/")) && one.contains(case.uid()), "{one} is not in {own}");
    }
    let mut stop = unit.stop().spawn().unwrap();
    case.wait_for("main term");
    // The sidecars serve as before, and nobody is started anew.
    assert!(stop.try_wait().unwrap().is_none());
    assert_eq!(cgroups(&case, "/bin/serve").len(), 2);
    case.release("go");
    assert!(stop.wait().unwrap().success());
    let mut trace = case.trace();
    // The sidecars start in order, main after them: all before it is told to end.
    assert_eq!(trace.split_off(3), ["main term", "main over", "second term", "first term"]);
    assert_eq!(unit.show("ActiveState"), "inactive");
    assert_eq!((unit.show("Result"), unit.show("NRestarts")), ("success".to_owned(), "0".to_owned()));
    let journal = unit.journal();
    assert!(journal.contains("first is being stopped") || journal.contains("first exited"), "{journal}");
}

/// A main that SIGTERM ends, as most do, leaves no failed unit.
#[test]
fn a_main_that_sigterm_ends_is_no_failure() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-143") else { return };
    case.write(&case.pod().main("main", "trap 'exit 143' TERM; say up; while :; do sleep 1000 & wait $!; done").text());
    let unit = Unit::install(&case);
    unit.start();
    case.wait_for("up");
    assert!(unit.stop().status().unwrap().success());
    // Else it would be "failed", and stay so.
    assert_eq!(unit.show("ActiveState"), "inactive");
    assert!(unit.journal().contains("main exited 143"), "{}", unit.journal());
}

/// SIGKILL for barepod: nothing of the old life is left when systemd starts the next.
#[test]
fn a_killed_supervisor_is_cleaned_up_after_and_started_anew() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-killed") else { return };
    let volume = json!({"volumes": [{"name": "d", "emptyDir": {}}]});
    let mounted = json!({"volumeMounts": [{"name": "d", "mountPath": "/d"}]});
    let script = "say found $(ls /d | wc -l); touch /d/old; serve main";
    case.write(&case.pod().spec(volume).sidecar("web", "defy web").container(main("main", script, mounted)).text());
    let unit = Unit::install(&case);
    unit.start();
    case.wait_for("main up");
    let pid: i32 = unit.show("MainPID").parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    wait("a second life", || case.times_said("main up") == 2);
    unit.wait_for("NRestarts", "1");
    assert_eq!(case.times_said("found 0"), 2, "{:?}", case.trace());
    // Of both lives together one sidecar and one main are left, and they were not asked to end.
    assert_eq!((cgroups(&case, "/bin/defy").len(), cgroups(&case, "/bin/serve").len()), (1, 1));
    assert!(!case.said("main term"));
}

/// A job that succeeds without ever having been ready is a success for systemd, too, and isn't run again; also where a sidecar ends
/// after its main.
#[test]
fn a_job_that_was_never_ready_is_a_success() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-job") else { return };
    let probe = json!({"exec": {"command": ["test", "-e", "/t/never"]}, "periodSeconds": 1});
    let pod =
        case.pod().container(main("main", "say ran", json!({"readinessProbe": probe}))).sidecar("web", "serve web");
    case.write(&pod.text());
    let unit = Unit::install(&case);
    let start = unit.starting().output().unwrap();
    assert!(start.status.success(), "{}\n{}", String::from_utf8_lossy(&start.stderr), unit.journal());
    unit.wait_for("ActiveState", "inactive");
    assert_eq!((unit.show("Result"), unit.show("NRestarts")), ("success".to_owned(), "0".to_owned()));
    assert_eq!((case.times_said("ran"), case.said("web term")), (1, true), "{:?}", case.trace());
}

/// An invalid manifest ends the matter; a main that fails is run anew.
#[test]
fn an_invalid_manifest_is_not_started_anew() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-invalid") else { return };
    let pod = case.pod().main("main", "say ran; [ $(grep -cx ran /t/log) = 1 ] || serve main; exit 7");
    case.write(&pod.text().replace("\"restartPolicy\": \"Never\"", "\"restartPolicy\": \"Sometimes\""));
    let unit = Unit::install(&case);
    unit.start();
    unit.wait_for("ActiveState", "failed");
    assert_eq!((unit.show("ExecMainStatus"), unit.show("NRestarts")), ("2".to_owned(), "0".to_owned()));
    assert!(unit.journal().contains("Unsupported value: \"Sometimes\""), "{}", unit.journal());

    case.write(&pod.text());
    unit.start();
    case.wait_for("main up");
    assert_eq!((case.times_said("ran"), unit.show("NRestarts")), (2, "1".to_owned()));
}

/// What `generate systemd` prints: its start waits until the pod is ready, systemd shows how the pod is, and a supervisor that hangs is
/// ended, with its containers, and started anew.
#[test]
fn a_generated_unit_is_as_ready_as_its_pod() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-ready") else { return };
    let probe = json!({"exec": {"command": ["test", "-e", "/t/ready"]}, "periodSeconds": 1, "timeoutSeconds": PATIENT});
    let pod = case.pod().container(main("main", "serve main", json!({"readinessProbe": probe})));
    case.write(&pod.text().replace("\"restartPolicy\": \"Never\"", "\"restartPolicy\": \"Always\""));
    let unit = Unit::generated(&case, "WatchdogSec=20s\nTimeoutAbortSec=1s");
    let mut start = unit.starting().spawn().unwrap();
    case.wait_for("main up");
    unit.wait_for("StatusText", "Running, 0/1 ready");
    assert_eq!(unit.show("ActiveState"), "activating");
    assert!(start.try_wait().unwrap().is_none());
    case.release("ready");
    assert!(start.wait().unwrap().success(), "{}", unit.journal());
    assert_eq!(unit.show("ActiveState"), "active");
    unit.wait_for("StatusText", "Running, 1/1 ready");
    let pid = rustix::process::Pid::from_raw(unit.show("MainPID").parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    wait("a second life", || case.times_said("main up") == 2);
    unit.wait_for("ActiveState", "active");
    assert_eq!((unit.show("NRestarts"), cgroups(&case, "/bin/serve").len()), ("1".to_owned(), 1));
    assert!(unit.stop().status().unwrap().success());
    assert_eq!((unit.show("ActiveState"), unit.show("Result")), ("inactive".to_owned(), "success".to_owned()));
}

/// `install` and `uninstall`: nothing else is to be called. What isn't theirs they leave alone.
#[test]
fn installed_and_uninstalled() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-installed") else { return };
    let file = case.write(
        &case.pod().main("main", "trap 'say term; exit 0' TERM; say up; while :; do sleep 1000 & wait $!; done").text(),
    );
    let path = std::path::Path::new("/etc/systemd/system/unit-installed.service");
    let show = |property: &str| {
        let show = ["show", "--value", "--property", property, "unit-installed.service"];
        let output = std::process::Command::new("systemctl").args(show).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let file = file.to_str().unwrap();
    let (code, _, err) = said(&case, &["install", file]);
    assert_eq!(code, Some(0), "{err}");
    // Ready by then; without a probe that is as soon as its program is executed.
    assert_eq!((show("ActiveState"), show("UnitFileState")), ("active".into(), "enabled".into()));
    case.wait_for("up");
    let (code, _, err) = said(&case, &["install", file]);
    assert!(code == Some(0) && err.contains("is as it was, and runs"), "{err}");
    assert_eq!(case.times_said("up"), 1);
    let (code, _, err) = said(&case, &["install", file, "--", "--timeout", "1h"]);
    assert_eq!((code, case.times_said("term")), (Some(0), 1), "{err}");
    wait("it runs anew", || case.times_said("up") == 2);
    assert_eq!(said(&case, &["uninstall", case.name()]).0, Some(0));
    assert_eq!((path.exists(), case.times_said("term"), show("ActiveState")), (false, 2, "inactive".into()));
    assert_eq!(show("LoadState"), "not-found");
    let (code, _, err) = said(&case, &["uninstall", case.name()]);
    assert!(code != Some(0) && err.contains("there is no /etc/systemd/system/unit-installed.service"), "{err}");
    // Somebody else's units.
    let (code, _, err) = said(&case, &["install", file, "--name", "systemd-journald"]);
    assert!(code != Some(0) && err.contains("there is a unit systemd-journald.service already, /"), "{err}");
    fs::write(path, "[Service]\nExecStart=true\n").unwrap();
    for words in [["install", file], ["uninstall", case.name()]] {
        let (code, _, err) = said(&case, &words);
        assert!(code != Some(0) && err.contains("wasn't written by `barepod install`"), "{err}");
    }
    fs::remove_file(path).unwrap();
    let (code, _, err) = said(&case, &["install", file, "--no-start"]);
    assert!(code == Some(0) && err.contains("before the next boot"), "{err}");
    assert_eq!((show("ActiveState"), case.times_said("up")), ("inactive".into(), 2));
    assert_eq!(said(&case, &["uninstall", "unit-installed.service"]).0, Some(0));
    assert_eq!(said(&case, &["rm", case.name()]).0, Some(0));
    case.nothing_left();
}
