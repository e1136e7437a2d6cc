//! Archives by chance.

use proptest::prelude::*;

use super::*;
use crate::images::archive::build::sum;
use crate::images::tests::fuzz;

/// A small archive with something of everything.
fn seed() -> Vec<u8> {
    let xattr: &[(&str, &[u8])] = &[("SCHILY.xattr.user.a", b"b"), ("mtime", b"12.5"), ("path", b"d/long")];
    let sparse: &[(&str, &[u8])] = &[("GNU.sparse.map", b"2,1,5,2"), ("GNU.sparse.size", b"9")];
    let form = &[&b"1\n0\n3\n"[..], &[0; 506], b"abc"].concat();
    Tar::new()
        .folder("d")
        .pax(xattr)
        .file("short", b"content")
        .entry(b'L', "L", "", 0, &[b'n'; 120])
        .symlink("n", "d")
        .hard_link("h", "d/long")
        .pax(sparse)
        .file("sparse", b"abc")
        .pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"8")])
        .file("sparser", form)
        .symlink("l", "../../outside")
        .file("l/f", b"x")
        .file("d/.wh.x", b"")
        .file("d/.wh..wh..opq", b"")
        .entry(b'6', "fifo", "", 0o600, b"")
        .finish()
}

/// Checksums as they have to be, so that what was changed is read.
fn mend(tar: &mut [u8]) {
    let blocks = tar.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar");
    blocks.for_each(sum);
}

proptest! {
    #![proptest_config(fuzz::cases())]

    /// It ends, within its limits, and nothing outside changes (`Fenced` looks).
    #[test]
    fn changed_archives_do_no_harm(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        blocks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
    ) {
        let mut tar = seed();
        for (at, byte) in changes {
            let at = at.index(tar.len());
            tar[at] = byte;
        }
        for (from, to) in blocks {
            let (from, to) = (from.index(tar.len() / 512) * 512, to.index(tar.len() / 512) * 512);
            tar.copy_within(from..from + 512, to);
        }
        mend(&mut tar);
        let limits = Limits { entries: 50, bytes: 1 << 20, paths: 10_000 };
        let at = Fenced::new();
        let unpacked = at.unpack_within(&tar, &limits);
        let most = unpacked.map_or(51, |unpacked| unpacked.entries as usize);
        prop_assert!(at.list().len() <= most);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Any order of entries that replace each other: what is hashed is what is there, and the last one of a name counts.
    #[test]
    fn entries_in_any_order_are_recorded_as_they_are(entries in proptest::collection::vec((0..5_u8, "[ab](/[ab]){0,2}", "[ab](/[ab]){0,2}"), 1..25)) {
        let at = Fenced::new();
        let limits = Limits { bytes: 1 << 20, ..Limits::default() };
        let add = |tar: Tar, (kind, name, target): &(u8, String, String)| match kind {
            0 => tar.folder(name),
            1 => tar.file(name, target.as_bytes()),
            2 => tar.symlink(name, target),
            3 => tar.hard_link(name, target),
            _ => tar.entry(b'6', name, "", 0o600, b""),
        };
        // Those that can't be make no difference: each alone is tried behind the ones that could.
        let mut good = Vec::new();
        for entry in &entries {
            let with = [&good[..], std::slice::from_ref(entry)].concat();
            if Fenced::new().unpack_within(&with.iter().fold(Tar::new(), add).finish(), &limits).is_ok() {
                good = with;
            }
        }
        let unpacked = at.unpack_within(&good.iter().fold(Tar::new(), add).finish(), &limits).unwrap();
        let root = File::open(at.root()).unwrap();
        let mut record = Cursor::new(Vec::new());
        record::write(root.as_fd(), &unpacked.contents, &mut record).unwrap();
        let record = record.into_inner();
        prop_assert_eq!(record::verify(root.as_fd(), &record[..]).unwrap().len(), 0);
        if let Some((kind, name, target)) = good.last().filter(|(kind, ..)| *kind == 1) {
            prop_assert_eq!(&at.read(name), target, "{}", kind);
        }
    }
}
