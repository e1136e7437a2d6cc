//! Disks that are full, or get full in the middle of a layer.

use std::io::Write;
use std::time::Duration;

use super::collect::{Small, last_used};
use super::*;
use crate::images::disk::Disk;

/// Of one layer that is larger than it looks.
pub(super) fn packed(archive: &[u8]) -> Made {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(archive).unwrap();
    let layer = encoder.finish().unwrap();
    let config = json!({"rootfs": {"type": "layers", "diff_ids": [Digest::of(archive)]}});
    Made::of(&[layer], config)
}

fn used(store: &Store) -> (u64, u64) {
    let disk = Disk::of(&store.dir).unwrap();
    (disk.bytes.all - disk.bytes.free, disk.inodes.all - disk.inodes.free)
}

/// A disk that is full in the middle of a layer: that is said, with what it lacks; nothing of the layer stays, and all else does.
#[test]
fn a_disk_gets_full_in_the_middle() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=12m,nr_inodes=200") else { return };
    let store = Store::at(&small.path().join("images"));
    let good = pull(&store, "web", &image("good", 1 << 20)).unwrap().entry;
    let before = used(&store);
    let names: Vec<String> = (0..300).map(|number| format!("file{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let large = packed(&layer(&[("large", &"0".repeat(20 << 20))], &[]));
    let many = packed(&layer(&many, &[]));
    for (made, words) in [(&large, "large: can't write the file"), (&many, "can't make the file")] {
        let told = pull(&store, "web", made).unwrap_err().to_string();
        assert!(told.starts_with("layer 1 of 1 (sha256:") && told.contains(words), "{told}");
        assert!(told.contains("No space left on device"), "{told}");
        assert!(told.contains("where images are ") && told.contains(" free; `barepod image prune`"), "{told}");
        assert_eq!((used(&store), folders(&store)), (before, 1), "something is left");
    }
    let told = pull(&store, "web", &large).unwrap_err().to_string();
    assert!(told.contains("where images are 0 bytes and "), "{told}");
    let told = pull(&store, "web", &many).unwrap_err().to_string();
    assert!(told.contains(" bytes and 0 inodes are free"), "{told}");
    let there = store.catalogue.find("web").unwrap().unwrap();
    assert!(there == good && store.is_whole(&there));
    let summary = store.catalogue.summary(&there.manifest).unwrap();
    assert!(summary.layers.iter().all(|layer| store.layers.verify(layer).unwrap().is_empty()));
}

/// What can't fit isn't asked for.
#[test]
fn what_cannot_fit_is_refused() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=4m,nr_inodes=60") else { return };
    let store = Store::at(small.path());
    let refused = |made: &Made, words: &str| {
        let told = pull(&store, "web", made).unwrap_err().to_string();
        assert!(told.contains(words) && made.asked.load(Ordering::SeqCst) == 0, "{told}");
    };
    refused(&image("large", 6 << 20), "there is no room for it: its layers have ");
    let small_layers: Vec<Vec<u8>> = (0..40).map(|number| layer(&[(&format!("f{number}"), "")], &[])).collect();
    refused(&Made::of(&small_layers, json!({})), "its layers need 125 inodes at the very least, and ");
    // What is there already needs none.
    assert!(pull(&store, "web", &Made::of(&small_layers[..5], json!({}))).unwrap().is_new);
    assert!(pull(&store, "other", &Made::of(&small_layers[..6], json!({}))).unwrap().is_new);
}

/// Layers that were complete when the disk got full are there when it is tried again: at once, where an image could make room, or
/// later.
#[test]
fn whole_layers_come_once() {
    if !is_root() {
        return;
    }
    const MIB: usize = 1 << 20;
    for has_old in [false, true] {
        let Some(small) = Small::new("size=16m") else { return };
        let store = Store::at(&small.path().join("images"));
        if has_old {
            let entry = pull(&store, "old", &image("old", 6 * MIB)).unwrap().entry;
            last_used(&store, &entry, 48 * Duration::from_secs(3600));
        }
        let whole = layer(&[("whole", &"1".repeat(3 * MIB))], &[]);
        // As a pull leaves it that found no room for what comes after it.
        pull(&store, "first", &Made::of(std::slice::from_ref(&whole), json!({}))).unwrap();
        store.forget("first").unwrap();
        store.catalogue.sweep(&store.catalogue.lock().unwrap()).unwrap();
        let large = layer(&[("large", &"0".repeat(if has_old { 9 } else { 15 } * MIB))], &[]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&large).unwrap();
        let config = json!({"rootfs": {"type": "layers", "diff_ids": [Digest::of(&whole), Digest::of(&large)]}});
        let made = Made::of(&[whole, encoder.finish().unwrap()], config);
        let asked = || made.asked.load(Ordering::SeqCst);
        let first = pull(&store, "web", &made);
        if has_old {
            assert_eq!((first.unwrap().removed, asked()), (vec!["old".to_owned()], 2));
        } else {
            let told = first.unwrap_err().to_string();
            assert!(told.starts_with("layer 2 of 2 (sha256:") && told.contains("No space left on device"), "{told}");
            assert_eq!(folders(&store), 1, "the half is gone, the other one is there");
            let before = asked();
            small.resize("size=32m");
            assert!(pull(&store, "web", &made).unwrap().is_new);
            assert_eq!(asked(), before + 1);
        }
        assert!(store.is_whole(&store.catalogue.find("web").unwrap().unwrap()));
    }
}
