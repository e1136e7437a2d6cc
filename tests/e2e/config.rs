//! What a container sees of its pod: names, namespaces, environment, resources (R9, R10).

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Case, main, wait, worker};

/// `say NAME net=... ipc=...` of the process's own namespaces.
const NAMESPACES: &str = "for n in net ipc uts pid mnt cgroup; do say NAME $n $(readlink /proc/self/ns/$n); done";

fn namespace(case: &Case, container: &str, kind: &str) -> String {
    let head = format!("{container} {kind} ");
    case.trace().iter().find_map(|line| Some(line.strip_prefix(&head)?.to_owned())).unwrap()
}

fn own(kind: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string()
}

fn two_that_tell_their_namespaces(case: &Case, spec: Value) {
    let tell = |name: &str| format!("{}; say {name} told", NAMESPACES.replace("NAME", name));
    // Both live while the other looks: a number of a namespace that is gone is given anew.
    let pod = case
        .pod()
        .spec(spec)
        .main("one", &format!("{}; await two told", tell("one")))
        .main("two", &format!("{}; await one told", tell("two")));
    assert_eq!(case.run(&pod), 0);
}

/// R10.8: shared are network, IPC and UTS; own are pid, mount, cgroup; none is the host's.
#[test]
fn namespaces_of_a_pod() {
    let Some(case) = Case::new("namespaces") else { return };
    two_that_tell_their_namespaces(&case, json!({}));
    for kind in ["net", "ipc", "uts", "pid", "mnt", "cgroup"] {
        let (one, two) = (namespace(&case, "one", kind), namespace(&case, "two", kind));
        let shared = matches!(kind, "net" | "ipc" | "uts");
        assert_eq!(one == two, shared, "{kind}: {one} {two}");
        assert!(one != own(kind) && two != own(kind), "{kind} is the host's");
    }
}

/// R10.8: what the manifest asks to have of the host, and nothing else.
#[test]
fn host_namespaces() {
    for (field, kind) in [("hostNetwork", "net"), ("hostPID", "pid"), ("hostIPC", "ipc")] {
        let Some(case) = Case::new(&format!("with-{}", field.to_lowercase())) else { return };
        two_that_tell_their_namespaces(&case, json!({field: true}));
        for other in ["net", "pid", "ipc"] {
            assert_eq!(namespace(&case, "one", other) == own(other), other == kind, "{field}: {other}");
        }
        // A pod on the host's network has the host's name.
        let uts = namespace(&case, "one", "uts") == own("uts");
        assert_eq!(uts, kind == "net", "{field}: uts");
    }
}

/// R10.8: one pid namespace, whose pid 1 is the sandbox's.
#[test]
fn a_shared_process_namespace() {
    let Some(case) = Case::new("shared-pid") else { return };
    let pod = case
        .pod()
        .spec(json!({"shareProcessNamespace": true}))
        .sidecar("web", "serve web")
        .main("main", "await web up; [ $$ != 1 ] && ps | grep -q '[s]erve web' && say sees it");
    assert_eq!(case.run(&pod), 0);
    assert!(case.said("sees it"));
}

/// R10.8: that pid 1 runs nothing of a container's and reaps what loses its parent, as no container does.
#[test]
fn a_shared_pid_1_reaps() {
    let Some(case) = Case::new("reaper") else { return };
    // The one in the middle ends at once; its child is told when it may end, and is a zombie until it is reaped.
    let script = "say pid 1 is $(tr '\\0' ' ' < /proc/1/cmdline)
        (sh -c 'echo $$ > /t/orphan; while [ ! -e /t/end ]; do usleep 5000; done' &)
        until [ -s /t/orphan ]; do usleep 5000; done
        o=$(cat /t/orphan); read -r _ _ _ parent _ < /proc/$o/stat; say parent $parent
        : > /t/end
        while [ -e /proc/$o ]; do usleep 5000; done; say reaped";
    let pod = case.pod().spec(json!({"shareProcessNamespace": true})).main("main", script);
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["pid 1 is barepod:pause ", "parent 1", "reaped"].map(str::trim_end));
}

/// R10.7: who mounts something over them has that; else they are the sandbox's, also in a root file system that is
/// read-only, where only /etc/hosts can be written to.
#[test]
fn files_that_are_mounted_over() {
    let files = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let Some(case) = Case::new("mounted-over") else { return };
    fs::create_dir(case.shared("own")).unwrap();
    let mounts = files.map(|file| {
        let name = file.strip_prefix("/etc/").unwrap();
        fs::write(case.shared("own").join(name), format!("my {name}\n")).unwrap();
        json!({"name": "t", "mountPath": file, "subPath": format!("own/{name}")})
    });
    let script = "for f in hosts hostname resolv.conf; do say $(cat /etc/$f); done";
    let pod = case
        .pod()
        .container(main("main", script, json!({"volumeMounts": mounts})))
        .main("other", "await my resolv.conf; grep -q mine /etc/* || say not $(cat /etc/hostname)");
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["my hosts", "my hostname", "my resolv.conf", "not mounted-over"]);

    let Some(case) = Case::new("read-only-names") else { return };
    let script = "for f in hosts hostname resolv.conf; do (echo '# x' >> /etc/$f) 2>/dev/null && say $f; done; true";
    let read_only = json!({"securityContext": {"readOnlyRootFilesystem": true}});
    assert_eq!(case.run(&case.pod().container(main("main", script, read_only))), 0);
    assert_eq!(case.trace(), ["hosts"]);
}

/// R10.7, R10.3: the host name is the pod's, or spec.hostname; long names are cut to what a host name may be.
#[test]
fn the_host_name() {
    let tell = "say $(hostname) $HOSTNAME $(cat /etc/hostname)";
    let Some(case) = Case::new("its-name") else { return };
    assert_eq!(case.run(&case.pod().main("main", tell)), 0);
    assert_eq!(case.trace(), ["its-name its-name its-name"]);
    let Some(case) = Case::new("other-name") else { return };
    assert_eq!(case.run(&case.pod().spec(json!({"hostname": "db"})).main("main", tell)), 0);
    assert_eq!(case.trace(), ["db db db"]);
}

/// R10.7: /etc/hosts with aliases, /etc/resolv.conf by dnsPolicy and dnsConfig; the name with its subdomain.
#[test]
fn names_and_where_to_look_them_up() {
    let Some(case) = Case::new("names") else { return };
    let spec = json!({
        "hostname": "db", "subdomain": "data", "setHostnameAsFQDN": true, "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["192.0.2.53"], "searches": ["a.example", "b.example"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]},
        "hostAliases": [{"ip": "10.1.2.3", "hostnames": ["cache", "cache.local"]}]
    });
    let script = "say $(hostname); while read -r l; do say \"$l\"; done < /etc/resolv.conf
        grep -q '^10.1.2.3.cache.cache.local$' /etc/hosts && say alias
        grep -q '^127.0.0.1.localhost$' /etc/hosts && say localhost
        grep -q 'db.data.default.svc.cluster.local.db$' /etc/hosts && say own";
    assert_eq!(case.run(&case.pod().spec(spec).main("main", script)), 0);
    let trace = case.trace();
    assert_eq!(trace[0], "db.data.default.svc.cluster.local", "{trace:?}");
    for line in
        ["nameserver 192.0.2.53", "search a.example b.example", "options ndots:2 edns0", "alias", "localhost", "own"]
    {
        assert!(case.said(line), "{line}: {trace:?}");
    }
}

/// R10.8: the loopback is up, the containers of a pod meet on it, and it isn't the host's.
#[test]
fn the_loopback_is_the_pods() {
    let Some(case) = Case::new("loopback") else { return };
    let pod = case.pod().sidecar("web", "say web up; echo hello | nc -l -p 7001; serve idle").main(
        "main",
        "await web up; until r=$(nc 127.0.0.1 7001 </dev/null) && [ -n \"$r\" ]; do usleep 20000; done; say $r",
    );
    assert_eq!(case.run(&pod), 0);
    assert!(case.said("hello"));
}

/// R10.8: what one container puts into /dev/shm the others find there; it is a tmpfs of the pod's own.
#[test]
fn shared_memory_is_the_pods() {
    let Some(case) = Case::new("shm") else { return };
    let mark = format!("mark-{}", std::process::id());
    let pod = case
        .pod()
        .init(worker("init", &format!("echo data > /dev/shm/{mark}")))
        .main("main", &format!("say $(cat /dev/shm/{mark}); grep -q ' /dev/shm tmpfs ' /proc/mounts"));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["data"]);
    assert!(!Path::new("/dev/shm").join(mark).exists());
}

/// R10.2, R10.3: expansion in env, command and args; the image's variables; `$$`.
#[test]
fn environment_and_expansion() {
    let Some(case) = Case::new("env") else { return };
    let container = json!({
        "name": "main", "image": "IMAGE", "workingDir": "/etc",
        "command": ["sh", "-c", "say \"$0|$1|$2|$A|$B|$C|$D|$(pwd)|$POD|$CPU\""],
        "args": ["$(A)", "$$(A)", "$(NONE)"],
        "env": [
            {"name": "A", "value": "one"}, {"name": "B", "value": "$(A)-two"}, {"name": "C", "value": "$(LATER)"},
            {"name": "LATER", "value": "x"}, {"name": "D", "value": "$$(A)"},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}
        ],
        "resources": {"limits": {"cpu": "250m"}},
        "volumeMounts": [{"name": "t", "mountPath": "/t"}]
    });
    assert_eq!(case.run(&case.pod().container(container)), 0);
    assert_eq!(case.trace(), ["one|$(A)|$(NONE)|one|one-two|$(LATER)|$(A)|/etc|env|250"]);
}

/// The file of a limit in the pod's or a container's cgroup, on either version.
fn limit(cgroup: &str, container: &str, v1: &str, v2: &str) -> String {
    let controller = v1.split('.').next().unwrap();
    let parents =
        ["/sys/fs/cgroup".to_owned(), format!("/sys/fs/cgroup/{controller}"), "/sys/fs/cgroup/cpu,cpuacct".into()];
    let places = parents.iter().flat_map(|parent| [(parent, v1), (parent, v2)]);
    let found: Vec<PathBuf> = places
        .map(|(parent, file)| Path::new(parent).join("barepod").join(cgroup).join(container).join(file))
        .filter(|path| path.exists())
        .collect();
    let path = found.first().unwrap_or_else(|| panic!("no {v1} or {v2} for {container:?} of {cgroup}"));
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// R9.2, R9.3: limits are in the cgroups of the pod and of its container; both are gone at the end (as in every test).
#[test]
fn limits_are_in_the_cgroups() {
    let Some(case) = Case::new("limits") else { return };
    let resources = json!({"resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}});
    let pod = case.pod().container(main("main", "say up; hold go", resources));
    let mut run = case.start(&pod);
    case.wait_for("up");
    for who in ["", "main"] {
        let memory = limit(&case.cgroup(), who, "memory.limit_in_bytes", "memory.max");
        assert_eq!(memory, (64 << 20).to_string(), "memory of {who:?}");
        let quota = limit(&case.cgroup(), who, "cpu.cfs_quota_us", "cpu.max");
        assert!(["50000", "50000 100000"].contains(&quota.as_str()), "cpu of {who:?}: {quota}");
    }
    assert_eq!(case.get()["status"]["qosClass"], "Guaranteed");
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// R8.4: whoever takes more memory than the limit is OOMKilled, 137.
#[test]
fn out_of_memory() {
    let Some(case) = Case::new("oom") else { return };
    let script = "dd if=/dev/zero of=/dev/null bs=200M count=1; exit 3";
    let pod = case.pod().container(main(
        "main",
        &format!("exec {script}"),
        json!({"resources": {"limits": {"memory": "32Mi"}}}),
    ));
    let code = case.run(&pod);
    assert_eq!(case.ended("main"), (137, "OOMKilled".into()));
    assert_eq!(code, 137);
}

/// A process of a container is killed for lack of memory, the container ends by itself: its code and how it ended stay its
/// own. On v2 the whole container would be killed (memory.oom.group).
#[test]
fn out_of_memory_and_on() {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        crate::skips::skip("on v2 the kernel kills the whole container");
        return;
    }
    let note = "one of its processes was killed for lack of memory";
    for (code, reason) in [(0, "Completed"), (3, "OOMKilled"), (137, "OOMKilled")] {
        let Some(case) = Case::new(&format!("oom-on-{code}")) else { return };
        let script = format!("tail /dev/zero; say tail $?; exit {code}");
        let limit = json!({"resources": {"limits": {"memory": "32Mi"}}});
        let mut run = case.start(&case.pod().container(main("main", &script, limit)));
        assert_eq!(run.end(), code);
        assert_eq!(case.trace(), ["tail 137"]);
        assert_eq!(case.ended("main"), (code.into(), reason.into()));
        let words = run.stderr();
        assert!(words.contains(&format!("main exited {code}; {note}")), "{words}");
        assert_eq!(words.contains(&format!("exited {code}, after {note} (OOMKilled)")), code != 0, "{words}");
        assert!(!words.contains("out of memory"), "{words}");
    }
}

/// R10.8: an own pid namespace per container, whose pid 1 is what the manifest says.
#[test]
fn the_command_is_pid_1() {
    let Some(case) = Case::new("pid-1") else { return };
    assert_eq!(case.run(&case.pod().main("main", "say $$")), 0);
    assert_eq!(case.trace(), ["1"]);
}

/// The supervisor is never in the pod's cgroup, and a container always is (R9.5).
#[test]
fn who_is_in_the_pods_cgroup() {
    let Some(case) = Case::new("who") else { return };
    let pod = case.pod().main("main", "say up; hold go");
    let mut run = case.start(&pod);
    case.wait_for("up");
    let supervisor = fs::read_to_string(format!("/proc/{}/cgroup", run.pid().as_raw_nonzero())).unwrap();
    assert!(!supervisor.contains(case.uid()), "{supervisor}");
    wait("a container's process in its cgroup", || {
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| fs::read_to_string(entry.path().join("cgroup")).ok())
            .any(|text| text.contains(&format!("{}/main", case.cgroup())))
    });
    case.release("go");
    assert_eq!(run.end(), 0);
}

/// R10.8: what a container finds at /sys/fs/cgroup is its own cgroup alone, and it can't write to it.
#[test]
fn a_container_sees_its_own_cgroup_and_cannot_change_it() {
    let Some(case) = Case::new("cgroup-view") else { return };
    // v1: one mount per controller; v2: one in all.
    let script = "grep -E ' - cgroup2? ' /proc/self/mountinfo | while read -r _ _ _ root at options _; do
            case $at in /sys/fs/cgroup*) say \"${at##*/} $root ${options%%,*}\";; esac
            for file in memory.limit_in_bytes memory.max; do
                [ -e $at/$file ] && { echo 1 > $at/$file; } 2>/dev/null && say changed
            done
            grep -qx $$ $at/cgroup.procs || say \"not in $at\"
        done
        mkdir /sys/fs/cgroup/x 2>/dev/null && say made
        [ -e /sys/fs/cgroup/memory.max ] && limit=/sys/fs/cgroup/memory.max
        say \"limit $(cat ${limit:-/sys/fs/cgroup/memory/memory.limit_in_bytes})\"";
    let resources = json!({"resources": {"limits": {"memory": "64Mi"}}});
    assert_eq!(case.run(&case.pod().container(main("main", script, resources))), 0);
    let (limit, mounts): (Vec<_>, Vec<_>) = case.trace().into_iter().partition(|line| line.starts_with("limit "));
    assert_eq!(limit, [format!("limit {}", 64 << 20)]);
    assert!(mounts.iter().any(|line| line.starts_with("memory ") || line.starts_with("cgroup ")), "{mounts:?}");
    assert!(mounts.iter().all(|line| line.ends_with(" / ro")), "{mounts:?}");
}

/// A memory limit in which not even the container's making fits: the error says why.
#[test]
fn a_memory_limit_too_low_for_the_making() {
    let Some(case) = Case::new("tiny") else { return };
    let resources = json!({"resources": {"limits": {"memory": "100Ki"}}});
    let mut run = case.start(&case.pod().container(main("main", "true", resources)));
    run.wait_for_line("is the memory limit too low?");
    run.signal(Signal::TERM);
    assert_ne!(run.end(), 0);
}
