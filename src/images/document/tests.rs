#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::images::digest::Digest;
use crate::images::platform::Platform;
use crate::images::tests::fuzz;

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn described(media_type: &str, content: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(content.as_bytes()), "size": content.len()})
}

fn manifest(config: &str, layers: &[&str]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|kind| described(kind, kind)).collect();
    json!({"schemaVersion": 2, "config": described(config, "config"), "layers": layers})
}

fn read(value: &Value, said: Option<&str>) -> Result<Document, DocumentError> {
    Document::read(value.to_string().as_bytes(), said)
}

fn image(value: &Value) -> Result<Manifest, DocumentError> {
    Manifest::read(value.to_string().as_bytes())
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[test]
fn manifests_of_the_oci_and_of_docker_are_read() {
    let docker = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    for (config, layers) in [
        (OCI_CONFIG, vec![OCI_LAYER, "application/vnd.oci.image.layer.v1.tar"]),
        (OCI_CONFIG, vec!["application/vnd.oci.image.layer.v1.tar+zstd"]),
        (OCI_CONFIG, vec!["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"]),
        ("application/vnd.docker.container.image.v1+json", vec![docker, foreign]),
        ("application/octet-stream", vec![docker]),
        (OCI_CONFIG, vec![]),
    ] {
        let Document::Manifest(found) = read(&manifest(config, &layers), None).unwrap() else { panic!("{config}") };
        let kinds: Vec<&str> = found.layers().iter().map(|layer| layer.media_type.as_str()).collect();
        assert_eq!(kinds, layers);
        assert_eq!(found.size(), layers.iter().map(|kind| kind.len() as u64).sum::<u64>());
        assert_eq!(found.config().digest, Digest::of(b"config"));
    }
    let packed = manifest(
        OCI_CONFIG,
        &["application/vnd.oci.image.layer.v1.tar", OCI_LAYER, "application/vnd.oci.image.layer.v1.tar+zstd"],
    );
    let packings: Vec<Packing> = image(&packed).unwrap().layers().iter().map(|layer| layer.packing).collect();
    assert_eq!(packings, [Packing::Plain, Packing::Gzip, Packing::Zstd]);
    let mut elsewhere = manifest("application/vnd.docker.container.image.v1+json", &[foreign]);
    elsewhere["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    assert_eq!(image(&elsewhere).unwrap().layers()[0].urls, ["https://example.com/layer"]);
    let mut absent = manifest(OCI_CONFIG, &[]);
    absent["layers"] = Value::Null;
    absent["annotations"] = json!({"a": null, "b": "c"});
    absent["other"] = json!([{}]);
    let found = image(&absent).unwrap();
    assert!(found.layers().is_empty() && found.annotations()["b"] == "c", "null and what nobody knows are skipped");
}

/// What the media type says, what is written in the document and what is in it may not be two things (CVE-2021-41190).
#[test]
fn a_document_is_one_thing() {
    let (oci, index) = (Some(ACCEPTED[1]), Some(ACCEPTED[0]));
    let plain = manifest(OCI_CONFIG, &[OCI_LAYER]);
    let with = |base: &Value, field: &str, value: Value| {
        let mut changed = base.clone();
        changed[field] = value;
        changed
    };
    let list = json!({"schemaVersion": 2, "manifests": []});
    for (value, said) in [
        (&plain, None),
        (&plain, oci),
        (&plain, Some("application/json")),
        (&plain, Some("Application/vnd.oci.image.manifest.v1+json; charset=utf-8")),
        (&with(&plain, "mediaType", json!(ACCEPTED[3])), Some(ACCEPTED[3])),
        (&with(&plain, "mediaType", json!("")), None),
    ] {
        assert!(matches!(read(value, said), Ok(Document::Manifest(_))), "{value} {said:?}");
    }
    for (value, said) in [(&list, None), (&list, index), (&json!({"manifests": null}), index)] {
        assert!(matches!(read(value, said), Ok(Document::Index(_))), "{value} {said:?}");
    }
    let artifact =
        json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": []});
    let signed = Some("application/vnd.docker.distribution.manifest.v1+prettyjws");
    for (value, said, words) in [
        (&plain, index, "two things"),
        (&list, oci, "two things"),
        (&with(&plain, "manifests", json!([])), None, "two things"),
        (&with(&plain, "mediaType", json!(ACCEPTED[0])), None, "two things"),
        (&with(&list, "mediaType", json!(ACCEPTED[1])), None, "two things"),
        (&with(&plain, "mediaType", json!(ACCEPTED[1])), index, "two things"),
        (&with(&plain, "schemaVersion", json!(1)), None, "schema 1"),
        (&json!({"fsLayers": [{"blobSum": "x"}]}), None, "schema 1"),
        (&plain, signed, "schema 1"),
        (&artifact, None, "no container image but an artifact (application/vnd.oci.artifact.manifest.v1+json)"),
        (&json!({"artifactType": "a/b"}), Some("text/html"), "artifact (a/b)"),
        (&json!({"errors": []}), Some("text/html"), "media type \"text/html\""),
        (&json!([1]), None, "can't be read"),
    ] {
        let said = read(value, said).unwrap_err().to_string();
        assert!(said.contains(words), "{value}: {said}");
    }
    let twice = format!("{{\"layers\":[],{}", &plain.to_string()[1..]);
    assert!(Document::read(twice.as_bytes(), None).unwrap_err().to_string().contains("duplicate field `layers`"));
    let long = vec![b' '; 5 << 20];
    assert!(Document::read(&long, None).unwrap_err().to_string().contains("4194304 are the most"));
    let deep = "[".repeat(1 << 20);
    assert!(Document::read(deep.as_bytes(), None).is_err());
}

#[test]
fn what_is_no_file_system_is_refused() {
    let sized = |at: &str, size: Value| {
        let mut changed = manifest(OCI_CONFIG, &[OCI_LAYER, OCI_LAYER]);
        changed.pointer_mut(at).unwrap()["size"] = size;
        changed
    };
    let mut signature =
        manifest("application/vnd.oci.empty.v1+json", &["application/vnd.dev.sigstore.bundle.v0.3+json"]);
    signature["artifactType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    let mut escape = manifest(OCI_CONFIG, &[OCI_LAYER]);
    escape["layers"][0]["digest"] = json!(format!("sha256:../{}", "a".repeat(61)));
    for (value, words) in [
        (
            manifest("application/vnd.cncf.helm.config.v1+json", &[]),
            "artifact (application/vnd.cncf.helm.config.v1+json)",
        ),
        (signature, "artifact (application/vnd.dev.sigstore.bundle.v0.3+json)"),
        (manifest(OCI_CONFIG, &[OCI_LAYER, "application/vnd.in-toto+json"]), "layer 2 is no file system"),
        (manifest(OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+xz"]), "layer 1 is no file system"),
        (manifest(OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"]), "layer 1 is encrypted"),
        (manifest(OCI_CONFIG, &[OCI_LAYER; 501]), "501 layers; 500 are the most"),
        (sized("/layers/1", json!(-1)), "layer 2: -1 is no size"),
        (sized("/config", json!(-5)), "the image's config: -5 is no size"),
        (sized("/config", json!(9 << 20)), "8388608 are the most"),
        (sized("/layers/0", json!(i64::MAX)), "larger than any disk"),
        (sized("/layers/0", json!(u64::MAX)), "can't be read"),
        (sized("/layers/0", json!(1.5)), "can't be read"),
        (escape, "must follow the colon"),
        (json!({"layers": []}), "missing field `config`"),
    ] {
        let said = image(&value).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(image(&manifest(OCI_CONFIG, &[OCI_LAYER; 500])).unwrap().layers().len(), 500);
}

fn index(entries: &[(&str, Option<&str>)]) -> Index {
    let manifests: Vec<Value> = entries
        .iter()
        .map(|(kind, made_for)| {
            let mut one = described(kind, made_for.unwrap_or("none"));
            if let Some(text) = made_for {
                let parts: Vec<&str> = text.split('/').collect();
                one["platform"] = json!({"os": parts[0], "architecture": parts[1], "variant": parts.get(2)});
            }
            one
        })
        .collect();
    Index::read(json!({"schemaVersion": 2, "manifests": manifests}).to_string().as_bytes()).unwrap()
}

#[test]
fn the_platform_chooses_from_an_index() {
    let (image, list) = (ACCEPTED[1], ACCEPTED[2]);
    let usual = index(&[
        (image, Some("unknown/unknown")),
        (image, Some("windows/amd64")),
        (image, Some("linux/arm/v5")),
        (image, Some("linux/arm/v7")),
        (image, Some("linux/amd64")),
        (image, Some("linux/arm64/v8")),
        ("application/vnd.in-toto+json", Some("linux/riscv64")),
    ]);
    for (wanted, chosen) in [
        ("linux/amd64", Some("linux/amd64")),
        ("linux/arm64", Some("linux/arm64/v8")),
        ("linux/arm/v8", Some("linux/arm/v7")),
        ("linux/arm/v6", Some("linux/arm/v5")),
        ("linux/riscv64", None),
    ] {
        let found = usual.choose(&platform(wanted)).ok().map(|one| one.digest.clone());
        assert_eq!(found, chosen.map(|text| Digest::of(text.as_bytes())), "{wanted}");
    }
    let said = usual.choose(&platform("linux/s390x")).unwrap_err().to_string();
    let offered = "it has: linux/amd64, linux/arm/v5, linux/arm/v7, linux/arm64/v8, windows/amd64.";
    assert!(said.contains("no image for linux/s390x") && said.contains(offered), "{said}");
    let amd64 = platform("linux/amd64");
    assert!(index(&[(list, None)]).choose(&amd64).is_ok(), "what is alone says it in its config");
    assert!(index(&[(image, None), (image, None)]).choose(&amd64).is_err());
    assert!(index(&[]).choose(&amd64).unwrap_err().to_string().contains("it has: none"));
    let many: Vec<String> = (0..50).map(|number| format!("linux/cpu{number}")).collect();
    let many: Vec<(&str, Option<&str>)> = many.iter().map(|one| (image, Some(one.as_str()))).collect();
    assert!(index(&many).choose(&amd64).unwrap_err().to_string().contains(" and 30 more"));
    assert!(index(&[(image, Some("linux/amd64"))]).manifests()[0].platform.is_some());
}

/// As Docker 1.10, buildah and the OCI write them.
#[test]
fn configs_are_read_as_they_are_out_there() {
    let full = json!({
        "created": "2024-05-07T01:02:03.123456789Z", "author": "somebody", "architecture": "arm", "variant": "v7", "os": "linux",
        "config": {
            "Entrypoint": ["/e"], "Cmd": ["a", "b"], "Env": ["PATH=/bin", "A=b=c"], "User": "1:2", "WorkingDir": "/w",
            "StopSignal": "SIGQUIT", "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}, "53/udp": null},
            "Labels": {"x": "y", "z": null}, "Healthcheck": {"Test": ["NONE"]}, "ArgsEscaped": true,
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"a"), Digest::of(b"b")]},
        "history": [{"created": "2024-05-07T01:02:03Z", "created_by": "RUN", "empty_layer": true}, {"comment": null}],
        "container_config": {}, "docker_version": "1.10",
    });
    let config = Config::read(full.to_string().as_bytes()).unwrap();
    assert_eq!(config.created().unwrap().to_string(), "2024-05-07T01:02:03.123456789Z");
    assert_eq!((config.author(), config.platform()), ("somebody", platform("linux/arm/v7")));
    assert_eq!(config.diff_ids(), [Digest::of(b"a"), Digest::of(b"b")]);
    let process = config.process();
    assert_eq!(
        (&process.entrypoint[..], &process.cmd[..]),
        (&["/e".to_owned()][..], &["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(
        (process.user.as_str(), process.working_dir.as_str(), process.stop_signal.as_str()),
        ("1:2", "/w", "SIGQUIT")
    );
    assert_eq!(
        (process.env[1].as_str(), process.volumes[0].as_str(), process.labels["x"].as_str()),
        ("A=b=c", "/data", "y")
    );
    assert_eq!(process.exposed_ports, ["53/udp", "80/tcp"]);
    assert!(config.history()[0].empty_layer && config.history()[0].created().is_some());
    for odd in [
        json!({}),
        json!({"config": null, "rootfs": null, "history": null, "created": null, "os": null}),
        json!({"config": {"Cmd": null, "Env": null, "Volumes": null, "Labels": null}, "rootfs": {"diff_ids": null}}),
        json!({"created": "0001-01-01T00:00:00Z"}),
        json!({"created": "yesterday"}),
    ] {
        let config = Config::read(odd.to_string().as_bytes()).unwrap();
        assert_eq!((config.created(), config.process()), (None, &Process::default()), "{odd}");
    }
    let word = json!({"config": {"Cmd": "sh"}}).to_string();
    assert_eq!(Config::read(word.as_bytes()).unwrap().process().cmd, ["sh"]);
    for (wrong, words) in [
        (json!({"rootfs": {"type": "btrfs"}}), "type \"btrfs\""),
        (json!({"config": {"Cmd": 1}}), "a string or a list of strings"),
        (json!({"rootfs": {"diff_ids": ["x"]}}), "is no digest"),
    ] {
        assert!(Config::read(wrong.to_string().as_bytes()).unwrap_err().to_string().contains(words), "{wrong}");
    }
    assert!(Config::read(&vec![b' '; 9 << 20]).unwrap_err().to_string().contains("8388608 are the most"));
}

#[test]
fn a_config_belongs_to_its_manifest_and_its_platform() {
    let one = image(&manifest(OCI_CONFIG, &[OCI_LAYER])).unwrap();
    let config = |os: &str, architecture: &str, diff_ids: &[Digest]| {
        let value = json!({"os": os, "architecture": architecture, "rootfs": {"diff_ids": diff_ids}});
        Config::read(value.to_string().as_bytes()).unwrap()
    };
    let (amd64, digest) = (platform("linux/amd64"), [Digest::of(b"a")]);
    for (os, architecture) in [("linux", "amd64"), ("", ""), ("linux", ""), ("linux", "x86_64")] {
        one.check(&config(os, architecture, &digest), &amd64).unwrap();
    }
    for (config, words) in [
        (config("linux", "amd64", &[]), "has 1 layers, its config 0"),
        (config("linux", "arm64", &digest), "made for linux/arm64, not for linux/amd64"),
        (config("", "arm64", &digest), "made for linux/arm64"),
        (config("windows", "amd64", &digest), "made for windows/amd64"),
        (config("windows", "", &digest), "made for windows"),
    ] {
        let said = one.check(&config, &amd64).unwrap_err().to_string();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_content_is_compared_with_its_description() {
    let descriptor = Descriptor::of("a/b", b"abc");
    descriptor.verify("it", b"abc").unwrap();
    assert!(descriptor.verify("it", b"ab").unwrap_err().to_string().contains("it: 2 bytes came"));
    assert!(descriptor.verify("it", b"abd").unwrap_err().to_string().contains("was asked for"));
    let text = serde_json::to_value(&descriptor).unwrap();
    assert_eq!(text, json!({"mediaType": "a/b", "digest": Digest::of(b"abc"), "size": 3}));
    assert_eq!(serde_json::from_value::<Descriptor>(text).unwrap(), descriptor);
}

/// Whatever stands in it: it is read or refused, and what is said of it is fit for people.
#[test]
fn changed_documents_do_no_harm() {
    let mut elsewhere = manifest(OCI_CONFIG, &[OCI_LAYER, "application/vnd.oci.image.layer.v1.tar+zstd"]);
    elsewhere["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    elsewhere["annotations"] = json!({"a": "b"});
    let docker = manifest("application/vnd.docker.container.image.v1+json", &[]);
    let mut list = json!({"schemaVersion": 2, "mediaType": ACCEPTED[0], "manifests": []});
    for (architecture, variant) in [("amd64", Value::Null), ("arm", json!("v7")), ("unknown", json!(""))] {
        let mut one = described(ACCEPTED[1], architecture);
        one["platform"] = json!({"os": "linux", "architecture": architecture, "variant": variant, "os.version": "1"});
        list["manifests"].as_array_mut().unwrap().push(one);
    }
    let config = json!({
        "created": "2024-05-07T01:02:03.5Z", "author": "somebody", "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/e"], "Cmd": "sh", "Env": ["PATH=/bin"], "User": "1:2", "Volumes": {"/data": {}}, "Labels": {"x": null}},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"a"), Digest::of(b"b")]},
        "history": [{"created": "2024-05-07T01:02:03Z", "created_by": "RUN", "empty_layer": true}],
    });
    let texts = [elsewhere, docker, list, config].map(|text| text.to_string());
    let own = Config::read(texts[3].as_bytes()).unwrap();
    let here = platform("linux/amd64");
    fuzz::live(&texts.each_ref().map(String::as_str), fuzz::JSON, |bytes| {
        let fits = |error: Option<DocumentError>| error.map_or(Ok(()), |error| fuzz::is_fit(&error, bytes));
        for said in [None, Some(ACCEPTED[0]), Some(ACCEPTED[3])] {
            match Document::read(bytes, said) {
                Ok(Document::Index(index)) => fits(index.choose(&here).err())?,
                Ok(Document::Manifest(manifest)) => {
                    assert!(manifest.layers().len() <= MOST_LAYERS && manifest.size() < u64::MAX);
                    fits(manifest.check(&own, &here).err())?;
                }
                Err(error) => fuzz::is_fit(&error, bytes)?,
            }
        }
        match Config::read(bytes) {
            Ok(config) => {
                let _ = (config.platform(), config.created(), config.history().iter().map(History::created).count());
                fits(image(&manifest(OCI_CONFIG, &[])).unwrap().check(&config, &here).err())
            }
            Err(error) => fuzz::is_fit(&error, bytes),
        }
    });
}
