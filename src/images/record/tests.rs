#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

fn open(path: &Path) -> OwnedFd {
    File::open(path).unwrap().into()
}

fn record(path: &Path) -> Vec<u8> {
    let mut record = Cursor::new(Vec::new());
    write(open(path).as_fd(), &Contents::default(), &mut record).unwrap();
    record.into_inner()
}

fn differences(path: &Path, record: &[u8]) -> Vec<String> {
    verify(open(path).as_fd(), BufReader::new(record)).unwrap().iter().map(ToString::to_string).collect()
}

/// A tree with one of each kind that an ordinary user can make.
fn tree(path: &Path) {
    fs::create_dir_all(path.join("etc/deep/er")).unwrap();
    fs::write(path.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    fs::hard_link(path.join("etc/hosts"), path.join("etc/deep/again")).unwrap();
    fs::write(path.join("empty"), "").unwrap();
    fs::write(path.join(std::ffi::OsStr::from_bytes(b"odd\xff\\ =\tname\n")), "x").unwrap();
    symlink("../etc\n/passwd", path.join("etc/link")).unwrap();
    nix::unistd::mkfifo(&path.join("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
}

#[test]
fn what_was_recorded_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path());
    let record = record(dir.path());
    assert_eq!(differences(dir.path(), &record), [""; 0]);
    let mut reader = Reader::new(&record[..]).unwrap();
    assert_eq!((reader.header().entries, reader.header().bytes), (10, 41));
    let mut paths = Vec::new();
    while let Some(entry) = reader.advance().unwrap() {
        paths.push(String::from_utf8_lossy(&entry.path).into_owned());
    }
    paths.sort();
    let wanted = [".", "empty", "etc", "etc/deep", "etc/deep/again", "etc/deep/er", "etc/hosts", "etc/link", "fifo"];
    assert_eq!(paths[..9], wanted);
}

#[test]
fn every_difference_is_told_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    tree(dir.path());
    let record = record(dir.path());
    let folders = ["", "etc", "etc/deep"].map(|path| (at(path), fs::metadata(at(path)).unwrap().modified().unwrap()));
    let hosts = fs::metadata(at("etc/hosts")).unwrap().modified().unwrap();
    let back = |path: &Path, time| File::open(path).unwrap().set_modified(time).unwrap();
    let changed = |change: &dyn Fn(), wanted: &[&str]| {
        change();
        folders.iter().for_each(|(path, time)| back(path, *time));
        assert_eq!(differences(dir.path(), &record), wanted);
    };
    // One bit, as a disk would lose it: neither size nor time tell.
    let flip = || {
        fs::write(at("etc/hosts"), "127.0.0.1 localhosu\n").unwrap();
        back(&at("etc/hosts"), hosts);
    };
    let content = ": its content is another one (SHA-256)";
    changed(&flip, &[&format!("etc/deep/again{content}"), &format!("etc/hosts{content}")]);
    fs::write(at("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    changed(&|| back(&at("etc/hosts"), hosts), &[]);

    changed(&|| fs::write(at("new"), "").unwrap(), &["new: it wasn't in the layer"]);
    fs::remove_file(at("new")).unwrap();
    let fifo = |mode| fs::set_permissions(at("fifo"), fs::Permissions::from_mode(mode)).unwrap();
    changed(&|| fifo(0o600), &["fifo: its mode was 0400 and is 0600"]);
    fifo(0o400);
    let later = || back(&at("empty"), UNIX_EPOCH + Duration::from_nanos(1));
    changed(&later, &["empty: the time of its last change is another one"]);
    fs::remove_file(at("empty")).unwrap();
    changed(&|| fs::create_dir(at("empty")).unwrap(), &["empty: it was a file and is a folder"]);
    fs::remove_dir(at("empty")).unwrap();
    fs::remove_dir_all(at("etc/deep")).unwrap();
    fs::create_dir(at("etc/deep")).unwrap();
    fs::remove_dir(at("etc/deep")).unwrap();
    back(&at("etc"), folders[1].1);
    back(dir.path(), folders[0].1);
    assert_eq!(differences(dir.path(), &record), ["empty: it is missing", "etc/deep: it is missing"]);
    fs::write(at("etc/hosts"), "long gone").unwrap();
    back(&at("etc/hosts"), hosts);
    assert_eq!(
        differences(dir.path(), &record)[1..],
        ["etc/deep: it is missing", "etc/hosts: it had 20 bytes and has 9"]
    );
}

#[test]
fn attributes_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let set = |name: &str, value: &[u8]| rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty());
    if set("user.one", b"1").is_err() {
        crate::skips::skip("this file system has no extended attributes of users");
        return;
    }
    let record = record(dir.path());
    assert_eq!(differences(dir.path(), &record), [""; 0]);
    set("user.one", b"2").unwrap();
    set("user.two\n", &[0, 255]).unwrap();
    let words = ["user.one", r"user.two\n"].map(|name| format!("file: its extended attribute {name} is another one"));
    assert_eq!(differences(dir.path(), &record), words);
}

/// Whatever happens to a record, it is said, or it is as it was.
#[test]
fn damaged_records_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    tree(dir.path());
    let whole = record(dir.path());
    let read = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes)?;
        while reader.advance()?.is_some() {}
        Ok::<(), RecordError>(())
    };
    read(&whole).unwrap();
    for at in 0..whole.len() {
        assert!(read(&whole[..at]).unwrap_err().is_damage(), "cut at {at}");
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(read(&damaged).unwrap_err().is_damage(), "a bit at {at}");
    }
    let longer = [&whole[..], b"d\t755\t0\t0\t0.000000000\textra\n"].concat();
    assert!(matches!(read(&longer), Err(RecordError::Sums)));
    // A file without line ends, however long, fills no memory.
    let endless = BufReader::new(std::io::Read::chain(&whole[..read::HEADER], std::io::repeat(b'f')));
    assert!(matches!(Reader::new(endless).unwrap().advance(), Err(RecordError::Line { line: 2, .. })));
}

proptest! {
    #[test]
    fn lines_are_read_as_they_were_written(
        path in proptest::collection::vec(any::<u8>(), 0..30),
        bytes in proptest::collection::vec(any::<u8>(), 0..20),
        numbers in any::<[u32; 4]>(),
        (seconds, size, kind) in (any::<i64>(), any::<u64>(), 0_u8..7),
    ) {
        let [uid, gid, major, minor] = numbers;
        let kind = match kind {
            0 => Kind::File { size, sha256: [minor as u8; 32] },
            1 => Kind::Folder,
            2 => Kind::Link { target: bytes.clone() },
            3 => Kind::Character { major, minor },
            4 => Kind::Block { major, minor },
            5 => Kind::Fifo,
            _ => Kind::Socket,
        };
        let modified = Time { seconds, nanoseconds: uid % 1_000_000_000 };
        let xattrs = vec![(path.clone(), bytes.clone()), (bytes, path.clone())];
        let entry = Entry { path, kind, mode: gid & 0o7777, uid, gid, modified, xattrs };
        let mut line = Vec::new();
        text::put(&entry, &mut line);
        prop_assert_eq!(text::entry(line.strip_suffix(b"\n").unwrap()).unwrap(), entry);
    }

    #[test]
    fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..200), text in "[fdlcbps0-9a-f\t.:=x\\\\]{0,100}") {
        let _ = text::entry(&line);
        let _ = text::entry(text.as_bytes());
    }
}
