//! Images of registries that want a login: by the pod's imagePullSecrets, by --auth-file, by files of the box.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::image::{busybox, write};
use crate::harness::own_registry::{Registry, logins};
use crate::harness::{Case, Run, wait};

const PASSWORD: &str = "opensesame-3917";

fn layout(case: &Case) -> PathBuf {
    let layout = case.dir().join("images");
    write(&layout, "web", &json!({"Cmd": ["/bin/sh", "-c", "echo up; echo ran >> /t/log"]}), vec![busybox()]);
    write(&layout, "tools", &json!({"Cmd": ["/bin/true"]}), vec![busybox()]);
    layout
}

fn container(image: &str) -> Value {
    json!({"name": "main", "image": image, "volumeMounts": [{"name": "t", "mountPath": "/t"}]})
}

/// A Secret with logins, as a document.
fn secret(name: &str, all: &[(&str, &str, &str)]) -> String {
    let text = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": logins(all)}
    });
    format!("---\n{text}\n")
}

/// Files below a folder in which a text is.
fn holding(folder: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => holding(&path, text, found),
            Ok(kind) if kind.is_file() => {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
                    found.push(path);
                }
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// As with the kubelet: the most specific login is tried first, and the next where it isn't accepted; a Secret that isn't there is told
/// of. What they say is nowhere to be seen.
#[test]
fn secrets_of_the_pod_open_registries() {
    let Some(case) = Case::new("pull-secrets") else { return };
    let registry = Registry::closed(&layout(&case), "me", PASSWORD);
    let config = case.dir().join("secrets.yaml");
    let (host, wrong) = (registry.host(), "stale-8812");
    let specific = format!("{host}/team");
    let secrets = secret("good", &[(&host, "me", PASSWORD)]) + &secret("stale", &[(&specific, "old", wrong)]);
    fs::write(&config, secrets).unwrap();
    let names = json!({"imagePullSecrets": [{"name": "good"}, {"name": "gone"}, {"name": "stale"}]});
    let pod = case.pod().spec(names).container(container(&registry.image("team/app", "web")));
    let file = case.write(&pod.text());
    let words = ["run", "--config", &config.display().to_string(), &file.display().to_string()];
    let (code, _, stderr) = registry.said(&case, &words);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(case.trace(), ["ran"]);
    assert!(stderr.contains("there is no Secret \"gone\": images are pulled without its login"), "{stderr}");
    let mut tried: Vec<String> = registry.asked().into_iter().map(|one| one.login).collect();
    tried.retain(|login| !login.is_empty());
    tried.dedup();
    assert_eq!(tried, [format!("old:{wrong}"), format!("me:{PASSWORD}")]);
    let event = case.events().into_iter().find(|one| one["reason"] == "FailedToRetrieveImagePullSecret").unwrap();
    let words = "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed.";
    assert_eq!((&event["message"], &event["type"]), (&json!(words), &json!("Warning")));
    // Not in what people see, not in arguments of processes, not in files.
    assert_eq!(registry.overheard(), [""; 0]);
    let mut found = Vec::new();
    for text in [PASSWORD, wrong] {
        let encoded = logins(&[("x", "me", text)]).split('"').nth(7).unwrap().to_owned();
        for text in [text, &encoded] {
            holding(&case.root(), text, &mut found);
            for args in [&["get", "-o", "yaml"][..], &["describe", case.name()], &["events", case.name()]] {
                let shown = case.barepod(args);
                assert!(!String::from_utf8_lossy(&shown.stdout).contains(text), "{args:?}");
            }
            assert!(!stderr.contains(text), "{stderr}");
        }
    }
    assert!(found.is_empty(), "{found:?}");
    case.nothing_left();
}

/// What can't be read is refused before anything is made; with a wrong one the pod waits, and says so.
#[test]
fn logins_that_are_no_good() {
    let Some(case) = Case::new("bad-logins") else { return };
    let registry = Registry::closed(&layout(&case), "me", PASSWORD);
    let config = case.dir().join("secrets.yaml");
    let pod = case
        .pod()
        .spec(json!({"imagePullSecrets": [{"name": "reg"}]}))
        .container(container(&registry.image("team/app", "web")));
    let file = case.write(&pod.text()).display().to_string();
    let text = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "reg"}, "type": "kubernetes.io/dockercfg",
        "stringData": {".dockercfg": "{\"a.example\": {\"auth\": \"hush\"}}"}
    });
    fs::write(&config, text.to_string()).unwrap();
    let config = config.display().to_string();
    let (code, _, stderr) = registry.said(&case, &["run", "--config", &config, &file]);
    assert_eq!(code, Some(2), "{stderr}");
    let words = "Secret reg: auths: a.example: auth: USER:PASSWORD in base64 is wanted";
    assert!(stderr.contains(words) && stderr.contains("spec.imagePullSecrets[0].name"), "{stderr}");
    assert!(!stderr.contains("hush"), "{stderr}");
    let nothing = case.dir().join("nothing.json").display().to_string();
    let (code, _, stderr) = registry.said(&case, &["run", "--auth-file", &nothing, &file]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--auth-file: ") && stderr.contains("nothing.json: No such file"), "{stderr}");
    assert!(registry.asked().is_empty(), "nothing was to be asked yet");
    fs::write(&config, secret("reg", &[(&registry.host(), "me", "wrong")])).unwrap();
    let mut command = registry.command(&case, &["run", "--config", &config, &file]);
    let mut run = Run::to_files(&case, &mut command);
    wait("the refusal", || run.stderr().contains("the login isn't accepted, or the name is wrong"));
    run.signal(rustix::process::Signal::TERM);
    run.end();
    case.nothing_left();
}

/// `image pull`, `run`, `apply` and `debug` take a file of logins, which stands for those of the box; the pod's Secrets come before it.
#[test]
fn files_of_logins_open_registries() {
    let Some(case) = Case::new("auth-file") else { return };
    let registry = Registry::closed(&layout(&case), "me", PASSWORD);
    let image = registry.image("team/app", "web");
    let file = case.dir().join("auth.json");
    fs::write(&file, logins(&[(&registry.host(), "me", PASSWORD)])).unwrap();
    let (code, _, stderr) = registry.said(&case, &["image", "pull", &image]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("401 Unauthorized; log in"), "{stderr}");
    // Relative to where we are.
    let (code, _, stderr) = registry.said(&case, &["image", "pull", "--auth-file", "auth.json", &image]);
    assert_eq!(code, Some(0), "{stderr}");
    let box_has = case.dir().join(".docker");
    fs::create_dir(&box_has).unwrap();
    fs::write(box_has.join("config.json"), logins(&[(&registry.host(), "box", "wrong")])).unwrap();
    let mut main = container(&image);
    main["imagePullPolicy"] = json!("Always");
    main["command"] = json!(["/bin/sh", "-c", "echo ran >> /t/log; while ! [ -e /t/go ]; do sleep 0.05; done"]);
    let pod = case.pod().container(main);
    let written = case.write(&pod.text()).display().to_string();
    let begin = registry.asked().len();
    let (code, _, stderr) = registry.said(&case, &["apply", "--auth-file", "auth.json", "-f", &written]);
    assert_eq!(code, Some(0), "{stderr}");
    case.wait_for("ran");
    // One that isn't there yet.
    let tools = registry.image("team/app", "tools");
    let words = ["debug", case.name(), "-q", "--attach", "--image", &tools, "--auth-file", "auth.json", "-c", "eye"];
    let (code, _, stderr) = registry.said(&case, &words);
    assert_eq!(code, Some(0), "{stderr}");
    let tried = |login: &str| registry.asked()[begin..].iter().any(|one| one.login == login);
    assert!(tried(&format!("me:{PASSWORD}")) && !tried("box:wrong"), "{:?}", registry.asked());
    case.release("go");
    wait("the pod's end", || case.phase() == "Succeeded");
    case.nothing_left();
}
