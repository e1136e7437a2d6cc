#![allow(clippy::unwrap_used)]
//! Bundles, good and bad, on a real file system.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Image, ImageError, Trouble, open, open_if};
use crate::images::catalogue::{Naming, Stay, Summary};
use crate::images::digest::{Algorithm, Digest};
use crate::images::document::Descriptor;
use crate::images::store::Store;
use crate::plan::{ImageFacts, ImageSource, Stored};

const GOOD: &str = r#"{"ociVersion": "1.0.2", "root": {"path": "rootfs"},
    "process": {"cwd": "/", "user": {}, "args": ["sh"]},
    "mounts": [{"destination": "/x", "type": "bind", "source": "data", "options": ["rbind"]}],
    "annotations": {"org.opencontainers.image.stopSignal": "SIGUSR1"}, "later": {"unknown": 1}}"#;

fn load(source: &ImageSource) -> Result<ImageFacts, ImageError> {
    open(source).and_then(Image::facts)
}

fn bundle(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rootfs/etc")).unwrap();
    fs::write(folder.path().join("config.json"), config).unwrap();
    folder
}

/// What people read, without the folder's changing name.
fn error(folder: &TempDir) -> String {
    let path = folder.path().to_str().unwrap();
    load(&ImageSource::Bundle(folder.path().to_owned())).unwrap_err().to_string().replace(path, "/b")
}

#[test]
fn a_bundle_gives_its_config_and_users() {
    let folder = bundle(GOOD);
    fs::write(folder.path().join("rootfs/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    let facts = load(&ImageSource::Bundle(folder.path().to_owned())).unwrap();
    assert_eq!(facts.id, format!("bundle:{}", folder.path().display()));
    assert_eq!(facts.rootfs, folder.path().canonicalize().unwrap().join("rootfs"));
    assert_eq!(facts.stop_signal, Some(10));
    assert_eq!((facts.passwd.as_str(), facts.group.as_str()), ("root:x:0:0:root:/root:/bin/sh\n", ""));
    let source = facts.base.mounts().as_ref().unwrap()[0].source().clone().unwrap();
    assert_eq!(source, folder.path().canonicalize().unwrap().join("data"));
}

/// By the runtime-spec's names; a key that nobody knows is still told by its path.
#[test]
fn scheduler_flags_are_read() {
    let names = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN"];
    let config = format!(
        r#"{{"ociVersion": "1.2.0", "root": {{"path": "rootfs"}}, "process": {{"cwd": "/", "user": {{"uid": 0, "gid": 0}},
            "args": ["SCHED_FLAG_DL_OVERRUN"], "scheduler": {{"policy": "SCHED_DEADLINE", "flags": {names:?}}}}}}}"#
    );
    let facts = load(&ImageSource::Bundle(bundle(&config).path().to_owned())).unwrap();
    let process = facts.base.process().clone().unwrap();
    assert_eq!(process.scheduler().as_ref().unwrap().flags().as_ref().unwrap().len(), 3);
    assert_eq!(process.args().as_ref().unwrap(), &["SCHED_FLAG_DL_OVERRUN"]);
}

#[test]
fn a_plain_root_file_system_has_a_config_that_says_nothing() {
    let folder = bundle("not looked at");
    let facts = load(&ImageSource::Rootfs(folder.path().join("rootfs"))).unwrap();
    let process = facts.base.process().clone().unwrap();
    assert_eq!((process.args(), process.env(), process.capabilities()), (&None, &None, &None));
    assert!(facts.base.linux().is_none() && facts.base.mounts().is_none());
}

#[test]
fn bad_bundles_are_named_with_their_field() {
    for (config, expected) in [
        ("{", "bundle:/b: config.json: EOF while parsing an object at line 1 column 1"),
        (r#"{"root": {"path": "rootfs"}}"#, "bundle:/b: config.json: ociVersion: missing; write \"1.2.0\""),
        (
            r#"{"ociVersion": "2.0.0", "root": {"path": "rootfs"}}"#,
            "bundle:/b: config.json: ociVersion: \"2.0.0\" is not supported; versions 1.x.y are",
        ),
        (
            r#"{"ociVersion": "1.", "root": {"path": "rootfs"}}"#,
            "bundle:/b: config.json: ociVersion: \"1.\" is not supported; versions 1.x.y are",
        ),
        (r#"{"ociVersion": "1.0.2"}"#, "bundle:/b: config.json: root: missing; write {\"path\": \"rootfs\"}"),
        (
            r#"{"ociVersion": "1.0.2", "root": {"path": "gone"}}"#,
            "bundle:/b: config.json: root.path: /b/gone: No such file or directory (os error 2)",
        ),
        (
            r#"{"ociVersion": "1.0.2", "root": {"path": "config.json"}}"#,
            "bundle:/b: config.json: root.path: /b/config.json: not a directory",
        ),
        (
            r#"{"ociVersion": "1.0.2", "root": {"path": 7}}"#,
            "bundle:/b: config.json: invalid type: integer `7`, expected path string at line 1 column 42",
        ),
    ] {
        assert_eq!(error(&bundle(config)), expected, "{config}");
    }
}

#[test]
fn what_is_no_bundle_is_told_from_a_bad_one() {
    let folder = bundle(GOOD);
    let gone = load(&ImageSource::Bundle(folder.path().join("gone"))).unwrap_err();
    assert_eq!(gone.trouble(), Trouble::Absent);
    let gone = gone.to_string();
    assert!(gone.contains("gone: No such file or directory"), "{gone}");
    let file = load(&ImageSource::Bundle(folder.path().join("config.json"))).unwrap_err().to_string();
    assert!(file.contains("not a directory"), "{file}");
    fs::remove_file(folder.path().join("config.json")).unwrap();
    assert!(error(&folder).starts_with("bundle:/b: config.json: No such file"), "{}", error(&folder));
    fs::create_dir(folder.path().join("config.json")).unwrap();
    assert_eq!(error(&folder), "bundle:/b: config.json: not a regular file");
}

#[test]
fn reading_never_hangs_or_grows_without_end() {
    let folder = bundle(GOOD);
    let config = folder.path().join("config.json");
    fs::remove_file(&config).unwrap();
    nix::unistd::mkfifo(&config, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(error(&folder), "bundle:/b: config.json: not a regular file");
    fs::remove_file(&config).unwrap();
    fs::File::create(&config).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(error(&folder), "bundle:/b: config.json: larger than 4194304 bytes");
    fs::write(&config, GOOD).unwrap();
    let passwd = folder.path().join("rootfs/etc/passwd");
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let facts = load(&ImageSource::Bundle(folder.path().to_owned())).unwrap();
    assert_eq!(facts.passwd, "");
    fs::remove_file(&passwd).unwrap();
    fs::File::create(&passwd).unwrap().set_len(1 << 30).unwrap();
    assert!(error(&folder).contains("etc/passwd in its root file system: larger than"), "{}", error(&folder));
}

/// What older versions took for an image with another digest than its name has isn't there.
#[test]
fn a_digest_in_the_name_is_that_of_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let config = br#"{"os": "linux"}"#;
    let of_config = Descriptor::of("application/vnd.oci.image.config.v1+json", config);
    let of_manifest = Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"a manifest");
    let summary = Summary::new(of_config.digest.clone(), Vec::new(), 0, Default::default());
    let lock = store.catalogue.lock().unwrap();
    store.catalogue.keep(&lock, &of_config, config).unwrap();
    let open = |digest: &Digest| {
        let name = format!("reg.example/app@{digest}");
        let (manifest, source) = (&of_manifest, &of_manifest.digest);
        let naming = Naming { name: &name, manifest, source, proofs: &[], stay: Stay::AsBefore };
        store.catalogue.name(&lock, &naming, &summary).unwrap();
        open_if(
            &ImageSource::Stored(Stored::Registry(name)),
            Some(super::InStore { store: &crate::images::store::Place::alone(dir.path()), policy: None }),
            &|_| true,
        )
    };
    assert!(matches!(open(&Digest::of(b"another")), Err(ImageError::NotThere { .. })));
    assert!(open(&of_manifest.digest).is_ok());
    // It was compared when it was pulled.
    assert!(open(&Digest::by(Algorithm::Sha512, b"a manifest")).is_ok());
}

/// A link in the root file system that points out of it is resolved inside it.
#[test]
fn links_stay_in_the_root_file_system() {
    let folder = bundle(GOOD);
    let etc = folder.path().join("rootfs/etc");
    symlink("/etc/hostname", etc.join("passwd")).unwrap();
    symlink("../../../../../../etc/group.real", etc.join("group")).unwrap();
    fs::write(etc.join("group.real"), "mine:x:7:\n").unwrap();
    let facts = load(&ImageSource::Bundle(folder.path().to_owned())).unwrap();
    assert_eq!((facts.passwd.as_str(), facts.group.as_str()), ("", "mine:x:7:\n"));
    fs::remove_file(etc.join("passwd")).unwrap();
    symlink("/proc/self/environ", etc.join("passwd")).unwrap();
    assert_eq!(load(&ImageSource::Bundle(folder.path().to_owned())).unwrap().passwd, "");
    fs::remove_dir_all(&etc).unwrap();
    symlink(PathBuf::from("/etc"), &etc).unwrap();
    assert_eq!(load(&ImageSource::Bundle(folder.path().to_owned())).unwrap().passwd, "");
}

/// Documents of megabytes are quoted in it.
#[test]
fn messages_are_cut() {
    let missing = |image: &str| {
        let error =
            ImageError::Missing { image: image.to_owned(), path: "/x".into(), cause: ErrorKind::NotFound.into() };
        error.message()
    };
    assert!(missing("bundle:/x").ends_with("must name a folder on this box"));
    let cut = missing(&"\u{20ac}".repeat(1 << 20));
    assert_eq!(cut, "\u{20ac}".repeat(4096 / 3) + " (...)");
}
