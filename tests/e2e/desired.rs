//! `apply` of a folder: the box has the pods that the folder says.

mod pruning;
mod watching;

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::harness::{Case, Manifest, main, wait};

/// A folder of manifests.
struct Folder<'a> {
    case: &'a Case,
    path: PathBuf,
}

impl<'a> Folder<'a> {
    fn new(case: &'a Case) -> Self {
        let path = case.dir().join("manifests");
        fs::create_dir(&path).unwrap();
        Self { case, path }
    }

    /// Writes a file of it, all at once.
    fn put(&self, name: &str, text: &str) {
        fs::rename(self.case.write(text), self.path.join(name)).unwrap();
    }

    /// A pod of this name.
    fn pod(&self, name: &str) -> Manifest {
        let pod = Manifest::new(name, &self.case.uid().replace("-4000-8000-", "-4001-8000-"));
        pod.spec(json!({"restartPolicy": "Always", "terminationGracePeriodSeconds": 1}))
    }

    /// `apply OPTIONS -f FOLDER`: exit code, standard output, standard error.
    fn apply(&self, options: &[&str]) -> (Option<i32>, String, String) {
        let output = self.case.command(&[&["apply"], options, &["-f"]].concat()).arg(&self.path).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// That it does so much, and has nothing else to say.
    fn does(&self, options: &[&str], lines: &str) {
        let (code, out, error) = self.apply(options);
        assert_eq!((code, out.as_str()), (Some(0), lines), "{options:?} {error}");
    }

    /// Names and phases of all pods.
    fn pods(&self) -> String {
        let output = self.case.barepod(&["get", "-A", "-o", "jsonpath={range .items[*]}{.metadata.name} {end}"]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The pod's supervisor is told to stop, and what it was is forgotten.
fn end(case: &Case, pods: &[&str]) {
    assert!(case.barepod(&[&["stop"], pods].concat()).status.success());
    assert!(case.barepod(&[&["rm"], pods].concat()).status.success());
}

/// A dry run says what would be done, with what is different, and does none of it.
#[test]
fn the_plan_is_shown_first() {
    let Some(case) = Case::new("plan") else { return };
    let folder = Folder::new(&case);
    let one = case.pod().main("main", "say one; exec sleep 999");
    folder.put("a.yaml", &one.text());
    folder.put("b.yaml", &folder.pod("plan-two").main("main", "say two; exec sleep 999").text());
    folder.does(&["--dry-run"], "pod/plan created (dry run)\npod/plan-two created (dry run)\n");
    assert_eq!(folder.pods(), "");
    // What can be seen to be wrong keeps all from being begun, and a dry run says it as well.
    let absent = folder.pod("absent").container(main("main", "true", json!({"image": "rootfs:/gone"})));
    folder.put("c.yaml", &absent.text());
    for options in [&["--dry-run"][..], &[]] {
        let (code, out, error) = folder.apply(options);
        assert!((code, out.as_str()) == (Some(2), "") && error.contains("c.yaml:"), "{options:?} {out} {error}");
    }
    assert_eq!(folder.pods(), "");
    fs::remove_file(folder.path.join("c.yaml")).unwrap();
    folder.does(&[], "pod/plan created\npod/plan-two created\n");
    case.wait_for("one");
    case.wait_for("two");

    folder.put("a.yaml", &one.metadata(json!({"labels": {"tier": "front"}})).text());
    folder.put("b.yaml", &folder.pod("plan-two").main("main", "say new two; exec sleep 999").text());
    let configured = "pod/plan configured (server dry run)\nmetadata.labels[tier]\n  + front\n";
    let (code, out, error) = folder.apply(&["--dry-run=server"]);
    assert_eq!((code, out.as_str()), (Some(1), configured), "{error}");
    let refused =
        "can't apply to pod \"default/plan-two\": this can't be changed while it runs: spec.containers[0].command";
    assert!(error.contains(refused) && error.contains("as does `apply --replace`"), "{error}");
    let (code, out, error) = folder.apply(&["--dry-run=client", "--replace"]);
    assert_eq!(code, Some(0), "{error}");
    let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    let (first, second) = ("pod/plan configured (dry run)", "pod/plan-two replaced (dry run)");
    assert_eq!(lines, [first, "metadata.labels[tier]", second, "spec.containers[0].command (container main)"], "{out}");
    assert_eq!(case.get()["metadata"]["labels"], json!(null));
    folder.does(&["--dry-run", "--replace", "-o", "name"], "pod/plan\npod/plan-two\n");
    // Without --replace what can be changed is.
    let (code, out, _) = folder.apply(&[]);
    assert_eq!((code, out.as_str()), (Some(1), "pod/plan configured\n"));
    folder.does(&["--replace"], "pod/plan unchanged\npod/plan-two replaced\n");
    case.wait_for("new two");
    folder.does(&["--replace"], "pod/plan unchanged\npod/plan-two unchanged\n");
    folder.does(&["--dry-run"], "pod/plan unchanged (dry run)\npod/plan-two unchanged (dry run)\n");
    assert_eq!((case.times_said("one"), case.times_said("two"), case.times_said("new two")), (1, 1, 1));
    end(&case, &["plan", "plan-two"]);
    case.nothing_left();
}

/// One whose work is done stays as it is; one that should run, or is different by now, runs anew where that is asked for.
#[test]
fn pods_that_have_ended() {
    let Some(case) = Case::new("done") else { return };
    let folder = Folder::new(&case);
    folder.put("job.yaml", &case.pod().main("main", "say work; exit 3").text());
    folder.put("web.yaml", &folder.pod("done-web").main("main", "say web; exec sleep 999").text());
    folder.does(&[], "pod/done created\npod/done-web created\n");
    case.wait_for("web");
    wait("the end", || case.phase() == "Failed");
    for options in [&[][..], &["--replace"]] {
        folder.does(options, "pod/done unchanged\npod/done-web unchanged\n");
    }
    assert!(case.barepod(&["stop", "done-web"]).status.success());
    let (code, out, error) = folder.apply(&[]);
    assert_eq!((code, out.as_str()), (Some(1), "pod/done unchanged\n"), "{error}");
    assert!(error.contains("can't apply to pod \"default/done-web\": it has ended; `barepod run -d"), "{error}");
    folder.does(&["--replace"], "pod/done unchanged\npod/done-web replaced\n");
    wait("its second run", || case.times_said("web") == 2);
    folder.put("job.yaml", &case.pod().main("main", "say other work; exit 3").text());
    assert_eq!(folder.apply(&[]).0, Some(1));
    folder.does(&["--replace"], "pod/done-web unchanged\npod/done replaced\n");
    case.wait_for("other work");
    assert_eq!((case.times_said("work"), case.times_said("web")), (1, 2));
    wait("its end", || case.phase() == "Failed");
    assert!(case.barepod(&["stop", "done-web"]).status.success());
    assert!(case.barepod(&["rm", "done", "done-web"]).status.success());
    case.nothing_left();
}
