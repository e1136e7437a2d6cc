//! The box's cgroups in volumes of its folders (R10.5): what a node agent sees of other pods.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Case, main};

const PLACE: &str = "/sys/fs/cgroup";

/// Whether this box has v2 alone.
fn is_unified() -> bool {
    Path::new(PLACE).join("cgroup.controllers").exists()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A hostPath shows what the host has: at the place of cgroups, above and below it, and by a link to it. The container's
/// own view and its limits stay what they are.
#[test]
fn volumes_show_the_boxs_cgroups() {
    let Some(case) = Case::new("host-cgroups") else { return };
    let link = case.dir().join("link");
    symlink(PLACE, &link).unwrap();
    let (hierarchy, limit) =
        if is_unified() { (".", "memory.max") } else { ("memory", "memory/memory.limit_in_bytes") };
    let below = format!("{PLACE}/{hierarchy}");
    // The folder of the host, and where in it the place of cgroups is.
    let folders = [
        ("root", "/", "sys/fs/cgroup"),
        ("sys", "/sys", "fs/cgroup"),
        ("fs", "/sys/fs", "cgroup"),
        ("at", PLACE, "."),
        ("link", link.to_str().unwrap(), "."),
    ];
    let volume = |name: &str, path: &str| json!({"name": name, "hostPath": {"path": path}});
    let mount =
        |name: &str, read_only: bool| json!({"name": name, "mountPath": format!("/of/{name}"), "readOnly": read_only});
    let mut volumes: Vec<Value> = folders.iter().map(|(name, path, _)| volume(name, path)).collect();
    volumes.push(volume("below", &below));
    let mut mounts: Vec<Value> = folders.iter().map(|(name, ..)| mount(name, *name == "at")).collect();
    mounts.push(mount("below", true));
    let own = format!("barepod/{}", case.cgroup());
    let looks: String = folders
        .iter()
        .map(|(name, _, rest)| {
            let place = format!("/of/{name}/{rest}");
            format!("say {name} $(ls {place}); [ -d {place}/{hierarchy}/{own} ] && say {name} has the pod; ")
        })
        .collect();
    let script = format!("{looks}[ -d /of/below/{own} ] && say below has the pod; say own $(cat {PLACE}/{limit})");
    let more = json!({"volumeMounts": mounts, "resources": {"limits": {"memory": "64Mi"}}});
    let pod = case.pod().spec(json!({"volumes": volumes})).container(main("main", &script, more));
    // Others of the box may make and remove cgroups meanwhile: what is there before and after is there all the time.
    let before = names(Path::new(PLACE));
    assert_eq!(case.run(&pod), 0);
    let after = names(Path::new(PLACE));
    let trace = case.trace();
    let mut told = trace.iter().map(String::as_str);
    for (name, ..) in folders {
        let line = told.next().unwrap_or_default();
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some(name), "{trace:?}");
        let seen: BTreeSet<String> = words.map(str::to_owned).collect();
        let unseen: Vec<_> = before.intersection(&after).filter(|one| !seen.contains(*one)).collect();
        assert!(unseen.is_empty(), "{name} lacks {unseen:?}");
        assert_eq!(told.next(), Some(format!("{name} has the pod").as_str()), "{trace:?}");
    }
    let rest: Vec<&str> = told.collect();
    assert_eq!(rest, ["below has the pod", &format!("own {}", 64 << 20)]);
}
