//! Images that are brought into the box's store: as the base of a container's config, shared, damaged, and removed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::image::{self, Layer, busybox, write};
use crate::harness::{Case, Manifest, said, wait};

/// A container of an image in the layout `images`, whose trace folder is at /t.
fn container(name: &str, image: &str, more: Value) -> Value {
    let image = format!("oci:images:{image}");
    let mut container = json!({"name": name, "image": image, "volumeMounts": [{"name": "t", "mountPath": "/t"}]});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

fn store(case: &Case) -> PathBuf {
    case.root().join("data/images")
}

fn pod(case: &Case, container: Value) -> Manifest {
    case.pod().container(container)
}

/// R10.1, R10.3, R10.4: what the image's config says holds where the manifest is silent; layers lie one over the other.
#[test]
fn the_config_of_an_image_is_the_base() {
    let Some(case) = Case::new("image") else { return };
    let layout = case.dir().join("images");
    let process = json!({
        "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo $A $(pwd) $(id -u):$(id -g) >> /t/log"], "Env": ["PATH=/bin", "A=a"],
        "User": "web", "WorkingDir": "/work"
    });
    let lower = busybox()
        .folder("etc/", 0o755)
        .file("etc/passwd", b"web:x:33:34::/:\n")
        .folder("work/", 0o1777)
        .file("work/gone", b"")
        .file("work/stays", b"");
    // Only its files are named: the folder is the lower layer's.
    let upper = Layer::default().file("work/.wh.gone", b"").file("work/new", b"");
    write(&layout, "web", &process, vec![lower, upper]);
    fs::set_permissions(case.shared(""), PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(case.shared("log"), "").unwrap();
    fs::set_permissions(case.shared("log"), PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(case.run(&pod(&case, container("main", "web", json!({})))), 0);
    let more =
        json!({"args": ["echo $(ls /work) $(stat -c %a /work) >> /t/log"], "env": [{"name": "A", "value": "b"}]});
    assert_eq!(case.run(&pod(&case, container("main", "web", more))), 0);
    let more = json!({"command": ["/bin/sh"], "args": ["-c", "echo $0 $(id -u) >> /t/log"], "securityContext": {"runAsUser": 7}});
    assert_eq!(case.run(&pod(&case, container("main", "web", more))), 0);
    assert_eq!(case.trace(), ["a /work 33:34", "new stays 1777", "/bin/sh 7"]);
    let (code, config, _) = said(&case, &["image", "inspect", &format!("oci:{}:web", layout.display())]);
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        (code, &config["config"]["workingDir"], &config["layers"].as_array().unwrap().len()),
        (Some(0), &json!("/work"), &2)
    );
    // The kubelet's: it can't know that the name isn't root's.
    let more = json!({"securityContext": {"runAsNonRoot": true}});
    let mut run = case.start(&pod(&case, container("main", "web", more)));
    wait("the refusal", || case.container("main")["state"]["waiting"]["reason"] == "CreateContainerConfigError");
    assert!(
        run.stderr().contains("image has non-numeric user (web), cannot verify user is non-root"),
        "{}",
        run.stderr()
    );
    run.signal(rustix::process::Signal::TERM);
    run.end();
    case.nothing_left();
}

/// A layer that isn't what its description says is refused with words, leaves nothing, and is brought once it has been mended.
#[test]
fn a_damaged_layer_is_told_of_and_tried_again() {
    let Some(case) = Case::new("damaged") else { return };
    let layout = case.dir().join("images");
    let layers = write(&layout, "web", &json!({"Cmd": ["/bin/echo", "up"]}), vec![busybox()]);
    let good = fs::read(&layers[0]).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&layers[0], &bad).unwrap();
    let options = ["--backoff-initial", "300ms", "--backoff-max", "1200ms"];
    let mut run = case.start_with(&pod(&case, container("main", "web", json!({}))), &options);
    wait("the failure", || run.stderr().contains("what came has the digest sha256:"));
    assert!(run.stderr().contains("layer 1 of 1 (sha256:"), "{}", run.stderr());
    fs::write(&layers[0], &good).unwrap();
    assert_eq!(run.end(), 0);
    let (code, out, _) = said(&case, &["image", "verify"]);
    assert_eq!((code, out.ends_with(" is whole\n")), (Some(0), true), "{out}");
    let kept = fs::read_dir(store(&case).join("layers")).unwrap().count();
    assert_eq!(kept, 1, "a half of the pull that failed is left");
    case.nothing_left();
}

/// Looked at, compared, removed: but not what a pod uses.
#[test]
fn images_are_listed_verified_and_removed() {
    let Some(case) = Case::new("kept") else { return };
    let [one, two] = image::one_and_two(&case.dir().join("images"));
    let (code, out, err) = said(&case, &["image", "pull", &one, &two]);
    assert_eq!((code, out.lines().filter(|line| line.contains(" pulled (")).count()), (Some(0), 2), "{out}{err}");
    let (code, out, _) = said(&case, &["image", "pull", &one]);
    assert!(code == Some(0) && out.contains(" is up to date ("), "{out}");
    assert_eq!(said(&case, &["image", "ls", "-o", "name"]).1, format!("{one}\n{two}\n"));
    // What both have is there once.
    let layers = || fs::read_dir(store(&case).join("layers")).unwrap().count();
    assert_eq!(layers(), 3);
    let mut run = case.start(&pod(&case, container("main", "one", json!({}))));
    wait("the start", || run.stderr().contains("main started"));
    let (code, out, err) = said(&case, &["image", "prune", "--all"]);
    assert_eq!((code, out.as_str(), layers()), (Some(0), &*format!("{two}\n"), 2), "{err}");
    let (code, _, err) = said(&case, &["image", "rm", &two]);
    assert!(code == Some(1) && err.contains("it is not in the store of this box"), "{err}");
    // Without a name its files stay for the pod.
    assert_eq!(said(&case, &["image", "rm", &one]).0, Some(0));
    assert_eq!(layers(), 2);
    assert_eq!(said(&case, &["exec", "kept", "--", "/bin/cat", "/name"]).1, "one");
    run.signal(rustix::process::Signal::TERM);
    run.end();
    assert_eq!(said(&case, &["image", "prune"]).0, Some(0));
    assert_eq!(layers(), 0);
    // A file that has changed is found.
    assert_eq!(said(&case, &["image", "pull", "-q", &one]).0, Some(0));
    let mut trees =
        fs::read_dir(store(&case).join("layers")).unwrap().map(|entry| entry.unwrap().path().join("tree/name"));
    fs::write(trees.find(|path| path.exists()).unwrap(), "other").unwrap();
    let (code, _, err) = said(&case, &["image", "verify", &one]);
    assert!(code == Some(1) && err.contains("name: "), "{err}");
    case.nothing_left();
}

/// Names that are none are refused before anything is made.
#[test]
fn bad_names_are_refused() {
    let Some(case) = Case::new("bad-image") else { return };
    for (image, words) in [
        ("Nginx", "must be lowercase"),
        ("nginx:", "invalid reference format"),
        ("docker-daemon:x:1", "images named by docker-daemon: are not supported"),
        ("oci:", "must name a path after oci:"),
        ("bundel:./x", "did you mean bundle:?"),
    ] {
        let mut run = case.start(&case.pod().container(json!({"name": "main", "image": image, "command": ["x"]})));
        assert_eq!(run.end(), 2, "{image}");
        assert!(run.stderr().contains(words), "{image}: {}", run.stderr());
    }
    let volume = json!({"volumes": [{"name": "v", "image": {"reference": "Nginx"}}]});
    let mut run = case.start(&case.pod().main("main", "exit 0").spec(volume));
    assert_eq!(run.end(), 2);
    assert!(run.stderr().contains("spec.volumes[1].image.reference"), "{}", run.stderr());
}

/// R10.4: a user that the image names and doesn't have matters only where the pod names none.
#[test]
fn a_user_that_the_image_lacks() {
    let Some(case) = Case::new("lacks-user") else { return };
    let layout = case.dir().join("images");
    let process = json!({"Cmd": ["/bin/sh", "-c", "exit $(/bin/id -u)"], "User": "app"});
    write(&layout, "web", &process, vec![busybox()]);
    let more = json!({"securityContext": {"runAsUser": 7}});
    assert_eq!(case.run(&pod(&case, container("main", "web", more))), 7);
    let mut run = case.start(&pod(&case, container("main", "web", json!({}))));
    wait("the refusal", || case.container("main")["state"]["waiting"]["reason"] == "CreateContainerError");
    let said = "the image's user \"app\": its /etc/passwd has no such user; set runAsUser";
    assert!(run.stderr().contains(said), "{}", run.stderr());
    run.signal(rustix::process::Signal::TERM);
    run.end();
    case.nothing_left();
}
