//! Images from a real registry, made and pushed by other people's tools: what is pulled, what is said of a registry that
//! doesn't give it, and that nobody needs the registry for what has been pulled.

use std::fs;
use std::io::Read;
use std::path::Path;

use barepod::images::digest::Digest;
use serde_json::{Value, json};

use crate::harness::image::{Layer, busybox, write};
use crate::harness::registry::Registry;
use crate::harness::umoci::{self, Layout};
use crate::harness::{Case, Manifest, good, said, wait};

/// A pull that must fail; what is said of it. Nothing of it is in the store.
#[track_caller]
fn refused(case: &Case, image: &str) -> String {
    let (code, out, err) = said(case, &["image", "pull", image]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{image}: {err}");
    assert_eq!(good(case, &["image", "ls", "-o", "name"]), "", "{image}");
    err
}

/// A pod whose main container is of an image.
fn pod(case: &Case, image: &str, more: Value) -> Manifest {
    let mut container = json!({"name": "main", "image": image, "volumeMounts": [{"name": "t", "mountPath": "/t"}]});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    case.pod().container(container)
}

/// An image with a shell, which writes into the trace.
fn web(case: &Case, layout: &Layout, name: &str) {
    let tree = case.dir().join("busybox");
    if !tree.exists() {
        umoci::busybox(&tree);
    }
    let command = ["--config.cmd", "sh", "--config.cmd", "-c", "--config.cmd", "echo up >> /t/log"];
    layout.image(name).layer(&tree).config(&command).config(&["--config.env", "PATH=/bin"]);
}

fn layers(case: &Case) -> usize {
    fs::read_dir(case.root().join("data/images/layers")).unwrap().count()
}

/// By tag, by digest and by both; again when the registry has begun anew. The digest is the one that skopeo tells.
#[test]
fn by_tag_and_by_digest() {
    let Some(mut case) = Case::new("by-tag") else { return };
    let Some(mut registry) = Registry::new(&mut case) else { return };
    let layout = Layout::new(case.dir().join("layout"));
    web(&case, &layout, "web");
    registry.push(&layout.path, "web", "team/web:1.0", &[]);
    let digest = registry.digest("team/web:1.0");
    let [tag, both] = ["1.0".to_owned(), format!("1.0@{digest}")].map(|end| registry.image(&format!("team/web:{end}")));
    let plain = registry.image(&format!("team/web@{digest}"));
    for image in [&tag, &plain, &both] {
        let out = good(&case, &["image", "pull", image]);
        assert!(out.contains(image) && out.contains("pulled ("), "{out}");
        let shown: Value = serde_json::from_str(&good(&case, &["image", "inspect", image])).unwrap();
        assert!(shown.to_string().contains(&digest), "{image}: {shown}");
    }
    assert_eq!(layers(&case), 1, "the layer is there once");
    registry.stop();
    registry.start();
    let out = good(&case, &["image", "pull", &tag]);
    assert!(out.contains(" is up to date ("), "{out}");
    assert_eq!(case.run(&pod(&case, &tag, json!({"imagePullPolicy": "Always"}))), 0);
    assert_eq!(case.run(&pod(&case, &both, json!({}))), 0);
    assert_eq!(case.trace(), ["up", "up"]);
    let id = case.get()["status"]["containerStatuses"][0]["imageID"].as_str().unwrap().to_owned();
    assert!(id.ends_with(&digest), "{id}");
    assert!(good(&case, &["image", "verify"]).lines().all(|line| line.ends_with(" is whole")));
    case.nothing_left();
}

/// What can be wrong between a box and a registry is said with the registry's name and a way out, and leaves nothing.
#[test]
fn what_keeps_a_pull_from_working() {
    let Some(mut case) = Case::new("refused") else { return };
    let Some(mut registry) = Registry::new(&mut case) else { return };
    let layout = Layout::new(case.dir().join("layout"));
    web(&case, &layout, "web");
    registry.push(&layout.path, "web", "team/web:1.0", &[]);
    let image = registry.image("team/web:1.0");
    let host = registry.image("").trim_end_matches('/').to_owned();
    let has = |said: &str, words: &[&str]| {
        for word in [host.as_str()].iter().chain(words) {
            assert!(said.contains(word), "{word:?} isn't in {said}");
        }
    };
    has(&refused(&case, &registry.image("team/web:2.0")), &["team/web", "404", "does this tag or digest exist?"]);
    has(&refused(&case, &registry.image("team/wep:1.0")), &["team/wep", "404", "is the name right"]);
    let other = format!("team/web@sha256:{}", "5".repeat(64));
    has(&refused(&case, &registry.image(&other)), &["404"]);
    registry.log_in("open barley");
    has(&refused(&case, &image), &["401", "the login isn't accepted"]);
    fs::write(registry.logins(), "{}").unwrap();
    has(&refused(&case, &image), &["401", "log in (docker login or podman login)"]);
    registry.log_in("open sesame");
    let nobody = case.dir().join("nobody.crt");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/registry/client.cert"), &nobody).unwrap();
    registry.reach(&mut case, &[&format!("SSL_CERT_FILE={}", nobody.display())]);
    has(&refused(&case, &image), &["this box doesn't trust its certificate", "ca.crt"]);
    registry.stop();
    registry.reach(&mut case, &[]);
    has(&refused(&case, &image), &["does it run?"]);
    registry.start();
    good(&case, &["image", "pull", &image]);
    assert_eq!(layers(&case), 1, "what failed left something");
    case.nothing_left();
}

/// R8.12, R8.13: what is in the store starts without a registry; what isn't waits for it, and starts when it is there.
#[test]
fn without_the_registry() {
    let Some(mut case) = Case::new("offline") else { return };
    let Some(mut registry) = Registry::new(&mut case) else { return };
    let layout = Layout::new(case.dir().join("layout"));
    web(&case, &layout, "web");
    registry.push(&layout.path, "web", "team/web:1.0", &[]);
    let image = registry.image("team/web:1.0");
    registry.stop();
    // Not there, and nobody to ask.
    let options = ["--backoff-initial", "200ms", "--backoff-max", "400ms"];
    let mut run = case.start_with(&pod(&case, &image, json!({})), &options);
    run.wait_for_line("does it run?");
    wait("the back-off", || case.container("main")["state"]["waiting"]["reason"] == "ImagePullBackOff");
    registry.start();
    assert_eq!(run.end(), 0, "{}", run.stderr());
    registry.stop();
    // There: nobody is asked.
    assert_eq!(case.run(&pod(&case, &image, json!({"imagePullPolicy": "IfNotPresent"}))), 0);
    assert_eq!(case.run(&pod(&case, &image, json!({"imagePullPolicy": "Never"}))), 0);
    let mut run = case.start_with(&pod(&case, &image, json!({"imagePullPolicy": "Always"})), &options);
    run.wait_for_line("does it run?");
    assert_eq!(case.trace(), ["up"; 3]);
    registry.start();
    assert_eq!(run.end(), 0, "{}", run.stderr());
    assert_eq!(case.trace(), ["up"; 4]);
    let events = good(&case, &["events", case.name()]);
    assert!(events.contains("Successfully pulled image"), "{events}");
    case.nothing_left();
}

/// Debian's own files, in layers by umoci; and the same image in the other ways in which registries have them.
#[test]
fn images_of_debian_packages() {
    let Some(mut case) = Case::new("debian") else { return };
    let Some(registry) = Registry::new(&mut case) else { return };
    let layout = Layout::new(case.dir().join("layout"));
    let trees = [("libc", &["libc6"][..]), ("shell", &["dash", "coreutils", "base-files"])].map(|(name, packages)| {
        let tree = case.dir().join(name);
        umoci::debian(&tree, packages);
        tree
    });
    let image = layout.image("debian");
    for tree in &trees {
        image.layer(tree);
    }
    image.config(&[
        "--config.cmd",
        "/bin/sh",
        "--config.cmd",
        "-c",
        "--config.cmd",
        ". /etc/os-release; echo $ID >> /t/log",
    ]);
    let kinds = [
        ("gzip", &[][..]),
        ("docker", &["--format", "v2s2"]),
        ("zstd", &["--dest-compress-format", "zstd", "--dest-compress"]),
    ];
    for (kind, options) in kinds {
        let name = format!("debian:{kind}");
        registry.push(&layout.path, "debian", &name, options);
        assert_eq!(case.run(&pod(&case, &registry.image(&name), json!({}))), 0, "{kind}");
    }
    let id = fs::read_to_string("/etc/os-release").unwrap();
    let id = id.lines().find_map(|line| line.strip_prefix("ID=")).unwrap().trim_matches('"').to_owned();
    assert_eq!(case.trace(), [id.as_str(); 3]);
    assert_eq!(layers(&case), 2, "one content, however it is packed");
    assert_eq!(good(&case, &["image", "verify"]).lines().filter(|line| line.ends_with(" is whole")).count(), 3);
    case.nothing_left();
}

/// More layers than the kernel takes in one page of options, each with a file of its own, and one that hides another's.
#[test]
fn a_hundred_and_twenty_layers() {
    let Some(mut case) = Case::new("many-layers") else { return };
    let Some(registry) = Registry::new(&mut case) else { return };
    let layout = case.dir().join("layout");
    let one = |number: usize| {
        let layer =
            Layer::default().folder("each/", 0o755).file(&format!("each/{number}"), number.to_string().as_bytes());
        let layer = layer.file("last", number.to_string().as_bytes());
        if number > 100 { layer.file(&format!("each/.wh.{}", number - 100), b"") } else { layer }
    };
    let upper = (1..120).map(one);
    let layers_of_it: Vec<Layer> = std::iter::once(busybox()).chain(upper).collect();
    assert_eq!(layers_of_it.len(), 120);
    let command = "echo $(ls /each | busybox wc -l) $(cat /last) $(cat /each/19) $(cat /each/20) >> /t/log";
    write(&layout, "many", &json!({"Cmd": ["/bin/busybox", "sh", "-c", command], "Env": ["PATH=/bin"]}), layers_of_it);
    registry.push(&layout, "many", "many:120", &[]);
    let image = registry.image("many:120");
    assert_eq!(case.run(&pod(&case, &image, json!({}))), 0);
    // Of 119 files 19 were taken away by later layers.
    assert_eq!(case.trace(), ["100 119 20"]);
    assert_eq!(layers(&case), 120);
    assert!(good(&case, &["image", "verify", &image]).ends_with(" is whole\n"));
    good(&case, &["image", "rm", &image]);
    assert_eq!(layers(&case), 0);
    case.nothing_left();
}

/// Layers that are larger than what is fetched in one go, of what can't be compressed: nothing of them is lost. `BAREPOD_LARGE=all`: as
/// large as images of machine learning are.
#[test]
fn large_layers() {
    let Some(mut case) = Case::new("large") else { return };
    let Some(registry) = Registry::new(&mut case) else { return };
    let is_all = std::env::var_os("BAREPOD_LARGE").is_some_and(|word| word == "all");
    // In MiB; of 64 and more several parts come at once.
    let sizes: &[u64] = if is_all { &[640, 256, 96, 32] } else { &[68] };
    let (layout, mut sums) = (case.dir().join("layout"), String::new());
    let mut random = |number: usize, size: u64| {
        let mut bytes = Vec::new();
        fs::File::open("/dev/urandom").unwrap().take(size << 20).read_to_end(&mut bytes).unwrap();
        sums += &format!("{}  /data/{number}\n", Digest::of(&bytes).hex());
        Layer::default().file(&format!("data/{number}"), &bytes)
    };
    let large: Vec<Layer> = sizes.iter().enumerate().map(|(number, size)| random(number, *size)).collect();
    let sums = Layer::default().file("sums", sums.as_bytes());
    let layers_of_it: Vec<Layer> = [busybox(), sums].into_iter().chain(large).collect();
    let script = "busybox sha256sum -c /sums && echo whole >> /t/log";
    write(&layout, "large", &json!({"Cmd": ["/bin/sh", "-c", script], "Env": ["PATH=/bin"]}), layers_of_it);
    registry.push(&layout, "large", "large:1", &["--dest-compress-format", "zstd", "--dest-compress"]);
    fs::remove_dir_all(&layout).unwrap();
    let image = registry.image("large:1");
    assert_eq!(case.run(&pod(&case, &image, json!({}))), 0);
    assert_eq!(case.trace(), ["whole"]);
    assert!(good(&case, &["image", "verify", &image]).ends_with(" is whole\n"));
    case.nothing_left();
}
