//! ConfigMaps, Secrets and the pod's own fields, as variables and as files (R10.3, R10.4, R10.6); claims.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Case, main, wait};

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {mode: fast, app.conf: \"a=1\\n\"}
binaryData: {logo: AAEC}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
data: {password: aHVudGVyMjM0NQ==}
stringData: {user: admin}
";

/// The secret's value: nowhere on the host may it be found.
const PASSWORD: &str = "hunter2345";

/// Options of `run` with the objects in a file of their own.
fn with_config(case: &Case) -> Vec<String> {
    let file = case.dir().join("config.yaml");
    fs::write(&file, CONFIG).unwrap();
    vec!["--config".to_owned(), file.display().to_string()]
}

fn run(case: &Case, spec: Value, script: &str, mut more: Value) -> i32 {
    if more.get("volumeMounts").is_none() {
        more["volumeMounts"] = json!([]);
    }
    let options = with_config(case);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    case.start_with(&case.pod().spec(spec).container(main("main", script, more)), &options).end()
}

fn mounted(path: &str) -> Value {
    json!({"volumeMounts": [{"name": "v", "mountPath": path}]})
}

fn volume(source: Value) -> Value {
    let mut volume = json!({"name": "v"});
    volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
    json!({"volumes": [volume]})
}

/// R10.3: envFrom, then env, which sees it and wins; what is optional may be missing.
#[test]
fn variables_of_objects() {
    let Some(case) = Case::new("object-env") else { return };
    let more = json!({
        "envFrom": [
            {"configMapRef": {"name": "web"}, "prefix": "W_"},
            {"secretRef": {"name": "login"}},
            {"configMapRef": {"name": "gone", "optional": true}}
        ],
        "env": [
            {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "mode"}}},
            {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "login", "key": "no", "optional": true}}},
            {"name": "SUM", "value": "$(user)-$(W_mode)"},
            {"name": "W_mode", "value": "slow"}
        ]
    });
    assert_eq!(run(&case, json!({}), "say $MODE $PASS $user $W_mode $SUM ${NONE-unset} ${W_logo-unset}", more), 0);
    assert_eq!(case.trace(), [format!("fast {PASSWORD} admin slow admin-fast unset unset")]);
}

/// R10.6: files through `..data`, 0644 by default, read-only; items choose, rename and set modes.
#[test]
fn files_of_a_config_map() {
    let Some(case) = Case::new("object-files") else { return };
    let script = "say $(ls /v) $(stat -Lc %a /v/mode) $(cat /v/app.conf) $(readlink /v/mode) $(od -An -tx1 /v/logo)
        readlink /v/..data | grep -q '^\\.\\.2' && say dated
        (echo x > /v/mode) 2>/dev/null || say read-only";
    assert_eq!(run(&case, volume(json!({"configMap": {"name": "web"}})), script, mounted("/v")), 0);
    assert_eq!(case.trace(), ["app.conf logo mode 644 a=1 ..data/mode 00 01 02", "dated", "read-only"]);

    let Some(case) = Case::new("object-items") else { return };
    let items = json!([{"key": "mode", "path": "etc/deep/m", "mode": 0o400}, {"key": "app.conf", "path": "b"}]);
    let source = json!({"configMap": {"name": "web", "defaultMode": 0o600, "items": items}});
    let script = "say $(find /v -follow -type f | grep -v '\\.\\.' | sort) $(stat -Lc %a /v/etc/deep/m /v/b)";
    assert_eq!(run(&case, volume(source), script, mounted("/v")), 0);
    assert_eq!(case.trace(), ["/v/b /v/etc/deep/m 400 600"]);
}

/// R10.6: what is optional may be missing: the whole object, or one of its keys.
#[test]
fn files_that_are_optional() {
    let script = "say in $(ls /v); true";
    for (name, source, found) in [
        ("object-none", json!({"configMap": {"name": "gone", "optional": true}}), "in"),
        ("object-no-secret", json!({"secret": {"secretName": "gone", "optional": true}}), "in"),
        (
            "object-no-key",
            json!({"configMap": {"name": "web", "optional": true, "items": [
                {"key": "no", "path": "a"}, {"key": "mode", "path": "b"}]}}),
            "in b",
        ),
    ] {
        let Some(case) = Case::new(name) else { return };
        assert_eq!(run(&case, volume(source), script, mounted("/v")), 0);
        assert_eq!(case.trace(), [found], "{name}");
    }
}

/// A single file by subPath, and one by a link that subPath follows inside the volume.
#[test]
fn a_file_by_its_sub_path() {
    let Some(case) = Case::new("object-subpath") else { return };
    let more = json!({"volumeMounts": [{"name": "v", "mountPath": "/etc/app.conf", "subPath": "app.conf"}]});
    let script = "say $(cat /etc/app.conf); (echo x > /etc/app.conf) 2>/dev/null || say read-only";
    assert_eq!(run(&case, volume(json!({"configMap": {"name": "web"}})), script, more), 0);
    assert_eq!(case.trace(), ["a=1", "read-only"]);
}

/// Everything below a folder of the host that has this text in it.
fn holding(folder: &std::path::Path, text: &str) -> Vec<String> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "config.yaml")
        .filter(|entry| {
            fs::read(entry.path()).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
        })
        .map(|entry| entry.path().display().to_string())
        .collect()
}

/// R10.6: a Secret is in memory; on the host there is nothing of it, neither while the pod runs nor after kill -9.
#[test]
fn a_secret_is_nowhere_on_the_host() {
    let Some(case) = Case::new("object-secret") else { return };
    let more = json!({
        "env": [{"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}]
    });
    let script = format!(
        "[ $(cat /v/password) = {} ] && grep -q ' /v tmpfs ro' /proc/mounts && say $(stat -Lc %a:%g /v/password); hold go",
        // Not as one word: the manifest itself is not what is looked for.
        "hunter''2345"
    );
    let spec = json!({"securityContext": {"fsGroup": 4000}, "volumes": [
        {"name": "v", "secret": {"secretName": "login", "defaultMode": 0o400}}]});
    let options = with_config(&case);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut run = case.start_with(&case.pod().spec(spec).container(main("main", &script, more)), &options);
    case.wait_for("440:4000");
    assert_eq!(holding(case.dir(), PASSWORD), Vec::<String>::new());
    run.kill();
    let out = case.barepod(&["rm", "--force", case.name()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(holding(case.dir(), PASSWORD), Vec::<String>::new());
}

/// R10.4: fields of the pod as files; several sources in one volume.
#[test]
fn a_projected_volume() {
    let Some(case) = Case::new("object-projected") else { return };
    let own = json!([
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "note", "fieldRef": {"fieldPath": "metadata.annotations['note']"}},
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 0o440},
        {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"}}
    ]);
    let source = json!({"projected": {"defaultMode": 0o444, "sources": [
        {"configMap": {"name": "web", "items": [{"key": "mode", "path": "conf/mode"}]}},
        {"secret": {"name": "login", "items": [{"key": "user", "path": "conf/user"}]}},
        {"downwardAPI": {"items": own}},
        {"secret": {"name": "gone", "optional": true}}
    ]}});
    let options = with_config(&case);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let more = json!({"resources": {"limits": {"cpu": "250m"}}, "volumeMounts": [{"name": "v", "mountPath": "/v"}]});
    let script = "cd /v; say $(cat conf/mode conf/user name cpu note) $(stat -Lc %a name note); while read -r l || [ -n \"$l\" ]; do say \"$l\"; done < labels";
    let pod = case
        .pod()
        .metadata(json!({"labels": {"app": "x", "tier": "web"}, "annotations": {"note": "hello"}}))
        .spec(volume(source))
        .container(main("main", script, more));
    assert_eq!(case.start_with(&pod, &options).end(), 0);
    let trace = case.trace();
    assert_eq!(trace[1..], ["app=\"x\"", "tier=\"web\""], "{trace:?}");
    assert!(trace[0].starts_with("fastadmin"), "{trace:?}");
    assert!(trace[0].contains("object-projected250hello 440 444"), "{trace:?}");
}

/// What isn't there is said before anything starts: exit code 2, file, line and field.
#[test]
fn what_is_missing_is_said_at_once() {
    let Some(case) = Case::new("object-missing") else { return };
    let pod = case.pod().spec(volume(json!({"secret": {"secretName": "logon"}}))).container(main(
        "main",
        "say ran",
        mounted("/v"),
    ));
    let options = with_config(&case);
    let file = case.write(&pod.text());
    let out = case.barepod(&["run", file.to_str().unwrap(), &options[0], &options[1]]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{text}");
    for part in ["pod.yaml:", "spec.volumes[1].secret.secretName", "Not found: \"logon\"", "did you mean login?"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(case.trace().is_empty() && !case.state().exists());
}

/// Objects as further documents of the manifest.
#[test]
fn objects_in_the_manifest() {
    let Some(case) = Case::new("object-documents") else { return };
    let more = json!({"envFrom": [{"configMapRef": {"name": "web"}}]});
    let pod = case.pod().container(main("main", "say $mode", more));
    let file = case.write(&format!("{CONFIG}---\n{}", pod.text()));
    let out = case.barepod(&["run", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    wait("the trace", || case.said("fast"));
}

/// A claim is the folder that --volume names, and stays.
#[test]
fn a_claim() {
    let Some(case) = Case::new("object-claim") else { return };
    let folder = case.dir().join("claimed");
    fs::create_dir(&folder).unwrap();
    let pod = case.pod().spec(volume(json!({"persistentVolumeClaim": {"claimName": "data"}}))).container(main(
        "main",
        "echo kept > /v/f",
        mounted("/v"),
    ));
    let option = format!("data={}", folder.display());
    assert_eq!(case.start_with(&pod, &["--volume", &option]).end(), 0);
    assert_eq!(fs::read_to_string(folder.join("f")).unwrap(), "kept\n");
}

/// fsGroup on a claim: all that is in it, or by fsGroupChangePolicy only where its root doesn't have it yet. In a user
/// namespace too it is the group that the container sees.
#[test]
fn a_claim_of_a_group() {
    use std::os::unix::fs::MetadataExt;
    let Some(case) = Case::new("claim-group") else { return };
    let folder = case.dir().join("claimed");
    let option = format!("data={}", folder.display());
    for users in [true, false] {
        let run = |policy: &str, read_only: bool| {
            let pod = case
                .pod()
                .spec(volume(json!({"persistentVolumeClaim": {"claimName": "data", "readOnly": read_only}})))
                .spec(json!({"hostUsers": users, "securityContext": {
                    "runAsUser": 1000, "fsGroup": 77, "fsGroupChangePolicy": policy}}))
                .container(main("main", "say $(stat -c %g /v/f)", mounted("/v")));
            assert_eq!(case.start_with(&pod, &["--volume", &option]).end(), 0);
            case.trace().pop().unwrap()
        };
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("f"), "").unwrap();
        assert_eq!(run("OnRootMismatch", true), "0");
        assert_eq!(run("OnRootMismatch", false), "77");
        assert_eq!(fs::metadata(folder.join("f")).unwrap().gid(), 77);
        std::os::unix::fs::chown(folder.join("f"), None, Some(5)).unwrap();
        assert_eq!(run("OnRootMismatch", false), "5");
        assert_eq!(run("Always", false), "77");
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// An image volume is the root file system of what it names: read-only, and nothing in it is run.
#[test]
fn an_image_volume() {
    let Some(case) = Case::new("image-volume") else { return };
    let pod = case.pod().spec(volume(json!({"image": {"reference": "IMAGE"}}))).container(main(
        "main",
        "[ -e /v/bin/sh ] && say there; (echo x > /v/x) 2>/dev/null || say read-only; /v/bin/sh -c true 2>/dev/null || say not run",
        mounted("/v"),
    ));
    assert_eq!(case.run(&pod), 0);
    assert_eq!(case.trace(), ["there", "read-only", "not run"]);
}

/// recursiveReadOnly: what is mounted below the volume is read-only as well.
#[test]
fn read_only_all_the_way_down() {
    let Some(case) = Case::new("recursive-ro") else { return };
    for (mode, expected) in [("Disabled", "some can"), ("Enabled", "none can")] {
        let more = json!({"volumeMounts": [
            {"name": "v", "mountPath": "/v", "readOnly": true, "recursiveReadOnly": mode}]});
        let script = "while read -r _ at _ options _; do case $at in /v|/v/*) case ,$options, in *,rw,*) w=1;; esac;; esac; done < /proc/mounts
            [ $w ] && say some can || say none can";
        let pod = case.pod().spec(volume(json!({"hostPath": {"path": "/dev"}}))).container(main("main", script, more));
        assert_eq!(case.run(&pod), 0);
        assert_eq!(case.trace().last().map(String::as_str), Some(expected), "{mode}");
        let mounts = case.container("main")["volumeMounts"].clone();
        let of_t = json!({"mountPath": "/t", "name": "t"});
        let of_v = json!({"mountPath": "/v", "name": "v", "readOnly": true, "recursiveReadOnly": mode});
        assert_eq!(mounts, json!([of_t, of_v]));
    }
}
