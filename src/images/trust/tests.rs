//! Policies and signatures by keys that openssl makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::images::digest::Digest;
use crate::images::document::Fetched;
use crate::images::document::{Descriptor, Layer};
use crate::images::origin::{Origin, OriginError, Scheme, Signature};

const NAME: &str = "reg.example/team/app:1";

/// A folder with a key pair, `ec` or `ed25519`.
pub struct Pair {
    dir: tempfile::TempDir,
    kind: &'static str,
}

impl Pair {
    pub fn new(kind: &'static str) -> Self {
        let pair = Self { dir: tempfile::tempdir().unwrap(), kind };
        let curve = ["-pkeyopt", "ec_paramgen_curve:P-256"];
        let options: &[&str] = if kind == "ec" { &curve } else { &[] };
        pair.openssl(&[&["genpkey", "-algorithm", kind, "-out", "key"], options].concat());
        pair.openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"]);
        pair
    }

    fn openssl(&self, words: &[&str]) {
        let output = Command::new("openssl").args(words).current_dir(self.dir.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn public(&self) -> PathBuf {
        self.dir.path().join("public")
    }

    /// In base64.
    pub fn sign(&self, message: &[u8]) -> String {
        std::fs::write(self.dir.path().join("message"), message).unwrap();
        let words: &[&str] = match self.kind {
            "ec" => &["dgst", "-sha256", "-sign", "key", "-out", "signature", "message"],
            _ => &["pkeyutl", "-sign", "-inkey", "key", "-rawin", "-in", "message", "-out", "signature"],
        };
        self.openssl(words);
        STANDARD.encode(std::fs::read(self.dir.path().join("signature")).unwrap())
    }

    fn simple(&self, digest: &Digest, name: &str, kind: &str) -> Signature {
        let payload = json!({"critical": {
            "identity": {"docker-reference": name}, "image": {"docker-manifest-digest": digest}, "type": kind,
        }, "optional": null});
        let payload = payload.to_string().into_bytes();
        Signature::Simple { signature: self.sign(&payload), payload, has_certificate: false }
    }

    fn cosign(&self, digest: &Digest, name: &str) -> Signature {
        self.simple(digest, name, "cosign container image signature")
    }

    fn statement(&self, digest: &Digest, predicate: &str) -> Signature {
        let payload = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": predicate,
            "subject": [{"digest": {"sha256": digest.hex()}}], "predicate": {}})
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let envelope = json!({"payloadType": kind, "payload": STANDARD.encode(&payload),
            "signatures": [{"sig": self.sign(signed.as_bytes())}]});
        bundle("dsseEnvelope", &envelope, "publicKey")
    }
}

fn bundle(kind: &str, content: &Value, material: &str) -> Signature {
    let media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let bundle = json!({"mediaType": media_type, "verificationMaterial": {material: {"hint": ""}}, kind: content});
    Signature::Bundle(bundle.to_string().into_bytes())
}

/// What has these signatures, under the tag and as bundles.
struct Beside(Vec<Signature>);

impl Origin for Beside {
    fn top(&self) -> Result<Fetched, OriginError> {
        Err("it has no image".into())
    }

    fn document(&self, _: &Descriptor) -> Result<Vec<u8>, OriginError> {
        Err("it has no image".into())
    }

    fn layer<'a>(&'a self, _: &Layer) -> Result<Box<dyn std::io::Read + Send + 'a>, OriginError> {
        Err("it has no image".into())
    }

    fn signatures(&self, _: &Digest, scheme: Scheme) -> Result<Vec<Signature>, OriginError> {
        let is_wanted = |one: &&Signature| matches!(one, Signature::Bundle(_)) == (scheme == Scheme::Referrers);
        Ok(self.0.iter().filter(is_wanted).cloned().collect())
    }
}

fn subject(name: &str) -> Subject {
    Subject::Registry(name.parse().unwrap())
}

fn rules_of(policy: &Value, image: &Subject) -> Result<Rules, TrustError> {
    Policy::parse(Path::new("/policy.json"), policy.to_string().as_bytes())?.rules(image)
}

/// A policy that wants a signature, with these keys beside the type.
fn wants(more: Value) -> Value {
    let mut requirement = json!({"type": "sigstoreSigned"});
    requirement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"default": [{"type": "reject"}], "transports": {"docker": {"reg.example": [requirement]}}})
}

/// Both kinds of keys, both schemes; whatever of it is another's is told of.
#[test]
fn signatures_are_verified() {
    let document = b"the manifest".as_slice();
    let digest = Digest::of(document);
    let strange = Pair::new("ec");
    for kind in ["ec", "ed25519"] {
        let pair = Pair::new(kind);
        let rules = |more: Value| {
            let mut keys = json!({"keyPath": pair.public()});
            keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rules_of(&wants(keys), &subject(NAME)).unwrap()
        };
        let check = |rules: &Rules, signatures: Vec<Signature>| {
            rules.check(&Beside(signatures), &[(&digest, document)]).map_err(|error| error.to_string())
        };
        let good = |rules: &Rules, signature: Signature| {
            let proofs = check(rules, vec![strange.cosign(&digest, NAME), signature]).unwrap();
            assert!(rules.hold(&proofs, &[&digest]) && !rules.hold(&proofs, &[&Digest::of(b"other")]), "{proofs:?}");
            assert!(!rules.hold(&[], &[&digest]));
        };
        let fault = |rules: &Rules, signature: Signature, words: &str| {
            let said = check(rules, vec![signature]).unwrap_err();
            assert!(
                said.contains(words) && said.contains("/policy.json: $.transports.docker[\"reg.example\"][0]"),
                "{said}"
            );
        };
        let default = rules(json!({}));
        let repository = rules(json!({"signedIdentity": {"type": "matchRepository"}}));
        good(&default, pair.cosign(&digest, NAME));
        good(&repository, pair.cosign(&digest, "reg.example/team/app"));
        good(&default, pair.statement(&digest, "https://sigstore.dev/cosign/sign/v1"));
        good(&default, bundle("messageSignature", &json!({"signature": pair.sign(document)}), "publicKey"));
        fault(&default, pair.cosign(&digest, "reg.example/team/app"), "matchRepository");
        fault(&default, pair.cosign(&digest, "reg.example/team/app:2"), "a signature for reg.example/team/app:2");
        fault(&repository, pair.cosign(&digest, "reg.example/team/other"), "a signature for reg.example/team/other");
        fault(&default, pair.cosign(&Digest::of(b"x"), NAME), "a signature for sha256:");
        fault(&default, pair.simple(&digest, NAME, "atomic container signature"), "unknown type");
        fault(&default, strange.cosign(&digest, NAME), "by another key");
        fault(&default, pair.statement(&Digest::of(b"x"), "https://sigstore.dev/cosign/sign/v1"), "another digest");
        fault(&default, pair.statement(&digest, "https://slsa.dev/provenance/v1"), "which is no signature");
        fault(&default, strange.statement(&digest, "https://sigstore.dev/cosign/sign/v1"), "a bundle by another key");
        fault(&repository, pair.statement(&digest, "https://sigstore.dev/cosign/sign/v1"), "without signedIdentity");
        let keyless = bundle("messageSignature", &json!({"signature": strange.sign(document)}), "certificate");
        fault(&default, keyless, "a keyless signature");
        let Signature::Simple { payload, signature, .. } = strange.cosign(&digest, NAME) else { panic!() };
        fault(&default, Signature::Simple { payload, signature, has_certificate: true }, "a keyless signature");
        let none = check(&default, vec![]).unwrap_err();
        assert!(none.contains(&format!("neither tag sha256-{}.sig", digest.hex())), "{none}");
        // A stricter policy isn't met by what another one was content with.
        let proofs = check(&default, vec![pair.cosign(&digest, NAME)]).unwrap();
        let other = rules_of(&wants(json!({"keyPath": strange.public()})), &subject(NAME)).unwrap();
        assert!(default.hold(&proofs, &[&digest]) && !other.hold(&proofs, &[&digest]));
    }
}

/// Nobody evades a scope by another spelling of its registry, nor is one evaded by how the policy spells it.
#[test]
fn scopes_are_met_however_they_are_spelled() {
    let reject = json!([{"type": "reject"}]);
    let accept = json!([{"type": "insecureAcceptAnything"}]);
    let policy = |scopes: Value| json!({"default": accept, "transports": {"docker": scopes}});
    let said = |policy: &Value, image: &str| rules_of(policy, &subject(image)).err().map(|error| error.to_string());
    for scope in ["reg.example", "REG.example", "reg.example:443/team", "*.Example", "Reg.Example/team/app:1"] {
        let policy = policy(json!({scope: reject}));
        for image in [NAME, "REG.example/team/app:1", "reg.example:443/team/app:1", "Reg.Example:0443/team/app:1"] {
            let wanted = format!("policy /policy.json: $.transports.docker[{scope:?}][0] rejects it");
            assert_eq!(said(&policy, image), Some(wanted), "{image}");
        }
        // Another port may be another registry's.
        assert_eq!(said(&policy, "reg.example:5000/team/app:1").is_some(), scope.starts_with('*'), "{scope}");
    }
    let hub = policy(json!({"docker.io": reject}));
    for image in ["nginx", "Docker.io/library/nginx", "index.docker.io:443/library/nginx", "registry-1.docker.io/a/b"] {
        assert!(said(&hub, image).is_some(), "{image}");
    }
    // Two spellings are one scope, which can't want two things.
    let twice = policy(json!({"reg.example": reject, "reg.example:443": accept}));
    let words = "$.transports.docker[\"reg.example\"]: it is another spelling of \"reg.example:443\", which wants something else";
    assert_eq!(said(&twice, NAME), Some(format!("policy /policy.json: {words}")));
    assert_eq!(said(&twice, "other.example/a:1"), None);
    assert_eq!(said(&policy(json!({"reg.example": accept, "reg.example:443": accept})), NAME), None);
}

/// What is wrong with a policy is told with its file and the place in it, and only of images that it is about.
#[test]
fn policies_that_can_not_be_used() {
    let refused = |policy: &Value, image: &str| rules_of(policy, &subject(image)).unwrap_err().to_string();
    let pair = Pair::new("ec");
    let pem = std::fs::read(pair.public()).unwrap();
    let rsa = Pair { dir: tempfile::tempdir().unwrap(), kind: "rsa" };
    rsa.openssl(&["genpkey", "-algorithm", "rsa", "-out", "key"]);
    rsa.openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"]);
    let good = json!({"keyDatas": [STANDARD.encode(&pem)]});
    assert!(rules_of(&wants(good), &subject(NAME)).is_ok());
    let place = "policy /policy.json: $.transports.docker[\"reg.example\"][0]";
    for (more, words) in [
        (json!({}), "exactly one of keyPath"),
        (json!({"keyPath": "/a", "keyData": ""}), "exactly one of keyPath"),
        (json!({"keyPath": "/none"}), "keyPath /none: No such file"),
        (json!({"keyPath": "cosign.pub"}), "keyPath cosign.pub: it must be an absolute path"),
        (json!({"keyData": "%"}), "keyData: it is no base64"),
        (json!({"keyData": ""}), "it has no PUBLIC KEY in PEM"),
        (json!({"keyPaths": "/a"}), "strings are wanted"),
        (json!({"keyPath": rsa.public()}), "only ECDSA P-256 and Ed25519 keys are supported"),
        (json!({"fulcio": {}}), "\"fulcio\" is not supported: keyless"),
        (json!({"keyPath": pair.public(), "rekorPublicKeyPath": "/a"}), "transparency logs are not supported"),
        (json!({"keyPath": pair.public(), "signedIdentity": {"type": "matchAll"}}), "\"matchAll\" is not supported"),
        (
            json!({"keyPath": pair.public(), "signedIdentity": {"type": "exactReference"}}),
            "\"dockerReference\": a string",
        ),
        (json!({"type": "signedBy", "keyType": "GPGKeys"}), "signatures by GPG are not supported"),
        (json!({"type": "signedbye"}), "\"signedbye\" is not supported"),
    ] {
        let said = refused(&wants(more), NAME);
        assert!(said.starts_with(place) && said.contains(words), "{said}");
    }
    assert_eq!(refused(&wants(json!({})), "nginx:1"), "policy /policy.json: $.default[0] rejects it");
    for (policy, words) in [
        (json!([]), "$: no object"),
        (json!({}), "it has no \"default\""),
        (json!({"default": [], "transport": {}}), "unknown key \"transport\""),
        (json!({"default": [], "transports": {"docker": null}}), "$.transports.docker: no object"),
        (json!({"default": [], "transports": {"docker": []}}), "$.transports.docker: no object"),
        (json!({"default": []}), "$.default: a list of requirements is wanted"),
        (json!({"default": [{"type": "insecureAcceptAnything", "x": 1}]}), "\"x\" is not supported"),
    ] {
        let said = refused(&policy, NAME);
        assert!(said.starts_with("policy /policy.json: $") && said.contains(words), "{said}");
    }
    // Whoever reads the first of two could rely on it.
    for twice in [
        r#"{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}"#,
        r#"{"default": [{"type": "reject", "type": "insecureAcceptAnything"}]}"#,
        r#"{"default": [], "transports": {"docker": {"a": [], "a": []}}}"#,
    ] {
        let said = Policy::parse(Path::new("/policy.json"), twice.as_bytes()).unwrap_err().to_string();
        assert!(
            said.starts_with("policy /policy.json: $: the key ") && said.contains("stands twice at line 1"),
            "{said}"
        );
    }
    let file = Subject::File { transport: "oci", path: "/srv/web".into(), name: None };
    let policy = json!({"default": [{"type": "insecureAcceptAnything"}], "transports": {"oci": {"/srv": [{"type": "sigstoreSigned"}]}}});
    assert!(rules_of(&policy, &file).unwrap_err().to_string().contains("images in files have none"));
    assert!(rules_of(&policy, &subject(NAME)).is_ok());
}

/// Keys in files of other kinds, or that are too large to be some.
#[test]
fn keys_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let refused = || rules_of(&wants(json!({"keyPath": path})), &subject(NAME)).unwrap_err().to_string();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refused().ends_with("key: not a regular file"), "{}", refused());
    std::fs::remove_file(&path).unwrap();
    std::fs::File::create(&path).unwrap().set_len(65_537).unwrap();
    assert!(refused().ends_with("key: larger than 65536 bytes"), "{}", refused());
}

/// Which policies want nothing of anybody.
#[test]
fn policies_that_accept_everything() {
    let accepts = |policy: Value| {
        Policy::parse(Path::new("/policy.json"), policy.to_string().as_bytes()).unwrap().accepts_everything()
    };
    let any = json!([{"type": "insecureAcceptAnything"}]);
    assert!(accepts(json!({"default": any, "transports": {"docker-daemon": {"": any}}})));
    assert!(!accepts(json!({"default": [{"type": "reject"}]})));
    assert!(!accepts(json!({"default": any, "transports": {"docker": {"a": any, "b": [{"type": "sigstoreSigned"}]}}})));
    assert!(!accepts(json!({"default": {}})));
}

/// The user's own file counts before the system's; none is none.
#[test]
fn which_policy_counts() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap().to_owned();
    let environment = |name: &str| (name == "HOME").then(|| home.clone());
    let path = &files(environment)[0];
    assert_eq!(path, &dir.path().join(".config/containers/policy.json"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, r#"{"default": [{"type": "reject"}]}"#).unwrap();
    let policy = Policy::of_this_box(None, environment).unwrap().unwrap();
    assert!(policy.rules(&subject(NAME)).unwrap_err().to_string().contains("rejects it"));
    let missing = Policy::of_this_box(Some(&dir.path().join("none")), environment).unwrap_err().to_string();
    assert!(missing.contains("none: "), "{missing}");
    std::fs::write(path, "{").unwrap();
    assert!(Policy::of_this_box(None, environment).is_err());
}
