//! Layouts and archives, good and bad.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::images::digest::Digest;
use crate::images::document::{Descriptor, Document, Layer, Manifest};
use crate::images::origin::Origin;
use crate::images::tests::fuzz;

/// Files of a folder, by their names.
type Files = Vec<(String, Vec<u8>)>;

fn blob(files: &mut Files, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    files.push((format!("blobs/sha256/{}", digest.hex()), bytes.to_vec()));
    digest
}

/// A layout with an image of each of these names; what they have is told apart by the name.
fn layout(names: &[&str]) -> Files {
    let mut files: Files = vec![("oci-layout".into(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec())];
    let mut manifests = Vec::new();
    for name in names {
        let layer = format!("layer of {name}").into_bytes();
        let of_layer = blob(&mut files, &layer);
        let config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [of_layer]}}).to_string();
        let of_config = blob(&mut files, config.as_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": of_config, "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": of_layer, "size": layer.len()}],
        })
        .to_string();
        let digest = blob(&mut files, manifest.as_bytes());
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.len(),
            "annotations": {"org.opencontainers.image.ref.name": name},
        }));
    }
    files.push(("index.json".into(), json!({"schemaVersion": 2, "manifests": manifests}).to_string().into_bytes()));
    files
}

fn write(dir: &Path, files: &Files) -> PathBuf {
    for (name, bytes) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir.to_owned()
}

/// With the box's tar, which is what people have.
pub(in crate::images) fn tar(dir: &Path, file: &Path, names: &[&str]) {
    let mut command = std::process::Command::new("tar");
    // The same files are the same archive, whenever it is made.
    let how = ["--mtime=@1700000000", "--no-recursion", "-cf"];
    let done = command.arg("-C").arg(dir).args(how).arg(file).args(names).status().unwrap();
    assert!(done.success());
}

/// All of a folder.
fn archive_of(dir: &Path, file: &Path) {
    let done = std::process::Command::new("tar").arg("-C").arg(dir).arg("-cf").arg(file).arg(".").status().unwrap();
    assert!(done.success());
}

fn manifest(origin: &dyn Origin) -> Manifest {
    let top = origin.top().unwrap();
    match Document::read(&top.bytes, top.media_type.as_deref()).unwrap() {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => panic!("an index"),
    }
}

fn layer_text(origin: &dyn Origin) -> String {
    let layers: Vec<Layer> = manifest(origin).layers().to_vec();
    let mut text = String::new();
    origin.layer(&layers[0]).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn images_of_layouts_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(&dir.path().join("layout"), &layout(&["one", "two"]));
    let archive = dir.path().join("layout.tar");
    archive_of(&folder, &archive);
    for name in ["one", "two"] {
        let expected = format!("layer of {name}");
        assert_eq!(layer_text(&Layout::folder(&folder, Some(name)).unwrap()), expected);
        assert_eq!(layer_text(&Layout::archive(&archive, Some(name)).unwrap()), expected);
    }
    // By its digest, whatever it is called by now.
    let digest = Digest::of(&Layout::folder(&folder, Some("two")).unwrap().top().unwrap().bytes);
    let unnamed = write(&dir.path().join("unnamed"), &layout(&["one", "two"]));
    fs::remove_file(unnamed.join("index.json")).unwrap();
    for place in [&folder, &archive, &unnamed] {
        assert_eq!(layer_text(&Layout::at(place, &digest).unwrap()), "layer of two");
    }
    fs::write(unnamed.join("blobs/sha256").join(digest.hex()), "{}").unwrap();
    assert!(Layout::at(&unnamed, &digest).unwrap().top().is_err());
    let said = |result: Result<Layout, LocalError>| result.unwrap_err().to_string();
    let several = said(Layout::archive(&archive, None));
    assert!(several.ends_with("it has several images; name one of them behind a colon; it has one, two"), "{several}");
    let none = said(Layout::folder(&folder, Some("three")));
    assert!(none.ends_with("it has no \"three\"; it has one, two"), "{none}");
    let only = write(&dir.path().join("only"), &layout(&["only"]));
    assert_eq!(layer_text(&Layout::folder(&only, None).unwrap()), "layer of only");
}

/// What isn't what its descriptor says is refused, and so is what is no layout.
#[test]
fn damaged_layouts_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(&dir.path().join("layout"), &layout(&["one"]));
    let of_manifest = {
        let origin = Layout::folder(&folder, None).unwrap();
        Digest::of(&origin.top().unwrap().bytes)
    };
    let path = folder.join("blobs/sha256").join(of_manifest.hex());
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 2;
    bad[last] ^= 1;
    fs::write(&path, &bad).unwrap();
    let said = Layout::folder(&folder, None).unwrap().top().unwrap_err().to_string();
    assert!(said.contains("the content has the digest"), "{said}");
    fs::remove_file(&path).unwrap();
    assert!(Layout::folder(&folder, None).unwrap().top().is_err());
    let empty = write(&dir.path().join("empty"), &vec![("index.json".into(), br#"{"manifests": []}"#.to_vec())]);
    assert!(Layout::folder(&empty, None).unwrap_err().to_string().ends_with("it has no image"));
    let none = dir.path().join("none");
    fs::create_dir(&none).unwrap();
    let said = Layout::folder(&none, None).unwrap_err().to_string();
    assert!(said.ends_with("there is no index.json in it: it is no OCI image layout"), "{said}");
    // What is no file is not waited for.
    nix::unistd::mkfifo(&none.join("index.json"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(Layout::folder(&none, None).is_err());
    let packed = dir.path().join("packed.tar");
    fs::write(&packed, [0x1f, 0x8b, 8, 0]).unwrap();
    let said = Layout::archive(&packed, None).unwrap_err().to_string();
    assert!(said.ends_with("it is compressed; unpack it first (gunzip, unzstd)"), "{said}");
}

/// What somebody names by mistake is called what it is.
#[test]
fn what_is_no_image_is_called_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("file"), dir.path());
    let layout = |path: &Path| Layout::folder(path, None).unwrap_err().to_string();
    let archives = |path: &Path| {
        let said = Layout::archive(path, None).unwrap_err().to_string();
        assert_eq!(DockerArchive::open(path, None).unwrap_err().to_string(), said);
        assert_eq!(given(path, None, None).err().unwrap().to_string(), said);
        said
    };
    assert!(layout(&file).contains("file: No such file or directory"), "{}", layout(&file));
    assert!(archives(&file).contains("file: No such file or directory"), "{}", archives(&file));
    assert!(Layout::archive(folder, None).unwrap_err().to_string().ends_with("it is a folder, and a file is wanted"));
    for (content, words) in [
        (Vec::new(), "it is no tar archive: the file is empty"),
        (b"nonsense that is no archive".to_vec(), "it is no tar archive: the file is too short"),
        (b"nonsense".repeat(100), "it is no tar archive: the file doesn't begin like one"),
    ] {
        fs::write(&file, content).unwrap();
        assert!(archives(&file).ends_with(words), "{}", archives(&file));
    }
    assert!(layout(&file).ends_with("it is a file, and a folder is wanted"), "{}", layout(&file));
    // Good archives, of another kind than the one that was asked for, or of none.
    for (name, taken_by_docker, taken_by_layout, by_both) in [
        ("index.json", "it is no archive of docker save; oci-archive: reads it", "it has no image", "it has no image"),
        ("manifest.json", "it has no image", "it is no OCI image layout; docker-archive: reads it", "it has no image"),
        (
            "hello",
            "there is no manifest.json in it: it is no archive of docker save",
            "there is no index.json in it: it is no OCI image layout",
            "it is no archive of docker save, and none of an OCI image layout",
        ),
    ] {
        let content = if name == "index.json" { &br#"{"manifests": []}"#[..] } else { b"[]" };
        let from = write(&dir.path().join(format!("of {name}")), &vec![(name.to_owned(), content.to_vec())]);
        archive_of(&from, &file);
        let said = DockerArchive::open(&file, None).unwrap_err().to_string();
        assert!(said.ends_with(taken_by_docker), "{said}");
        let said = Layout::archive(&file, None).unwrap_err().to_string();
        assert!(said.ends_with(taken_by_layout), "{said}");
        let said = given(&file, None, None).err().unwrap().to_string();
        assert!(said.ends_with(by_both), "{said}");
    }
}

/// Wherever a copy breaks off, it is said that it did; only between its last file and its end all that is needed is there.
#[test]
fn cut_archives_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(&dir.path().join("layout"), &layout(&["one"]));
    let (whole, cut) = (dir.path().join("whole.tar"), dir.path().join("cut.tar"));
    // Nobody needs it, and it may be the last.
    fs::remove_file(folder.join("oci-layout")).unwrap();
    archive_of(&folder, &whole);
    let bytes = fs::read(&whole).unwrap();
    let lengths: Vec<usize> = (0..bytes.len()).step_by(512).collect();
    let is_cut = |length: &usize| {
        fs::write(&cut, &bytes[..*length]).unwrap();
        let all_of = |Given { origin, .. }: Given| {
            origin.top()?;
            let manifest = manifest(&*origin);
            origin.document(manifest.config())?;
            origin.layer(&manifest.layers()[0]).map(drop)
        };
        let said = match given(&cut, None, None).map(all_of) {
            Err(error) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            // All is there but the end.
            Ok(Ok(())) => return false,
        };
        let words = format!("the archive is cut off after {length} bytes: ");
        assert!(*length < 512 || said.contains(&words), "{length}: {said}");
        true
    };
    let last = lengths.iter().filter(|length| is_cut(length)).count();
    // What is good begins behind what is cut, and has nothing but the archive's end before it.
    assert!(last > 8 && !is_cut(&lengths[last]) && bytes[lengths[last]..].iter().all(|byte| *byte == 0), "{last}");
}

/// As docker save writes them, old ones with links between equal layers.
#[test]
fn archives_of_docker_save() {
    let dir = tempfile::tempdir().unwrap();
    let layer = b"a layer".to_vec();
    let of_layer = Digest::of(&layer);
    let config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [of_layer, of_layer]}}).to_string();
    let item =
        |name: &str| json!({"Config": "config.json", "RepoTags": [name], "Layers": ["a/layer.tar", "b/layer.tar"]});
    let files: Files = vec![
        ("manifest.json".into(), json!([item("web:1"), item("db:2")]).to_string().into_bytes()),
        ("config.json".into(), config.clone().into_bytes()),
        ("a/layer.tar".into(), layer.clone()),
    ];
    let folder = write(&dir.path().join("save"), &files);
    fs::create_dir(folder.join("b")).unwrap();
    std::os::unix::fs::symlink("../a/layer.tar", folder.join("b/layer.tar")).unwrap();
    let archive = dir.path().join("save.tar");
    archive_of(&folder, &archive);
    for name in ["web:1", "docker.io/library/web:1"] {
        let origin = DockerArchive::open(&archive, Some(name)).unwrap();
        let manifest = manifest(&origin);
        assert_eq!(origin.document(manifest.config()).unwrap(), config.as_bytes());
        assert!(manifest.config() == &Descriptor::of("application/vnd.oci.image.config.v1+json", config.as_bytes()));
        for one in manifest.layers() {
            let mut text = Vec::new();
            origin.layer(one).unwrap().read_to_end(&mut text).unwrap();
            assert_eq!((text.as_slice(), one.size), (layer.as_slice(), layer.len() as u64));
        }
    }
    let said = DockerArchive::open(&archive, None).unwrap_err().to_string();
    assert!(said.ends_with("it has web:1, db:2"), "{said}");
    assert!(DockerArchive::open(&archive, Some("web:2")).is_err());
    fs::write(folder.join("manifest.json"), json!([{"Config": "config.json", "Layers": []}]).to_string()).unwrap();
    archive_of(&folder, &archive);
    let said = DockerArchive::open(&archive, None).unwrap_err().to_string();
    assert!(said.ends_with("manifest.json names 0 layers, the image's config 2"), "{said}");
    fs::remove_file(folder.join("manifest.json")).unwrap();
    archive_of(&folder, &archive);
    let said = DockerArchive::open(&archive, None).unwrap_err().to_string();
    assert!(said.ends_with("there is no manifest.json in it: it is no archive of docker save"), "{said}");
}

/// Whatever stands in a layout's index: an image of it is found, or refused with words.
#[test]
fn changed_indexes_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let folder = write(&dir.path().join("layout"), &layout(&["one", "two"]));
    let good = fs::read_to_string(folder.join("index.json")).unwrap();
    fuzz::live(&[&good], fuzz::JSON, |bytes| {
        fs::write(folder.join("index.json"), bytes).unwrap();
        for name in [None, Some("one"), Some("three")] {
            match Layout::folder(&folder, name) {
                Ok(found) => found.top().map(drop).or_else(|error| fuzz::is_fit(&error, bytes))?,
                Err(error) => fuzz::is_fit(&error, bytes)?,
            }
        }
        Ok(())
    });
}
