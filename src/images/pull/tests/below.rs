//! Stores that lie below another, and are never changed.

use std::path::{Path, PathBuf};

use super::*;
use crate::images::catalogue::Catalogue;
use crate::images::store::Place;

/// All that is in a folder, with its time of last change and its size.
fn all(dir: &Path) -> Vec<(PathBuf, i64, i64, u64)> {
    let entries = walkdir::WalkDir::new(dir).sort_by_file_name().into_iter().map(|entry| entry.unwrap());
    let look = |entry: walkdir::DirEntry| {
        let found = fs::symlink_metadata(entry.path()).unwrap();
        (entry.into_path(), found.mtime(), found.mtime_nsec(), found.len())
    };
    entries.map(look).collect()
}

/// What is there below is used without a copy, shared with what is brought, mended above, and never changed.
#[test]
fn what_lies_below_is_used_where_it_is() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let [own, shipped] = ["own", "shipped"].map(|name| dir.path().join(name));
    let (base, upper) = (layer(&[("etc/passwd", "me:x:1:1::/:")], &[("etc", 0o755)]), layer(&[("own", "1")], &[]));
    let web = Made::of(&[base.clone(), upper], json!({})).in_an_index();
    assert!(pull(&Store::at(&shipped), "web", &web).unwrap().is_new);
    let asked = |made: &Made| made.asked.swap(0, Ordering::SeqCst);
    asked(&web);
    let before = all(&shipped);
    let store = Store::of(&Place { dir: own, read_only: vec![shipped.clone()], marks: None });
    let names = || -> Vec<String> { store.catalogue.list().unwrap().into_iter().map(|entry| entry.name).collect() };

    let pulled = pull(&store, "web", &web).unwrap();
    assert_eq!(
        (pulled.is_new, pulled.entry.read_only.as_deref(), folders(&store)),
        (false, Some(shipped.as_path()), 0)
    );
    assert!(store.is_whole(&pulled.entry) && store.damaged_documents(&pulled.entry).unwrap().is_empty());
    // Layers of an image that comes later are there already; and so is all of the same image by another name.
    let other = Made::of(&[base, layer(&[("own", "2")], &[])], json!({}));
    let entry = pull(&store, "other", &other).unwrap().entry;
    assert_eq!((asked(&other), folders(&store), entry.read_only), (1, 1, None));
    let same = pull(&store, "same", &web).unwrap().entry;
    assert_eq!((asked(&web), folders(&store)), (0, 1));
    let lease = Catalogue::lease(&store.catalogue.summary_path(&same.manifest)).unwrap().unwrap();
    assert_eq!(
        (store.prune().unwrap(), names()),
        (vec!["other".to_owned()], vec!["same".to_owned(), "web".to_owned()])
    );
    drop(lease);
    assert_eq!(store.prune().unwrap(), ["same"]);
    assert!(store.prune_unused(std::time::Duration::ZERO).unwrap().is_empty());
    store.forget("web").unwrap();
    assert!(store.sweep().unwrap());
    assert_eq!((names(), folders(&store)), (vec!["web".to_owned()], 0));
    assert_eq!(all(&shipped), before, "it was changed");

    // What the name stands for by now comes into the own store, and counts until it goes.
    let newer = Made::of(&[layer(&[("own", "3")], &[])], json!({}));
    assert_eq!(pull(&store, "web", &newer).unwrap().entry.read_only, None);
    assert_eq!(store.catalogue.find("web").unwrap().unwrap().manifest, Digest::of(&newer.top));
    assert_eq!(store.prune().unwrap(), ["web"]);
    let entry = store.catalogue.find("web").unwrap().unwrap();
    assert_eq!(entry.read_only.as_deref(), Some(shipped.as_path()));
    store.sweep().unwrap();

    // What is damaged below is mended above.
    let store = Store::of(&Place { dir: dir.path().join("mended"), read_only: vec![shipped.clone()], marks: None });
    let summary = store.catalogue.summary(&entry.manifest).unwrap();
    let file = store.layers.find(&summary.layers[1]).unwrap().unwrap().tree.join("own");
    fs::write(&file, "2").unwrap();
    let config = shipped.join("layout/blobs/sha256").join(summary.config.hex());
    fs::write(&config, "{").unwrap();
    let open = |_: Option<&Digest>| -> Result<Box<dyn Origin>, OriginError> {
        Ok(Box::new(Made { blobs: web.blobs.clone(), top: web.top.clone(), ..Made::default() }))
    };
    let damaged = all(&shipped);
    let repaired = store.repair(&entry, &open).unwrap();
    assert_eq!((repaired.layers, repaired.of_layers, repaired.documents), (1, 2, 1));
    assert!(store.sweep().unwrap());
    assert_eq!(folders(&store), 1);
    assert!(store.repair(&entry, &open).unwrap().is_nothing());
    assert!(store.damaged_documents(&entry).unwrap().is_empty() && store.is_whole(&entry));
    assert_eq!(fs::read(store.layers.find(&summary.layers[1]).unwrap().unwrap().tree.join("own")).unwrap(), b"1");
    assert_eq!(all(&shipped), damaged, "it was changed");
    // A pod that uses what was mended keeps it, also from who knows nothing of the store below.
    let lease = Catalogue::lease(&store.catalogue.summary_path(&entry.manifest)).unwrap().unwrap();
    let alone = Store::at(&store.dir);
    assert!(alone.sweep().unwrap());
    assert_eq!(folders(&store), 1);
    drop(lease);
    assert!(alone.sweep().unwrap());
    assert_eq!(folders(&store), 0);
}
