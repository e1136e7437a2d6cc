//! The way into a container that probes and hooks share: what is run in it is what its own init is, field by field.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, Run, main, open_files_suffice, wait};

/// Writes down what the shell that runs it is, below /t/NAME. `$$` is that shell, in whatever pid namespace /proc is of.
/// The shell redirects
/// itself before it forks: its descriptors are looked at from a child that does so later.
const TELL: &str = "mkdir -m 777 -p /t/NAME; \
    for f in status cgroup limits oom_score_adj environ coredump_filter mountinfo; do \
        cat /proc/$$/$f > /t/NAME/$f; done; \
    for l in cwd root exe ns/user ns/mnt ns/pid ns/net ns/ipc ns/uts ns/cgroup ns/time ns/pid_for_children; do \
        echo \"$l $(readlink /proc/$$/$l)\"; done > /t/NAME/links; \
    (exec > /t/NAME/fds; exec ls /proc/$$/fd); umask > /t/NAME/umask; \
    echo $(cut -d')' -f2 /proc/$$/stat | cut -d' ' -f18-19,40-41) > /t/NAME/priority; \
    touch /t/NAME/done";

fn tell(name: &str) -> String {
    TELL.replace("NAME", name)
}

/// Lines of /proc/PID/status that say which process it is and what it has done, not what it may do.
const OWN: [&str; 25] = [
    "Pid", "PPid", "Tgid", "Ngid", "NStgid", "NSpid", "NSpgid", "NSsid", "State", "FDSize", "SigQ", "VmPeak", "VmSize",
    "VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem", "VmData", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap",
    "VmPin",
];
/// And these, by their beginnings.
const OWN_TOO: [&str; 3] = ["voluntary_ctxt", "nonvoluntary_ctxt", "VmLck"];

/// What one of the two has told.
struct Told<'a> {
    case: &'a Case,
    name: &'a str,
}

impl Told<'_> {
    fn file(&self, file: &str) -> String {
        let path = self.case.shared(self.name).join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// `FIELD:\tVALUE` lines, without those that differ between any two processes.
    fn status(&self) -> BTreeMap<String, String> {
        let text = self.file("status");
        let all = text.lines().filter_map(|line| line.split_once(':'));
        let fields = all.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let own = |name: &str| OWN.contains(&name) || OWN_TOO.iter().any(|prefix| name.starts_with(prefix));
        fields.filter(|(name, _)| !own(name)).collect()
    }

    fn environment(&self) -> Vec<String> {
        let mut all: Vec<String> = self.file("environ").split('\0').map(str::to_owned).collect();
        all.sort();
        all
    }

    /// Of each hierarchy: `(controllers, path)`.
    fn cgroups(&self) -> Vec<(String, String)> {
        let text = self.file("cgroup");
        let split = |line: &str| {
            let (_, rest) = line.split_once(':').unwrap();
            let (controllers, path) = rest.split_once(':').unwrap();
            (controllers.to_owned(), path.to_owned())
        };
        text.lines().map(split).collect()
    }
}

/// Both fields by field; each difference is a line.
fn compare(case: &Case) {
    let init = Told { case, name: "init" };
    let exec = Told { case, name: "exec" };
    let mut differences = Vec::new();
    let (wanted, found) = (init.status(), exec.status());
    for name in ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"] {
        assert!(wanted.contains_key(name), "/proc/PID/status has no {name}");
    }
    for name in wanted.keys().chain(found.keys()) {
        if wanted.get(name) != found.get(name) {
            differences.push(format!("status {name}: {:?}, exec'd: {:?}", wanted.get(name), found.get(name)));
        }
    }
    for file in ["limits", "oom_score_adj", "coredump_filter", "mountinfo", "links", "umask", "priority"] {
        let (wanted, found) = (init.file(file), exec.file(file));
        for (one, other) in wanted.lines().zip(found.lines()).filter(|(one, other)| one != other) {
            differences.push(format!("{file}: {one:?}, exec'd: {other:?}"));
        }
        assert_eq!(wanted.lines().count(), found.lines().count(), "{file}");
    }
    if init.environment() != exec.environment() {
        differences.push(format!("env: {:?}, exec'd: {:?}", init.environment(), exec.environment()));
    }
    // In the container's cgroup, or in one of its own below it, which all limits of the container's hold for.
    for ((controllers, wanted), (_, found)) in init.cgroups().iter().zip(exec.cgroups()) {
        let below = found
            .strip_prefix(wanted.as_str())
            .is_some_and(|rest| rest.is_empty() || wanted == "/" || rest.starts_with('/'));
        if !below {
            differences.push(format!("cgroup {controllers:?}: {wanted}, exec'd: {found}"));
        }
    }
    // 0, 1 and 2, and nothing of the supervisor's.
    for told in [&init, &exec] {
        assert_eq!(told.file("fds").split_whitespace().collect::<Vec<_>>(), ["0", "1", "2"], "{}", told.name);
    }
    assert!(differences.is_empty(), "{}:\n  {}", case.name(), differences.join("\n  "));
}

/// Starts a pod whose main tells of itself, and by its postStart hook of what is run in it; waits for both.
fn both<'a>(case: &'a Case, pod: Value, more: Value) -> Run<'a> {
    let mut container = main(
        "main",
        &format!("{}; exec serve main", tell("init")),
        json!({
            "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", tell("exec")]}}}
        }),
    );
    for (key, value) in more.as_object().unwrap() {
        container[key] = value.clone();
    }
    let run = case.start(&case.pod().spec(pod).container(container));
    for name in ["init", "exec"] {
        wait(name, || case.shared(name).join("done").exists());
    }
    case.wait_for("main up");
    run
}

fn ends(mut run: Run<'_>) {
    run.signal(Signal::TERM);
    assert_eq!(run.end(), 0);
}

/// Issue 3, item 2 (R6.10, R7.4), for the ways in which a container can be restricted.
#[test]
fn what_is_run_in_a_container_is_what_its_init_is() {
    let limits = json!({"limits": {"cpu": "500m", "memory": "64Mi"}});
    let env = json!([{"name": "COLOUR", "value": "blue and green"}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    let restricted = json!({
        "runAsUser": 1000, "runAsGroup": 3000, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    });
    let all = [
        ("exec-plain", json!({}), json!({})),
        (
            "exec-restricted",
            json!({"securityContext": {"supplementalGroups": [40, 50], "fsGroup": 60}}),
            json!({"securityContext": restricted.clone(), "resources": limits.clone(), "env": env.clone(), "workingDir": "/var"}),
        ),
        (
            "exec-capabilities",
            json!({}),
            json!({"securityContext": {"capabilities": {"drop": ["CHOWN"], "add": ["SYS_TIME"]}}}),
        ),
        (
            "exec-unconfined",
            json!({}),
            // CVE-2026-30892: a user 1 that was taken for no user, and so for root.
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}, "runAsUser": 1}}),
        ),
        ("exec-privileged", json!({}), json!({"securityContext": {"privileged": true}})),
        (
            "exec-shared-pid",
            json!({"shareProcessNamespace": true}),
            json!({"securityContext": {"readOnlyRootFilesystem": true}}),
        ),
        ("exec-users", json!({"hostUsers": false}), json!({})),
        (
            "exec-users-restricted",
            json!({"hostUsers": false, "shareProcessNamespace": true, "securityContext": {"supplementalGroups": [40], "fsGroup": 60}}),
            json!({"securityContext": restricted, "resources": limits, "env": env}),
        ),
        ("exec-host", json!({"hostNetwork": true, "hostPID": true, "hostIPC": true}), json!({})),
    ];
    for (name, pod, container) in all {
        let Some(case) = Case::new(name) else { return };
        let run = both(&case, pod, container);
        compare(&case);
        ends(run);
    }
}

/// What only a bundle can say: limits, umask, OOM score, capabilities set by set, a seccomp profile of its own.
#[test]
fn what_a_bundle_says_holds_for_what_is_run_in_it() {
    if !open_files_suffice(1024) {
        return;
    }
    for (name, pod) in [("exec-bundle", json!({})), ("exec-bundle-users", json!({"hostUsers": false}))] {
        if let Some(case) = Case::new(name) {
            of_a_bundle(&case, pod);
        }
    }
}

fn of_a_bundle(case: &Case, pod: Value) {
    let capabilities = json!(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    let config = json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {
            "args": ["sh", "-c", format!("{}; exec serve main", tell("init"))],
            "env": ["PATH=/bin", "A=a"], "cwd": "/etc",
            "user": {"uid": 1000, "gid": 1001, "additionalGids": [2000, 2001], "umask": 0o027},
            "capabilities": {
                "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID"],
                "effective": capabilities, "permitted": capabilities, "inheritable": ["CAP_NET_BIND_SERVICE"],
                "ambient": ["CAP_NET_BIND_SERVICE"],
            },
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 300}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                {"type": "RLIMIT_NPROC", "soft": 1000, "hard": 2000},
            ],
            "noNewPrivileges": true,
        },
        "linux": {"seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
        }},
    });
    let folder = case.dir().join("b");
    fs::create_dir(&folder).unwrap();
    symlink(case.rootfs(), folder.join("rootfs")).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let command = ["sh", "-c", &tell("exec")];
    let container = json!({
        "name": "main", "image": "bundle:b", "volumeMounts": [{"name": "t", "mountPath": "/t"}],
        "lifecycle": {"postStart": {"exec": {"command": command}}},
    });
    let run = case.start(&case.pod().spec(pod).container(container));
    for name in ["init", "exec"] {
        wait(name, || case.shared(name).join("done").exists());
    }
    compare(case);
    let told = Told { case, name: "exec" };
    let status = told.status();
    assert_eq!((status["Uid"].as_str(), status["Groups"].as_str()), ("1000\t1000\t1000\t1000", "1001 2000 2001"));
    assert!(
        told.file("limits").contains("Max open files            100                  300"),
        "{}",
        told.file("limits")
    );
    case.wait_for("main up");
    ends(run);
}

/// A probe that runs again and again, whether it fails or succeeds, leaves nothing: no process, no cgroup of its own, no
/// descriptor in the supervisor.
#[test]
fn many_execs_leave_nothing() {
    let Some(case) = Case::new("exec-many") else { return };
    let probe =
        |script: &str| json!({"exec": {"command": ["sh", "-c", script]}, "periodSeconds": 1, "failureThreshold": 100});
    let probes = json!({
        "livenessProbe": probe("say liveness; true"),
        "readinessProbe": probe("say readiness; sh -c 'sleep 0; exit 1'"),
    });
    let run = case.start(&case.pod().container(main("main", "serve main", probes)));
    let all = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", run.pid().as_raw_nonzero())).unwrap().count();
        let folders = walkdir::WalkDir::new("/sys/fs/cgroup").into_iter().flatten();
        let cgroups =
            folders.filter(|entry| entry.file_type().is_dir() && entry.path().to_string_lossy().contains(case.uid()));
        (case.processes(""), descriptors, cgroups.count())
    };
    let rounds = |count: usize| {
        wait("rounds", || case.times_said("liveness") >= count && case.times_said("readiness") >= count);
    };
    rounds(1);
    // Somewhere between two rounds nothing runs but the container's shell and its sleep; the supervisor may just not
    // have put away everything of the round before.
    let mut last = all();
    let idle = crate::harness::wait_for("a moment between two rounds", || {
        last = all();
        println!("{last:?}");
        Some(&last).filter(|now| now.0.len() == 2).cloned()
    });
    rounds(5);
    wait("no more than before", || {
        let now = all();
        now.0.len() == 2 && now.1 <= idle.1 && now.2 <= idle.2
    });
    ends(run);
}

/// What a hook leaves running on purpose lives as long as its container, as in a cluster, and no longer.
#[test]
fn a_daemon_of_a_hook_lives_as_long_as_its_container() {
    let Some(case) = Case::new("exec-daemon") else { return };
    let start = "(trap '' TERM HUP; say daemon; exec setsid sleep 65432) & await daemon";
    let hooks = json!({"lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", start]}}}});
    let fields = json!({"readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}});
    let mut container = main("main", "serve main", fields);
    container["lifecycle"] = hooks["lifecycle"].clone();
    let run = case.start(&case.pod().container(container));
    // The hook has returned: probes come after it.
    wait("readiness", || case.container("main")["ready"] == true);
    assert_eq!(case.processes("65432").len(), 1);
    // What is left of it is looked for when the case ends.
    ends(run);
}

/// A program that can't be run in the container is the probe's error, whatever is wrong with it, and names it.
#[test]
fn programs_that_cannot_be_run() {
    let Some(case) = Case::new("exec-cannot") else { return };
    fs::write(case.shared("notexec"), "#!/bin/sh\n").unwrap();
    fs::write(case.shared("nointerp"), "#!/no/such\n").unwrap();
    fs::set_permissions(case.shared("nointerp"), fs::Permissions::from_mode(0o755)).unwrap();
    let paths = ["/no/such", "/t/notexec", "/t/nointerp", "/etc", "nosuchprogram"];
    let mut pod = case.pod();
    for (at, path) in paths.iter().enumerate() {
        // No short timeout: under emulation five execs at once take their time.
        let probe = json!({"exec": {"command": [path]}, "periodSeconds": 3600, "timeoutSeconds": 60});
        pod = pod.container(main(&format!("m{at}"), &format!("serve m{at}"), json!({"readinessProbe": probe})));
    }
    let run = case.start(&pod);
    for (at, path) in paths.iter().enumerate() {
        let name = format!("m{at}");
        let told = crate::harness::wait_for(path, || case.messages_of(name.as_str(), "Unhealthy").pop());
        assert!(
            told.starts_with("Readiness probe errored and resulted in unknown state: ") && told.contains(path),
            "{told}"
        );
        case.wait_for(&format!("m{at} up"));
    }
    ends(run);
}
