//! Images that are damaged in the store: found when they are used, verified, and brought again.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::{self, Case, Manifest};

fn pod(case: &Case, then: &str) -> Manifest {
    let volumes = json!([{"name": "t", "mountPath": "/t"}]);
    let script = format!("echo $(cat /word) >> /t/log; {then}");
    case.pod().container(json!({
        "name": "main", "image": "oci:images:web", "imagePullPolicy": "IfNotPresent", "volumeMounts": volumes,
        "command": ["/bin/sh", "-c", script]
    }))
}

fn said(case: &Case, words: &[&str]) -> (Option<i32>, String) {
    let (code, out, err) = harness::said(case, words);
    (code, out + &err)
}

/// The folder of the stored layer that has this file.
fn layer_with(case: &Case, file: &str) -> PathBuf {
    let layers = fs::read_dir(case.root().join("data/images/layers")).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| path.join("tree").join(file).exists();
    layers.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).find(is_it).unwrap()
}

/// What is changed is found by `verify`, and `repair` exchanges only that, under a pod that runs: it keeps the files that it has.
#[test]
fn a_damaged_layer_is_exchanged_under_a_pod() {
    let Some(case) = Case::new("repaired") else { return };
    let layout = case.dir().join("images");
    let layers = write(&layout, "web", &json!({}), vec![busybox(), Layer::default().file("word", b"right\n")]);
    let image = format!("oci:{}:web", layout.display());
    let mut run = case.start(&pod(&case, "sleep 1000"));
    case.wait_for("right");
    assert_eq!(said(&case, &["image", "repair"]), (Some(0), format!("{image} is whole\n")));
    fs::write(layer_with(&case, "word").join("tree/word"), "wrong\n").unwrap();
    let (code, text) = said(&case, &["image", "verify"]);
    assert!(code == Some(1) && text.contains("word: ") && text.contains("barepod image repair"), "{text}");
    // Only what is damaged comes again: of the other layer there is nothing left to come. Nor is its name.
    fs::rename(&layers[0], layout.join("away")).unwrap();
    fs::write(layout.join("index.json"), r#"{"schemaVersion": 2, "manifests": []}"#).unwrap();
    let (code, text) = said(&case, &["image", "repair", &image]);
    assert!(code == Some(0) && text.contains("is whole again: 1 of 2 layers came anew"), "{text}");
    assert_eq!(said(&case, &["image", "verify"]), (Some(0), format!("{image} is whole\n")));
    let exec = |word: &str| said(&case, &["exec", case.name(), "--", "/bin/cat", word]);
    assert_eq!(exec("/word"), (Some(0), "wrong\n".to_owned()));
    let stored = case.root().join("data/images/layers");
    let count = || fs::read_dir(&stored).unwrap().count();
    assert_eq!((said(&case, &["image", "prune"]).0, count()), (Some(0), 3), "what the pod uses");
    run.signal(Signal::TERM);
    run.end();
    assert_eq!((said(&case, &["image", "prune"]).0, count()), (Some(0), 2));
    // What can't come again stays as it is.
    fs::write(layer_with(&case, "bin/busybox").join("tree/bin/busybox"), "").unwrap();
    let (code, text) = said(&case, &["image", "repair"]);
    assert!(code == Some(1) && text.contains("layer 1 of 2 (sha256:"), "{text}");
    assert_eq!(count(), 2);
    case.nothing_left();
}

/// What has gone is found when it is used, said, and brought again; documents as well.
#[test]
fn what_has_gone_is_brought_again_at_use() {
    let Some(case) = Case::new("gone-at-use") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox(), Layer::default().file("word", b"right\n")]);
    assert_eq!(said(&case, &["image", "pull", "-q", &format!("oci:{}:web", layout.display())]).0, Some(0));
    let summaries = case.root().join("data/images/layout/summaries");
    let spoil_a_record = || fs::write(layer_with(&case, "word").join("record"), "").unwrap();
    let empty_a_tree = || fs::remove_file(layer_with(&case, "word").join("tree/word")).unwrap();
    let cut_the_summary = || {
        let summary = fs::read_dir(&summaries).unwrap().next().unwrap().unwrap().path();
        fs::write(summary, "{").unwrap();
    };
    let damages: [&dyn Fn(); 3] = [&spoil_a_record, &empty_a_tree, &cut_the_summary];
    for (number, damage) in damages.into_iter().enumerate() {
        damage();
        let mut run = case.start(&pod(&case, "true"));
        assert_eq!((run.end(), case.trace().len()), (0, number + 1));
        assert!(run.stderr().contains("it is damaged in the store of this box: "), "{number}: {}", run.stderr());
        let (code, text) = said(&case, &["image", "verify"]);
        assert_eq!(code, Some(0), "{number}: {text}");
    }
    cut_the_summary();
    let (code, text) = said(&case, &["image", "repair"]);
    assert!(code == Some(0) && text.contains("is whole again: 0 of 2 layers and 1 document came anew"), "{text}");
    assert_eq!(said(&case, &["image", "verify"]).0, Some(0));
    case.nothing_left();
}

/// A layer that two images share comes for one of them from where that is from: the other, whose registry is gone, is whole as well.
#[test]
fn a_layer_comes_for_all_that_share_it() {
    let Some(case) = Case::new("repaired-shared") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox(), Layer::default().file("word", b"right\n")]);
    let (image, imported) = (format!("oci:{}:web", layout.display()), "127.0.0.1:1/team/web:1.0");
    assert_eq!(said(&case, &["image", "pull", "-q", &image]).0, Some(0));
    assert_eq!(said(&case, &["image", "import", layout.to_str().unwrap(), imported]).0, Some(0));
    let damage = || fs::write(layer_with(&case, "word").join("tree/word"), "wrong\n").unwrap();
    damage();
    let (code, text) = said(&case, &["image", "repair", imported]);
    let way_out = "if it was imported, `barepod image import FILE` mends it";
    assert!(code == Some(1) && text.contains(way_out), "{text}");
    let (code, text) = said(&case, &["image", "repair"]);
    assert!(code == Some(0) && text.contains(&format!("{imported} is whole again\n")), "{text}");
    assert_eq!(said(&case, &["image", "verify"]).0, Some(0));
    damage();
    let (code, text) = said(&case, &["image", "import", layout.to_str().unwrap(), imported]);
    assert!(code == Some(0) && text.contains("is whole again"), "{text}");
    case.nothing_left();
}

/// The file with the names of all images is damaged: every command says what sets it right, which costs no name and no layer.
#[test]
fn a_damaged_list_of_images_comes_back() {
    let Some(case) = Case::new("half-a-list") else { return };
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({}), vec![busybox(), Layer::default().file("word", b"right\n")]);
    let image = format!("oci:{}:web", layout.display());
    assert_eq!(said(&case, &["image", "pull", "-q", &image]).0, Some(0));
    let list = case.root().join("data/images/layout/index.json");
    let half = fs::read(&list).unwrap()[..40].to_vec();
    fs::write(&list, &half).unwrap();
    for command in [&["ls"][..], &["rm", &image], &["prune"], &["verify"], &["pull", &image]] {
        let (code, text) = said(&case, &[&["image"], command].concat());
        assert!(code == Some(1) && text.contains("`barepod image repair` writes it anew"), "{command:?}: {text}");
    }
    fs::rename(&layout, case.dir().join("away")).unwrap();
    let (code, text) = said(&case, &["image", "repair"]);
    assert!(code == Some(0) && text.contains(&format!("{image} is whole\n")), "{text}");
    assert!(text.contains("the list of images was damaged, and is written anew"), "{text}");
    assert_eq!(fs::read(list.with_file_name("index.damaged.json")).unwrap(), half);
    let mut run = case.start(&pod(&case, "true"));
    assert_eq!((run.end(), case.trace()), (0, vec!["right".to_owned()]), "{}", run.stderr());
    case.nothing_left();
}
