//! OCI images made by tests: a layout in a folder, with layers as plain tar archives.

use std::fs;
use std::path::{Path, PathBuf};

use barepod::images::digest::Digest;
use serde_json::{Value, json};

/// A layer that is made.
#[derive(Default)]
pub struct Layer(Vec<u8>);

impl Layer {
    /// A file of mode 0644, a program where its name is below bin.
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        let mode = if name.starts_with("bin/") { 0o755 } else { 0o644 };
        self.entry(b'0', name, "", mode, (0, 0), content)
    }

    /// A file of another user and group, with any mode.
    pub fn owned(self, name: &str, owner: (u32, u32), mode: u32, content: &[u8]) -> Self {
        self.entry(b'0', name, "", mode, owner, content)
    }

    pub fn folder(self, name: &str, mode: u32) -> Self {
        self.entry(b'5', name, "", mode, (0, 0), b"")
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name, target, 0o777, (0, 0), b"")
    }

    /// What another program has packed.
    pub fn packed(archive: Vec<u8>) -> Self {
        Self(archive)
    }

    fn entry(mut self, kind: u8, name: &str, link: &str, mode: u32, owner: (u32, u32), content: &[u8]) -> Self {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, &format!("{mode:07o}"));
        put(108, &format!("{:07o}", owner.0));
        put(116, &format!("{:07o}", owner.1));
        put(124, &format!("{:011o}", content.len()));
        put(136, "00000000001");
        put(148, "        ");
        put(157, link);
        put(257, "ustar\0");
        put(263, "00");
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(header);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// The box's busybox with a shell, as the lowest layer.
pub fn busybox() -> Layer {
    let path = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).unwrap();
    let programs = ["sh", "sleep", "id", "ls", "cat", "stat", "pwd", "echo", "true"];
    let layer = Layer::default().folder("bin/", 0o755).file("bin/busybox", &fs::read(path).unwrap());
    programs.iter().fold(layer, |layer, name| layer.link(&format!("bin/{name}"), "busybox"))
}

/// What a layout has under a name: the digest of the image's manifest.
pub fn digest(layout: &Path, name: &str) -> Digest {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let named = |one: &&Value| one["annotations"]["org.opencontainers.image.ref.name"] == name;
    let found = index["manifests"].as_array().unwrap().iter().find(named);
    found.unwrap()["digest"].as_str().unwrap().parse().unwrap()
}

/// Writes an image into a layout, beside those that it has; `process`: its config's `config`. Gives the files of its layers.
pub fn write(layout: &Path, name: &str, process: &Value, layers: Vec<Layer>) -> Vec<PathBuf> {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let keep = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        digest
    };
    let layers: Vec<(Digest, usize)> = layers
        .into_iter()
        .map(|layer| {
            let bytes = layer.finish();
            (keep(&bytes), bytes.len())
        })
        .collect();
    let diff_ids: Vec<&Digest> = layers.iter().map(|(digest, _)| digest).collect();
    let config =
        json!({"os": "linux", "config": process, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).to_string();
    let of_layer = |(digest, size): &(Digest, usize)| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size});
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": keep(config.as_bytes()), "size": config.len()},
        "layers": layers.iter().map(of_layer).collect::<Vec<_>>(),
    })
    .to_string();
    let path = layout.join("index.json");
    let mut index: Value = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
        Err(_) => json!({"schemaVersion": 2, "manifests": []}),
    };
    let manifests = index["manifests"].as_array_mut().unwrap();
    manifests.retain(|one| one["annotations"]["org.opencontainers.image.ref.name"] != name);
    manifests.push(json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": keep(manifest.as_bytes()), "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }));
    fs::write(path, index.to_string()).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    layers.iter().map(|(digest, _)| blobs.join(digest.hex())).collect()
}

/// Images `one` and `two` that sleep, of a common layer and one of their own each, in a layout; by their names for barepod.
pub fn one_and_two(layout: &Path) -> [String; 2] {
    ["one", "two"].map(|name| {
        let layer = Layer::default().file("name", name.as_bytes());
        write(layout, name, &json!({"Cmd": ["/bin/sleep", "1000"]}), vec![busybox(), layer]);
        format!("oci:{}:{name}", layout.display())
    })
}
