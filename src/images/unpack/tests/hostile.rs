//! Layers that somebody made to do harm.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use super::*;
use crate::images::archive::build::sum;

/// Archives with names and links that lead out of the root, and where in the root `x` is to be written.
fn leading_out(outside: &str) -> Vec<(Tar, String)> {
    let link = |target: &str| Tar::new().symlink("l", target);
    let inner = format!("{}/new", &outside[1..]);
    let cases = [
        (Tar::new().file("../outside/new", b"x"), "outside/new"),
        (Tar::new().file("a/../../../outside/new", b"x"), "outside/new"),
        (Tar::new().file(&format!("{outside}/new"), b"x"), &inner),
        (link(outside).file("l/new", b"x"), &inner),
        (link(outside).file("l/../new", b"x"), "new"),
        (link("../outside").file("l/new", b"x"), "outside/new"),
        (link("../../../outside").file("l/new", b"x"), "outside/new"),
        (link("x/../../outside").file("l/new", b"x"), "outside/new"),
        (link("/proc/self/root").file("l/new", b"x"), "proc/self/root/new"),
        (link("m").symlink("m", outside).file("l/new", b"x"), &inner),
        (link(outside).folder("l/new").file("l/new/er", b"x"), &format!("{inner}/er")),
        // Through a folder that becomes a link afterwards.
        (Tar::new().folder("d").file("d/one", b"x").symlink("d", outside).file("d/new", b"x"), &inner),
        // A link in the place of the file itself is replaced, not followed.
        (link(&format!("{outside}/secret")).file("l", b"x"), "l"),
        (link(outside).folder("l").file("l/new", b"x"), "l/new"),
    ];
    cases.into_iter().map(|(tar, wanted)| (tar, wanted.to_owned())).collect()
}

#[test]
fn nothing_outside_is_reached() {
    for case in 0..leading_out("/").len() {
        let at = Fenced::new();
        let (tar, wanted) = leading_out(&at.outside()).swap_remove(case);
        at.unpack(&tar.finish()).unwrap();
        assert_eq!(at.read(&wanted), "x", "{wanted}: {:?}", at.list());
    }
}

#[test]
fn what_mustnt_be_is_refused_in_words() {
    let outside = Fenced::new().outside();
    let link = || Tar::new().symlink("l", &outside);
    for (tar, words) in [
        (
            Tar::new().hard_link("h", "../outside/secret"),
            r#"h: it is a hard link to "../outside/secret", which isn't in this"#,
        ),
        (Tar::new().hard_link("h", &format!("{outside}/secret")), "which isn't in this layer"),
        (link().hard_link("h", "l/secret"), "which isn't in this layer"),
        (Tar::new().file("f", b"").hard_link("h", "f/g"), "which isn't in this layer"),
        (Tar::new().folder("d").hard_link("h", "d"), r#"h: it is a hard link to "d", which is a folder"#),
        (Tar::new().hard_link("h", "."), "which is a folder"),
        (Tar::new().symlink("a", "b").symlink("b", "a").file("a/x", b""), "lead to each other"),
        (Tar::new().file("f", b"").file("f/x", b""), r#"f/x: it is to be in "f", which isn't a folder"#),
        (Tar::new().file("./", b"").file(".", b"x"), ".: it is the root of the layer, and isn't a folder"),
        (Tar::new().symlink("..", "/"), "it is the root of the layer"),
        (Tar::new().file("a/.wh.", b""), "this one hides no file that there can be"),
        (Tar::new().file("a/.wh..", b""), "this one hides no file"),
        (Tar::new().file("a/.wh...", b""), "this one hides no file"),
        (Tar::new().file("a/.wh.x/y", b""), "this one is that of a folder"),
        (Tar::new().pax(&[("path", &[b'n'; 256])]).file("f", b""), "can't make the file: File name too long"),
        (Tar::new().pax(&[("path", "n/".repeat(2100).as_bytes())]).folder("f"), "longer than 4095 bytes"),
        (Tar::new().raw(&[b'x'; 512]), "this isn't a tar archive that can be read"),
    ] {
        let error = Fenced::new().unpack(&tar.finish()).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    // What is shown of a name has no control characters.
    let error = Fenced::new().unpack(&Tar::new().hard_link("h\x1b[2J", "x").finish()).unwrap_err().to_string();
    assert!(error.starts_with(r"h\u{1b}[2J: "), "{error}");
}

#[test]
fn limits_hold() {
    let limits = Limits { entries: 100, bytes: 10_000, paths: 1_000 };
    let error = |tar: Tar| Fenced::new().unpack_within(&tar.finish(), &limits).unwrap_err().to_string();
    let many = (0..100).fold(Tar::new(), |tar, at| tar.folder(&format!("{at}")));
    let limits_of_bytes = Limits { bytes: 1 << 20, ..limits };
    Fenced::new()
        .unpack_within(&(0..99).fold(Tar::new(), |tar, at| tar.folder(&format!("{at}"))).finish(), &limits_of_bytes)
        .unwrap();
    let told = Fenced::new().unpack_within(&many.finish(), &limits_of_bytes).unwrap_err().to_string();
    assert!(told.contains("more than 100 files and folders"), "{told}");
    // A few bytes of an archive can ask for many folders, and for paths that are much longer than it is.
    let deep = "d/".repeat(60);
    assert!(error(Tar::new().pax(&[("path", deep.as_bytes())]).folder("f")).contains("more than 1000 bytes together"));
    let deep = (0..2)
        .fold(Tar::new(), |tar, at| tar.pax(&[("path", format!("{at}{}", "/d".repeat(49)).as_bytes())]).folder("f"));
    let wide = Limits { paths: 1 << 20, ..limits };
    let told = Fenced::new().unpack_within(&deep.finish(), &wide).unwrap_err().to_string();
    assert!(told.contains("more than 100 files"), "{told}");
    assert!(error(Tar::new().file("f", &[0; 9_000])).contains("larger than the 10000 bytes"));
    // A hole is as large as it says, at no cost for who made it.
    let hole: &[(&str, &[u8])] = &[("GNU.sparse.map", b"0,1"), ("GNU.sparse.size", b"9223372036854775807")];
    assert!(error(Tar::new().pax(hole).file("f", b"a")).contains("have more than 10000 bytes"));
    // What follows the end is read, but not without end.
    assert!(error(Tar::new().file("f", b"").raw(&[0; 1024]).raw(&[b'x'; 10_000])).contains("larger than the 10000"));
}

/// An overlay would take such notes for its own, and show files of the box, or hide files that a lower layer has.
#[test]
fn notes_of_overlays_and_labels_of_the_box_are_not_taken() {
    let at = Fenced::new();
    let records: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.trusted.overlay.redirect", b"/outside"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.overlay.redirect", b"/outside"),
        ("SCHILY.xattr.user.overlay.whiteout", b"y"),
        ("SCHILY.xattr.security.selinux", b"system_u:object_r:shadow_t:s0"),
        ("SCHILY.xattr.security.ima", b"\x04x"),
        ("SCHILY.xattr.user.fine", b"1"),
    ];
    let tar = Tar::new().pax(records).folder("d").pax(records).file("d/f", b"").pax(records).symlink("d/s", "f");
    let unpacked = at.unpack(&tar.finish()).unwrap();
    for path in ["d", "d/f", "d/s"] {
        for (name, _) in &records[..6] {
            let name = name.strip_prefix("SCHILY.xattr.").unwrap();
            assert_eq!(xattr(&at.root().join(path), name).filter(|_| !name.contains("selinux")), None, "{path} {name}");
        }
    }
    assert_eq!(xattr(&at.root().join("d"), "user.fine"), Some(b"1".to_vec()));
    // Links can't have those of users.
    assert_eq!(unpacked.left_out.count, 1, "{:?}", unpacked.left_out);
    assert!(unpacked.left_out.examples[0].starts_with("d/s: the extended attribute user.fine: "));
}

#[test]
fn a_changed_owner_takes_no_bits_away() {
    let at = Fenced::new();
    let tar = Tar::new().entry(b'0', "su", "", 0o6755, b"x").entry(b'5', "tmp", "", 0o1777, b"");
    let owner: &[(&str, &[u8])] = &[("uid", b"1234"), ("gid", b"2345")];
    let tar = if gives_files() { tar.pax(owner).entry(b'0', "other", "", 0o6711, b"x") } else { tar };
    at.unpack(&tar.finish()).unwrap();
    let mode = |path: &str| fs::metadata(at.root().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("su"), mode("tmp")), (0o6755, 0o1777));
    if gives_files() {
        let other = fs::metadata(at.root().join("other")).unwrap();
        assert_eq!((mode("other"), other.uid(), other.gid()), (0o6711, 1234, 2345));
    } else {
        let tar = Tar::new().pax(owner).file("other", b"x");
        let error = Fenced::new().unpack(&tar.finish()).unwrap_err().to_string();
        assert!(
            error.contains("its owner and group can't be 1234:2345 here") && error.contains("/etc/subuid"),
            "{error}"
        );
    }
}

#[test]
fn devices_are_made_or_left_out() {
    let at = Fenced::new();
    let mut null = Tar::new().header(b'3', b"null", "", 0o666, 0);
    null[329..345].copy_from_slice(b"0000001\x000000003\0");
    sum(&mut null);
    let tar = Tar::new().raw(&null).entry(b'6', "fifo", "", 0o600, b"");
    let unpacked = at.unpack(&tar.clone().finish()).unwrap();
    assert!(fs::symlink_metadata(at.root().join("fifo")).unwrap().file_type().is_fifo());
    match fs::symlink_metadata(at.root().join("null")) {
        Ok(null) => assert_eq!((null.rdev(), null.permissions().mode() & 0o7777), (rustix::fs::makedev(1, 3), 0o666)),
        Err(_) => {
            assert_eq!(unpacked.left_out.count, 1);
            assert!(unpacked.left_out.examples[0].starts_with("null: a character device can't be made here: "));
        }
    }
    null[329..345].copy_from_slice(b"7777777\x000000003\0");
    sum(&mut null);
    let error = Fenced::new().unpack(&Tar::new().raw(&null).finish()).unwrap_err().to_string();
    assert!(error.contains("device numbers that Linux doesn't have"), "{error}");
}
