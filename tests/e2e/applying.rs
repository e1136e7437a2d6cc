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
        let pod = case.pod().metadata(json!({ "labels": labels })).spec(json!({"volumes": [volume]}));
        pod.container(main(
            "main",
            "say up; while ! grep -q new /about/labels; do sleep 0.1; done; say followed; exec sleep 999",
            mounts.clone(),
        ))
    };
    let first = pod(json!({"tier": "old"}));
    let (code, said) = apply(&case, &first);
    assert!(code == Some(0) && said.contains("default/apply\n"), "{said}");
    case.wait_for("up");
    assert_eq!(apply(&case, &first), (Some(0), "pod/apply unchanged\n".to_owned()));
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
    wait("the supervisor's end", || case.barepod(&["rm", "apply"]).status.success());
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
        case.pod().sidecar("side", "say side; exec sleep 999").container(main("main", tells, image))
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
