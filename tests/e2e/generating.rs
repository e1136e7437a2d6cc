//! `generate systemd`: the unit for a manifest, read by systemd's own checker. tests/e2e/systemd.rs runs such units.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::harness::{Case, main, said};
use crate::skips;

/// A name that has all that systemd reads something into.
const ODD: &str = "my pods 100% $HOME \"q\" 'a' b\\c ü";

fn generate(case: &Case, words: &[&str]) -> Output {
    case.command(&[&["generate", "systemd"], words].concat()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What systemd has to say about it.
fn verify(case: &Case, unit: &str) -> Option<String> {
    let path = case.dir().join("generated.service");
    fs::write(&path, unit).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&path).output() else {
        skips::skip("systemd-analyze is not there");
        return None;
    };
    Some(text(&output.stdout) + &text(&output.stderr))
}

/// A folder and a manifest of that name.
fn odd_manifest(case: &Case, manifest: &str) -> PathBuf {
    let folder = case.dir().join(ODD);
    fs::create_dir(&folder).unwrap();
    let path = folder.join("pod.yaml");
    fs::copy(case.write(manifest), &path).unwrap();
    path
}

#[test]
fn systemd_understands_it() {
    let Some(case) = Case::new("generated") else { return };
    let claim = json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let pod = case.pod().spec(claim).spec(json!({"terminationGracePeriodSeconds": 90, "restartPolicy": "OnFailure"}));
    let path = odd_manifest(&case, &pod.container(main("main", "serve main", json!({}))).text());
    let volume = format!("data={}", path.parent().unwrap().display());
    let output = generate(&case, &[path.to_str().unwrap(), "--", "--volume", &volume, "--timeout", "1h"]);
    let unit = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for line in ["TimeoutStopSec=122", "Restart=on-abnormal", "Description=Pod default/generated", "Type=notify"] {
        assert!(unit.lines().any(|one| one == line), "{line}: {unit}");
    }
    assert!(!unit.contains("network-online"), "{unit}");
    assert_eq!(verify(&case, &unit).unwrap_or_default(), "", "{unit}");
    // It does look: what is wrong it says.
    let wrong = verify(&case, &unit.replace("Delegate=", "Delgate="));
    assert!(wrong.is_none_or(|said| said.contains("Delgate")), "{unit}");
}

/// What a unit could not do is refused before it is installed.
#[test]
fn what_no_unit_can_have_is_refused() {
    let Some(case) = Case::new("ungenerated") else { return };
    let path = case.write(&case.pod().main("main", "serve main").text());
    let path = path.to_str().unwrap();
    for (words, said) in [
        (&["-"][..], "-: a unit needs a file that is there"),
        (&[path, "--", "--config", "-"], "-: a unit needs a file that is there"),
        (&["/dev/stdin"], "/dev/stdin: a unit needs a file that is there"),
        (&["/dev/fd/9"], "/dev/fd/9: a unit needs a file that is there"),
        (&[path, "--", "--config", "/dev/fd/9"], "/dev/fd/9: a unit needs a file that is there"),
        (&[path, "--", "--detach"], "-d, -i and -t are not for a unit"),
        (&[path, "--", "--sdnotify", "ignore"], "the unit would never be ready"),
        (&[path, "--", "--no-such"], "behind --: unexpected argument '--no-such' found"),
        (&[path, "--", "--root", "/srv"], "--root comes before `generate`"),
        (&[path, "--", "--name", "No Name"], "--name \"No Name\""),
        (&["none.yaml"], "can't read none.yaml"),
    ] {
        let output = generate(&case, words);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(said), "{words:?}: {error}");
        assert_eq!(output.stdout, b"");
    }
    let odd = case.dir().join("a\nb.yaml");
    fs::copy(path, &odd).unwrap();
    let output = generate(&case, &[odd.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("it has a control character"), "{}", text(&output.stderr));
    fs::write(Path::new(path), "kind: Pod").unwrap();
    assert_eq!(generate(&case, &[path]).status.code(), Some(2));
}

/// systemd takes no path with `..`; and nothing of what the pod starts with may be on a disk that isn't mounted yet.
#[test]
fn all_files_are_waited_for() {
    let Some(case) = Case::new("generated-files") else { return };
    let volumes = json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let path = case.write(&case.pod().spec(volumes).main("main", "serve main").text());
    let folder = case.dir().join("below");
    fs::create_dir(&folder).unwrap();
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {}}).to_string();
    for (name, content) in [("config", &*config), ("logins", "{}"), ("policy", r#"{"default": []}"#)] {
        fs::write(case.dir().join(name), content).unwrap();
    }
    let round = |name: &str| format!("{}/../{name}", folder.display());
    let file = round(path.file_name().unwrap().to_str().unwrap());
    let [config, logins, policy] = ["config", "logins", "policy"].map(round);
    let claim = format!("data={}", round("below"));
    let options = ["--config", &config, "--auth-file", &logins, "--signature-policy", &policy, "--volume", &claim];
    let output = generate(&case, &[&[&*file, "--"], &options[..]].concat());
    let unit = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let line = unit.lines().find(|line| line.starts_with("RequiresMountsFor=")).unwrap();
    let folder = fs::canonicalize(case.dir()).unwrap();
    for name in [path.file_name().unwrap().to_str().unwrap(), "config", "logins", "policy", "below"] {
        assert!(line.contains(folder.join(name).to_str().unwrap()), "{name}: {line}");
    }
    assert!(!line.contains(".."), "{line}");
}

#[test]
fn nothing_is_installed_without_systemd() {
    if Path::new("/run/systemd/system").exists() {
        return;
    }
    let Some(case) = Case::new("uninstallable") else { return };
    let file = case.write(&case.pod().main("main", "true").text());
    for words in [["install", file.to_str().unwrap()], ["uninstall", "web"]] {
        let (code, _, err) = said(&case, &words);
        assert!(code == Some(2) && err.contains("systemd doesn't run this box"), "{code:?} {err}");
    }
    assert!(!Path::new("/etc/systemd/system/uninstallable.service").exists());
}
