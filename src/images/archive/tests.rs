#![allow(clippy::unwrap_used)]

use super::build::{MODIFIED, Tar, sum};
use super::*;

fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
    let mut archive = Archive::new(bytes, 1 << 30);
    let mut all = Vec::new();
    while let Some(entry) = archive.advance()? {
        let mut content = Vec::new();
        while let Some(piece) = archive.content()? {
            content.extend(piece);
        }
        all.push((entry, content));
    }
    archive.finish().map(|_| all)
}

fn error(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn plain_entries_are_read() {
    let tar =
        Tar::new().folder("a/").file("a/b", b"content").file("empty", b"").symlink("s", "/x").hard_link("h", "a/b");
    let found = read(&tar.clone().finish()).unwrap();
    let short: Vec<_> = found.iter().map(|(entry, content)| (entry.kind, &entry.name[..], &content[..])).collect();
    let wanted: [(Kind, &[u8], &[u8]); 5] = [
        (Kind::Folder, b"a/", b""),
        (Kind::File, b"a/b", b"content"),
        (Kind::File, b"empty", b""),
        (Kind::Symlink, b"s", b""),
        (Kind::HardLink, b"h", b""),
    ];
    assert_eq!(short, wanted);
    let file = &found[1].0;
    assert_eq!((file.size, file.mode, file.modified.seconds), (7, 0o644, MODIFIED as i64));
    assert_eq!((&found[3].0.link[..], &found[4].0.link[..]), (&b"/x"[..], &b"a/b"[..]));
    // The end need not be there, and what follows it isn't read as entries.
    assert_eq!(read(&tar.clone().cut()).unwrap().len(), 5);
    assert_eq!(read(&[&tar.finish()[..], &[b'x'; 700]].concat()).unwrap().len(), 5);
    assert_eq!(read(b"").unwrap().len(), 0);
    // Nor what fills the last block up; but all of the content must be there.
    let last = Tar::new().file("a", b"1").file("b", &[b'x'; 700]).cut();
    let end = last.len() - (1024 - 700);
    for length in [end, end + 1, last.len() - 1] {
        assert_eq!(read(&last[..length]).unwrap()[1].1.len(), 700, "{length}");
    }
    assert!(error(&last[..end - 1]).contains("ends in the middle"));
    // Some give hard links the size of the file, whose content doesn't follow.
    let header = Tar::new().header(b'1', b"h", "a", 0o644, 5000);
    assert_eq!(read(&Tar::new().raw(&header).file("next", b"").finish()).unwrap().len(), 2);
}

#[test]
fn long_names_are_read_in_every_form() {
    let long = "long/".repeat(60);
    let wanted = format!("{long}name");
    let gnu = Tar::new()
        .entry(b'L', "././@LongLink", "", 0, format!("{wanted}\0").as_bytes())
        .entry(b'K', "././@LongLink", "", 0, format!("{long}\0").as_bytes())
        .symlink("short", "short");
    let pax = Tar::new().pax(&[("path", wanted.as_bytes()), ("linkpath", long.as_bytes())]).symlink("short", "short");
    for tar in [gnu, pax] {
        let found = read(&tar.clone().file("after", b"").finish()).unwrap();
        assert_eq!((&found[0].0.name[..], &found[0].0.link[..]), (wanted.as_bytes(), long.as_bytes()));
        assert_eq!(found[1].0.name, b"after", "it is for one entry alone");
        // Nothing follows.
        let lonely = tar.cut();
        assert!(error(&lonely[..lonely.len() - 512]).contains("ends in the middle"));
    }
    let mut prefixed = Tar::new().header(b'0', b"name", "", 0o644, 0);
    prefixed[345..350].copy_from_slice(b"a/dir");
    sum(&mut prefixed);
    assert_eq!(read(&prefixed).unwrap()[0].0.name, b"a/dir/name");
}

#[test]
fn extended_headers_go_over_plain_ones() {
    let records: &[(&str, &[u8])] = &[
        ("mtime", b"-1.25"),
        ("uid", b"3000000"),
        ("size", b"3"),
        ("SCHILY.xattr.user.a", b"line\nend\0"),
        ("SCHILY.xattr.user.b", b"old"),
        ("SCHILY.xattr.user.b", b"new"),
        ("comment", b""),
    ];
    let header = Tar::new().header(b'0', b"f", "", 0o4755, 0);
    let tar = Tar::new().entry(b'g', "g", "", 0, b"17 comment=abcd\n").pax(records).raw(&header).raw(b"abc").pad();
    let (entry, content) = read(&tar.finish()).unwrap().remove(0);
    assert_eq!((entry.modified.seconds, entry.modified.nanoseconds), (-2, 750_000_000));
    assert_eq!((entry.uid, entry.size, entry.mode, &content[..]), (3_000_000, 3, 0o4755, &b"abc"[..]));
    let xattrs = [(b"user.a".to_vec(), b"line\nend\0".to_vec()), (b"user.b".to_vec(), b"new".to_vec())];
    assert_eq!(entry.xattrs, xattrs);
}

#[test]
fn binary_numbers_are_read() {
    for (field, wanted) in [
        (&[0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0][..], Some(1 << 32)),
        (&[0xff; 12], Some(-1)),
        (&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
        (b" 644 \0", Some(0o644)),
        (b"\0\0\0", Some(0)),
        (b"", None),
        (b"8", None),
        (b"-1", None),
        (b"7777777777777777777777777", None),
    ] {
        assert_eq!(number::number(field), wanted, "{field:?}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let with = |at: usize, bytes: &[u8]| {
        let mut header = Tar::new().header(b'0', b"f", "", 0o644, 0);
        header[at..at + bytes.len()].copy_from_slice(bytes);
        sum(&mut header);
        header.to_vec()
    };
    let mut wrong_sum = Tar::new().header(b'0', b"f", "", 0o644, 0);
    wrong_sum[3] ^= 1;
    let large = |kind, size| Tar::new().raw(&Tar::new().header(kind, b"x", "", 0, size)).raw(&[b'a'; 4096]).cut();
    let pax = |records: &[(&str, &[u8])]| Tar::new().pax(records).file("f", b"").finish();
    let raw_pax = |bytes: &[u8]| Tar::new().entry(b'x', "x", "", 0, bytes).file("f", b"").finish();
    for (bytes, words) in [
        (wrong_sum.to_vec(), "the header at byte 0 has a wrong checksum"),
        (vec![b'a'; 512], "has no checksum"),
        (with(124, b"99999999999"), "has no size"),
        (with(124, &[0xff; 12]), "has no size"),
        (with(108, &[0x80, 0, 0, 1, 0, 0, 0, 0]), "beyond 32 bits"),
        (with(108, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), "beyond 32 bits"),
        (with(116, b"x"), "isn't a number"),
        (with(156, b"M"), "the type 'M', which isn't supported"),
        (pax(&[("uid", b"4294967295")]), "beyond 32 bits"),
        (pax(&[("path", b"a\0b")]), "zero byte"),
        (pax(&[("mtime", b"1.x")]), "isn't a number"),
        (pax(&[("size", b"-1")]), "isn't a number"),
        (raw_pax(b"99 path=a\n"), "records that are damaged"),
        (raw_pax(b"3 a"), "records that are damaged"),
        (raw_pax(b"0 \n"), "records that are damaged"),
        (raw_pax(b"18446744073709551616 a=b\n"), "records that are damaged"),
        (large(b'L', 1 << 30), "far too long"),
        (large(b'x', 1 << 40), "far too long"),
        (large(b'0', 1 << 40), "ends in the middle, after 4608 bytes"),
        (Tar::new().file("a", b"").raw(&[0; 512]).file("b", b"").finish(), "is empty, and is not the last one"),
    ] {
        let found = error(&bytes);
        assert!(found.contains(words), "{words}: {found}");
    }
    let mut endless = Archive::new(std::io::repeat(0), 1 << 20);
    assert!(endless.advance().unwrap().is_none());
    assert!(matches!(endless.finish(), Err(ArchiveError::Large { limit: 1_048_576 })));
    let mut longer = Archive::new(std::io::repeat(0), u64::MAX);
    assert!(longer.advance().unwrap().is_none());
    assert!(matches!(longer.finish(), Err(ArchiveError::Rest { .. })));
}

/// A cut between two entries can't be seen in a tar without an end; each other one is.
#[test]
fn every_cut_inside_an_entry_is_found() {
    let tar = Tar::new().pax(&[("path", b"long")]).file("a", &[1; 700]).file("b", b"x");
    let whole = tar.cut();
    // After the content of either file.
    let between = [0..=0, 512 * 3 + 700..=512 * 5, 512 * 6 + 1..=whole.len()];
    for cut in 0..whole.len() {
        let is_between = between.iter().any(|range| range.contains(&cut));
        assert_eq!(read(&whole[..cut]).is_ok(), is_between, "{cut}");
    }
}

#[test]
fn tables_of_sparse_files_are_checked() {
    let wrong =
        |pieces: &[(u64, u64)], stored, size| assert!(sparse::check(pieces, stored, size).is_err(), "{pieces:?}");
    sparse::check(&[(0, 1), (5, 2), (7, 0), (9, 0)], 3, 9).unwrap();
    wrong(&[(0, 2), (1, 1)], 3, 9);
    wrong(&[(5, 5)], 5, 9);
    wrong(&[(u64::MAX, 2)], 2, u64::MAX);
    wrong(&[(0, 2)], 1, 9);
    let pax = |records: &[(&str, &[u8])], content: &[u8]| Tar::new().pax(records).file("f", content).finish();
    for (bytes, words) in [
        (pax(&[("GNU.sparse.map", b"0,1,2"), ("GNU.sparse.size", b"9")], b"a"), "damaged"),
        (pax(&[("GNU.sparse.map", b"0,1")], b"a"), "damaged"),
        (pax(&[("GNU.sparse.numbytes", b"1")], b"a"), "damaged"),
        (pax(&[("GNU.sparse.major", b"2"), ("GNU.sparse.size", b"9")], b"a"), "unknown form"),
        (
            pax(
                &[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9")],
                &[b"999999999\n"[..].to_vec(), vec![0; 502]].concat(),
            ),
            "too many pieces",
        ),
        (pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9")], b"1\n0\n9\n"), "damaged"),
    ] {
        let found = error(&bytes);
        assert!(found.contains(words), "{words}: {found}");
    }
}
