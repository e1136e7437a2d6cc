//! What requests and limits become for the kernel (R9.3 to R9.5), read from inside containers and from their cgroups.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Case, main};

fn memory_of_the_box() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn requests(memory: u64) -> Value {
    json!({"resources": {"requests": {"memory": memory.to_string()}}})
}

/// The score that a container is to have where this box lets root lower it.
fn score(wanted: i32) -> i32 {
    let held = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_RESOURCE).unwrap();
    if held { wanted } else { wanted.max(0) }
}

/// A container that says its name and score once it has done what is before.
fn teller(name: &str, before: &str, more: Value) -> Value {
    main(name, &format!("{before}say {name} $(cat /proc/self/oom_score_adj)"), more)
}

/// One that says it first and then goes on as a sidecar.
fn sidecar(name: &str, more: Value) -> Value {
    let mut sidecar = main(name, &format!("say {name} $(cat /proc/self/oom_score_adj); exec serve {name}"), more);
    sidecar["restartPolicy"] = json!("Always");
    sidecar
}

/// R9.4: by request and memory of the box; a sidecar dies after the main that asks for the least.
#[test]
fn scores_of_the_oom_killer() {
    let Some(case) = Case::new("scores") else { return };
    let whole = memory_of_the_box();
    // In steps of the formula's thousandths, and half a one away from where it is rounded.
    let part = |thousandths: u64| requests(whole / 1000 * thousandths + whole / 2000);
    let pod = case
        .pod()
        .init(teller("init", "", json!({})))
        .init(sidecar("web", part(100)))
        .init(sidecar("strong", part(600)))
        .container(teller("small", "await web up; await strong up; ", part(250)))
        .container(teller("large", "await web up; await strong up; ", part(500)));
    assert_eq!(case.run(&pod), 0);
    // What sidecars serve and are told is in the trace too.
    let mut told = case.trace();
    told.retain(|line| line.split_once(' ').is_some_and(|(_, word)| word.parse::<i32>().is_ok()));
    told.sort();
    assert_eq!(told, ["init 999", "large 500", "small 750", "strong 400", "web 750"]);
}

/// R9.4: the classes at both ends.
#[test]
fn scores_of_the_other_classes() {
    let full = json!({"cpu": "100m", "memory": "64Mi"});
    for (name, more, wanted) in
        [("score-best-effort", json!({}), 1000), ("score-guaranteed", json!({"resources": {"limits": full}}), -997)]
    {
        let Some(case) = Case::new(name) else { return };
        assert_eq!(case.run(&case.pod().container(teller("main", "", more))), 0);
        assert_eq!(case.trace(), [format!("main {}", score(wanted))]);
    }
}

/// R9.5, R9.3: on v2 the OOM killer ends a container as a whole, but not the pod as one; nothing is reserved or throttled,
/// as without the kubelet's MemoryQoS; weights are those of a cluster.
#[test]
fn what_cgroup_v2_is_told() {
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        crate::skips::skip("needs pure cgroup v2");
        return;
    }
    let Some(case) = Case::new("told-v2") else { return };
    let resources = json!({"resources": {"requests": {"cpu": "500m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}});
    let files = "memory.oom.group memory.min memory.low memory.high memory.max cpu.weight";
    let script = format!("cd /sys/fs/cgroup; for f in {files}; do say $f $(cat $f); done; hold go");
    let mut run = case.start(&case.pod().container(main("main", &script, resources)));
    case.wait_for(&format!("memory.max {}", 64 << 20));
    let wanted = ["memory.oom.group 1", "memory.min 0", "memory.low 0", "memory.high max", "memory.max 67108864"];
    crate::harness::wait("all files", || case.trace().len() == 6);
    // 512 shares by the conversion that runc has since 1.3.2 and crun since 1.23.
    assert_eq!(case.trace(), [&wanted[..], &["cpu.weight 59"]].concat());
    let pod = PathBuf::from("/sys/fs/cgroup/barepod").join(case.cgroup());
    let read = |file: &str| fs::read_to_string(pod.join(file)).unwrap().trim().to_owned();
    // The kubelet's own conversion is still the linear one.
    assert_eq!([read("memory.oom.group"), read("memory.min"), read("cpu.weight")], ["0", "0", "20"]);
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// KEP-2570: with the kubelet's options memory is throttled before its limit and requests are kept, in the container's
/// cgroup and the pod's, and in that of all pods as long as there is one.
#[test]
fn memory_qos_of_cgroup_v2() {
    let options = ["--memory-throttling-factor", "0.5", "--memory-reservation-policy", "tiered-reservation"];
    let Some(case) = Case::new("memory-qos") else { return };
    let resources = json!({"resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}});
    let pod = case.pod().container(main("main", "say up; hold go", resources));
    let mut run = case.start_with(&pod, &options);
    if !Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        assert_eq!(run.end(), 2);
        assert!(run.stderr().contains("need cgroup v2"), "{}", run.stderr());
        return;
    }
    case.wait_for("up");
    let pods = PathBuf::from("/sys/fs/cgroup/barepod");
    let cgroup = pods.join(case.cgroup());
    let read = |cgroup: &Path| {
        ["memory.min", "memory.low", "memory.high"]
            .map(|file| fs::read_to_string(cgroup.join(file)).unwrap().trim().to_owned())
    };
    let mi = |number: u64| (number << 20).to_string();
    assert_eq!(read(&cgroup.join("main")), ["0".to_owned(), mi(32), mi(48)]);
    assert_eq!(read(&cgroup), ["0".to_owned(), mi(32), "max".to_owned()]);
    let all = || read(&pods)[1].parse::<u64>().unwrap();
    assert!(all() >= 32 << 20);
    let page = String::from_utf8(case.barepod(&["describe", case.name()]).stdout).unwrap();
    assert!(page.contains("throttling factor 0.5, tiered reservation"), "{page}");
    let resized = case.barepod(&["resize", case.name(), "--requests", "memory=48Mi"]);
    assert!(resized.status.success(), "{}", String::from_utf8_lossy(&resized.stderr));
    assert_eq!(read(&cgroup.join("main")), ["0".to_owned(), mi(48), mi(56)]);
    assert_eq!(read(&cgroup)[1], mi(48));
    assert!(all() >= 48 << 20);
    case.release("go");
    assert_eq!(run.end(), 0);
}
