//! What is damaged, and where it comes from again.

use std::path::PathBuf;

use super::*;

fn pulled(store: &Store, made: &Made) -> Pulled {
    pull(store, "web", made).unwrap()
}

fn image(text: &str) -> Made {
    Made::of(&[layer(&[("own", text)], &[])], json!({})).in_an_index()
}

fn blob(store: &Store, digest: &Digest) -> PathBuf {
    store.dir.join("layout/blobs/sha256").join(digest.hex())
}

/// Opens an image at its digest, and another one by its name; none of the two where it is `None`.
fn open(
    at: Option<&'static str>,
    named: Option<&'static str>,
) -> impl Fn(Option<&Digest>) -> Result<Box<dyn Origin>, OriginError> {
    move |digest| {
        let made = image(if digest.is_some() { at } else { named }.ok_or_else(|| format!("{digest:?} is not there"))?);
        assert!(digest.is_none_or(|digest| *digest == Digest::of(&made.top)));
        Ok(Box::new(made))
    }
}

/// An index is looked at as all else is, and comes again at its digest, though its name has moved on or is gone.
#[test]
fn an_index_comes_again() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let made = image("1");
    let entry = pulled(&store, &made).entry;
    let whole = |open: Open<'_>| {
        assert_eq!(store.damaged_documents(&entry).unwrap(), [""; 0]);
        assert!(store.repair(&entry, open).unwrap().is_nothing());
    };
    let nowhere = open(None, None);
    whole(&nowhere);
    let index = blob(&store, &entry.source);
    let damages: [&dyn Fn(); 2] = [&|| fs::write(&index, "{}").unwrap(), &|| fs::remove_file(&index).unwrap()];
    for damage in damages {
        damage();
        let said = store.damaged_documents(&entry).unwrap().join("; ");
        assert!(said.starts_with("the image's index "), "{said}");
        let said = store.repair(&entry, &nowhere).unwrap_err().to_string();
        assert_eq!(said, format!("Some({:?}) is not there", entry.source));
        let said = store.repair(&entry, &open(None, Some("2"))).unwrap_err().to_string();
        assert!(said.contains(&entry.source.to_string()) && said.contains("barepod image pull"), "{said}");
        assert_eq!(store.repair(&entry, &open(Some("1"), None)).unwrap().documents, 1);
        whole(&nowhere);
        // So it does by a pull to which nothing is new.
        damage();
        assert!(!pulled(&store, &made).is_new);
        whole(&nowhere);
    }
}

/// Layers may be there though what the name stood for isn't.
#[test]
fn layers_come_by_the_name_as_well() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let entry = pulled(&store, &image("1")).entry;
    let key = store.catalogue.summary(&entry.manifest).unwrap().layers[0].clone();
    let own = || store.layers.find(&key).unwrap().unwrap().tree.join("own");
    for (at, named) in [(Some("1"), None), (None, Some("1"))] {
        fs::write(own(), "x").unwrap();
        let repaired = store.repair(&entry, &open(at, named)).unwrap();
        assert_eq!((repaired.layers, fs::read_to_string(own()).unwrap().as_str()), (1, "1"));
    }
}

/// Whoever waited for a pull of the same name repairs what it brought, with what was proven of that.
#[test]
fn what_the_name_stands_for_now_is_repaired() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let old = pulled(&store, &image("1")).entry;
    let new = pulled(&store, &image("2")).entry;
    fs::remove_file(store.catalogue.summary_path(&new.manifest)).unwrap();
    assert_eq!(store.repair(&old, &open(Some("2"), None)).unwrap().documents, 1);
    assert_eq!(store.catalogue.find("web").unwrap(), Some(new.clone()));
    assert!(store.is_whole(&new));
    store.forget("web").unwrap();
    let said = store.repair(&new, &open(Some("2"), None)).unwrap_err().to_string();
    assert_eq!((said.as_str(), store.catalogue.find("web").unwrap()), ("its name was taken away meanwhile", None));
}

/// Who looks for leases is in the way of pods that take one: it is done where something may go that only these keep.
#[test]
fn leases_are_looked_for_where_it_matters() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let entry = pulled(&store, &image("1")).entry;
    // Whoever looks makes the files in it; so does a pull.
    let leases = dir.path().join("layout/leases");
    let looked = || fs::remove_dir_all(&leases).is_ok();
    let repair = || store.repair(&entry, &open(Some("1"), None)).unwrap();
    assert!(looked() && store.sweep().unwrap() && repair().is_nothing() && !looked());
    let key = store.catalogue.summary(&entry.manifest).unwrap().layers[0].clone();
    let own = store.layers.find(&key).unwrap().unwrap().tree.join("own");
    fs::write(&own, "x").unwrap();
    assert_eq!((repair().layers, looked(), folders(&store)), (1, true, 1));
    // A sweep asks as well, of what it finds damaged and of what was replaced.
    let lease = || crate::images::catalogue::Catalogue::lease(&store.catalogue.summary_path(&entry.manifest)).unwrap();
    let used = lease().unwrap();
    fs::remove_file(&own).unwrap();
    assert!(store.sweep().unwrap());
    assert_eq!((store.layers.find(&key).unwrap(), folders(&store)), (None, 1));
    assert!(store.sweep().unwrap());
    assert_eq!(folders(&store), 1, "a pod uses it");
    drop(used);
    assert!(looked() && store.sweep().unwrap() && looked());
    assert_eq!(folders(&store), 0);
    assert!(store.sweep().unwrap() && !looked());
}
