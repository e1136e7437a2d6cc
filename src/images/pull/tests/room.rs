//! Images that make room for another.

use std::path::Path;
use std::time::Duration;

use super::collect::{Small, last_used};
use super::full::packed;
use super::*;
use crate::images::disk::Marks;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: usize = 1 << 20;

fn names(store: &Store) -> Vec<String> {
    store.catalogue.list().unwrap().into_iter().map(|entry| entry.name).collect()
}

/// A store on a disk of 16 MiB: two images that may go, one that was brought by hand, one that was used today.
fn filled(dir: &Path) -> Store {
    let store = Store::at(dir);
    for (name, mib, days) in [("old", 4, 2), ("older", 4, 3), ("kept", 2, 4), ("young", 2, 0)] {
        let entry = pull(&store, name, &image(name, mib * MIB)).unwrap().entry;
        last_used(&store, &entry, days * DAY);
        if name == "kept" {
            store.keep_for_good(name).unwrap();
        }
    }
    store
}

/// The one that was unused for longest goes first, and no more than is needed.
#[test]
fn unused_images_make_room() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=16m") else { return };
    let store = filled(small.path());
    let new = image("new", 5 * MIB);
    let busy = store.turns.pulling().unwrap();
    assert!(matches!(pull(&store, "new", &new), Err(PullError::Room { .. })), "nothing is removed beside a pull");
    drop(busy);
    let pulled = pull(&store, "new", &new).unwrap();
    assert_eq!((pulled.is_new, pulled.removed), (true, vec!["older".to_owned()]));
    // Its size tells nothing: it is found in the middle that there is no room.
    let large = packed(&layer(&[("large", &"0".repeat(5 * MIB))], &[]));
    let pulled = pull(&store, "large", &large).unwrap();
    assert_eq!((pulled.is_new, pulled.removed), (true, vec!["old".to_owned()]));
    assert_eq!(names(&store), ["kept", "large", "new", "young"]);
    assert!(store.catalogue.list().unwrap().iter().all(|entry| store.is_whole(entry)));
}

/// Where what no name leads to was enough no image goes, and the pull goes on.
#[test]
fn what_no_name_leads_to_makes_room() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=16m") else { return };
    let store = Store::at(small.path());
    pull(&store, "dropped", &image("dropped", 9 * MIB)).unwrap();
    store.forget("dropped").unwrap();
    // Its size tells nothing: it is found in the middle that there is no room.
    let large = packed(&layer(&[("large", &"0".repeat(9 * MIB))], &[]));
    let pulled = pull(&store, "large", &large).unwrap();
    assert_eq!((pulled.is_new, pulled.removed), (true, Vec::new()));
    assert_eq!(folders(&store), 1);
}

/// Nothing goes where that would help nobody; and not what has the name now.
#[test]
fn images_do_not_go_in_vain() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=16m") else { return };
    let store = filled(small.path());
    let all = names(&store);
    for mib in [13, 20] {
        assert!(matches!(pull(&store, "new", &image("new", mib * MIB)), Err(PullError::Room { .. })));
        assert_eq!(names(&store), all);
    }
    let told = pull(&store, "older", &image("new", 9 * MIB)).unwrap_err().to_string();
    assert!(told.starts_with("there is no room for it: "), "{told}");
    assert_eq!(names(&store), all);
    // Even so: what has gone then is said.
    let huge = packed(&layer(&[("huge", &"0".repeat(14 * MIB))], &[]));
    let told = pull(&store, "huge", &huge).unwrap_err().to_string();
    assert!(told.contains("(to make room, images were removed that no pod has used for a day: older)"), "{told}");
    assert_eq!(names(&store), ["kept", "old", "young"]);
    // By hand it stays, whatever pulls it again.
    assert!(pull(&store, "kept", &image("other", MIB)).unwrap().entry.is_kept);
}

/// Who asks for an image by hand keeps it, also one that is there, in the same write as its name; and what pulls it again doesn't
/// change that.
#[test]
fn what_is_asked_for_by_hand_stays() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = image("web", MIB);
    let (platform, rules) = (&Platform::here(), &Rules::default());
    let by_hand = |name| {
        let wish = Wish { name, platform, rules, stay: Stay::ForGood };
        let pulled = store.pull(&wish, &made, &Progress::default()).unwrap();
        assert_eq!(store.catalogue.find(name).unwrap().as_ref(), Some(&pulled.entry));
        (pulled.is_new, pulled.entry.is_kept)
    };
    assert!(!pull(&store, "web", &made).unwrap().entry.is_kept);
    assert_eq!(by_hand("web"), (false, true));
    assert_eq!(by_hand("new"), (true, true));
    for name in ["web", "new"] {
        assert!(pull(&store, name, &made).unwrap().entry.is_kept);
        assert!(pull(&store, name, &image("other", MIB)).unwrap().entry.is_kept);
    }
}

/// A pull that leaves the disk too full has images go as a kubelet does, with the same exceptions; without marks none goes.
#[test]
fn pulls_keep_to_the_marks() {
    if !is_root() {
        return;
    }
    let Some(small) = Small::new("size=16m") else { return };
    let mut store = filled(small.path());
    // 12 MiB are there.
    assert!(pull(&store, "one", &image("one", MIB)).unwrap().removed.is_empty());
    store.marks = Some(Marks { high: 90, low: 50 });
    assert!(pull(&store, "two", &image("two", MIB / 4)).unwrap().removed.is_empty(), "it isn't that full");
    store.marks = Some(Marks { high: 80, low: 70 });
    assert!(pull(&store, "two", &image("two", MIB / 4)).unwrap().removed.is_empty(), "nothing was brought");
    assert_eq!(pull(&store, "three", &image("three", MIB / 4)).unwrap().removed, ["older"]);
    store.marks = Some(Marks { high: 50, low: 10 });
    let busy = store.turns.pulling().unwrap();
    assert!(
        pull(&store, "four", &image("four", MIB / 4)).unwrap().removed.is_empty(),
        "nothing is removed beside a pull"
    );
    drop(busy);
    // What has the name that is pulled, what was brought by hand, and what is young stays.
    assert!(pull(&store, "old", &image("other", MIB / 4)).unwrap().is_new);
    assert_eq!(names(&store), ["four", "kept", "old", "one", "three", "two", "young"]);
}
