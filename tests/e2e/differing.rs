//! `diff`: a pod that runs beside its manifest.

use serde_json::json;

use crate::harness::{Case, Manifest};

fn diff(case: &Case, pod: &Manifest) -> (Option<i32>, String) {
    let file = case.write(&pod.text()).display().to_string();
    let output = case.barepod(&["diff", "-f", &file]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), (text(output.stdout) + &text(output.stderr)).replace(&file, "FILE"))
}

/// The pod as it runs is its manifest, whatever barepod fills in; and each change is a line with its path.
#[test]
fn a_pod_beside_its_manifest() {
    let Some(case) = Case::new("diff") else { return };
    let pod = || case.pod().sidecar("side", "exec sleep 999").main("main", "say up; exec sleep 999");
    let (code, said) = diff(&case, &pod());
    assert_eq!((code, said.as_str()), (Some(1), "pod default/diff isn't there; `barepod run FILE` runs it\n"));
    let run = case.start(&pod());
    case.wait_for("up");
    assert_eq!(diff(&case, &pod()), (Some(0), String::new()));
    let more = json!({"labels": {"app.kubernetes.io/name": "web"}});
    let other = case.pod().sidecar("side", "exec sleep 99").main("main", "say up; exec sleep 999");
    let other = other.metadata(more).spec(json!({"activeDeadlineSeconds": 600}));
    let (code, said) = diff(&case, &other);
    let want = "pod default/diff (-) and FILE (+):\n\
                metadata.labels[app.kubernetes.io/name]\n  + web\n\
                spec.activeDeadlineSeconds\n  + 600\n\
                spec.initContainers[0].command (container side)\n  \
                - [\"sh\",\"-c\",\"exec sleep 999\"]\n  + [\"sh\",\"-c\",\"exec sleep 99\"]\n";
    assert_eq!((code, said.as_str()), (Some(1), want));
    // An ended pod is still there to be compared with, with what barepod notes in it.
    assert!(case.barepod(&["stop", "diff", "--grace-period", "0"]).status.success());
    drop(run);
    assert_eq!(diff(&case, &pod()), (Some(0), String::new()));
    let (code, said) = diff(&case, &pod().spec(json!({"restartPolicy": "Sometimes"})));
    assert!(code == Some(2) && said.contains("restartPolicy"), "{said}");
    case.nothing_left();
}
