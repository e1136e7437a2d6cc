//! `apply`: a pod that runs becomes that of its manifest.

use serde_json::json;

use crate::harness::{Case, Manifest, main, wait};

fn apply(case: &Case, pod: &Manifest) -> (Option<i32>, String) {
    let file = case.write(&pod.text()).display().to_string();
    let output = case.command(&["apply", "-f", &file]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), (text(output.stdout) + &text(output.stderr)).replace(&file, "FILE"))
}

/// The first one runs it, in the background; others change what can be, and nothing where something can't.
#[test]
fn what_can_be_changed_is() {
    let Some(case) = Case::new("apply") else { return };
    let volume = json!({"name": "about", "downwardAPI": {"items": [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}});
    let mounts = json!({"volumeMounts": [{"name": "about", "mountPath": "/about"}],
        "resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}});
    let pod = |labels: serde_json::Value| {
        let pod = case.pod().metadata(json!({ "labels": labels }));
        let pod = pod.spec(json!({"volumes": [volume], "terminationGracePeriodSeconds": 1}));
        pod.container(main(
            "main",
            "say up; while ! grep -q new /about/labels; do sleep 0.1; done; say followed; exec sleep 999",
            mounts.clone(),
        ))
    };
    let first = pod(json!({"tier": "old"}));
    let (code, said) = apply(&case, &first);
    assert!(code == Some(0) && said.contains("pod/apply created\n"), "{said}");
    case.wait_for("up");
    assert_eq!(apply(&case, &first), (Some(0), "pod/apply unchanged\n".to_owned()));
    wait("its start", || case.container("main")["started"] == true);
    let began = case.container("main")["state"]["running"]["startedAt"].clone();
    let second = pod(json!({"tier": "new"})).metadata(json!({"annotations": {"note": "x"}}));
    // All or nothing.
    let refused = second.clone().spec(json!({"hostNetwork": true}));
    let (code, said) = apply(&case, &refused);
    assert!(code == Some(1) && said.contains("spec.hostNetwork") && said.contains("run -d --replace FILE"), "{said}");
    assert_eq!(case.get()["metadata"]["labels"], json!({"tier": "old"}));
    let second = second.spec(json!({"activeDeadlineSeconds": 3600}));
    assert_eq!(apply(&case, &second), (Some(0), "pod/apply configured\n".to_owned()));
    let now = case.get();
    assert_eq!(now["metadata"]["labels"], json!({"tier": "new"}));
    assert_eq!(now["metadata"]["annotations"]["note"], "x");
    assert_eq!(now["spec"]["activeDeadlineSeconds"], 3600);
    // The files of its volume follow.
    case.wait_for("followed");
    let longer = second.clone().spec(json!({"activeDeadlineSeconds": 3601}));
    let (code, said) = apply(&case, &longer);
    assert!(code == Some(1) && said.contains("spec.activeDeadlineSeconds (it can only become less)"), "{said}");
    assert_eq!(case.container("main")["state"]["running"]["startedAt"], began, "nothing was restarted");
    // Counted from the start: it is over already, or soon.
    assert_eq!(apply(&case, &second.spec(json!({"activeDeadlineSeconds": 1}))).0, Some(0));
    wait("its end", || case.phase() == "Failed");
    assert_eq!(case.get()["status"]["reason"], "DeadlineExceeded");
    case.nothing_left();
}

/// R3.10: the container whose image is new restarts, and no other; an image that isn't there stops nothing.
#[test]
fn a_new_image_restarts_its_container() {
    let Some(case) = Case::new("apply-image") else { return };
    let copy = case.dir().join("other");
    assert!(std::process::Command::new("cp").arg("-a").arg(case.rootfs()).arg(&copy).status().unwrap().success());
    std::fs::write(copy.join("which"), "other").unwrap();
    let tells = "say main $([ -e /which ] && cat /which); trap 'exit 0' TERM; while :; do sleep 999 & wait $!; done";
    let pod = |image: Option<&std::path::Path>| {
        let image = image.map(|path| json!({"image": format!("rootfs:{}", path.display())})).unwrap_or(json!({}));
        let pod = case.pod().spec(json!({"terminationGracePeriodSeconds": 1}));
        pod.sidecar("side", "say side; exec sleep 999").container(main("main", tells, image))
    };
    assert_eq!(apply(&case, &pod(None)).0, Some(0));
    case.wait_for("main");
    wait("its start", || case.container("main")["started"] == true);
    let missing = case.dir().join("missing");
    let (code, said) = apply(&case, &pod(Some(&missing)));
    assert!(code == Some(1) && said.contains("container main: image rootfs:"), "{said}");
    assert_eq!(case.container("main")["restartCount"], 0);
    let (code, said) = apply(&case, &pod(Some(&copy)));
    let want = "pod/apply-image configured\ncontainer main of pod default/apply-image restarted\n";
    assert_eq!((code, said.as_str()), (Some(0), want));
    case.wait_for("main other");
    assert_eq!(case.container("main")["restartCount"], 1);
    assert_eq!(case.container("side")["restartCount"], 0);
    assert_eq!(case.get()["spec"]["containers"][0]["image"], format!("rootfs:{}", copy.display()));
    let told = case.messages_of("main", "Killing");
    assert_eq!(told, ["Container main definition changed, will be restarted"]);
    assert_eq!(apply(&case, &pod(Some(&copy))), (Some(0), "pod/apply-image unchanged\n".to_owned()));
    assert!(case.barepod(&["stop", "apply-image"]).status.success());
    case.nothing_left();
}

/// Files of ConfigMaps and Secrets follow, variables don't; what would break a volume or is immutable changes nothing.
#[test]
fn configs_follow() {
    let Some(case) = Case::new("apply-config") else { return };
    let script = "say env $WORD; for word in two three; do while [ \"$(cat /config/word)\" != $word ]; do sleep 0.1; done; \
                  say file $(cat /config/word) $(cat /secret/word) $WORD; done; trap 'exit 0' TERM; \
                  while :; do sleep 999 & wait $!; done";
    let more = json!({
        "env": [{"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "word"}}}],
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "secret", "mountPath": "/secret"}]
    });
    let volumes = json!([
        {"name": "config", "configMap": {"name": "settings", "items": [{"key": "word", "path": "word"}]}},
        {"name": "secret", "secret": {"secretName": "hidden"}}
    ]);
    let pod = case.pod().spec(json!({ "volumes": volumes })).container(main("main", script, more));
    let file = case.write(&pod.text()).display().to_string();
    let config = case.dir().join("config.yaml");
    let apply = |settings: serde_json::Value, immutable: bool| {
        let settings =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": settings});
        let hidden = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"},
            "stringData": {"word": "s"}, "immutable": immutable});
        std::fs::write(&config, format!("{settings}\n---\n{hidden}\n")).unwrap();
        let output = case.barepod(&["apply", "-f", &file, "--config", config.to_str().unwrap()]);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let word = |word: &str| json!({ "word": word });
    let (code, said) = apply(word("one"), false);
    assert_eq!(code, Some(0), "{said}");
    case.wait_for("env one");
    let unchanged = (Some(0), "pod/apply-config unchanged\n".to_owned());
    assert_eq!(apply(word("one"), false), unchanged);
    let configured = (Some(0), "pod/apply-config configured\n".to_owned());
    assert_eq!(apply(word("two"), false), configured);
    case.wait_for("file two s one");
    let (code, said) = apply(json!({"other": "x"}), false);
    assert!(code == Some(1) && said.contains("has no such key"), "{said}");
    assert_eq!(apply(word("three"), true), configured);
    case.wait_for("file three s one");
    // From its next start on the variable is new, too.
    assert!(case.barepod(&["restart", "apply-config"]).status.success());
    case.wait_for("env three");
    let replaced = std::fs::read_to_string(&config).unwrap().replace("\"s\"", "\"t\"");
    std::fs::write(&config, replaced).unwrap();
    let output = case.barepod(&["apply", "-f", &file, "--config", config.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("Secret hidden: field is immutable"), "{said}");
    assert!(case.barepod(&["stop", "apply-config"]).status.success());
    case.nothing_left();
}
