//! What `docker save` writes, changed by chance: texts that say which images an archive has, of what, and links between its files.

use std::fs;
use std::io::Read;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

use super::DockerArchive;
use crate::images::archive::{Entry, Kind, Writer};
use crate::images::digest::Digest;
use crate::images::document::{Document, Layer, Manifest};
use crate::images::origin::Origin;
use crate::images::record::Time;
use crate::images::tests::fuzz;

const LAYER: &[u8] = b"a layer";
/// From its own folder to the layer's file, as docker save of old has it.
const LINK: &str = "../a/layer.tar";
/// Whether something is wrong is seen before a layer is read, or while it is.
const LARGEST: u64 = 1 << 20;

/// An archive with these texts, written anew.
fn write(path: &Path, manifest: &[u8], config: &[u8], link: &[u8]) {
    let mut writer = Writer::new(Vec::new());
    let mut put = |name: &str, kind: Kind, link: &[u8], content: &[u8]| {
        let entry = Entry {
            name: name.into(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            modified: Time { seconds: 0, nanoseconds: 0 },
            size: content.len() as u64,
            pieces: None,
            link: link.to_vec(),
            device: (0, 0),
            xattrs: Vec::new(),
        };
        writer.put(&entry, &mut &*content).unwrap();
    };
    put("manifest.json", Kind::File, b"", manifest);
    put("config.json", Kind::File, b"", config);
    put("a/layer.tar", Kind::File, b"", LAYER);
    put("b/layer.tar", Kind::Symlink, link, b"");
    fs::write(path, writer.finish().unwrap()).unwrap();
}

/// All that a pull asks it for: what it has, or words.
fn read(path: &Path, text: &[u8]) -> Result<(), TestCaseError> {
    for name in [None, Some("web:1"), Some("none:1")] {
        let found = match DockerArchive::open(path, name) {
            Ok(found) => found,
            Err(error) => {
                fuzz::is_fit(&error, text)?;
                continue;
            }
        };
        // What barepod made of it itself is good, whatever it was made of; only of how many layers there may be a limit.
        let top = found.top().unwrap();
        let manifest: Manifest = match Document::read(&top.bytes, top.media_type.as_deref()) {
            Ok(Document::Manifest(manifest)) => manifest,
            Ok(Document::Index(_)) => return Err(TestCaseError::fail("an index")),
            Err(error) => {
                fuzz::is_fit(&error, text)?;
                continue;
            }
        };
        let config = found.document(manifest.config()).unwrap();
        prop_assert!(manifest.config().verify("the config", &config).is_ok());
        let layers: &[Layer] = manifest.layers();
        for layer in layers {
            let mut bytes = Vec::new();
            match found.layer(layer).map(|from| from.take(LARGEST).read_to_end(&mut bytes)) {
                // Of two with one digest the first is read.
                Ok(Ok(length)) => {
                    let first = layers.iter().find(|one| one.digest == layer.digest);
                    prop_assert_eq!(Some(length as u64), first.map(|one| one.size));
                }
                Ok(Err(error)) => fuzz::is_fit(&error, text)?,
                Err(error) => fuzz::is_fit(&error, text)?,
            }
        }
    }
    Ok(())
}

/// Whatever stands in an archive's own texts, or in a link between its layers: an image is found, or refused with words.
#[test]
fn changed_archives_of_docker_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("save.tar");
    let layer = Digest::of(LAYER);
    let config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer, layer]}}).to_string();
    let item =
        |name: &str| json!({"Config": "config.json", "RepoTags": [name], "Layers": ["a/layer.tar", "b/layer.tar"]});
    let one = json!([item("web:1")]).to_string();
    let two = json!([item("web:1"), item("db:2")]).to_string();
    fuzz::live(&[&one, &two], fuzz::JSON, |text| {
        write(&path, text, config.as_bytes(), LINK.as_bytes());
        read(&path, text)
    });
    fuzz::live(&[&config], fuzz::JSON, |text| {
        write(&path, one.as_bytes(), text, LINK.as_bytes());
        read(&path, text)
    });
    // To itself, out of the archive, to what isn't there, to another kind of file.
    fuzz::live(&[LINK, "layer.tar", "../../../etc/passwd", "../manifest.json"], fuzz::WORDS, |text| {
        write(&path, one.as_bytes(), config.as_bytes(), text);
        read(&path, text)
    });
}
