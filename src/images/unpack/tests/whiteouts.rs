//! What hides the layers below.

use std::os::unix::fs::FileTypeExt;

use super::*;

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_char_device() && found.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    xattr(path, notes().opaque()).as_deref() == Some(b"y")
}

#[test]
fn whiteouts_become_what_overlays_know() {
    let at = Fenced::new();
    let tar = Tar::new()
        .file("etc/.wh.passwd", b"")
        .folder("var")
        .file("var/.wh..wh..opq", b"")
        .file("implied/.wh..wh..opq", b"")
        .file(".wh.top", b"")
        // AUFS' own.
        .file(".wh..wh.aufs", b"")
        .folder(".wh..wh.plnk")
        .file(".wh..wh.plnk/1.2", b"");
    let unpacked = at.unpack(&tar.finish()).unwrap();
    let root = at.root();
    assert_eq!(at.list(), ["etc", "etc/passwd", "implied", "top", "var"]);
    assert!(is_whiteout(&root.join("etc/passwd")) && is_whiteout(&root.join("top")));
    assert!(is_opaque(&root.join("var")) && is_opaque(&root.join("implied")) && !is_opaque(&root.join("etc")));
    // An overlay shows its own marks of none of these.
    assert_eq!(unpacked.implied, [&b"."[..], b"etc", b"implied"]);
    assert!(!unpacked.hides_all_below);
}

/// The specification lets them stand anywhere in the archive: they hide what is below, and nothing of their own layer.
#[test]
fn a_layer_does_not_hide_what_it_has_itself() {
    let folder = || Tar::new().folder("d").file("d/f", b"x");
    let implied = || Tar::new().file("d/f", b"x");
    let file = || Tar::new().file("d", b"x");
    let whiteout = |tar: Tar| tar.file(".wh.d", b"");
    let before = |tar: Tar| Tar::new().file(".wh.d", b"").raw(&tar.cut());
    for tar in [whiteout(folder()), before(folder()), whiteout(implied()), before(implied())] {
        let at = Fenced::new();
        let unpacked = at.unpack(&tar.finish()).unwrap();
        assert_eq!(at.list(), ["d", "d/f"]);
        assert!(is_opaque(&at.root().join("d")));
        // Nothing of the layers below shows in it, and so not what is special about it there.
        assert_eq!(unpacked.implied, [b"."]);
    }
    for tar in [whiteout(file()), before(file())] {
        let at = Fenced::new();
        at.unpack(&tar.finish()).unwrap();
        assert_eq!(at.read("d"), "x");
    }
    let at = Fenced::new();
    at.unpack(&whiteout(whiteout(Tar::new())).finish()).unwrap();
    assert!(is_whiteout(&at.root().join("d")));
    let told =
        Fenced::new().unpack(&Tar::new().file(".wh.d", b"").hard_link("h", "d").finish()).unwrap_err().to_string();
    assert!(told.contains("which isn't in this layer"), "{told}");
}

#[test]
fn an_opaque_root_is_told() {
    for (name, hides) in [(".wh..wh..opq", true), ("./.wh..wh..opq", true), ("d/.wh..wh..opq", false)] {
        let at = Fenced::new();
        assert_eq!(at.unpack(&Tar::new().file(name, b"").finish()).unwrap().hides_all_below, hides);
        assert_eq!(is_opaque(&at.root()), hides);
    }
}
