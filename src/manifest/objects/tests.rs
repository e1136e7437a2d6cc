#![allow(clippy::unwrap_used)]
//! What is read, what is refused, and that nothing of a Secret is shown.

use super::super::{Beside, decode_beside, decode_objects};
use super::*;

const GOOD: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web, labels: {a: b}}
data: {mode: fast, app.conf: \"a=1\\nb=2\\n\"}
binaryData: {logo: AAEC}
immutable: true
---
apiVersion: v1
kind: Secret
metadata: {name: web, namespace: apps}
type: Opaque
data: {password: aHVudGVyMg==, user: YQ==}
stringData: {user: admin}
";

#[test]
fn objects_are_read() {
    let mut objects = Objects::default();
    assert_eq!(decode_objects("c.yaml", GOOD.as_bytes(), &mut objects).unwrap().map(|report| report.to_string()), None);
    let map = objects.get(ObjectKind::ConfigMap, "default", "web").unwrap();
    assert_eq!(
        (map.data["mode"].0.as_slice(), map.get("logo").unwrap().0.as_slice()),
        (&b"fast"[..], &[0u8, 1, 2][..])
    );
    assert_eq!(objects.get(ObjectKind::Secret, "default", "web"), None);
    let secret = objects.get(ObjectKind::Secret, "apps", "web").unwrap();
    assert_eq!(secret.data["user"].0, b"admin", "stringData wins");
    assert_eq!(secret.data["password"].0, b"hunter2");
    assert!(!format!("{objects:?}").contains("104, 117"), "{objects:?}");
}

/// Whatever is wrong with a Secret, what it holds is not said, nor shown in the lines of the text.
#[test]
fn reports_keep_secrets() {
    let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    for data in [
        "data: {a: hunter2*}",
        "stringData: {a/b: hunter2}",
        "stringData:\n  a/b: |\n    hunter2\n",
        "stringData: {a: 12345hunter2, b/c: x}",
        "stringData: {a: [hunter2], b/c: x}",
        "stringData: {a: 123456789}",
        "stringData: {a: hunter2}\nx: y",
        "metadata2: 1\nstringData: {a: \"hunter2\", b: hunter2}",
    ] {
        let text = format!("{head}{data}\n");
        let report = decode_objects("c.yaml", text.as_bytes(), &mut Objects::default()).unwrap_err().to_string();
        assert!(!report.contains("hunter2") && !report.contains("123456789"), "{report}");
    }
}

fn pod(spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: c\n    image: rootfs:r\n{spec}"
    )
}

/// Each wrong text, and what must be said about it.
#[test]
fn what_is_wrong_is_said_with_its_place() {
    let head = "apiVersion: v1\nmetadata: {name: a}\nkind: ";
    let cases = [
        (format!("{head}ConfigMap\ndata: {{a/b: x}}\n"), "c.yaml:4:8   data[a/b]"),
        (format!("{head}ConfigMap\ndta: {{a: x}}\n"), "data?"),
        (format!("{head}ConfigMap\ndata: {{a: 1}}\n"), "data[a]"),
        (format!("{head}ConfigMap\ndata: {{a: x}}\nbinaryData: {{a: eA==}}\n"), "duplicate of key present in data"),
        (format!("{head}Secret\ndata: {{a: x*y}}\n"), "not base64"),
        (format!("{head}Secret\ntype: kubernetes.io/tls\nstringData: {{tls.crt: x}}\n"), "tls.key"),
        (
            format!("{head}Secret\ntype: kubernetes.io/dockerconfigjson\nstringData: {{.dockerconfigjson: hush}}\n"),
            "its line 1, column 1 isn't that of a JSON object of logins",
        ),
        (format!("{head}Secret\n---\n{head}Secret\n"), "c.yaml:6:"),
        (format!("{head}Pod\n"), "\"ConfigMap\", \"Secret\""),
        ("kind: Secret\n".to_owned(), "metadata.name"),
        (String::new(), "the config is empty"),
    ];
    for (text, wanted) in cases {
        let report = decode_objects("c.yaml", text.as_bytes(), &mut Objects::default()).unwrap_err().to_string();
        assert!(report.contains(wanted), "{text}\n{report}");
    }
}

/// What is missing or of another type keeps no pod from running, as with the kubelet; it is told.
#[test]
fn pull_secrets_are_told_of() {
    let secrets = r#"apiVersion: v1
kind: Secret
metadata: {name: web}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: '{"auths": {"a.example": {"auth": "YTpi"}}}'}
---
apiVersion: v1
kind: Secret
metadata: {name: old}
type: kubernetes.io/dockercfg
stringData: {.dockercfg: "{}"}
---
apiVersion: v1
kind: Secret
metadata: {name: opaque}
stringData: {.dockerconfigjson: '{}'}
---
apiVersion: v1
kind: Secret
metadata: {name: far, namespace: apps}
type: kubernetes.io/dockercfg
stringData: {.dockercfg: "{}"}
"#;
    let mut objects = Objects::default();
    decode_objects("c.yaml", secrets.as_bytes(), &mut objects).unwrap();
    let logins = |name: &str| objects.get(ObjectKind::Secret, "default", name).unwrap().logins().is_some();
    assert!(logins("web") && logins("old") && !logins("opaque"));
    let beside = Beside { objects, ..Beside::default() };
    let text = pod("  imagePullSecrets: [{name: web}, {name: old}, {name: opaque}, {name: far}, {}]\n");
    let warnings = decode_beside("p.yaml", text.as_bytes(), &beside).unwrap().warnings;
    let said: Vec<String> = warnings.iter().map(|one| format!("{}: {}", one.field, one.message)).collect();
    assert_eq!(
        said,
        [
            "spec.imagePullSecrets[2].name: Secret \"opaque\" has no logins: it isn't of the type kubernetes.io/dockercfg or \
             kubernetes.io/dockerconfigjson",
            "spec.imagePullSecrets[3].name: there is no Secret \"far\": images are pulled without its login",
        ]
    );
}

/// R10.3, R10.6: what isn't there, isn't optional and will not come is an error.
#[test]
fn references_must_lead_somewhere() {
    let mut objects = Objects::default();
    decode_objects("c.yaml", GOOD.as_bytes(), &mut objects).unwrap();
    let beside = Beside { objects, ..Beside::default() };
    let said = |spec: &str| match decode_beside("p.yaml", pod(spec).as_bytes(), &beside) {
        Ok(_) => "fine".to_owned(),
        Err(report) => report.to_string(),
    };
    let from = |what: &str| format!("    env: [{{name: A, valueFrom: {{{what}}}}}]\n");
    let volume = |what: &str| format!("  volumes: [{{name: v, {what}}}]\n");
    let cases = [
        (from("configMapKeyRef: {name: web, key: mode}"), "fine"),
        (from("configMapKeyRef: {name: wab, key: mode}"), "did you mean web?"),
        (from("configMapKeyRef: {name: web, key: node}"), "did you mean mode?"),
        (from("configMapKeyRef: {name: web, key: logo}"), "binaryData"),
        (from("configMapKeyRef: {name: web, key: gone, optional: true}"), "fine"),
        (from("secretKeyRef: {name: web, key: user}"), "Not found: \"web\""),
        (from("secretKeyRef: {name: web, key: user, optional: true}"), "fine"),
        (from("secretKeyRef: {key: user}"), "Required value"),
        ("    envFrom: [{configMapRef: {name: web}, prefix: P_}]\n".to_owned(), "fine"),
        ("    envFrom: [{configMapRef: {name: gone}}]\n".to_owned(), "spec.containers[0].envFrom[0].configMapRef.name"),
        ("    envFrom: [{prefix: P_}]\n".to_owned(), "must specify one of"),
        (volume("configMap: {name: web, items: [{key: logo, path: a/b, mode: 0400}]}"), "fine"),
        (volume("configMap: {name: web, items: [{key: gone, path: a}]}"), "items[0].key"),
        (volume("configMap: {name: web, items: [{key: mode, path: ../a}]}"), "must not contain '..'"),
        (volume("configMap: {name: web, items: [{key: mode, path: ..a}]}"), "must not start with '..'"),
        (volume("configMap: {name: web, defaultMode: 01000}"), "between 0 and 0777"),
        (volume("secret: {secretName: gone}"), "spec.volumes[0].secret.secretName"),
        (volume("secret: {secretName: gone, optional: true}"), "fine"),
        (volume("persistentVolumeClaim: {claimName: data}"), "--volume data=PATH"),
        (volume("downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}"), "fine"),
        (volume("downwardAPI: {items: [{path: l, fieldRef: {fieldPath: status.podIP}}]}"), "Unsupported value"),
        (volume("downwardAPI: {items: [{path: l, resourceFieldRef: {resource: limits.cpu}}]}"), "containerName"),
        (volume("projected: {sources: [{configMap: {name: web}}, {secret: {name: gone}}]}"), "sources[1].secret.name"),
    ];
    for (spec, wanted) in cases {
        assert!(said(&spec).contains(wanted), "{spec}\n{}", said(&spec));
    }
}

#[test]
fn a_manifest_may_bring_its_objects() {
    let both = format!("{GOOD}---\n{}", pod("    envFrom: [{configMapRef: {name: web}}]\n"));
    let manifest = decode_beside("p.yaml", both.as_bytes(), &Beside::default()).map_err(|e| e.to_string()).unwrap();
    assert!(manifest.objects.get(ObjectKind::ConfigMap, "default", "web").is_some());
    for (text, wanted) in
        [(GOOD.to_owned(), "no Pod"), (format!("{both}---\n{}", pod("").replace("name: p", "name: q")), "a second Pod")]
    {
        let report = decode_beside("p.yaml", text.as_bytes(), &Beside::default()).unwrap_err().to_string();
        assert!(report.contains(wanted), "{report}");
    }
}

/// Those that are given take the place of those of their names; others stay.
#[test]
fn objects_in_the_place_of_others() {
    let read = |texts: &[&str]| {
        let mut all = Objects::default();
        for text in texts {
            crate::manifest::decode_objects("config.yaml", text.as_bytes(), &mut all).unwrap();
        }
        all
    };
    let map = |name: &str, value: &str, more: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{more}}}\ndata: {{key: {value}}}\n")
    };
    let fixed = |value: &str| map("fixed", value, "") + "immutable: true\n";
    let old = read(&[&map("a", "one", ""), &map("b", "one", ""), &fixed("one")]);
    assert_eq!(old.updated(&Objects::default(), "ops"), Ok(None));
    assert_eq!(old.updated(&read(&[&map("a", "one", ""), &fixed("one")]), "ops"), Ok(None));
    // The pod's own namespace, said or not.
    let new = old.updated(&read(&[&map("a", "two", ", namespace: ops")]), "ops").unwrap().unwrap();
    let value =
        |all: &Objects, name: &str| all.get(ObjectKind::ConfigMap, "ops", name).unwrap().get("key").unwrap().0.clone();
    assert_eq!((value(&new, "a"), value(&new, "b")), (b"two".to_vec(), b"one".to_vec()));
    let more = old.updated(&read(&[&map("c", "new", "")]), "ops").unwrap().unwrap();
    assert_eq!(value(&more, "c"), b"new");
    let refused = old.updated(&read(&[&fixed("two")]), "ops").unwrap_err();
    assert_eq!(refused, "ConfigMap fixed: field is immutable when `immutable` is set");
    // As it goes to a supervisor.
    let text = serde_json::to_string(&old).unwrap();
    assert_eq!(serde_json::from_str::<Objects>(&text).unwrap(), old);
}
