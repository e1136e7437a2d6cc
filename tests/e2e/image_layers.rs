//! Images of nearly as many layers as the kernel stacks.

use std::fs;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::{Case, own_mounts, wait};

/// More layers than a process may have files open for, by default, where each is opened more than once: pulled, verified, run, and
/// shown as a volume.
#[test]
fn an_image_of_480_layers() {
    let Some(mut case) = Case::new("many-layers") else { return };
    // A pull puts each layer on disk by itself: on a memory's that is quick.
    let store = case.root().join("data/images");
    fs::create_dir_all(&store).unwrap();
    own_mounts();
    mount(Some("layers"), &store, Some("tmpfs"), MsFlags::empty(), Some("size=64m,mode=0711")).unwrap();
    let layout = case.dir().join("images");
    // Their folders are to be had of the layers below.
    let one = |number: usize| Layer::default().file(&format!("deep/down/{number}"), number.to_string().as_bytes());
    let lowest = busybox().folder("deep/", 0o711).folder("deep/down/", 0o751);
    write(&layout, "many", &json!({}), std::iter::once(lowest).chain((1..480).map(one)).collect());
    case.within(&["sh", "-c", "ulimit -Sn 1024; exec \"$@\"", "sh"]);
    let image = format!("oci:{}:many", layout.display());
    let output = case.barepod(&["image", "pull", "-q", &image]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(store.join("layers")).unwrap().count(), 480);
    assert!(case.barepod(&["image", "verify"]).status.success());
    assert!(case.barepod(&["image", "repair"]).status.success());
    let script = "set -- /deep/down/*; echo $# $(stat -c %a /deep /deep/down) >> /t/log; set -- /v/deep/down/*; echo $# >> /t/log";
    let pod =
        case.pod().spec(json!({"volumes": [{"name": "v", "image": {"reference": image, "pullPolicy": "Never"}}]}));
    let pod = pod.container(json!({
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", script],
        "volumeMounts": [{"name": "t", "mountPath": "/t"}, {"name": "v", "mountPath": "/v"}]
    }));
    let mut run = case.start(&pod);
    if stacks_so_many() {
        assert_eq!(run.end(), 0, "{}", run.stderr());
        assert_eq!(case.trace(), ["479 711 751", "479"]);
    } else {
        wait("the reason", || run.stderr().contains("480 layers: so many need Linux 6.8"));
        run.signal(Signal::TERM);
        run.end();
        assert_eq!(case.trace(), [""; 0]);
    }
    umount2(&store, MntFlags::MNT_DETACH).unwrap();
    case.nothing_left();
}

/// Whether the kernel takes layers one by one: Linux 6.8.
fn stacks_so_many() -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_str().unwrap();
    let numbers: Vec<u32> = release.split(['.', '-']).map_while(|number| number.parse().ok()).take(2).collect();
    numbers >= vec![6, 8]
}
