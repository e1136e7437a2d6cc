#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::images::archive::build::Tar;
use crate::images::unpack::{Limits, Notes};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn small() -> Vec<u8> {
    Tar::new().folder("./").folder("etc").file("etc/hosts", b"127.0.0.1 localhost\n").symlink("link", "etc").finish()
}

fn fill(layers: &Layers, reader: impl Read + Send) -> Result<Filled, LayersError> {
    layers.stage()?.fill(reader, &Limits::default(), Notes::User)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_layer_is_made_found_verified_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(&dir.path().join("a/layers"));
    let tar = small();
    let key = Digest::of(&tar);
    assert!(layers.find(&key).unwrap().is_none() && layers.survey().unwrap().whole.is_empty());
    assert!(!layers.remove(&key).unwrap() && layers.sweep(&|_| false).unwrap().removed == 0);
    for compressed in [gzip(&tar), tar.clone(), zstd::encode_all(&tar[..], 1).unwrap()] {
        let filled = fill(&layers, &compressed[..]).unwrap();
        assert_eq!(filled.diff_id, key);
        assert_eq!((&filled.compressed, filled.compressed_size), (&Digest::of(&compressed), compressed.len() as u64));
        assert!(layers.find(&key).unwrap().is_none(), "it isn't one yet");
        let layer = filled.commit(&key).unwrap();
        assert_eq!(layers.find(&key).unwrap(), Some(layer.clone()));
        assert_eq!(layers.survey().unwrap().whole, std::slice::from_ref(&layer.key));
        assert_eq!((layer.header.entries, layer.header.bytes), (4, 20));
        assert_eq!(fs::read(layer.tree.join("etc/hosts")).unwrap(), b"127.0.0.1 localhost\n");
        assert!(layers.verify(&key).unwrap().is_empty());
        assert!(layers.remove(&key).unwrap() && !layers.remove(&key).unwrap());
        assert!(names(&layers.dir).is_empty());
    }
}

#[test]
fn damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let key = Digest::of(b"key");
    let told = || layers.verify(&key).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told().ends_with("record: it is missing"), "{}", told());
    let layer = fill(&layers, &small()[..]).unwrap().commit(&key).unwrap();
    let hosts = layer.tree.join("etc/hosts");
    let modified = fs::metadata(&hosts).unwrap().modified().unwrap();
    fs::write(&hosts, "127.0.0.1 localhosu\n").unwrap();
    File::open(&hosts).unwrap().set_modified(modified).unwrap();
    assert_eq!(told(), "etc/hosts: its content is another one (SHA-256)");
    // A power cut on a file system that keeps sizes and loses content.
    let record = layer.tree.with_file_name("record");
    let length = fs::metadata(&record).unwrap().len();
    fs::write(&record, vec![0; length as usize]).unwrap();
    assert!(told().contains("has no header"), "{}", told());
    assert!(layers.find(&key).unwrap().is_none() && layers.survey().unwrap().whole.is_empty());
    // What isn't a layer doesn't keep one from having its name.
    fill(&layers, &small()[..]).unwrap().commit(&key).unwrap();
    assert!(told().is_empty(), "{}", told());
    fs::remove_dir_all(&layer.tree).unwrap();
    assert!(told().ends_with("tree: it is missing") && layers.find(&key).unwrap().is_none());
    assert_eq!(layers.sweep(&|_| false).unwrap().removed, 2, "and what was in its place");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn what_fails_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the registry has gone"))
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let (tar, gz) = (small(), gzip(&small()));
    let large = Tar::new().file("f", &vec![7; 6 << 20]).finish();
    // The unpacking ends before the reader does, which mustn't hang.
    let escape = Tar::new().hard_link("h", "/etc/passwd").raw(&large).cut();
    let cases: [(Box<dyn Read + Send>, &str); 5] = [
        (Box::new(gz[..gz.len() / 2].chain(Broken)), "the registry has gone"),
        (Box::new(Broken), "the registry has gone"),
        (Box::new(&gz[..gz.len() - 9]), "the gzip stream ends in the middle"),
        (Box::new(&tar[..700]), "the tar archive ends in the middle"),
        (Box::new(&escape[..]), "h: it is a hard link"),
    ];
    for (reader, words) in cases {
        let error = fill(&layers, reader).unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert_eq!(error.stream().is_some(), words.contains("registry") || words.contains("gzip"), "{error}");
        assert!(names(dir.path()).is_empty(), "{words}");
    }
    drop(layers.stage().unwrap());
    drop(fill(&layers, &large[..]).unwrap());
    assert!(names(dir.path()).is_empty());
}

#[test]
fn the_first_of_two_counts_and_the_other_goes() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let key = Digest::of(b"key");
    let [one, two] = [(); 2].map(|()| fill(&layers, &small()[..]).unwrap());
    // Both live, and a sweep knows it.
    assert_eq!(layers.sweep(&|_| false).unwrap().removed, 0);
    let first = one.commit(&key).unwrap();
    let inode = |layer: &Layer| std::os::unix::fs::MetadataExt::ino(&fs::metadata(&layer.tree).unwrap());
    let second = two.commit(&key).unwrap();
    assert_eq!((inode(&first), names(dir.path())), (inode(&second), vec![key.hex().to_owned()]));
}

/// What is replaced stays for those who use it, whoever sweeps, until nobody does.
#[test]
fn what_is_replaced_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let key = Digest::of(b"key");
    let first = fill(&layers, &small()[..]).unwrap().replace(&key).unwrap();
    assert_eq!(names(dir.path()), [key.hex()], "nothing was there");
    let asks = || (layers.has_aside().unwrap(), layers.survey().unwrap().asks());
    assert_eq!(asks(), (false, false), "nobody is asked about nothing");
    let user = File::open(first.tree.join("etc")).unwrap();
    fs::write(first.tree.join("etc/hosts"), "damaged").unwrap();
    fill(&layers, &small()[..]).unwrap().replace(&key).unwrap();
    assert!(layers.verify(&key).unwrap().is_empty());
    let names_there = || names(dir.path());
    assert!(names_there().len() == 2 && names_there()[0].starts_with(&format!(".aside-{}-", key.hex())));
    layers.sweep_halves().unwrap();
    layers.sweep(&|used| *used == key).unwrap();
    assert_eq!(asks(), (true, true));
    let old = format!("/proc/self/fd/{}/hosts", std::os::fd::AsRawFd::as_raw_fd(&user));
    assert_eq!(fs::read_to_string(old).unwrap(), "damaged");
    assert_eq!(layers.sweep(&|_| false).unwrap().removed, 1);
    assert_eq!((names_there(), asks()), (vec![key.hex().to_owned()], (false, false)));
    // What has lost its files is none, and what isn't a layer may be in use as well.
    fs::remove_dir_all(first.tree.join("etc")).unwrap();
    fs::remove_file(first.tree.join("link")).unwrap();
    assert!(layers.find(&key).unwrap().is_none());
    assert_eq!(asks(), (false, true));
    fill(&layers, &small()[..]).unwrap().commit(&key).unwrap();
    assert_eq!(names_there().len(), 2);
}

/// Folders may still be changed before a layer is recorded.
#[test]
fn what_is_changed_before_the_commit_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let filled = fill(&layers, &Tar::new().file("implied/f", b"").finish()[..]).unwrap();
    assert_eq!(filled.unpacked.implied, [&b"."[..], b"implied"]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(filled.tree().join("implied"), mode).unwrap();
    let key = Digest::of(b"key");
    filled.commit(&key).unwrap();
    assert!(layers.verify(&key).unwrap().is_empty());
}

/// Says to the child which folder it works in.
const CHILD: &str = "BAREPOD_TEST_LAYERS";

/// Not a test of its own: the process that the one below kills.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let layers = Layers::at(Path::new(&dir));
    let files = (0..200).fold(Tar::new(), |tar, at| tar.file(&format!("{at}/f"), &[at as u8; 3000]));
    let key = Digest::of(b"key");
    let staged = layers.stage().unwrap();
    println!("\nat: staged");
    let filled = staged.fill(&files.finish()[..], &Limits::default(), Notes::User).unwrap();
    println!("\nat: filled");
    let layer = filled.commit(&key).unwrap();
    println!("\nat: committed");
    layers.remove(&layer.key).unwrap();
    println!("\nat: removed");
    // Until it is killed.
    let _ = io::stdin().read(&mut [0]);
}

#[test]
fn who_is_killed_leaves_a_whole_layer_or_none() {
    let key = Digest::of(b"key");
    for at in ["staged", "filled", "committed", "removed"] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "images::layers::tests::child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wanted = format!("at: {at}");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map(Result::unwrap).any(|line| line == wanted), "{at}");
        // Wherever it is by now.
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let layers = Layers::at(dir.path());
        let found = layers.find(&key).unwrap();
        assert!(found.is_none() || layers.verify(&key).unwrap().is_empty(), "{at}");
        let swept = layers.sweep(&|_| false).unwrap();
        assert!(swept.left.is_empty(), "{at}: {swept:?}");
        assert_eq!(names(dir.path()).len(), usize::from(found.is_some()), "{at}");
    }
}

/// In the middle of an exchange the new layer has the name of what is set aside: it isn't swept as that.
#[test]
fn what_is_exchanged_is_not_swept() {
    let dir = tempfile::tempdir().unwrap();
    let layers = Layers::at(dir.path());
    let (key, tar) = (Digest::of(b"key"), small());
    let old = fill(&layers, &tar[..]).unwrap().commit(&key).unwrap();
    let mut staged = layers.stage().unwrap();
    let aside = dir.path().join(stage::aside(&key));
    fs::rename(&staged.path, &aside).unwrap();
    staged.path.clone_from(&aside);
    let sweep = || {
        let mut swept = Swept::default();
        layers.sweep_aside(&|_| false, &mut swept).unwrap();
        assert!(swept.left.is_empty(), "{:?}", swept.left);
        swept.removed
    };
    assert_eq!((sweep(), aside.exists()), (0, true));
    // What is left of one whose process has died is.
    staged.is_committed = true;
    drop(staged);
    assert_eq!((sweep(), aside.exists()), (1, false));
    fill(&layers, &tar[..]).unwrap().replace(&key).unwrap();
    assert_eq!((sweep(), names(dir.path())), (1, vec![key.hex().to_owned()]));
    assert_eq!(layers.find(&key).unwrap(), Some(old));
}
