//! What is written, and what is not.

use std::fs;
use std::path::Path;

use super::*;
use crate::images::catalogue::{Naming, Stay, Summary};

/// A store with an image that has no layers.
fn store(dir: &Path) -> (Store, Entry, Digest) {
    let store = Store::at(dir);
    let config = json!({"os": "linux", "config": {"User": "1"}, "rootfs": {"type": "layers", "diff_ids": []}});
    let config = config.to_string().into_bytes();
    let of_config = Descriptor::of(OCI_CONFIG, &config);
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": of_config, "layers": []});
    let manifest = manifest.to_string().into_bytes();
    let of_manifest = Descriptor::of(OCI_MANIFEST, &manifest);
    let lock = store.catalogue.lock().unwrap();
    store.catalogue.keep(&lock, &of_config, &config).unwrap();
    store.catalogue.keep(&lock, &of_manifest, &manifest).unwrap();
    let summary = Summary::new(of_config.digest.clone(), Vec::new(), 0, [String::new(), String::new()]);
    let source = &of_manifest.digest;
    let naming = Naming { name: "web", manifest: &of_manifest, source, proofs: &[], stay: Stay::AsBefore };
    let entry = store.catalogue.name(&lock, &naming, &summary).unwrap();
    (store, entry, of_config.digest)
}

/// Damage doesn't get a new digest by which it is right.
#[test]
fn damaged_documents_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, entry, config) = store(&dir.path().join("store"));
    let target = dir.path().join("web.tar");
    let export = || store.export(&entry, None, &Target::Archive(target.clone())).map_err(|error| error.to_string());
    export().unwrap();
    fs::remove_file(&target).unwrap();
    let blobs = dir.path().join("store/layout/blobs/sha256");
    for (digest, what) in [(&config, "config"), (&entry.manifest, "manifest")] {
        let path = blobs.join(digest.hex());
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("linux", "linuy", 1).replacen("\"schemaVersion\":2", "\"schemaVersion\":3", 1))
            .unwrap();
        let said = export().unwrap_err();
        assert!(said.contains(&format!("its {what} has another digest")) && said.contains("image repair"), "{said}");
        assert!(!target.exists());
        fs::write(&path, text).unwrap();
    }
    export().unwrap();
}

/// What a rename would destroy is left as it is; what a symlink leads to is replaced, not the symlink.
#[test]
fn nothing_but_files_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (store, entry, _) = store(&dir.path().join("store"));
    let export = |target: &Path| store.export(&entry, None, &Target::Archive(target.to_owned()));
    let path = |name: &str| dir.path().join(name);
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
    std::os::unix::fs::symlink("/dev/null", path("null")).unwrap();
    let before = names(dir.path());
    for (target, what) in [
        (path("fifo"), "it is a FIFO"),
        (path("socket"), "it is a socket"),
        (path("folder"), "it is a folder"),
        (path("dangling"), "it is a symlink to what isn't there"),
        (path("null"), "it is a device"),
        ("/dev/full".into(), "it is a device"),
        ("-".into(), "-: it is standard output"),
    ] {
        let said = export(&target).unwrap_err().to_string();
        assert!(said.contains(what), "{target:?}: {said}");
    }
    assert_eq!(names(dir.path()), before);
    assert!(path("null").is_symlink() && !Path::new("-").exists());
    fs::write(path("old.tar"), "old").unwrap();
    std::os::unix::fs::symlink("old.tar", path("link.tar")).unwrap();
    export(&path("link.tar")).unwrap();
    assert!(path("link.tar").is_symlink());
    assert!(fs::metadata(path("old.tar")).unwrap().len() > 1024);
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Exports into one folder at the same time lose nothing, and what is no index is left alone.
#[test]
fn a_folder_keeps_all_its_images() {
    let dir = tempfile::tempdir().unwrap();
    let (store, entry, _) = store(&dir.path().join("store"));
    let folder = dir.path().join("images");
    let export = |name: &str| store.export(&entry, Some(name), &Target::Folder(folder.clone()));
    let names: Vec<String> = (0..24).map(|number| format!("web:{number:02}")).collect();
    std::thread::scope(|scope| {
        for some in names.chunks(6) {
            scope.spawn(|| some.iter().for_each(|name| export(name).unwrap()));
        }
    });
    let path = folder.join("index.json");
    let index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let all = index["manifests"].as_array().unwrap();
    let mut found: Vec<&str> = all.iter().map(|one| one["annotations"][REF_NAME].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, names);
    for odd in ["[]", "3", "null", "\"a\"", r#"{"manifests": {}}"#, r#"{"manifests": "a"}"#] {
        fs::write(&path, odd).unwrap();
        let said = export("web:1").unwrap_err().to_string();
        assert!(said.contains("index.json: it is no OCI image layout: it"), "{odd}: {said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), odd);
    }
    for empty in [r#"{"schemaVersion": 2}"#, r#"{"manifests": null}"#, r#"{"manifests": [1]}"#] {
        fs::write(&path, empty).unwrap();
        export("web:1").unwrap();
    }
}
