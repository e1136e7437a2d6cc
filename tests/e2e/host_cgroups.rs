//! The box's cgroups in volumes of its folders (R10.5): what a node agent sees of other pods.

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

fn sorted(folder: &Path) -> String {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.join(" ")
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
    assert_eq!(case.run(&pod), 0);
    let names = sorted(Path::new(PLACE));
    let mut want: Vec<String> =
        folders.iter().flat_map(|(name, ..)| [format!("{name} {names}"), format!("{name} has the pod")]).collect();
    want.extend(["below has the pod".to_owned(), format!("own {}", 64 << 20)]);
    assert_eq!(case.trace(), want);
}
