//! Images as podman shows them: in a store of its own, mounted where nobody else sees it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::program;

/// An image of a layout that is mounted. Ended with its store when this is dropped.
pub struct Mounted {
    child: Child,
    path: PathBuf,
    _store: tempfile::TempDir,
}

/// `None`, said aloud: there is no podman.
#[track_caller]
pub fn mounted(layout: &Path, image: &str) -> Option<Mounted> {
    if program("podman").is_none() {
        crate::skips::skip("needs podman");
        return None;
    }
    let store = tempfile::Builder::new().prefix("barepod-podman-").tempdir().unwrap();
    let policy = store.path().join("policy.json");
    fs::write(&policy, r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).unwrap();
    let script = r#"
        podman() { command podman --root "$1/store" --runroot "$1/run" --tmpdir "$1/tmp" --storage-driver overlay "${@:2}"; }
        id=$(podman "$1" pull --quiet --signature-policy "$1/policy.json" "$2") && podman "$1" image mount "$id" && read -r _
    "#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-c", script, "bash"]).arg(store.path());
    // It gives the image the layout's path as a name, which may have no capital letters.
    let folder = layout.file_name().unwrap().to_str().unwrap();
    command.arg(format!("oci:{folder}:{image}")).current_dir(layout.parent().unwrap()).env("TMPDIR", store.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut path = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut path).unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", child.id()));
    let path = root.join(path.trim_end().trim_start_matches('/'));
    let mounted = Mounted { child, path, _store: store };
    assert!(mounted.path != root.join(""), "podman doesn't mount {image}");
    Some(mounted)
}

impl Mounted {
    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}
