//! Volumes that show images of the box's store (KEP-4639).

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::image::{Layer, busybox, write};
use crate::harness::{Case, Manifest, main, wait};

/// A pod with one volume of an image in the layout `images`.
fn pod(case: &Case, image: &str, policy: &str, container: Value) -> Manifest {
    let reference = format!("oci:images:{image}");
    let volumes = json!([{"name": "v", "image": {"reference": reference, "pullPolicy": policy}}]);
    case.pod().spec(json!({"volumes": volumes})).container(container)
}

fn at(places: Value) -> Value {
    json!({ "volumeMounts": places })
}

/// R8.17: its layers lie one over the other; it is read-only, nothing in it is run, and a subPath is a part of it.
#[test]
fn layers_of_an_image_are_a_volume() {
    for (name, spec) in [("image-volume-layers", json!({})), ("image-volume-users", json!({"hostUsers": false}))] {
        let Some(case) = Case::new(name) else { return };
        let lower = busybox().folder("d/", 0o755).file("d/gone", b"").file("d/kept", b"low\n").file("top", b"low\n");
        let upper = Layer::default().folder("d/", 0o755).file("d/.wh.gone", b"").file("top", b"high\n");
        write(&case.dir().join("images"), "two", &json!({}), vec![lower, upper]);
        let script = "say $(cat /v/top /v/d/kept) $(ls /v/d) $(stat -c %u:%g /v/top)
            (echo x > /v/x) 2>/dev/null || say read-only; /v/bin/sh -c true 2>/dev/null || say not run
            say $(cat /sub/kept); [ -e /one ] && say $(cat /one)";
        let places = json!([
            {"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/sub", "subPath": "d"},
            {"name": "v", "mountPath": "/one", "subPath": "top"}]);
        let pod = pod(&case, "two", "IfNotPresent", main("main", script, at(places))).spec(spec);
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace(), ["high low kept 0:0", "read-only", "not run", "low", "high"], "{name}");
        let events = String::from_utf8(case.barepod(&["events", name]).stdout).unwrap();
        assert!(events.contains("Successfully pulled image \"oci:images:two\""), "{events}");
        case.nothing_left();
    }
}

/// Of an image of one layer nothing else is seen, whiteouts included; a subPath that it lacks is told of.
#[test]
fn a_layer_alone_is_a_volume() {
    let Some(case) = Case::new("image-volume-layer") else { return };
    let layer = Layer::default().folder("d/", 0o755).file("d/.wh.gone", b"").file("d/f", b"f\n");
    write(&case.dir().join("images"), "one", &json!({}), vec![layer]);
    let whole = main("main", "say $(ls /v/d) $(cat /v/d/f)", at(json!([{"name": "v", "mountPath": "/v"}])));
    assert_eq!(case.run(&pod(&case, "one", "Always", whole)), 0);
    assert_eq!(case.trace(), ["f f"]);
    let absent = main("main", "true", at(json!([{"name": "v", "mountPath": "/v", "subPath": "none"}])));
    let mut run = case.start(&pod(&case, "one", "Always", absent));
    wait("the refusal", || case.container("main")["state"]["waiting"]["reason"] == "CreateContainerConfigError");
    run.signal(Signal::TERM);
    run.end();
    case.nothing_left();
}

/// R8.17, R8.12: who mounts what isn't there waits with the kubelet's reasons, who doesn't runs; once it comes the pod goes
/// on. What a pod shows is kept for it.
#[test]
fn who_mounts_it_waits_and_keeps_it() {
    let Some(case) = Case::new("image-volume-waits") else { return };
    let layout = case.dir().join("images");
    let mounted = main("main", "say $(cat /v/f); sleep 1000", at(json!([{"name": "v", "mountPath": "/v"}])));
    let pod = pod(&case, "late", "IfNotPresent", mounted).container(main("other", "say other; sleep 1000", json!({})));
    let options = ["--backoff-initial", "300ms", "--backoff-max", "1200ms"];
    let mut run = case.start_with(&pod, &options);
    wait("the failure", || {
        let reason = case.container("main")["state"]["waiting"]["reason"].clone();
        reason == "ErrImagePull" || reason == "ImagePullBackOff"
    });
    case.wait_for("other");
    write(&layout, "late", &json!({}), vec![Layer::default().file("f", b"came\n")]);
    case.wait_for("came");
    let output = case.barepod(&["image", "prune", "--all"]);
    assert_eq!(output.status.code(), Some(0));
    let layers = case.root().join("data/images/layers");
    assert_eq!(fs::read_dir(&layers).unwrap().count(), 1, "the pod needs it");
    run.signal(Signal::TERM);
    run.end();
    assert_eq!(case.barepod(&["image", "prune", "--all"]).status.code(), Some(0));
    assert_eq!(fs::read_dir(&layers).unwrap().count(), 0);
    let mounted = main("main", "true", at(json!([{"name": "v", "mountPath": "/v"}])));
    let mut run = case.start(&self::pod(&case, "late", "Never", mounted));
    wait("the refusal", || case.container("main")["state"]["waiting"]["reason"] == "ErrImageNeverPull");
    run.signal(Signal::TERM);
    run.end();
    case.nothing_left();
}
