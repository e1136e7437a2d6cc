//! Trees from one folder to another, with the "container's root" as an ordinary folder of the test's.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};

use super::*;

struct World {
    dir: tempfile::TempDir,
    user: File,
    root: File,
    never: File,
}

impl World {
    /// A root with a folder `in`, and beside it a folder `out`.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["root/in", "out"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let (user, root) = (File::open("/proc/self/ns/user").unwrap(), File::open(dir.path().join("root")).unwrap());
        // Never readable: nobody interrupts.
        let never = File::from(rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap());
        Self { dir, user, root, never }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn copy(
        &self,
        direction: Direction,
        from: &Path,
        to: &Path,
        owner: Owner,
    ) -> Result<(Copied, Vec<String>), String> {
        let (user, root) = (self.user.as_fd(), self.root.as_fd());
        let what = Transfer { user, root, direction, from: from.to_owned(), to: to.to_owned(), owner };
        let mut skipped = Vec::new();
        let done = transfer(&what, self.never.as_fd(), &|| false, &mut |one| {
            skipped.push(format!("{}: {}", one.path, one.what));
        });
        skipped.sort();
        done.map(|copied| (copied, skipped)).map_err(|error| error.to_string())
    }

    fn out(&self, from: &str, to: &str) -> Result<(Copied, Vec<String>), String> {
        self.copy(Direction::Out, Path::new(from), &self.path(to), Owner::Maker)
    }

    fn put(&self, from: &str, to: &str) -> Result<(Copied, Vec<String>), String> {
        self.copy(Direction::In, &self.path(from), Path::new(to), Owner::Maker)
    }
}

/// Modes, links, times, holes, names of any bytes; what is no file is left out; both ways.
#[test]
fn a_tree_arrives_as_it_is() {
    let world = World::new();
    let tree = world.path("root/in/tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::write(tree.join("a/b/new\nline"), "text").unwrap();
    fs::set_permissions(tree.join("a/b/new\nline"), PermissionsExt::from_mode(0o4751)).unwrap();
    symlink("/etc/passwd", tree.join("link")).unwrap();
    let holes = File::create(tree.join("holes")).unwrap();
    holes.write_at(b"end", 50_000_000).unwrap();
    holes.set_len(60_000_000).unwrap();
    rustix::fs::mknodat(CWD, tree.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 5);
    File::open(tree.join("a")).unwrap().set_modified(past).unwrap();
    let (copied, skipped) = world.out("in/tree", "out/copy").unwrap();
    assert_eq!((copied.made, copied.unread, skipped), (6, None, vec!["in/tree/fifo: it is a FIFO".to_owned()]));
    world.put("out/copy", "/in/again").unwrap();
    for copy in [world.path("out/copy"), world.path("root/in/again")] {
        assert_eq!(fs::read_to_string(copy.join("a/b/new\nline")).unwrap(), "text");
        // Without its setuid bit.
        assert_eq!(fs::metadata(copy.join("a/b/new\nline")).unwrap().mode() & 0o7777, 0o751);
        assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("/etc/passwd"));
        assert_eq!(fs::metadata(copy.join("a")).unwrap().modified().unwrap(), past);
        let holes = File::open(copy.join("holes")).unwrap();
        let mut end = [0; 4];
        holes.read_exact_at(&mut end, 50_000_000).unwrap();
        let data = holes.metadata().unwrap();
        assert!(&end == b"end\0" && data.len() == 60_000_000 && data.blocks() * 512 < 10_000_000, "{}", data.blocks());
        assert!(!copy.join("fifo").exists());
        let names: Vec<_> = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

/// A file to a new name, into a folder, over a file; a folder to a new name, into a folder; what is in a folder.
#[test]
fn where_copies_go() {
    let world = World::new();
    fs::create_dir_all(world.path("root/in/tree")).unwrap();
    fs::write(world.path("root/in/tree/file"), "new").unwrap();
    let read = |path: &str| fs::read_to_string(world.path(path)).unwrap();
    world.out("in/tree/file", "out/name").unwrap();
    world.out("/in/tree/file", "out").unwrap();
    assert_eq!((read("out/name"), read("out/file")), ("new".to_owned(), "new".to_owned()));
    fs::write(world.path("out/old"), "old and longer").unwrap();
    world.out("in/tree/file", "out/old").unwrap();
    assert_eq!(read("out/old"), "new");
    world.out("in/tree", "out/other").unwrap();
    world.out("in/tree", "out").unwrap();
    world.out("in/tree/.", "out").unwrap();
    assert_eq!((read("out/other/file"), read("out/tree/file")), ("new".to_owned(), "new".to_owned()));
    for (from, to, why) in [
        ("in/tree", "out/name", "it is not a folder"),
        ("in/tree/file", "out/absent/name", "No such file"),
        ("in/tree/file", "out/absent/", "No such file"),
        ("in/tree", "out/absent/name", "No such file"),
        ("in/absent", "out", "in the container: No such file"),
    ] {
        let error = world.out(from, to).unwrap_err();
        assert!(error.contains(why), "{from} {to}: {error}");
    }
    world.put("out/name", "/").unwrap();
    world.put("out/name", "renamed").unwrap();
    assert_eq!((read("root/name"), read("root/renamed")), ("new".to_owned(), "new".to_owned()));
}

/// No link of a container's leads out of it, and none in the target is followed.
#[test]
fn links_lead_nowhere() {
    let world = World::new();
    let secret = world.path("out/secret");
    fs::write(&secret, "the box's").unwrap();
    // An absolute link, and one with more `..` than there are folders, end in the root.
    symlink(world.path("out"), world.path("root/in/box")).unwrap();
    symlink("../../../../../../../..", world.path("root/in/up")).unwrap();
    for from in ["in/box/secret", "../out/secret", "/in/../../out/secret"] {
        assert!(world.out(from, "out/stolen").unwrap_err().contains("No such file"), "{from}");
    }
    fs::write(world.path("file"), "copied").unwrap();
    assert!(world.put("file", "/in/box/secret").is_err());
    world.put("file", "/in/up").unwrap();
    assert_eq!(fs::read_to_string(world.path("root/file")).unwrap(), "copied");
    // One that leads to a file is replaced, not written through.
    symlink(&secret, world.path("root/in/file")).unwrap();
    world.put("file", "/in").unwrap();
    assert!(fs::symlink_metadata(world.path("root/in/file")).unwrap().is_file());
    // Nor one below the target that stands where a folder goes.
    fs::create_dir_all(world.path("root/tree/out")).unwrap();
    fs::write(world.path("root/tree/out/secret"), "the container's").unwrap();
    fs::create_dir(world.path("target")).unwrap();
    symlink("../out", world.path("target/out")).unwrap();
    let error = world.out("/tree/.", "target").unwrap_err();
    assert!(error.ends_with("target/out: it is not a folder"), "{error}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "the box's");
}

/// Devices, FIFOs and /dev/stdout stay what they are, wherever a copy of a file would take their place.
#[test]
fn what_is_no_file_is_not_replaced() {
    let world = World::new();
    fs::create_dir(world.path("out/tree")).unwrap();
    fs::write(world.path("out/tree/pipe"), "text").unwrap();
    for pipe in ["root/in/pipe", "out/pipe"] {
        rustix::fs::mknodat(CWD, world.path(pipe), FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
    let (stdout, to) = (world.path("out/stdout"), File::create(world.path("out/printed")).unwrap());
    symlink(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&to)), &stdout).unwrap();
    fs::write(world.path("root/in/file"), "text").unwrap();
    for (direction, from, to) in [
        (Direction::In, world.path("out/tree/pipe"), "/in/pipe".into()),
        (Direction::In, world.path("out/tree/pipe"), "/in".into()),
        (Direction::In, world.path("out/tree/."), "/in".into()),
        (Direction::Out, "in/file".into(), world.path("out/pipe")),
        (Direction::Out, "in/file".into(), stdout.clone()),
    ] {
        let error = world.copy(direction, &from, &to, Owner::Maker).unwrap_err();
        assert!(error.ends_with("it is neither a file nor a folder"), "{from:?} {to:?}: {error}");
    }
    assert!(fs::symlink_metadata(stdout).unwrap().is_symlink());
    let names: Vec<_> = fs::read_dir(world.path("root/in")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// A folder that holds its own target isn't copied into that for ever.
#[test]
fn a_folder_into_itself() {
    let world = World::new();
    // There before, so that the walk is sure to see it.
    fs::create_dir_all(world.path("root/in/tree/sub")).unwrap();
    let what = Transfer {
        user: world.user.as_fd(),
        root: world.root.as_fd(),
        direction: Direction::In,
        from: world.path("root/in/tree/."),
        to: "/in/tree/sub".into(),
        owner: Owner::Maker,
    };
    let error = transfer(&what, world.never.as_fd(), &|| false, &mut |_| {}).unwrap_err().to_string();
    assert!(error.ends_with("a folder can't be copied into itself"), "{error}");
    assert_eq!(fs::read_dir(world.path("root/in/tree/sub")).unwrap().count(), 0);
}

/// A file that is shorter than it says (of /sys) is as long as what could be read of it, and one that can't be read is told of,
/// and doesn't keep others.
#[test]
fn files_that_are_not_what_they_say() {
    let world = World::new();
    let short = Path::new("/sys/kernel/mm/transparent_hugepage/enabled");
    if short.exists() {
        world.copy(Direction::In, short, Path::new("/in/short"), Owner::Maker).unwrap();
        assert_eq!(fs::read(world.path("root/in/short")).unwrap(), fs::read(short).unwrap());
    }
    // Where nothing is mapped: EIO.
    let copied = world.copy(Direction::In, Path::new("/proc/self/mem"), Path::new("/in/memory"), Owner::Maker);
    let (copied, _) = copied.unwrap();
    let (trouble, count) = copied.unread.unwrap();
    assert!(count == 1 && trouble.what.contains("read what is copied there: "), "{trouble:?}");
    assert!(!world.path("root/in/memory").exists());
}

/// A link is given away as what it is, with its times.
#[test]
fn owners_of_links() {
    let world = World::new();
    // Who may give nothing away gives it to itself.
    let (user, group) = match rustix::process::geteuid().is_root() {
        true => (7, 8),
        false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    fs::create_dir(world.path("out/tree")).unwrap();
    symlink("nowhere", world.path("out/tree/link")).unwrap();
    world.copy(Direction::In, &world.path("out/tree"), Path::new("/in"), Owner::Given(user, group)).unwrap();
    let [of, copy] = ["out/tree/link", "root/in/tree/link"].map(|path| fs::symlink_metadata(world.path(path)).unwrap());
    assert_eq!((copy.uid(), copy.gid(), copy.modified().unwrap()), (user, group, of.modified().unwrap()));
}

/// Who interrupts leaves nothing that is whole in name alone.
#[test]
fn nothing_is_left_half_done() {
    let world = World::new();
    fs::write(world.path("root/in/file"), vec![1; 1_000_000]).unwrap();
    let rounds = std::cell::Cell::new(0);
    let what = Transfer {
        user: world.user.as_fd(),
        root: world.root.as_fd(),
        direction: Direction::Out,
        from: "in/file".into(),
        to: world.path("out/file"),
        owner: Owner::Maker,
    };
    let interrupts = || {
        rounds.set(rounds.get() + 1);
        rounds.get() > 3
    };
    let done = transfer(&what, world.never.as_fd(), &interrupts, &mut |_| {});
    assert!(matches!(done, Err(TransferError::Interrupted)), "{done:?}");
    assert_eq!(fs::read_dir(world.path("out")).unwrap().count(), 0);
}
