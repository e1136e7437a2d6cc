//! Images that a policy wants signed, as cosign signs them, by keys of openssl.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use barepod::images::digest::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::image::{busybox, digest, write};
use crate::harness::own_registry::Registry;
use crate::harness::{Case, Manifest, Run, said_by, wait};

/// A registry with an image `app:1`, a home with a policy that wants it signed by a key, and the key.
struct World<'a> {
    case: &'a Case,
    registry: Registry,
    /// Of the image's manifest.
    digest: String,
}

/// `None`, said aloud, where there is no openssl to sign with.
fn case(name: &str) -> Option<Case> {
    if Command::new("openssl").arg("version").output().is_err() {
        crate::skips::skip("needs openssl");
        return None;
    }
    Case::new(name)
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let layout = case.dir().join("images");
        write(&layout, "1", &json!({"Cmd": ["/bin/echo", "up"]}), vec![busybox()]);
        let digest = digest(&layout, "1").to_string();
        let world = Self { case, registry: Registry::open(&layout), digest };
        world.openssl(&["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key"]);
        world.openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"]);
        world
    }

    fn openssl(&self, words: &[&str]) {
        let output = Command::new("openssl").args(words).current_dir(self.case.dir()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn image(&self) -> String {
        self.registry.image("team/app", "1")
    }

    fn home(&self) -> PathBuf {
        self.case.dir().join("home")
    }

    /// What the home's policy.json wants of the registry's images.
    fn policy(&self, requirement: &Value) {
        let folder = self.home().join(".config/containers");
        fs::create_dir_all(&folder).unwrap();
        let host = self.image().split('/').next().unwrap().to_owned();
        let policy =
            json!({"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {host: [requirement]}}});
        fs::write(folder.join("policy.json"), policy.to_string()).unwrap();
    }

    fn wants_signatures(&self) {
        let key = self.case.dir().join("public");
        self.policy(&json!({"type": "sigstoreSigned", "keyPath": key, "signedIdentity": {"type": "matchRepository"}}));
    }

    /// By the key, in base64.
    fn signature(&self, message: &[u8]) -> String {
        fs::write(self.case.dir().join("message"), message).unwrap();
        self.openssl(&["dgst", "-sha256", "-sign", "key", "-out", "signature", "message"]);
        STANDARD.encode(fs::read(self.case.dir().join("signature")).unwrap())
    }

    fn put_blob(&self, content: &[u8]) -> String {
        let digest = Digest::of(content).to_string();
        self.registry.put(&format!("blobs/{digest}"), "application/octet-stream", content);
        digest
    }

    /// Puts a bundle into the registry, as `cosign sign --key` of version 3 does, and gives the index of what refers to the image.
    fn bundle(&self) -> String {
        let (kind, hex) = ("application/vnd.in-toto+json", self.digest.strip_prefix("sha256:").unwrap());
        let statement = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": hex}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {}});
        let payload = statement.to_string();
        let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signatures = json!([{"sig": self.signature(signed.as_bytes())}]);
        let envelope = json!({"payload": STANDARD.encode(&payload), "payloadType": kind, "signatures": signatures});
        let bundle_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let material = json!({"publicKey": {"hint": ""}});
        let bundle =
            json!({"mediaType": bundle_type, "verificationMaterial": material, "dsseEnvelope": envelope}).to_string();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let layer = json!({"mediaType": bundle_type, "digest": self.put_blob(bundle.as_bytes()), "size": bundle.len()});
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type, "artifactType": bundle_type, "layers": [layer]});
        let manifest = manifest.to_string();
        let digest = Digest::of(manifest.as_bytes());
        self.registry.put(&format!("manifests/{digest}"), media_type, manifest.as_bytes());
        let other =
            json!({"mediaType": media_type, "artifactType": "text/spdx+json", "digest": Digest::of(b"x"), "size": 1});
        let own =
            json!({"mediaType": media_type, "artifactType": bundle_type, "digest": digest, "size": manifest.len()});
        json!({"schemaVersion": 2, "manifests": [other, own]}).to_string()
    }

    /// Puts a signature beside the image, as `cosign sign --key` of version 2 does.
    fn sign(&self) {
        let repository = self.image();
        let repository = repository.rsplit_once(':').unwrap().0;
        let payload = json!({"critical": {"identity": {"docker-reference": repository},
            "image": {"docker-manifest-digest": self.digest}, "type": "cosign container image signature"}, "optional": null});
        let payload = payload.to_string();
        let signature = self.signature(payload.as_bytes());
        let digest = self.put_blob(payload.as_bytes());
        let layer = json!({"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": digest,
            "size": payload.len(), "annotations": {"dev.cosignproject.cosign/signature": signature}});
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "layers": [layer]}).to_string();
        let tag = format!("{}.sig", self.digest.replace(':', "-"));
        self.registry.put(&format!("manifests/{tag}"), media_type, manifest.as_bytes());
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.registry.command(self.case, words);
        command.env("HOME", self.home());
        command
    }

    /// Exit code and standard error.
    fn said(&self, words: &[&str]) -> (Option<i32>, String) {
        let (code, _, stderr) = said_by(&mut self.command(words));
        (code, stderr)
    }

    fn pod(&self, more: Value) -> Manifest {
        let mut container = json!({"name": "main", "image": self.image()});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.case.pod().container(container)
    }

    fn start(&self, pod: &Manifest) -> Run<'a> {
        let file = self.case.write(&pod.text());
        let mut command = self.command(&["run", "--backoff-initial", "300ms", "--backoff-max", "1200ms"]);
        Run::to_files(self.case, command.arg(file))
    }
}

/// R8.13: what has no signature that the policy wants isn't pulled, and is once it has one; then no registry is needed for it.
#[test]
fn pods_wait_for_a_signature() {
    let Some(case) = case("signed") else { return };
    let world = World::new(&case);
    world.wants_signatures();
    let pod = world.pod(json!({}));
    let mut run = world.start(&pod);
    wait("the refusal", || run.stderr().contains("main: Failed to pull image") || run.has_ended());
    let words = [
        "SignatureValidationFailed: ",
        "policy.json: $.transports.docker[",
        "[0] wants a signature: there is none (neither tag sha256-",
    ];
    assert!(words.iter().all(|words| run.stderr().contains(words)), "{}", run.stderr());
    let reasons = ["SignatureValidationFailed", "ImagePullBackOff"];
    let reason = || case.container("main")["state"]["waiting"]["reason"].clone();
    wait("the reason in the status", || reasons.iter().any(|one| reason() == *one));
    world.sign();
    assert_eq!(run.end(), 0, "{}", run.stderr());
    // It was proven: the registry may have lost it all.
    let pod = world.pod(json!({"imagePullPolicy": "Never"}));
    let mut run = world.start(&pod);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    // Another key is wanted now.
    world.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key"]);
    world.openssl(&["pkey", "-in", "key", "-pubout", "-out", "public"]);
    let mut run = world.start(&pod);
    wait("the refusal", || case.container("main")["state"]["waiting"]["reason"] == "ErrImageNeverPull");
    run.signal(rustix::process::Signal::TERM);
    run.end();
    case.nothing_left();
}

/// `image pull`: by the box's policy and by a file that is given; nothing of what is refused comes.
#[test]
fn pulls_heed_the_policy() {
    let Some(case) = case("policy") else { return };
    let world = World::new(&case);
    let image = world.image();
    world.policy(&json!({"type": "reject"}));
    let (code, said) = world.said(&["image", "pull", &image]);
    assert!(code == Some(1) && said.contains("[0] rejects it"), "{said}");
    world.policy(&json!({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}));
    let (code, said) = world.said(&["image", "pull", &image]);
    assert!(code == Some(1) && said.contains("signatures by GPG are not supported"), "{said}");
    world.wants_signatures();
    let (code, said) = world.said(&["image", "pull", &image]);
    assert!(code == Some(1) && said.contains("wants a signature"), "{said}");
    assert!(!case.root().join("data/images/layers").exists(), "something was brought");
    let accepts = case.dir().join("accepts.json");
    fs::write(&accepts, r#"{"default": [{"type": "insecureAcceptAnything"}]}"#).unwrap();
    let (code, said) = world.said(&["image", "pull", "--signature-policy", accepts.to_str().unwrap(), &image]);
    assert_eq!(code, Some(0), "{said}");
    // What was accepted then has to be signed now.
    world.sign();
    let (code, said) = world.said(&["image", "pull", &image]);
    assert_eq!(code, Some(0), "{said}");
    let mut run = world.start(&world.pod(json!({"imagePullPolicy": "Never"})));
    assert_eq!(run.end(), 0, "{}", run.stderr());
    case.nothing_left();
}

/// Bundles are found by the registry's list of what refers to the image, and by the tag where it has no such list.
#[test]
fn bundles_refer_to_their_image() {
    let Some(case) = case("bundles-refer") else { return };
    let index = "application/vnd.oci.image.index.v1+json";
    for by_tag in [false, true] {
        let world = World::new(&case);
        let image = world.image();
        world.policy(&json!({"type": "sigstoreSigned", "keyPath": case.dir().join("public")}));
        let (code, said) = world.said(&["image", "pull", &image]);
        assert!(code == Some(1) && said.contains("nor a bundle that refers to it"), "{said}");
        let path = match by_tag {
            true => format!("manifests/{}", world.digest.replace(':', "-")),
            false => format!("referrers/{}", world.digest),
        };
        world.registry.put(&path, index, world.bundle().as_bytes());
        let (code, said) = world.said(&["image", "pull", &image]);
        assert_eq!(code, Some(0), "{path}: {said}");
        // It has no name that could be compared.
        world.wants_signatures();
        let (code, said) = world.said(&["image", "pull", &image]);
        assert!(code == Some(1) && said.contains("without signedIdentity its digest is enough"), "{said}");
    }
    case.nothing_left();
}

/// `--signature-policy` of `run`, `debug` and `apply` counts in the place of the box's, for what is in the store as well.
#[test]
fn a_pod_has_a_policy_of_its_own() {
    let Some(case) = case("own-policy") else { return };
    let world = World::new(&case);
    let policy = |name: &str, kind: &str| {
        let path = case.dir().join(name);
        fs::write(&path, json!({"default": [{"type": kind}]}).to_string()).unwrap();
        path.display().to_string()
    };
    let (accepts, rejects) = (policy("accepts.json", "insecureAcceptAnything"), policy("rejects.json", "reject"));
    world.policy(&json!({"type": "reject"}));
    let command = "echo ran >> /t/log; while ! [ -e /t/go ]; do sleep 0.05; done";
    let main = json!({
        "command": ["/bin/sh", "-c", command], "volumeMounts": [{"name": "t", "mountPath": "/t"}],
        "imagePullPolicy": "IfNotPresent",
    });
    let pod = world.pod(main).spec(json!({"restartPolicy": "Always"}));
    let file = case.write(&pod.text()).display().to_string();
    let image = world.image();
    let debug = |name: &str, more: &[&str]| {
        let words = ["debug", case.name(), "-q", "-c", name, "--image", &image];
        world.said(&[&words[..], more, &["--", "/bin/true"]].concat())
    };
    for words in [&["run"][..], &["apply", "-f"]] {
        let (code, said) = world.said(&[words, &[file.as_str(), "--signature-policy", "none.json"]].concat());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--signature-policy: policy ") && said.contains("none.json: No such file"), "{said}");
    }
    assert!(!case.root().join("data/images").exists(), "something was made");
    // Relative to where we are.
    let backoff = ["--backoff-initial", "300ms", "--backoff-max", "1200ms"];
    let words = [&["run", "-d", "--signature-policy", "accepts.json", &file][..], &backoff].concat();
    let output = world.command(&words).current_dir(case.dir()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    case.wait_for("ran");
    let (code, said) = debug("as-the-pod", &["--attach"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = debug("stricter", &["--signature-policy", &rejects]);
    assert_eq!(code, Some(0), "{said}");
    let is_refused = |container: &str| {
        let reason = case.container(container)["state"]["waiting"]["reason"].clone();
        reason == "SignatureValidationFailed" || reason == "ImagePullBackOff"
    };
    wait("the refusal", || is_refused("stricter"));
    // The pod has one, and keeps it until it gets another.
    let apply = |policy: &str| {
        let output = world.command(&["apply", "--signature-policy", policy, "-f", &file]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(apply(&accepts), format!("pod/{} unchanged\n", case.name()));
    assert_eq!(apply(&rejects), format!("pod/{} configured\n", case.name()));
    assert_eq!(apply(&rejects), format!("pod/{} unchanged\n", case.name()));
    let (code, said) = world.said(&["kill", case.name()]);
    assert_eq!(code, Some(0), "{said}");
    wait("the refusal of what is in the store", || is_refused("main"));
    // One that isn't there yet.
    for words in [&["stop"][..], &["rm"], &["apply", "--signature-policy", &rejects, "-f", &file]] {
        let (code, said) = world.said(&[words, &[case.name()][..usize::from(words.len() == 1)]].concat());
        assert_eq!(code, Some(0), "{said}");
    }
    wait("the refusal of a new pod", || is_refused("main"));
    let (code, said) = world.said(&["stop", case.name()]);
    assert_eq!(code, Some(0), "{said}");
    case.nothing_left();
}
