//! Limits of a unit and of the pod in it, units that run as a user, and ways to start barepod by systemd that can't work as
//! meant, which is said. Only on boxes that systemd runs (scripts/vm-test).

use serde_json::json;

use crate::harness::guest::Guest;
use crate::harness::unit::{STATE, Unit, as_a_user, has_systemd};
use crate::harness::{Case, main, wait};

/// The pod's limits are below the unit's, and both hold. What is killed for the unit's is said to be out of memory, the
/// container is run anew, and systemd leaves the unit alone.
#[test]
fn a_units_limits_hold_for_its_pod() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-limits") else { return };
    let own = json!({"resources": {"limits": {"memory": "32Mi", "cpu": "500m"}}});
    let limited = "say $(cat /sys/fs/cgroup/memory.max) $(cat /sys/fs/cgroup/cpu.max); serve limited";
    let hog = "[ -e /t/once ] || { touch /t/once; say hogs; x=x; while :; do x=$x$x; done; }; exec serve hog";
    let pod = case.pod().spec(json!({"restartPolicy": "OnFailure"}));
    case.write(&pod.container(main("limited", limited, own)).container(main("hog", hog, json!({}))).text());
    let unit = Unit::with(&case, "MemoryMax=128M\nCPUQuota=150%");
    unit.start();
    case.wait_for("33554432 50000 100000");
    case.wait_for("hog up");
    let pid = unit.show("MainPID");
    wait("what it ended by", || case.container("hog")["lastState"]["terminated"]["reason"] == "OOMKilled");
    assert_eq!((case.times_said("hogs"), case.times_said("limited up")), (1, 1), "{:?}", case.trace());
    assert_eq!((unit.show("ActiveState"), unit.show("MainPID")), ("active".to_owned(), pid));
    assert_eq!(unit.show("NRestarts"), "0");
    assert!(unit.journal().contains("hog was killed: out of memory"), "{}", unit.journal());
    assert!(unit.stop().status().unwrap().success());
    assert_eq!(unit.show("ActiveState"), "inactive");
}

/// The document's unit with `User=`: its own cgroup is the user's, so that limits hold; nobody has to be logged in.
#[test]
fn a_unit_that_runs_as_a_user_has_limits() {
    let Some(guest) = Guest::new("unit-user") else { return };
    let case = &guest.case;
    let limits = json!({"resources": {"limits": {"memory": "32Mi", "cpu": "500m"}}});
    let script = "say $(cat /sys/fs/cgroup/memory.max) $(cat /sys/fs/cgroup/cpu.max); exec serve main";
    case.write(&case.pod().sidecar("side", "serve side").container(main("main", script, limits)).text());
    let unit = Unit::with(case, &as_a_user());
    unit.start();
    case.wait_for("main up");
    let supervisor = std::fs::read_to_string(format!("/proc/{}/status", unit.show("MainPID"))).unwrap();
    assert!(supervisor.contains("Uid:\t1000\t"), "{supervisor}");
    assert!(!unit.journal().contains("without cgroups"), "{}", unit.journal());
    assert!(unit.stop().status().unwrap().success());
    let told = ["side up", "33554432 50000 100000", "main up", "main term", "side term"];
    assert_eq!(case.trace(), told, "{}", unit.journal());
    assert_eq!((unit.show("ActiveState"), unit.show("Result")), ("inactive".to_owned(), "success".to_owned()));
    drop(unit);
    std::fs::remove_dir(format!("/var/lib/{STATE}")).unwrap();
}

/// A shell in the unit's cgroup: the pod is outside of the unit, which is said. `exec` instead of that, and it is inside.
#[test]
fn a_script_around_barepod_puts_the_pod_outside() {
    if !has_systemd() {
        return;
    }
    let Some(mut case) = Case::new("unit-script") else { return };
    let scope = ["systemd-run", "--scope", "--quiet", "-p", "Delegate=yes", "bash", "-c"];
    let pod = case.pod().main("main", "say ran");
    case.within(&[&scope[..], &["\"$@\"; exit $?", "in"]].concat());
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let text = run.stderr();
    assert_eq!(text.matches("warning:").count(), 1, "{text}");
    for part in
        ["the pod's cgroups are below \"/\" and not below", ".scope\"", "holds other processes", "`exec barepod"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    drop(run);
    case.within(&[&scope[..], &["exec \"$@\"", "in"]].concat());
    let mut run = case.start(&pod);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert!(!run.stderr().contains("warning"), "{}", run.stderr());
    assert_eq!(case.times_said("ran"), 2);
    drop(run);
    case.within(&[]);
    case.nothing_left();
}

/// A filter of the unit's that takes away a system call: said before anything is made, and with what to do.
#[test]
fn a_units_filter_is_told() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("unit-filter") else { return };
    case.write(&case.pod().main("main", "say ran").text());
    let unit = Unit::with(&case, "RestrictSUIDSGID=yes\nRestartPreventExitStatus=125");
    unit.start();
    unit.wait_for("ActiveState", "failed");
    let journal = unit.journal();
    assert_eq!(unit.show("ExecMainStatus"), "125", "{journal}");
    for part in ["openat2", "`RestrictSUIDSGID=yes` or `DynamicUser=yes`: leave these out"] {
        assert!(journal.contains(part), "{journal}");
    }
    assert!(case.trace().is_empty() && !case.state().exists());
}
