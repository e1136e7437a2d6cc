//! Pulls from a source that is made up, in which much is wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::images::digest::Algorithm;
use crate::images::local::tests::tar;
use crate::images::origin::OriginError;

mod below;
mod collect;
mod full;
mod repair;
mod room;

/// An image whose documents and layers are in memory.
#[derive(Default)]
struct Made {
    blobs: BTreeMap<String, Vec<u8>>,
    top: Vec<u8>,
    /// Whether its digest is told.
    tells: bool,
    /// How often all of it was asked for.
    tops: AtomicUsize,
    /// Layers that were asked for.
    asked: AtomicUsize,
    /// What is said instead of a layer.
    fails: Mutex<Option<&'static str>>,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Made {
    /// Of layers that are tar archives.
    fn of(layers: &[Vec<u8>], more: serde_json::Value) -> Self {
        let mut made = Self::default();
        let digests: Vec<Digest> = layers.iter().map(|layer| made.keep(layer)).collect();
        let mut config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": digests}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = config.to_string();
        let of_config = made.keep(config.as_bytes());
        let layer = |(digest, bytes): (&Digest, &Vec<u8>)| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": bytes.len()});
        made.top = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": of_config, "size": config.len()},
            "layers": digests.iter().zip(layers).map(layer).collect::<Vec<_>>(),
        })
        .to_string()
        .into_bytes();
        made
    }

    fn keep(&mut self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.blobs.insert(digest.to_string(), bytes.to_vec());
        digest
    }

    /// The same behind an index, for this platform.
    fn in_an_index(mut self) -> Self {
        let manifest = std::mem::take(&mut self.top);
        let digest = self.keep(&manifest);
        let here = Platform::here();
        let other = json!({"mediaType": MANIFEST, "digest": Digest::of(b"other"), "size": 5, "platform": {"os": "linux", "architecture": "s390x"}});
        let own = json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(), "platform": here});
        self.top = json!({"schemaVersion": 2, "manifests": [other, own]}).to_string().into_bytes();
        self
    }
}

impl Origin for Made {
    fn digest(&self) -> Result<Option<Digest>, OriginError> {
        Ok(self.tells.then(|| Digest::of(&self.top)))
    }

    fn top(&self) -> Result<Fetched, OriginError> {
        self.tops.fetch_add(1, Ordering::SeqCst);
        Ok(Fetched { bytes: self.top.clone(), media_type: None })
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OriginError> {
        Ok(self.blobs.get(&descriptor.digest.to_string()).ok_or("no such document")?.clone())
    }

    fn layer<'a>(&'a self, layer: &Layer) -> Result<Box<dyn Read + Send + 'a>, OriginError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match *self.fails.lock().unwrap() {
            Some(why) => Err(why.into()),
            None => Ok(Box::new(self.blobs.get(&layer.digest.to_string()).ok_or("no such layer")?.as_slice())),
        }
    }
}

fn pull(store: &Store, name: &str, made: &Made) -> Result<Pulled, PullError> {
    let (platform, rules) = (&Platform::here(), &Rules::default());
    store.pull(&Wish { name, platform, rules, stay: Stay::AsBefore }, made, &Progress::default())
}

/// A tar archive of files with these contents, made by the box's tar; `folders`: named themselves too.
fn layer(files: &[(&str, &str)], folders: &[(&str, u32)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    for (name, mode) in folders {
        fs::create_dir_all(root.join(name)).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(*mode)).unwrap();
    }
    for (name, text) in files {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }
    let archive = dir.path().join("layer.tar");
    let names: Vec<&str> =
        folders.iter().chain(&[]).map(|(name, _)| *name).chain(files.iter().map(|(name, _)| *name)).collect();
    tar(&root, &archive, &names);
    fs::read(archive).unwrap()
}

/// Of one layer of that many bytes or a little less.
fn image(text: &str, bytes: usize) -> Made {
    Made::of(&[layer(&[("own", &text.repeat(bytes / text.len()))], &[])], json!({}))
}

fn is_root() -> bool {
    let is = rustix::process::geteuid().is_root();
    if !is {
        crate::skips::skip("only root gives files owners");
    }
    is
}

fn folders(store: &Store) -> usize {
    fs::read_dir(store.dir.join("layers")).map_or(0, Iterator::count)
}

/// What is there isn't asked for again; layers are shared; what a name stood for before goes with a sweep.
#[test]
fn images_are_brought_once() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let (base, own) = (layer(&[("etc/passwd", "me:x:1:1::/:")], &[("etc", 0o755)]), layer(&[("own", "1")], &[]));
    let made = Made::of(&[base.clone(), own], json!({})).in_an_index();
    let pulled = pull(&store, "web", &made).unwrap();
    assert!(pulled.is_new && store.is_whole(&pulled.entry));
    assert_eq!((made.asked.load(Ordering::SeqCst), folders(&store)), (2, 2));
    assert_eq!(pulled.entry.source, Digest::of(&made.top), "the index is what the name stands for");
    let summary = store.catalogue.summary(&pulled.entry.manifest).unwrap();
    assert_eq!((summary.passwd.as_str(), summary.group.as_str()), ("me:x:1:1::/:", ""));
    assert!(!pull(&store, "web", &made).unwrap().is_new);
    assert!(pull(&store, "same", &made).unwrap().is_new, "another name of it");
    assert_eq!(made.asked.load(Ordering::SeqCst), 2);
    // The name moves on.
    let newer = Made::of(&[base, layer(&[("own", "2")], &[])], json!({}));
    assert!(pull(&store, "web", &newer).unwrap().is_new);
    assert_eq!((newer.asked.load(Ordering::SeqCst), folders(&store)), (1, 3));
    store.forget("same").unwrap();
    store.sweep().unwrap();
    assert_eq!(folders(&store), 2);
    let names: Vec<String> = store.catalogue.list().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["web"]);
    assert_eq!(store.prune().unwrap(), ["web"]);
    // Somebody died while it was written.
    let half = dir.path().join("layout/.index.json.tmp");
    std::fs::write(&half, "{").unwrap();
    store.sweep().unwrap();
    assert!(!half.exists());
    assert_eq!(folders(&store), 0);
}

/// A lease keeps an image, named or not, for as long as it lives.
#[test]
fn what_is_leased_stays() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = Made::of(&[layer(&[("own", "1")], &[])], json!({}));
    let entry = pull(&store, "web", &made).unwrap().entry;
    let path = store.catalogue.summary_path(&entry.manifest);
    let lease = crate::images::catalogue::Catalogue::lease(&path).unwrap().unwrap();
    assert_eq!(store.prune().unwrap(), [""; 0]);
    store.forget("web").unwrap();
    store.sweep().unwrap();
    assert_eq!(folders(&store), 1);
    // Not even where it is pulled again under another name, and that is taken away.
    assert!(pull(&store, "other", &made).unwrap().is_new);
    assert_eq!(store.prune().unwrap(), [""; 0]);
    store.forget("other").unwrap();
    store.sweep().unwrap();
    assert_eq!(folders(&store), 1);
    // Nor where what is known of it was damaged, and is written anew.
    std::fs::write(&path, "half").unwrap();
    pull(&store, "web", &made).unwrap();
    assert!(store.catalogue.summary(&entry.manifest).is_ok());
    assert_eq!(store.prune().unwrap(), [""; 0]);
    store.forget("web").unwrap();
    store.sweep().unwrap();
    assert_eq!(folders(&store), 1);
    // Which layers it has nobody knows then: nothing is removed.
    let known = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(store.sweep().is_err());
    assert_eq!(folders(&store), 1);
    std::fs::write(&path, known).unwrap();
    drop(lease);
    store.sweep().unwrap();
    assert_eq!(folders(&store), 0);
    assert!(crate::images::catalogue::Catalogue::lease(&path).unwrap().is_none());
}

/// Folders that a layer doesn't name itself are as the layers below have them; then the layer is kept for this image and those with the same layers below.
#[test]
fn folders_that_are_only_implied() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let upper = layer(&[("tmp/deep/new", "")], &[]);
    let lower = |mode| layer(&[("tmp/deep/old", "")], &[("tmp", mode), ("tmp/deep", 0o750)]);
    let one = Made::of(&[lower(0o1777), upper.clone()], json!({}));
    let other = Made::of(std::slice::from_ref(&upper), json!({}));
    let layers = |made: &Made, name: &str| {
        let entry = pull(&store, name, made).unwrap().entry;
        store.catalogue.summary(&entry.manifest).unwrap().layers
    };
    // First over nothing: whatever comes first, each is as its own layers have it.
    let other = layers(&other, "other");
    let one = layers(&one, "one");
    assert_ne!(one[1], other[0]);
    let mode = |layer: &Digest, path: &str| {
        fs::metadata(store.layers.find(layer).unwrap().unwrap().tree.join(path)).unwrap().mode() & 0o7777
    };
    assert_eq!((mode(&one[1], "tmp"), mode(&one[1], "tmp/deep")), (0o1777, 0o750));
    assert_eq!((mode(&other[0], "tmp"), mode(&other[0], "tmp/deep")), (0o755, 0o755));
    assert!(one.iter().chain(&other).all(|layer| store.layers.verify(layer).unwrap().is_empty()));
}

/// Of what is no good nothing stays, and what was there before is there after.
#[test]
fn what_is_no_good_leaves_nothing() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let good = layer(&[("own", "1")], &[]);
    let refused = |made: &Made| pull(&store, "web", made).unwrap_err().to_string();
    let mut lies = Made::of(std::slice::from_ref(&good), json!({}));
    lies.blobs.insert(Digest::of(&good).to_string(), layer(&[("own", "2")], &[]));
    assert!(refused(&lies).contains("what came has the digest sha256:"));
    let cut = Made::of(&[good[..512].to_vec()], json!({}));
    assert!(refused(&cut).starts_with("layer 1 of 1 (sha256:"), "{}", refused(&cut));
    let other =
        Made::of(std::slice::from_ref(&good), json!({"rootfs": {"type": "layers", "diff_ids": [Digest::of(b"x")]}}));
    assert!(refused(&other).contains("and the image's config says sha256:"));
    let fails = Made::of(std::slice::from_ref(&good), json!({}));
    *fails.fails.lock().unwrap() = Some("the registry is closed");
    assert!(refused(&fails).ends_with("the registry is closed"));
    let foreign = Made::of(std::slice::from_ref(&good), json!({"os": "plan9"}));
    assert!(refused(&foreign).contains("the image is made for plan9"));
    assert_eq!(store.catalogue.list().unwrap(), []);
    assert_eq!(folders(&store), 0, "halves are left");
    // An image that is there stays.
    *fails.fails.lock().unwrap() = None;
    assert!(pull(&store, "web", &fails).unwrap().is_new);
    assert!(refused(&foreign).contains("plan9"));
    assert!(store.is_whole(&store.catalogue.find("web").unwrap().unwrap()));
}

/// What is still what it was isn't asked for again, unless something of it is gone, or another platform's is wanted.
#[test]
fn what_has_not_changed() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = Made { tells: true, ..Made::of(&[layer(&[("a", "1")], &[])], json!({})).in_an_index() };
    let tops = || made.tops.load(Ordering::SeqCst);
    let first = pull(&store, "web", &made).unwrap();
    assert!(first.is_new);
    let again = pull(&store, "web", &made).unwrap();
    assert_eq!((again.is_new, &again.entry, again.size, tops()), (false, &first.entry, first.size, 1));
    // The index's other image isn't there.
    let (platform, rules) = (&"linux/s390x".parse().unwrap(), &Rules::default());
    let other = Wish { name: "web", platform, rules, stay: Stay::AsBefore };
    assert!(store.pull(&other, &made, &Progress::default()).is_err());
    assert_eq!(tops(), 2);
    let summary = store.catalogue.summary(&first.entry.manifest).unwrap();
    fs::remove_file(dir.path().join("layout/blobs/sha256").join(summary.config.hex())).unwrap();
    assert!(pull(&store, "web", &made).unwrap().is_new);
    assert_eq!((tops(), made.asked.load(Ordering::SeqCst)), (3, 1));
    let changed = Made { tells: true, ..Made::of(&[layer(&[("a", "2")], &[])], json!({})) };
    assert!(pull(&store, "web", &changed).unwrap().is_new);
    assert_eq!(changed.tops.load(Ordering::SeqCst), 1);
}

/// Under a name with a digest there is what has it, or nothing.
#[test]
fn a_digest_in_the_name_is_heeded() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = Made::of(&[layer(&[("a", "1")], &[])], json!({})).in_an_index();
    let pull = |digest: &Digest| {
        let name = format!("reg.example/app:1@{digest}");
        pull(&store, &name, &made)
    };
    let other = Digest::of(b"other");
    let said = pull(&other).unwrap_err().to_string();
    assert!(said.contains(&format!("the digest {other}, and what is there has {}", Digest::of(&made.top))), "{said}");
    assert!(store.catalogue.list().unwrap().is_empty());
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        assert!(pull(&Digest::by(algorithm, &made.top)).unwrap().is_new);
    }
    assert!(pull(&Digest::by(Algorithm::Sha512, b"other")).is_err());
}

/// Several pulls of the same at once bring it once.
#[test]
fn who_comes_second_waits() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = Made::of(&[layer(&[("a", "1")], &[]), layer(&[("b", "1")], &[])], json!({}));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| pull(&store, "web", &made).unwrap());
        }
    });
    assert_eq!((made.asked.load(Ordering::SeqCst), folders(&store)), (2, 2));
    assert_eq!(store.catalogue.list().unwrap().len(), 1);
}
