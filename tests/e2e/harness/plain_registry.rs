//! A registry of images that tests make: HTTP in clear text, on loopback.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

/// All that is in it has the repository `team/app`.
const REPOSITORY: &str = "/v2/team/app";

/// Ends with the test's process.
pub struct PlainRegistry {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    served: Mutex<Served>,
    changed: Condvar,
}

#[derive(Default)]
struct Served {
    /// By path: media type and content.
    contents: HashMap<String, (String, Vec<u8>)>,
    /// Of this path half is sent, and the rest once it is let go on.
    held: Option<String>,
}

impl PlainRegistry {
    /// Has the images of this layout, each under its name as a tag.
    pub fn of(layout: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { port: listener.local_addr().unwrap().port(), shared: Arc::default() };
        for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let digest = format!("sha256:{}", path.file_name().unwrap().to_str().unwrap());
            registry.put(&format!("blobs/{digest}"), "application/octet-stream", &fs::read(&path).unwrap());
        }
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        for one in index["manifests"].as_array().unwrap() {
            let digest = one["digest"].as_str().unwrap();
            let content = fs::read(layout.join("blobs").join(digest.replace(':', "/"))).unwrap();
            let tag = one["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
            for name in [tag, digest] {
                registry.put(&format!("manifests/{name}"), one["mediaType"].as_str().unwrap(), &content);
            }
        }
        let shared = registry.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        registry
    }

    /// The name of an image in it.
    pub fn image(&self, tag: &str) -> String {
        format!("127.0.0.1:{}/team/app:{tag}", self.port)
    }

    /// Puts something there; `path`: `manifests/TAG`, `blobs/DIGEST`.
    pub fn put(&self, path: &str, media_type: &str, content: &[u8]) {
        let entry = (media_type.to_owned(), content.to_owned());
        self.shared.served.lock().unwrap().contents.insert(format!("{REPOSITORY}/{path}"), entry);
    }

    /// From now on only half of it is sent, and then nothing until [`Self::let_go`].
    pub fn hold(&self, path: &str) {
        self.shared.served.lock().unwrap().held = Some(format!("{REPOSITORY}/{path}"));
    }

    pub fn let_go(&self) {
        self.shared.served.lock().unwrap().held = None;
        self.shared.changed.notify_all();
    }

    /// Tells a command that this registry speaks in clear text.
    pub fn known_to(&self, command: &mut Command, dir: &Path) {
        command.env("CONTAINERS_REGISTRIES_CONF", self.conf(dir));
    }

    fn conf(&self, dir: &Path) -> PathBuf {
        let path = dir.join("registries.conf");
        let text = format!("[[registry]]\nlocation = \"127.0.0.1:{}\"\ninsecure = true\n", self.port);
        fs::write(&path, text).unwrap();
        path
    }
}

/// One request. Who doesn't speak HTTP (a client that tries TLS first) gets nothing.
fn answer(mut stream: TcpStream, shared: &Shared) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut words = match reader.read_line(&mut line) {
        Ok(_) => line.split_whitespace(),
        Err(_) => return,
    };
    let (Some(method), Some(path), Some(_)) = (words.next(), words.next(), words.next()) else { return };
    let mut header = String::new();
    while reader.read_line(&mut header).is_ok_and(|length| length > 2) {
        header.clear();
    }
    let served = shared.served.lock().unwrap();
    let (status, (media_type, content)) = match served.contents.get(path) {
        _ if path == "/v2/" => ("200 OK", (String::new(), Vec::new())),
        Some(found) => ("200 OK", found.clone()),
        None => ("404 Not Found", ("application/json".to_owned(), br#"{"errors":[]}"#.to_vec())),
    };
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let is_held = |served: &Served| served.held.as_deref() == Some(path);
    let half = if is_held(&served) { length / 2 } else { length };
    drop(served);
    // Who has gone meanwhile misses nothing.
    let mut send = |bytes: &[u8]| drop(stream.write_all(bytes));
    send(head.as_bytes());
    if method == "HEAD" {
        return;
    }
    send(&content[..half]);
    let mut served = shared.served.lock().unwrap();
    while is_held(&served) {
        served = shared.changed.wait(served).unwrap();
    }
    drop(served);
    send(&content[half..]);
}
