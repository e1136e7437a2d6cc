//! `resize`: other cpu and memory for containers that run (KEP-1287), read from the cgroups' own files.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Case, main, wait};

/// What a cgroup file of the pod says, on v1 or v2, in v1's units.
struct Cgroups {
    pod: String,
    v2: bool,
}

impl Cgroups {
    fn of(case: &Case) -> Self {
        let v2 = PathBuf::from("/sys/fs/cgroup/cgroup.controllers").exists();
        Self { pod: format!("barepod/{}", case.cgroup()), v2 }
    }

    fn read(&self, container: &str, v1: &str, v2: &str) -> String {
        let (file, controller) = if self.v2 { (v2, "") } else { (v1, v1.split('.').next().unwrap()) };
        let path = PathBuf::from("/sys/fs/cgroup").join(controller).join(&self.pod).join(container).join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")).trim().to_owned()
    }

    /// Share or weight, microseconds per 100 ms, bytes.
    fn all(&self, container: &str) -> [String; 3] {
        let cpu = self.read(container, "cpu.cfs_quota_us", "cpu.max");
        [
            self.read(container, "cpu.shares", "cpu.weight"),
            cpu.trim_end_matches(" 100000").to_owned(),
            self.read(container, "memory.limit_in_bytes", "memory.max"),
        ]
    }

    /// The same of shares. A pod's weight is the kubelet's linear one, a container's the OCI runtimes'.
    fn want(&self, container: &str, shares: u64, quota: u64, mebibytes: u64) -> [String; 3] {
        let log = (shares as f64).log2();
        let share = match (self.v2, container) {
            (false, _) => shares,
            (true, "") => 1 + (shares - 2) * 9_999 / 262_142,
            (true, _) => 10_f64.powf((log * log + 125.0 * log) / 612.0 - 7.0 / 34.0).ceil() as u64,
        };
        [share.to_string(), quota.to_string(), (mebibytes << 20).to_string()]
    }

    /// Holds a cgroup against what it should be.
    #[track_caller]
    fn check(&self, container: &str, shares: u64, quota: u64, mebibytes: u64) {
        assert_eq!(self.all(container), self.want(container, shares, quota, mebibytes), "{container:?}");
    }
}

fn resources(cpu: (&str, &str), memory: (&str, &str)) -> Value {
    json!({"resources": {"requests": {"cpu": cpu.0, "memory": memory.0}, "limits": {"cpu": cpu.1, "memory": memory.1}}})
}

fn resize(case: &Case, arguments: &str) -> Result<String, String> {
    let words: Vec<&str> = ["resize", case.name()].into_iter().chain(arguments.split(' ')).collect();
    let output = case.barepod(&words);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// Up and down, the pod's cgroup with the container's; nobody is restarted; spec, status and events say so at once.
#[test]
fn a_running_container_is_resized_in_place() {
    let Some(case) = Case::new("resize") else { return };
    let pod = case
        .pod()
        .container(main("web", "say web up; hold end", resources(("100m", "200m"), ("32Mi", "64Mi"))))
        .container(main("log", "hold end", resources(("50m", "100m"), ("16Mi", "32Mi"))));
    let mut run = case.start(&pod);
    run.wait_for_line("log started");
    let cgroups = Cgroups::of(&case);
    cgroups.check("web", 102, 20_000, 64);
    cgroups.check("", 153, 30_000, 96);

    let said = resize(&case, "-c web --cpu 200m:400m --memory 128Mi").unwrap();
    assert_eq!(said, "container web of pod default/resize resized");
    cgroups.check("web", 204, 40_000, 128);
    cgroups.check("", 256, 50_000, 160);
    cgroups.check("log", 51, 10_000, 32);
    let wanted = json!({"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"cpu": "400m", "memory": "128Mi"}});
    let pod = case.get();
    assert_eq!(pod["spec"]["containers"][0]["resources"], wanted);
    let status = case.container("web");
    assert_eq!((&status["resources"], &status["allocatedResources"]), (&wanted, &wanted["requests"]));
    assert_eq!(status["restartCount"], 0);
    for reason in ["ResizeStarted", "ResizeCompleted"] {
        let messages = case.messages_of("web", reason);
        assert!(messages.len() == 1 && messages[0].contains(r#""cpu":"400m""#), "{messages:?}");
    }

    resize(&case, "-c web --requests cpu=50m,memory=16Mi --limits cpu=60m,memory=32Mi").unwrap();
    cgroups.check("web", 51, 6_000, 32);
    cgroups.check("", 102, 16_000, 64);
    assert_eq!(resize(&case, "-c web --limits cpu=60m").unwrap(), "pod default/resize not resized (no change)");
    case.release("end");
    assert_eq!(run.end(), 0);
    assert_eq!(case.times_said("web up"), 1);
    let error = resize(&case, "-c web --cpu 1").unwrap_err();
    assert!(error.contains("can't resize pod \"default/resize\": the pod has ended"), "{error}");
}

/// What can't be had is said, and changes nothing.
#[test]
fn refusals_change_nothing() {
    let Some(case) = Case::new("refused") else { return };
    // 24 MiB of a shared memory file count as the container's own.
    let hog = "dd if=/dev/zero of=/dev/shm/hog bs=1M count=24 2>/dev/null; say full; hold end";
    let pod = case.pod().container(main("hog", hog, resources(("50m", "100m"), ("16Mi", "64Mi")))).container(main(
        "log",
        "hold end",
        json!({}),
    ));
    let mut run = case.start(&pod);
    case.wait_for("full");
    run.wait_for_line("log started");
    let cgroups = Cgroups::of(&case);
    let before = (cgroups.all("hog"), case.get()["spec"].clone());
    for (arguments, why) in [
        ("--cpu 1", "the pod has several containers: say which with -c; it has: hog, log"),
        ("-c nobody --cpu 1", "container \"nobody\" is not in the pod; it has: hog, log"),
        ("-c hog --cpu fast", "Invalid value: \"fast\": quantities must be a number"),
        ("-c hog --requests cpu=200m", "must be less than or equal to cpu limit of 100m"),
        ("-c hog --limits memory=0", "resource limits cannot be removed"),
        (
            "-c hog --limits memory=20Mi",
            "attempting to set container \"hog\" memory limit (20971520) below current usage",
        ),
        ("-c hog --memory 900Ti", "Node didn't have enough capacity: memory"),
    ] {
        let error = resize(&case, arguments).unwrap_err();
        assert!(error.contains(why), "{arguments}: {error}");
    }
    assert_eq!((cgroups.all("hog"), case.get()["spec"].clone()), before);
    assert_eq!(case.messages("ResizeStarted"), [""; 0]);
    let none = case.barepod(&["resize", "nobody", "--cpu", "1"]);
    assert_eq!(none.status.code(), Some(1));
    case.release("end");
    assert_eq!(run.end(), 0);
}

/// resizePolicy RestartContainer: a graceful stop, and the new instance has the new resources; so has one that the pod
/// restarts for other reasons later.
#[test]
fn a_container_that_asks_for_it_is_restarted() {
    let Some(case) = Case::new("restarted") else { return };
    let more = json!({
        "resizePolicy": [{"resourceName": "memory", "restartPolicy": "RestartContainer"}],
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo stopping >> /t/log"]}}},
    });
    let mut container =
        main("web", "trap 'exit 0' TERM; say up; until [ -e /t/die ]; do usleep 5000; done; rm /t/die; exit 3", more);
    container["resources"] = resources(("100m", "100m"), ("32Mi", "32Mi"))["resources"].clone();
    let pod = case.pod().container(container).spec(json!({"restartPolicy": "OnFailure"}));
    let mut run = case.start(&pod);
    case.wait_for("up");
    run.wait_for_line("web started");
    let cgroups = Cgroups::of(&case);
    assert_eq!(resize(&case, "--cpu 200m").unwrap(), "container web of pod default/restarted resized");
    cgroups.check("web", 204, 20_000, 32);

    for (count, memory, cpu) in [(2, 64, "300m"), (3, 24, "150m")] {
        let said = resize(&case, &format!("--memory {memory}Mi --cpu {cpu}")).unwrap();
        assert!(said.ends_with("its resizePolicy has it restarted for that"), "{said}");
        wait("the new instance", || case.times_said("up") == count && case.condition("PodResizeInProgress").is_null());
        wait("its end to be told of", || case.messages("ResizeCompleted").len() == count);
    }
    cgroups.check("web", 153, 15_000, 24);
    cgroups.check("", 153, 15_000, 24);
    assert_eq!(case.times_said("stopping"), 2);
    let killings = case.messages("Killing");
    assert!(killings.iter().all(|one| one == "Container web resize requires restart") && !killings.is_empty());
    assert_eq!(case.container("web")["restartCount"], 2);

    case.release("die");
    wait("a restart for its own failure", || case.times_said("up") == 4);
    wait("it to run", || case.container("web")["restartCount"] == 3);
    cgroups.check("web", 153, 15_000, 24);
    case.barepod(&["stop", case.name()]);
    run.end();
}

/// R10.4, R10.6: files that say what a container may use follow, all of a volume at once; its variables and its
/// oom_score_adj don't, as under the kubelet.
#[test]
fn files_follow_and_variables_stay() {
    let Some(case) = Case::new("resize-files") else { return };
    let field = |path: &str, resource: &str| json!({"path": path, "resourceFieldRef": {"containerName": "web", "resource": resource, "divisor": "1"}});
    let items = json!([field("memory", "limits.memory"), field("in/request", "requests.memory")]);
    let volumes = json!({"volumes": [
        {"name": "own", "downwardAPI": {"items": items}},
        {"name": "all", "projected": {"sources": [{"downwardAPI": {"items": [field("memory", "limits.memory")]}}]}}
    ]});
    let web = json!({
        "resources": resources(("100m", "200m"), ("32Mi", "64Mi"))["resources"],
        "env": [{"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}],
        "volumeMounts": [{"name": "own", "mountPath": "/own"}, {"name": "all", "mountPath": "/all"}]
    });
    // The values in one line, from one look at `..data` each.
    let look =
        "say $(cat /own/memory) $(cat /own/in/request) $(cat /all/memory) $MEMORY $(cat /proc/self/oom_score_adj)";
    let script = format!("{look}; hold resized; {look}; say names $(ls -A /own | wc -l)");
    let mut run = case.start(&case.pod().spec(volumes).container(main("web", &script, web)));
    wait("the first look", || !case.trace().is_empty());
    resize(&case, "-c web --memory 48Mi:128Mi").unwrap();
    case.release("resized");
    assert_eq!(run.end(), 0);
    let trace = case.trace();
    let words = |line: usize| trace[line].split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mebibytes = |many: u64| (many << 20).to_string();
    let (before, after) = (words(0), words(1));
    assert_eq!(before[..4], [mebibytes(64), mebibytes(32), mebibytes(64), mebibytes(64)]);
    assert_eq!(after[..4], [mebibytes(128), mebibytes(48), mebibytes(128), mebibytes(64)]);
    assert_eq!(before[4], after[4], "oom_score_adj");
    // memory, in, ..data and the folder it leads to.
    assert_eq!(trace[2], "names 4");
}
