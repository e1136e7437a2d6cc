//! How images are pulled: when, and by which names.

use serde_json::{Value, json};

use crate::harness::image::{busybox, digest, write};
use crate::harness::own_registry::Registry;
use crate::harness::{Case, Run, wait};

fn container(name: &str, image: &str, script: &str) -> Value {
    let mounts = json!([{"name": "t", "mountPath": "/t"}]);
    json!({"name": name, "image": image, "command": ["/bin/sh", "-c", script], "volumeMounts": mounts})
}

/// A name without a digest is refused before anything is made, with its field and the digest that the box knows; with one it runs.
#[test]
fn digests_that_are_required() {
    let Some(case) = Case::new("require-digest") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox()]);
    let registry = Registry::open(&layout);
    let (image, other) = (registry.image("team/app", "web"), registry.image("team/other", "web"));
    let pod =
        case.pod().init(container("first", &other, "true")).container(container("main", &image, "echo ran >> /t/log"));
    let file = case.write(&pod.text()).display().to_string();
    let (code, _, stderr) = registry.said(&case, &["image", "pull", "--require-digest", &image]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("it has no digest, and --require-digest asks for one; write NAME@sha256:DIGEST"),
        "{stderr}"
    );
    assert!(registry.asked().is_empty(), "{:?}", registry.asked());
    assert_eq!(registry.said(&case, &["image", "pull", "-q", &image]).0, Some(0));
    let (_, shown, _) = registry.said(&case, &["image", "inspect", &image]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let digest = shown["digest"].as_str().unwrap();
    for args in [&["run", "--require-digest", &file][..], &["apply", "--require-digest", "-f", &file]] {
        let (code, _, stderr) = registry.said(&case, args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(
            stderr.contains("spec.containers[0].image") && stderr.contains("spec.initContainers[0].image"),
            "{stderr}"
        );
        let there = format!("what this box has now under that name is {}@{digest}", image.trim_end_matches(":web"));
        assert!(stderr.contains(&there) && stderr.contains("image pull"), "{stderr}");
    }
    assert_eq!(case.left_behind(), [""; 0]);
    let pinned = |image: &str| format!("{image}@{digest}");
    // What is in files and folders of the box isn't by such a name.
    let pod = case
        .pod()
        .init(container("first", &pinned(&other), "true"))
        .init(json!({"name": "second", "image": "oci:images:web", "command": ["/bin/true"]}))
        .container(container("main", &pinned(&image), "echo ran >> /t/log"));
    let file = case.write(&pod.text()).display().to_string();
    let (code, _, stderr) = registry.said(&case, &["run", "--require-digest", &file]);
    assert_eq!((code, case.trace().as_slice()), (Some(0), &["ran".to_owned()][..]), "{stderr}");
    case.nothing_left();
}

/// R8.15: images of later containers come while init containers run, and with --pull=serial when their turn has come.
#[test]
fn serial_pulls_wait_for_their_turn() {
    let Some(case) = Case::new("pull-serial") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox()]);
    let registry = Registry::open(&layout);
    let asked_for = |name: &str| registry.asked().iter().any(|one| one.path.starts_with(&format!("/v2/{name}/")));
    for how in ["parallel", "serial"] {
        let (first, later) = (format!("first/{how}"), format!("later/{how}"));
        let script = format!("echo {how} >> /t/log; while ! [ -e /t/go-{how} ]; do sleep 0.05; done");
        let pod = case.pod().init(container("first", &registry.image(&first, "web"), &script)).container(container(
            "main",
            &registry.image(&later, "web"),
            "true",
        ));
        let file = case.write(&pod.text()).display().to_string();
        let option = format!("--pull={how}");
        let mut command = registry.command(&case, &["run", &option, &file]);
        let mut run = Run::to_files(&case, &mut command);
        case.wait_for(how);
        if how == "parallel" {
            wait("the other image", || asked_for(&later));
        } else {
            // What would be pulled ahead has been begun with the pod.
            assert!(!asked_for(&later), "{:?}", registry.asked());
        }
        case.release(&format!("go-{how}"));
        assert_eq!(run.end(), 0, "{}", run.stderr());
        assert!(asked_for(&later));
    }
    case.nothing_left();
}

/// An image that is still what it was costs one question and no content: registries count what is fetched.
#[test]
fn an_unchanged_image_costs_one_question() {
    let Some(case) = Case::new("pull-head") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox()]);
    let registry = Registry::open(&layout);
    let image = registry.image("team/app", "web");
    let asked = |args: &[&str]| {
        let before = registry.asked().len();
        let (code, stdout, stderr) = registry.said(&case, args);
        assert_eq!(code, Some(0), "{stderr}");
        let asked = registry.asked().split_off(before);
        (stdout, asked.into_iter().map(|one| format!("{} {}", one.method, one.path)).collect::<Vec<_>>())
    };
    let (stdout, first) = asked(&["image", "pull", &image]);
    assert!(stdout.contains(" pulled ("), "{stdout}");
    assert_eq!(first[0], "GET /v2/team/app/manifests/web", "nothing is there that it could be compared with");
    assert_eq!(first.len(), 3, "{first:?}");
    let one = ["HEAD /v2/team/app/manifests/web"];
    let (stdout, second) = asked(&["image", "pull", &image]);
    assert!(stdout.contains(" is up to date ("), "{stdout}");
    assert_eq!(second, one);
    // A pod likewise.
    let mut main = container("main", &image, "echo ran >> /t/log");
    main["imagePullPolicy"] = json!("Always");
    let file = case.write(&case.pod().container(main).text()).display().to_string();
    assert_eq!(asked(&["run", &file]).1, one);
    assert_eq!(case.trace(), ["ran"]);
    // Its digest says all.
    let digest = digest(&layout, "web");
    let pinned = format!("{}@{digest}", image.trim_end_matches(":web"));
    assert_eq!(asked(&["image", "pull", &pinned]).1.len(), 2, "the manifest and the config; the layer is there");
    assert_eq!(asked(&["image", "pull", &pinned]).1, [""; 0]);
    write(&layout, "web", &json!({"Cmd": ["other"]}), vec![busybox()]);
    let (stdout, changed) = asked(&["image", "pull", &image]);
    assert!(stdout.contains(" pulled ("), "{stdout}");
    assert_eq!(changed[..2], [one[0].to_owned(), first[0].clone()], "{changed:?}");
    assert_eq!(changed.len(), 3, "{changed:?}");
    case.nothing_left();
}
