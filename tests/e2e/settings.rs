//! What a container finds itself to have, setting by setting, compared with what runc and crun make of the settings
//! that containerd asks for. `BAREPOD_WRITE_DOCS=1` puts the comparison into docs/security.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Case, main};

/// The last call that libseccomp 2.5.4 knows, which runc and crun of Debian 12 are built with; beyond it each
/// answers as it was built.
const LAST_CALL: &str = "450";

/// What differs: beginning of the setting's name, from whom, why.
const DIFFERENT: &[(&str, &[&str], &str)] = &[
    (
        "SigIgn",
        &["runc", "crun"],
        "they pass on what their caller ignored; barepod ignores nothing (3: busybox' shell)",
    ),
    ("mount /sys/fs/cgroup", &["runc", "crun"], "on v1 barepod shows the container's own cgroups only, each read-only"),
    ("device /dev/termination-log", &["runc", "crun"], "the kubelet's"),
    ("mount /dev/termination-log", &["runc", "crun"], "the kubelet's"),
    ("mount /etc/", &["runc", "crun"], "the kubelet's"),
    (
        "mount /proc/",
        &["crun"],
        "it hides files behind its own /dev/null, and drops nosuid, nodev and noexec of /proc's parts",
    ),
    ("device /dev/core", &["crun"], "a link to /proc/kcore, which is hidden"),
];

/// Setting to value.
type Settings = BTreeMap<String, String>;

fn parsed(text: &str) -> Settings {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Makes the program that looks, in the folder that containers see as /t.
fn looker(case: &Case) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/settings.c");
    let made = Command::new("cc").args(["-static", "-O1", "-o"]).arg(case.shared("look")).arg(source).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        crate::skips::skip("needs cc and a static libc");
    }
    made
}

const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The config that containerd writes for a pod's container that says nothing, RuntimeDefault apart; `held` are the
/// capabilities that this box lets its root have.
fn containerds(case: &Case, cgroup: &str, held: u64) -> Value {
    let capabilities: Vec<&str> = CAPABILITIES
        .into_iter()
        .filter(|name| {
            let number = name.parse::<caps::Capability>().unwrap().index();
            held & (1 << number) != 0
        })
        .collect();
    let mount = |at: &str, typ: &str, options: &[&str]| json!({"destination": at, "type": typ, "source": typ, "options": options});
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": case.rootfs()},
        "process": {
            "args": ["sh", "-c", format!("/t/look {LAST_CALL} > /t/theirs")], "env": ["PATH=/bin"], "cwd": "/",
            "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
        },
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            {"destination": "/t", "type": "bind", "source": case.shared(""), "options": ["rbind", "rprivate", "rw"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "maskedPaths": [
                "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                "/sys/devices/virtual/powercap",
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
            "seccomp": barepod::plan::default_seccomp_profile(&capabilities, (6, 1)),
        },
    })
}

/// What a container of `runtime` finds. `None`, said aloud, where there is no such runtime.
fn theirs(case: &Case, runtime: &str, held: u64) -> Option<Settings> {
    let id = format!("settings-{}", case.uid());
    let folder = case.dir().join(runtime);
    fs::create_dir(&folder).unwrap();
    let mut config = containerds(case, &format!("/{id}"), held);
    // The case's own is not theirs to write to.
    let copy = folder.join("rootfs");
    let copied = Command::new("cp").arg("-a").arg(case.rootfs()).arg(&copy).status().unwrap();
    assert!(copied.success());
    config["root"]["path"] = json!(copy);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    if Command::new(runtime).arg("--version").output().is_err() {
        crate::skips::skip(format_args!("there is no {runtime}"));
        return None;
    }
    // crun refuses hybrid boxes unless the v2 hierarchy is out of sight; it has no controllers then.
    let script = "grep ' - cgroup2 ' /proc/self/mountinfo | cut -d' ' -f5 | while read -r at; do \
        [ -s $at/cgroup.controllers ] || umount $at; done; exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", runtime, "--root"])
        .arg(folder.join("state"))
        .args(["run", "-b"])
        .arg(&folder)
        .arg(&id)
        .output()
        .unwrap();
    assert!(output.status.success(), "{runtime}: {}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(case.shared("theirs")).unwrap();
    fs::remove_file(case.shared("theirs")).unwrap();
    Some(parsed(&text))
}

fn ours(case: &Case) -> Settings {
    let container = main("main", &format!("/t/look {LAST_CALL} > /t/ours"), json!({}));
    let profile = json!({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}});
    assert_eq!(case.run(&case.pod().spec(profile).container(container)), 0);
    parsed(&fs::read_to_string(case.shared("ours")).unwrap())
}

fn may_differ(name: &str, runtime: &str) -> bool {
    DIFFERENT.iter().any(|(prefix, from, _)| name.starts_with(prefix) && from.contains(&runtime))
}

/// A container has what runc and crun would give it, no more and no less, but for what is listed with a reason.
#[test]
fn a_container_has_what_other_runtimes_give() {
    let Some(case) = Case::new("settings") else { return };
    if !looker(&case) {
        return;
    }
    let ours = ours(&case);
    let held = u64::from_str_radix(&ours["CapBnd"], 16).unwrap();
    let others: Vec<(&str, Settings)> =
        ["runc", "crun"].into_iter().filter_map(|name| Some((name, theirs(&case, name, held)?))).collect();
    if std::env::var_os("BAREPOD_WRITE_DOCS").is_some() {
        write_down(&ours, &others);
    }
    for (runtime, theirs) in &others {
        let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let different: Vec<String> = names
            .into_iter()
            .filter(|name| !may_differ(name, runtime) && ours.get(*name) != theirs.get(*name))
            .map(|name| format!("{name}: {:?}, {runtime}: {:?}", ours.get(name), theirs.get(name)))
            .collect();
        assert!(different.is_empty(), "not as {runtime} has it:\n  {}", different.join("\n  "));
    }
}

/// The table of docs/security.md.
fn write_down(ours: &Settings, others: &[(&str, Settings)]) {
    let mut table = String::from("| setting | barepod |");
    others.iter().for_each(|(name, _)| table += &format!(" {name} |"));
    table += "\n|---|---|";
    others.iter().for_each(|_| table += "---|");
    table += "\n";
    let shown =
        |settings: &Settings, name: &str| settings.get(name).map_or_else(|| "-".to_owned(), |it| format!("`{it}`"));
    let names: std::collections::BTreeSet<&String> =
        ours.keys().chain(others.iter().flat_map(|(_, settings)| settings.keys())).collect();
    for name in names.into_iter().filter(|name| !name.starts_with("call ")) {
        if name.starts_with("mount /sys/fs/cgroup/") {
            continue;
        }
        table += &format!("| {name} | {} |", shown(ours, name));
        for (_, settings) in others {
            let (theirs, ours) = (shown(settings, name), shown(ours, name));
            table += &format!(" {} |", if theirs == ours { "same".to_owned() } else { theirs });
        }
        table += "\n";
    }
    let count = |settings: &Settings, answer: &str| {
        settings.iter().filter(|(name, value)| name.starts_with("call ") && *value == answer).count()
    };
    for answer in ["passes", "EPERM", "ENOSYS"] {
        table += &format!("| system calls 0 to {LAST_CALL}: {answer} | {} |", count(ours, answer));
        for (_, settings) in others {
            let same = settings
                .iter()
                .filter(|(name, _)| name.starts_with("call "))
                .all(|(name, value)| ours.get(name) == Some(value));
            table +=
                &format!(" {} |", if same { "the same calls".to_owned() } else { count(settings, answer).to_string() });
        }
        table += "\n";
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- settings -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of settings -->").unwrap();
    fs::write(path, format!("{before}<!-- settings -->\n{table}<!-- end of settings -->{after}")).unwrap();
}
