//! Layers as they are.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::process::Command;

use super::*;

#[test]
fn later_entries_replace_earlier_ones() {
    let full = || Tar::new().folder("d").file("d/a", b"a").file("d/b/c", b"c");
    for (tar, list, content) in [
        (Tar::new().file("f", b"one").file("f", b"two"), &["f"][..], ("f", "two")),
        (full().file("d", b"x"), &["d"], ("d", "x")),
        (full().folder("d").file("d/a", b"new"), &["d", "d/a", "d/b", "d/b/c"], ("d/a", "new")),
        (full().symlink("d", "e").file("e", b"x"), &["d", "e"], ("d", "x")),
        (Tar::new().file("d", b"x").folder("d").file("d/a", b"a"), &["d", "d/a"], ("d/a", "a")),
        (Tar::new().symlink("s", "f").file("f", b"f").file("s", b"s"), &["f", "s"], ("f", "f")),
        // A file that has another name keeps what it has there.
        (Tar::new().file("f", b"f").hard_link("h", "f").file("f", b"new"), &["f", "h"], ("h", "f")),
        (Tar::new().file("f", b"f").hard_link("f", "f").hard_link("f", "./x/../f"), &["f"], ("f", "f")),
        (full().hard_link("d/b", "d/a"), &["d", "d/a", "d/b"], ("d/b", "a")),
        (full().entry(b'6', "d", "", 0o600, b"").file("d", b"x"), &["d"], ("d", "x")),
        // A link may lead to what isn't there yet.
        (
            Tar::new().symlink("lib", "usr/lib").file("lib/a", b"a"),
            &["lib", "usr", "usr/lib", "usr/lib/a"],
            ("lib/a", "a"),
        ),
    ] {
        let at = Fenced::new();
        let unpacked = at.unpack(&tar.finish()).unwrap();
        assert_eq!(at.list(), list);
        assert_eq!(at.read(content.0), content.1);
        // What was hashed is what is there, also where inodes were used again.
        let mut record = Cursor::new(Vec::new());
        let root = File::open(at.root()).unwrap();
        record::write(root.as_fd(), &unpacked.contents, &mut record).unwrap();
        let record = record.into_inner();
        assert_eq!(record::verify(root.as_fd(), &record[..]).unwrap().len(), 0);
    }
}

#[test]
fn folders_without_an_entry_are_told() {
    let at = Fenced::new();
    let tar = Tar::new().file("a/b/c", b"").folder("a/b").file("x/y/z", b"").folder("gone/on").file("gone", b"");
    let unpacked = at.unpack(&tar.finish()).unwrap();
    assert_eq!(unpacked.implied, [&b"."[..], b"a", b"x", b"x/y"]);
    for implied in ["a", "x", "x/y"] {
        let found = fs::metadata(at.root().join(implied)).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid()), (0o755, rustix::process::geteuid().as_raw()));
    }
    let with_root = Fenced::new().unpack(&Tar::new().folder("./").file("a", b"").finish()).unwrap();
    assert_eq!(with_root.implied, [[0_u8; 0]; 0]);
    assert_eq!((unpacked.entries, unpacked.bytes), (11, 0));
}

/// A tree with what layers have, as far as this user can make it.
fn tree(path: &Path) {
    let at = |name: &str| path.join(name);
    fs::create_dir_all(at(&format!("{}deep", "a/folder/of/a/long/name/".repeat(12)))).unwrap();
    fs::create_dir(at("closed")).unwrap();
    for (name, length) in [("empty", 0), ("small", 3), ("block", 512), ("large", 700_001), ("closed/f", 511)] {
        fs::write(at(name), (0..length).map(|at: u64| ((at * at) >> 5) as u8).collect::<Vec<u8>>()).unwrap();
    }
    fs::write(path.join(std::ffi::OsStr::from_bytes(b"odd \xff\n\\name")), "x").unwrap();
    fs::hard_link(at("large"), at("closed/again")).unwrap();
    symlink("../large", at("closed/link")).unwrap();
    symlink("x".repeat(200), at("nowhere")).unwrap();
    let sparse = File::create(at("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    sparse.write_all_at(b"in the middle", 1 << 20).unwrap();
    sparse.write_all_at(b"near the end", (3 << 20) - 5000).unwrap();
    for (name, mode) in [("small", 0o4755), ("closed", 0o2750), ("empty", 0o1600), ("a", 0o1777)] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    if gives_files() {
        std::os::unix::fs::lchown(at("nowhere"), Some(7), Some(8)).unwrap();
        std::os::unix::fs::chown(at("block"), Some(70_000), Some(80_000)).unwrap();
    }
    let _ = rustix::fs::setxattr(at("block"), "user.note", b"a\0b\n", rustix::fs::XattrFlags::empty());
    let _ = rustix::fs::setxattr(at("closed"), "user.note", b"", rustix::fs::XattrFlags::empty());
}

fn tar(arguments: &[&str], folder: &Path, file: &Path) {
    let output = Command::new("tar").args(arguments).arg("-f").arg(file).args(["-C"]).arg(folder).arg(".").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// In each format that GNU tar writes, with what that can say.
#[test]
fn trees_of_gnu_tar_are_unpacked_as_by_itself() {
    if Command::new("tar").arg("--version").output().is_err() {
        crate::skips::skip("there is no tar");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, file) = (dir.path().join("source"), dir.path().join("layer.tar"));
    tree(&source);
    for format in [
        &["--format=gnu"][..],
        &["--format=gnu", "--sparse"],
        &["--format=posix", "--xattrs"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.0"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.1"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=1.0"],
    ] {
        tar(&[format, &["--create", "--numeric-owner"]].concat(), &source, &file);
        let at = Fenced::new();
        let unpacked = at.unpack(&fs::read(&file).unwrap()).unwrap();
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        let extract = ["--extract", "--numeric-owner", "--preserve-permissions", "--xattrs", "--xattrs-include=*"];
        tar(&extract, &other, &file);
        assert_eq!(differences(&at.root(), &other), [""; 0], "{format:?}");
        assert_eq!(unpacked.left_out, LeftOut::default());
        // Holes are not filled.
        let blocks = |path: &Path| fs::metadata(path.join("sparse")).unwrap().blocks();
        assert!(!format.contains(&"--sparse") || blocks(&at.root()) <= blocks(&source) + 16, "{format:?}");
        fs::remove_dir_all(&other).unwrap();
        if format.contains(&"--xattrs") {
            assert_eq!(differences(&at.root(), &source), [""; 0], "{format:?}");
        }
    }
}
