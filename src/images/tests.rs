//! Pulls from registries on bad days: whatever they do, nothing half-done stays in the store.
#![allow(clippy::unwrap_used)]

pub mod fuzz;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::catalogue::Stay;
use super::digest::Digest;
use super::document::ACCEPTED;
use super::local::tests::tar;
use super::platform::Platform;
use super::progress::Progress;
use super::pull::{Pulled, Wish};
use super::reference::Reference;
use super::registry::tests::options;
use super::registry::tests::server::{Answer, Request, Server};
use super::registry::{Client, Options, Repository};
use super::remote::Remote;
use super::store::Store;
use super::trust::Rules;

/// What a registry has of an image of two layers: contents by the ends of their addresses.
#[derive(Clone, Default)]
struct Image {
    contents: BTreeMap<String, Vec<u8>>,
    /// Ends of addresses.
    index: String,
    manifest: String,
    config: String,
    layer: String,
}

impl Image {
    fn new(dir: &Path) -> Self {
        let mut image = Self::default();
        let layers: Vec<Vec<u8>> = ["one", "two"].map(|name| layer(dir, name)).to_vec();
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({"os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}).to_string();
        let describe =
            |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len()});
        let of_layer = |layer: &Vec<u8>| describe("application/vnd.oci.image.layer.v1.tar", layer);
        let manifest = json!({
            "schemaVersion": 2,
            "config": describe("application/vnd.oci.image.config.v1+json", config.as_bytes()),
            "layers": layers.iter().map(of_layer).collect::<Vec<_>>(),
        })
        .to_string();
        let index = json!({"schemaVersion": 2, "manifests": [describe(ACCEPTED[1], manifest.as_bytes())]}).to_string();
        image.index = "manifests/1.0".to_owned();
        image.contents.insert(image.index.clone(), index.into_bytes());
        image.manifest = image.keep("manifests", manifest.into_bytes());
        image.config = image.keep("blobs", config.into_bytes());
        for layer in layers {
            image.layer = image.keep("blobs", layer);
        }
        image
    }

    fn keep(&mut self, kind: &str, bytes: Vec<u8>) -> String {
        let place = format!("{kind}/{}", Digest::of(&bytes));
        self.contents.insert(place.clone(), bytes);
        place
    }

    fn answer(&self, request: &Request) -> Answer {
        let place = request.path.strip_prefix("/v2/team/app/").unwrap_or_default();
        match self.contents.get(place) {
            Some(content) => Answer::part(content, request),
            None => Answer::new(404, ""),
        }
    }

    /// A registry that has it; `instead` says what it answers in the place of something else.
    fn served(&self, instead: impl Fn(&Self, &Request) -> Option<Answer> + Send + Sync + 'static) -> Server {
        let image = self.clone();
        Server::tls(move |request| instead(&image, request).unwrap_or_else(|| image.answer(request)))
    }
}

/// A layer with a file.
fn layer(dir: &Path, name: &str) -> Vec<u8> {
    let (root, archive) = (dir.join(format!("{name}.root")), dir.join(format!("{name}.tar")));
    fs::create_dir(&root).unwrap();
    fs::write(root.join(name), name).unwrap();
    tar(&root, &archive, &[name]);
    fs::read(archive).unwrap()
}

fn pull(store: &Store, server: &Server) -> Result<Pulled, String> {
    let reference: Reference = format!("{}/team/app:1.0", server.host()).parse().unwrap();
    let doors = vec![(Repository::of(&reference), reference)];
    let client = Client::new(Options { stall: Duration::from_secs(2), ..options() });
    let wish = Wish { name: "app", platform: &Platform::here(), rules: &Rules::default(), stay: Stay::AsBefore };
    let pulled = store.pull(&wish, &Remote::by(client, doors), &Progress::default());
    pulled.map_err(|error| error.to_string().replace(&server.host(), "HOST"))
}

/// What is in the folder of layers and is none: a layer is called by its digest.
fn halves(store: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(store.join("layers")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.len() != Digest::of(b"").hex().len()).collect()
}

type Instead = fn(&Image, &Request) -> Option<Answer>;

fn flipped(content: &[u8]) -> Vec<u8> {
    let mut other = content.to_vec();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    other
}

/// Of what is asked for by this end of an address.
fn content<'a>(image: &'a Image, request: &Request, place: &str) -> Option<&'a [u8]> {
    request.path.ends_with(place).then(|| image.contents[place].as_slice())
}

#[test]
fn what_goes_wrong_leaves_nothing() {
    if !rustix::process::geteuid().is_root() {
        crate::skips::skip("only root gives files owners");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = Image::new(dir.path());
    let cases: [(&str, Instead, &str); 15] = [
        ("stalls", |i, r| Some(Answer::ok(content(i, r, &i.layer)?).stall_after(600)), "nothing came for 2 seconds"),
        ("cuts", |i, r| Some(Answer::ok(content(i, r, &i.layer)?).cut_after(600)), "HOST: the connection broke"),
        ("says nothing", |i, r| content(i, r, &i.layer).map(|_| Answer::nothing()), "HOST: the connection broke"),
        (
            "another layer",
            |i, r| Some(Answer::ok(flipped(content(i, r, &i.layer)?))),
            "what came has the digest sha256:",
        ),
        (
            "a longer layer",
            |i, r| Some(Answer::ok([content(i, r, &i.layer)?, b"x"].concat()).without_length()),
            "HOST sends more than the",
        ),
        (
            "a shorter layer",
            |i, r| Some(Answer::ok(&content(i, r, &i.layer)?[..1024])),
            "HOST says that it has 1024 bytes",
        ),
        ("another config", |i, r| Some(Answer::ok(flipped(content(i, r, &i.config)?))), "the image's config"),
        ("a shorter config", |i, r| Some(Answer::ok(&content(i, r, &i.config)?[..5])), "HOST says that it has 5 bytes"),
        (
            "another manifest",
            |i, r| Some(Answer::ok(flipped(content(i, r, &i.manifest)?))),
            "the content has the digest",
        ),
        ("no index", |i, r| Some(Answer::ok(&content(i, r, &i.index)?[..20])), ""),
        ("429", |i, r| content(i, r, &i.layer).map(|_| Answer::new(429, "")), "HOST answers 429 Too Many Requests"),
        (
            "429 for long",
            |i, r| content(i, r, &i.index).map(|_| Answer::new(429, "").with("Retry-After", "3600")),
            "wants to be left alone for 3600 seconds",
        ),
        ("500", |i, r| content(i, r, &i.layer).map(|_| Answer::new(500, "")), "HOST answers 500 Internal Server Error"),
        (
            "circles",
            |i, r| content(i, r, &i.layer).map(|_| Answer::new(307, "").with("Location", &r.path)),
            "HOST sends us on more than 10 times",
        ),
        (
            "a login that counts no more",
            |i, r| content(i, r, &i.layer).map(|_| Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")),
            "HOST answers 401 Unauthorized; log in",
        ),
    ];
    for (name, instead, words) in cases {
        let (dir, server) = (tempfile::tempdir().unwrap(), image.served(instead));
        let store = Store::at(dir.path());
        let told = pull(&store, &server).unwrap_err();
        assert!(told.contains(words), "{name}: {told}");
        // What did come, whole, is used; halves aren't there.
        assert_eq!(halves(dir.path()), [""; 0], "{name}: a half is left");
        assert_eq!(store.catalogue.list().unwrap(), [], "{name}");
        let server = image.served(|_, _| None);
        assert!(pull(&store, &server).unwrap().is_new, "{name}");
        let layers = fs::read_dir(dir.path().join("layers")).unwrap().count();
        assert_eq!(layers, 2, "{name}: something is left");
        assert!(store.is_whole(&store.catalogue.find("app").unwrap().unwrap()), "{name}");
    }
}

/// Tokens that count twice: again and again another is needed. (Not once: threads share them.)
#[test]
fn tokens_that_expire() {
    if !rustix::process::geteuid().is_root() {
        crate::skips::skip("only root gives files owners");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let image = Image::new(dir.path());
    let given = AtomicUsize::new(0);
    let tokens =
        Server::tls(move |_| Answer::ok(format!("{{\"token\":\"t{}\"}}", given.fetch_add(1, Ordering::SeqCst))));
    let realm = format!("Bearer realm=\"https://{}/token\"", tokens.host());
    let used = Mutex::new(BTreeMap::<String, usize>::new());
    let registry = image.served(move |_, request| {
        let token = request.header("authorization").to_owned();
        let mut used = used.lock().unwrap();
        let uses = used.entry(token.clone()).or_default();
        *uses += 1;
        (token.is_empty() || *uses > 2).then(|| Answer::new(401, "").with("WWW-Authenticate", &realm))
    });
    let place = tempfile::tempdir().unwrap();
    let store = Store::at(place.path());
    assert!(pull(&store, &registry).unwrap().is_new);
    assert!(tokens.asked().len() >= 3, "an index, a manifest, a config and two layers");
    assert!(!pull(&store, &registry).unwrap().is_new);
}
