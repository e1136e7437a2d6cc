//! Images from one box to another, by files.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::image::{Layer, busybox, one_and_two, write};
use crate::harness::{Case, Manifest, good};

fn pod(case: &Case, image: &str) -> Manifest {
    let script = "echo $(cat /d/kept) $(ls /d /e) $(stat -c %a /d) $A >> /t/log";
    case.pod().container(json!({
        "name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
        "volumeMounts": [{"name": "t", "mountPath": "/t"}], "args": ["-c", script]
    }))
}

/// What is exported into an archive or a folder is imported again, and is the same image: config, whiteouts, hidden folders and all.
#[test]
fn an_image_goes_by_a_file_to_another_box() {
    let Some(case) = Case::new("by-file") else { return };
    let layout = case.dir().join("images");
    let process = json!({"Entrypoint": ["/bin/sh"], "Env": ["PATH=/bin", "A=a"]});
    let lower = busybox()
        .folder("d/", 0o1750)
        .file("d/gone", b"")
        .file("d/kept", b"kept\n")
        .folder("e/", 0o755)
        .file("e/hidden", b"");
    // Names that old headers have no room for.
    let long = format!("d/{}", "n".repeat(99));
    let upper =
        Layer::default().file("d/.wh.gone", b"").file(&long[..100], b"").file("e/.wh..wh..opq", b"").file("e/new", b"");
    write(&layout, "web", &process, vec![lower, upper]);
    let image = format!("oci:{}:web", layout.display());
    good(&case, &["image", "pull", "-q", &image]);
    let (archive, folder) = (case.dir().join("web.tar"), format!("{}/out/", case.dir().display()));
    let file = archive.to_str().unwrap();
    for to in [file, &folder] {
        good(&case, &["image", "export", &image, to]);
    }
    let first = fs::read(&archive).unwrap();
    good(&case, &["image", "export", &image, file]);
    assert!(first == fs::read(&archive).unwrap(), "two exports are equal");
    good(&case, &["image", "rm", &image]);
    for from in [file, &folder] {
        let output = case.barepod(&["image", "import", from]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("it has no whole name there"), "{said}");
        let said = good(&case, &["image", "import", from, "team/web:1.0"]);
        assert!(said.starts_with("docker.io/team/web:1.0 imported ("), "{said}");
        assert_eq!(case.run(&pod(&case, "team/web:1.0")), 0);
        let inspected: Value = serde_json::from_str(&good(&case, &["image", "inspect", "team/web:1.0"])).unwrap();
        assert_eq!(inspected["layers"].as_array().unwrap().len(), 2);
        // A name of a registry's goes along.
        let named = case.dir().join("named.tar");
        good(&case, &["image", "export", "team/web:1.0", named.to_str().unwrap()]);
        good(&case, &["image", "rm", "team/web:1.0"]);
        let said = good(&case, &["image", "import", named.to_str().unwrap()]);
        assert!(said.starts_with("docker.io/team/web:1.0 imported ("), "{said}");
        let said = good(&case, &["image", "import", named.to_str().unwrap()]);
        assert!(said.starts_with("docker.io/team/web:1.0 is up to date ("), "{said}");
        good(&case, &["image", "rm", "team/web:1.0"]);
    }
    several(&case, &layout);
    let line = format!("kept /d: kept {} /e: new 1750 a", &long[2..100]);
    assert_eq!(case.trace(), [line.clone(), line]);
    assert!(!fs::read_dir(case.dir()).unwrap().any(|one| one.unwrap().file_name().to_string_lossy().contains(".new-")));
    skopeo_reads(&case, file, &folder);
    case.nothing_left();
}

/// Which of several is said as in `image:`, or by the name that it is to have.
fn several(case: &Case, layout: &Path) {
    let layout = layout.to_str().unwrap();
    for name in ["team/one:1.0", "team/two:1.0"] {
        good(case, &["image", "import", layout, name]);
        good(case, &["image", "export", name, &format!("{}/both/", case.dir().display())]);
        good(case, &["image", "rm", name]);
    }
    let both = format!("{}/both", case.dir().display());
    let output = case.barepod(&["image", "import", &both]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("name one of them behind a colon"), "{said}");
    let whole = "docker.io/team/two:1.0";
    let said = good(case, &["image", "import", &format!("{both}:{whole}")]);
    assert!(said.starts_with(&format!("{whole} imported (")), "{said}");
    let said = good(case, &["image", "import", &format!("{both}:{whole}"), "other:1"]);
    assert!(said.starts_with("docker.io/library/other:1 imported ("), "{said}");
    let output = case.barepod(&["image", "import", &format!("{both}:team/three:1.0")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("it has no \"team/three:1.0\""), "{said}");
    for name in [whole, "other:1"] {
        good(case, &["image", "rm", name]);
    }
    fs::remove_dir_all(&both).unwrap();
}

/// Other tools read what is written.
fn skopeo_reads(case: &Case, file: &str, folder: &str) {
    if Command::new("skopeo").arg("--version").output().is_err() {
        return;
    }
    for from in [format!("oci-archive:{file}"), format!("oci:{folder}:web")] {
        let to = format!("docker-archive:{}:team/web:2.0", case.dir().join("docker.tar").display());
        let output = Command::new("skopeo").args(["copy", "--insecure-policy", &from, &to]).output().unwrap();
        assert!(output.status.success(), "{from}: {output:?}");
        let said = good(case, &["image", "import", case.dir().join("docker.tar").to_str().unwrap()]);
        assert!(said.starts_with("docker.io/team/web:2.0 imported ("), "{said}");
        good(case, &["image", "rm", "team/web:2.0"]);
        fs::remove_file(case.dir().join("docker.tar")).unwrap();
    }
}

/// A file has no signatures: what the policy that is given wants of the name decides.
#[test]
fn imports_heed_the_policy_that_is_given() {
    let Some(case) = Case::new("import-policy") else { return };
    let layout = case.dir().join("images");
    one_and_two(&layout);
    let (from, name) = (format!("{}:one", layout.display()), "reg.example/team/one:1.0");
    let policy = |requirement: &str| {
        let path = case.dir().join("policy.json");
        let team = json!({"reg.example/team": [{"type": requirement}]});
        let policy = json!({"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": team}});
        fs::write(&path, policy.to_string()).unwrap();
        path.display().to_string()
    };
    let import = |policy: &str| case.barepod(&["image", "import", &from, name, "--signature-policy", policy]);
    let refused = import(&policy("reject"));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("reg.example/team") && said.contains("rejects it"), "{said}");
    assert_eq!(good(&case, &["image", "ls", "-o", "name"]), "");
    let missing = import("/nothing/policy.json");
    assert!(!missing.status.success(), "{missing:?}");
    let done = import(&policy("insecureAcceptAnything"));
    assert!(done.status.success(), "{done:?}");
    assert_eq!(good(&case, &["image", "ls", "-o", "name"]), format!("{name}\n"));
    let shown: Value = serde_json::from_str(&good(&case, &["image", "ls", "-o", "json"])).unwrap();
    assert_eq!(shown[0]["kept"], true);
}
