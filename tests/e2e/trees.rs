//! What a container sees of an image, entry by entry (owner, mode, times, extended attributes, links, content), beside what umoci
//! unpacks of it, and what podman mounts. GNU tar packs the layers, in each of its formats.

mod random;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::entries::{self, Entries};
use crate::harness::image::{Layer, write};
use crate::harness::registry::quiet;
use crate::harness::{Case, podman, umoci};

/// A layer of a folder, packed by tar; `names`: only these entries, without folders that they are in.
fn packed(tree: &Path, format: &str, names: Option<&[&str]>) -> Layer {
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(tree).arg(format!("--format={format}")).args(["--sort=name", "--numeric-owner"]);
    if format == "pax" {
        // umoci doesn't know sparse files of the older format.
        tar.args(["--sparse", "--xattrs", "--xattrs-include=*"]);
    }
    let archive = tree.with_extension("tar");
    tar.arg("-cf").arg(&archive);
    match names {
        Some(names) => tar.arg("--no-recursion").args(names),
        None => tar.arg("."),
    };
    quiet(&mut tar);
    Layer::packed(fs::read(archive).unwrap())
}

/// What a container needs to be there, so that nothing has to be made: what is mounted over isn't compared.
fn places(tree: &Path) {
    for folder in ["proc", "sys", "dev", "t", "etc", "bin", "tmp"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    for file in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
        fs::write(tree.join(file), "").unwrap();
    }
    let path = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    fs::copy(path, tree.join("bin/busybox")).unwrap();
}

/// What the container of a pod sees of its image, and what is mounted over it.
fn seen(case: &Case, image: &str) -> (Entries, BTreeSet<PathBuf>) {
    let container = json!({
        "name": "main", "image": image, "command": ["/bin/busybox", "sh", "-c", "trap exit TERM; read x"], "stdin": true,
        "volumeMounts": [{"name": "t", "mountPath": "/t"}]
    });
    let mut run = case.start(&case.pod().container(container));
    run.wait_for_line("main started");
    let supervisor = run.pid().as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children")).unwrap();
    let is_main =
        |pid: &&str| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().starts_with(b"/bin/busybox\0sh\0");
    let pid = children.split_ascii_whitespace().find(is_main).unwrap();
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    let places = mounts.lines().map(|line| line.split(' ').nth(4).unwrap().trim_start_matches('/'));
    let hidden: BTreeSet<PathBuf> = places.filter(|place| !place.is_empty()).map(PathBuf::from).collect();
    let found = entries::entries(&Path::new("/proc").join(pid).join("root/."), &hidden);
    run.signal(Signal::TERM);
    run.end();
    (found, hidden)
}

/// The container's tree beside umoci's; and what else is compared with it: that tree, and what is mounted over it. `new`: folders that no
/// layer names, whose time is that of the unpacking; as is the root's, which is the container's own upper layer.
fn compare(case: &Case, layout: &Path, image: &str, new: &[&str]) -> (Entries, BTreeSet<PathBuf>) {
    let tree = umoci::unpacked(layout, image, &case.dir().join(format!("{image}-bundle")));
    let (ours, hidden) = seen(case, &format!("oci:{}:{image}", layout.display()));
    let undated = |mut entries: Entries| {
        for path in new.iter().chain(&[""]) {
            entries.get_mut(Path::new(path)).unwrap_or_else(|| panic!("{path}")).time = (0, 0);
        }
        entries
    };
    let theirs = undated(entries::entries(&tree, &hidden));
    entries::assert_equal(image, ("barepod", &undated(ours.clone())), ("umoci", &theirs));
    (ours, hidden)
}

/// The same beside what podman mounts. `implied`: folders that a layer has only for what is in them; podman forgets what the layers below
/// say of these. Its root has always the mode 0555.
fn compare_with_podman(layout: &Path, image: &str, (ours, hidden): (Entries, BTreeSet<PathBuf>), implied: &[&str]) {
    let Some(mounted) = podman::mounted(layout, image) else { return };
    let comparable = |mut entries: Entries| {
        entries.retain(|path, _| path != Path::new("") && !implied.iter().any(|one| path == Path::new(one)));
        entries
    };
    let theirs = comparable(entries::entries(&mounted.path().join("."), &hidden));
    entries::assert_equal(image, ("barepod", &comparable(ours)), ("podman", &theirs));
}

fn attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn time(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A file with holes at its beginning, middle and end.
fn sparse(path: &Path) {
    let file = File::create(path).unwrap();
    for place in [1 << 20, (3 << 20) + 77] {
        file.write_all_at(b"in the middle of nothing", place).unwrap();
    }
    file.set_len(5 << 20).unwrap();
}

/// The lowest layer: a bit of everything.
fn lowest(tree: &Path) {
    places(tree);
    for folder in ["lib/sub", "opaque/sub", "folder/deep", "links", "owned", "names", "kept"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    for file in [
        "lib/keep",
        "lib/gone",
        "lib/sub/x",
        "opaque/a",
        "opaque/sub/b",
        "replaced",
        "folder/deep/f",
        "kept/k",
        "empty",
    ] {
        fs::write(tree.join(file), file).unwrap();
    }
    fs::write(tree.join("empty"), "").unwrap();
    fs::write(tree.join("links/one"), "shared").unwrap();
    for name in ["two", "three"] {
        fs::hard_link(tree.join("links/one"), tree.join("links").join(name)).unwrap();
    }
    for (name, target) in
        [("absolute", "/lib/keep"), ("dangling", "../../../nowhere"), ("circle", "circle"), ("out", "/proc/1/root")]
    {
        symlink(target, tree.join("links").join(name)).unwrap();
    }
    lchown(tree.join("links/dangling"), Some(7), Some(8)).unwrap();
    for (name, bits, owner) in
        [("setuid", 0o4755, 5), ("setgid", 0o2755, 2_097_152), ("none", 0, 4_000_000_000), ("all", 0o7777, 65534)]
    {
        let path = tree.join("owned").join(name);
        fs::write(&path, name).unwrap();
        lchown(&path, Some(owner), Some(owner / 2)).unwrap();
        mode(&path, bits);
    }
    mode(&tree.join("owned"), 0o3775);
    mode(&tree.join("tmp"), 0o1777);
    let long = "n".repeat(255);
    let deep = tree.join("names").join(&long).join(&long[..100]).join(&long[..200]);
    fs::create_dir_all(deep.parent().unwrap()).unwrap();
    fs::write(&deep, "deep").unwrap();
    symlink("l".repeat(1000), tree.join("names/long-target")).unwrap();
    fs::hard_link(&deep, tree.join("names").join(&long[..180])).unwrap();
    for name in [&b"not \xff utf-8"[..], b"new\nline", b" spaces ", b"-dash", b"\xc3\xa4"] {
        fs::write(tree.join("names").join(OsStr::from_bytes(name)), name).unwrap();
    }
    attribute(&tree.join("lib/keep"), "user.note", b"a\0b");
    attribute(&tree.join("kept"), "user.note", b"of a folder");
    attribute(&tree.join("kept/k"), "trusted.note", b"root's");
    // File capabilities, version 2: CAP_NET_BIND_SERVICE, effective (capabilities(7)).
    let capability = [&[1, 0, 0, 2], &(1_u32 << 10).to_le_bytes()[..], &[0; 12]].concat();
    attribute(&tree.join("bin/busybox"), "security.capability", &capability);
    sparse(&tree.join("sparse"));
    let node = |name: &str, kind, major| {
        rustix::fs::mknodat(CWD, tree.join(name), kind, Mode::from(0o640), rustix::fs::makedev(major, 3)).unwrap();
    };
    node("null", FileType::CharacterDevice, 1);
    node("loop", FileType::BlockDevice, 7);
    node("fifo", FileType::Fifo, 0);
    for (path, seconds, nanoseconds) in
        [("lib/keep", 1_234_567_890, 123_456_789), ("empty", 0, 0), ("kept", 5_000_000_000, 5), ("links/circle", 77, 0)]
    {
        time(&tree.join(path), seconds, nanoseconds);
    }
}

/// A layer that hides, replaces and adds.
fn middle(tree: &Path) {
    for folder in ["lib", "opaque", "replaced", "links"] {
        fs::create_dir_all(tree.join(folder)).unwrap();
    }
    for file in ["lib/.wh.gone", "opaque/.wh..wh..opq", ".wh.nothing-that-there-is", "links/.wh.two"] {
        fs::write(tree.join(file), "").unwrap();
    }
    for file in ["opaque/new", "replaced/by-a-folder", "links/three"] {
        fs::write(tree.join(file), file).unwrap();
    }
    symlink("lib", tree.join("folder")).unwrap();
    mode(&tree.join("lib"), 0o711);
    lchown(tree.join("opaque"), Some(11), Some(12)).unwrap();
    time(&tree.join("lib"), 1_000_000_000, 0);
}

/// A layer that names no folder.
fn highest(tree: &Path) {
    fs::create_dir_all(tree.join("lib/sub")).unwrap();
    fs::create_dir_all(tree.join("kept")).unwrap();
    fs::create_dir_all(tree.join("fresh/implied")).unwrap();
    for file in ["lib/sub/y", "kept/more", "fresh/implied/z", "kept/.wh.k"] {
        fs::write(tree.join(file), file).unwrap();
    }
}

#[test]
fn all_that_layers_can_say() {
    let Some(case) = Case::new("trees").filter(|_| umoci::is_here()) else { return };
    let [one, two, three] = ["one", "two", "three"].map(|name| case.dir().join("layers").join(name));
    lowest(&one);
    middle(&two);
    highest(&three);
    let names = ["lib/sub/y", "kept/more", "fresh/implied/z", "kept/.wh.k"];
    let layers = vec![packed(&one, "pax", None), packed(&two, "gnu", None), packed(&three, "gnu", Some(&names))];
    let layout = case.dir().join("layout");
    write(&layout, "all", &json!({}), layers);
    let new = ["fresh", "fresh/implied"];
    let ours = compare(&case, &layout, "all", &new);
    compare_with_podman(&layout, "all", ours, &[&new[..], &["kept", "lib", "lib/sub"]].concat());
    case.nothing_left();
}
