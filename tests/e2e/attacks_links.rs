//! Links that an image or a container leaves where others write files or open devices (docs/security.md).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use serde_json::{Value, json};

use crate::attacks_files::{bundle, run};
use crate::harness::hostile::{treasure, untouched};
use crate::harness::{Case, main, probe};

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {mode: fast}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {user: admin}
";

/// CVE-2025-9566 (podman): a container puts links in the place of a ConfigMap's and a Secret's files, and the next run of
/// the pod writes its files through them. A container can't, and what one with all rights leaves is in no other run, be
/// it that its pod has ended or that its supervisor was killed.
#[test]
fn links_in_the_place_of_a_config_maps_files() {
    for (privileged, killed) in [(false, false), (true, false), (true, true)] {
        let Some(case) = Case::new(&format!("config-links-{privileged}-{killed}")) else { return };
        let treasure = treasure(&case);
        let config = case.dir().join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        let options = ["--config", config.to_str().unwrap()];
        let gold = treasure.join("gold");
        let plant = format!(
            "for v in /c /s; do mount -o remount,bind,rw $v 2>/dev/null; for f in mode user ..data/mode ..data/user ..data_tmp ..data; do
               rm -f $v/$f 2>/dev/null; ln -s {gold} $v/$f 2>/dev/null && say planted $v/$f; done; done; say done",
            gold = gold.display()
        );
        let script = format!(
            "if grep -qx done /t/log; then say again $(cat /c/mode) $(cat /s/user); else {plant}; [ {killed} = false ] || sleep 1000; fi"
        );
        let volumes =
            json!([{"name": "c", "configMap": {"name": "web"}}, {"name": "s", "secret": {"secretName": "login"}}]);
        let mounts = json!([{"name": "c", "mountPath": "/c"}, {"name": "s", "mountPath": "/s"}]);
        let more = json!({"volumeMounts": mounts, "securityContext": {"privileged": privileged}});
        let pod = case.pod().spec(json!({"volumes": volumes})).container(main("main", &script, more));
        let mut first = case.start_with(&pod, &options);
        if killed {
            case.wait_for("done");
            first.kill();
        } else {
            assert_eq!(first.end(), 0);
        }
        drop(first);
        let planted = case.trace().iter().filter(|line| line.starts_with("planted")).count();
        assert_eq!(planted > 0, privileged, "{:?}", case.trace());
        assert_eq!(case.start_with(&pod, &options).end(), 0);
        assert_eq!(case.trace().last().map(String::as_str), Some("again fast admin"));
        untouched(&treasure);
    }
}

/// CVE-2026-88264 and CVE-2026-88265 (crun): where a config mounts nothing at /dev, links of the image at /dev/console and
/// /dev/null are followed, and standard streams become a file of the host. A container always has a /dev of its own, or
/// what the bundle mounts there, whose links lead nowhere but into the container.
#[test]
fn links_among_devices_without_a_mount_of_dev() {
    let proc = json!({"destination": "/proc", "type": "proc", "source": "proc"});
    let cases = [
        ("none", false, false, false),
        ("terminal", true, false, false),
        ("overlay", false, true, false),
        ("tty", false, false, true),
        ("overlay-tty", false, true, true),
    ];
    for (name, terminal, overlay, tty) in cases {
        let Some(case) = Case::new(&format!("dev-links-{name}")) else { return };
        let treasure = treasure(&case);
        let gold = treasure.join("gold");
        chown(&gold, Some(4242), Some(4242)).unwrap();
        fs::set_permissions(&gold, PermissionsExt::from_mode(0o640)).unwrap();
        let mut mounts = vec![proc.clone()];
        let dev = if overlay {
            let (lower, empty) = (case.dir().join("lower"), case.dir().join("empty"));
            let (upper, work) = (case.shared("upper"), case.shared("work"));
            for folder in [&lower, &empty, &upper, &work] {
                fs::create_dir(folder).unwrap();
            }
            let options = [
                format!("lowerdir={}:{}", lower.display(), empty.display()),
                format!("upperdir={}", upper.display()),
                format!("workdir={}", work.display()),
            ];
            mounts.push(json!({"destination": "/dev", "type": "overlay", "source": "overlay", "options": options}));
            Some(lower)
        } else {
            None
        };
        let process = json!({"args": ["sh"], "env": ["PATH=/bin"], "cwd": "/", "terminal": terminal});
        let root = bundle(&case, &json!({"mounts": mounts, "process": process}));
        let dev = dev.unwrap_or_else(|| {
            let _ = fs::remove_dir_all(root.join("dev"));
            fs::create_dir(root.join("dev")).unwrap();
            root.join("dev")
        });
        for name in ["console", "null", "ptmx"] {
            symlink(&gold, dev.join(name)).unwrap();
        }
        let script = "say stdin $(stat -L -c %F /proc/self/fd/0); echo x >/dev/null; echo x >/dev/console; \
            hold probed; true";
        let more: Value = json!({"startupProbe": probe("echo x >/dev/null; touch /t/probed; true"), "tty": tty});
        let errors = run(&case, script, &more);
        assert!(case.trace().iter().all(|line| line == "stdin character special file"), "{name}: {:?}", case.trace());
        // Not every file system has what overlays need.
        let ran = case.said("stdin character special file");
        assert!(ran || (overlay && (tty || errors.contains("mount: /dev"))), "{name}: {errors}");
        // The link is where its terminal would be bound: there is no such container.
        assert!(!(ran && overlay && tty), "{name}");
        untouched(&treasure);
        let after = fs::metadata(&gold).unwrap();
        assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (4242, 4242, 0o640), "{name}");
    }
}
