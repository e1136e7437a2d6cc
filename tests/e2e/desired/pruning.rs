//! `apply --prune`: what came from a folder and is no longer in it ends; nothing else does.

use std::fs;

use super::{Folder, end};
use crate::harness::Case;

/// Runs until it is told to stop, which it says.
fn script(name: &str) -> String {
    format!("trap 'say {name} down; exit 0' TERM; say {name} up; while :; do sleep 999 & wait $!; done")
}

#[test]
fn what_came_from_a_folder_goes_with_it() {
    let Some(case) = Case::new("prune") else { return };
    let folder = Folder::new(&case);
    let by_hand = folder.path.join("hand.yaml");
    for (file, pod) in [("a.yaml", "prune"), ("b.yaml", "prune-two"), ("hand.yaml", "prune-hand")] {
        folder.put(file, &folder.pod(pod).main("main", &script(pod)).text());
    }
    // Somebody runs one of them, and another pod that the folder hasn't got.
    assert!(case.barepod(&["run", "-d", by_hand.to_str().unwrap()]).status.success());
    let other = case.write(&folder.pod("prune-other").main("main", &script("other")).text());
    assert!(case.barepod(&["run", "-d", other.to_str().unwrap()]).status.success());
    folder.does(&["--prune"], "pod/prune-hand unchanged\npod/prune created\npod/prune-two created\n");
    for name in ["prune", "prune-two", "prune-hand", "other"] {
        case.wait_for(&format!("{name} up"));
    }
    let all = "prune prune-hand prune-other prune-two";
    assert_eq!(folder.pods(), all);

    // Without --prune, and from elsewhere, none ends.
    let away = case.dir().join("away.yaml");
    fs::rename(folder.path.join("b.yaml"), &away).unwrap();
    fs::remove_file(&by_hand).unwrap();
    folder.does(&[], "pod/prune unchanged\n");
    let (code, _, error) = folder.apply(&["--prune", "-f", "-"]);
    assert!(code == Some(2) && error.contains("--prune is for folders"), "{error}");
    let (code, _, error) = folder.apply(&["--prune", "-f", away.to_str().unwrap()]);
    assert!(code == Some(2) && error.contains("away.yaml is no folder"), "{error}");
    // Nor while a file is wrong: nobody knows what it would say.
    folder.put("c.yaml", "apiVersion: v1\nkind: Pod\nmetadata: [");
    let (code, out, error) = folder.apply(&["--prune"]);
    assert!((code, out.as_str()) == (Some(2), "") && error.contains("c.yaml:3"), "{out} {error}");
    fs::remove_file(folder.path.join("c.yaml")).unwrap();
    folder.does(&["--prune", "--dry-run"], "pod/prune-two pruned (dry run)\npod/prune unchanged (dry run)\n");
    assert_eq!(folder.pods(), all);

    folder.does(&["--prune"], "pod/prune-two pruned\npod/prune unchanged\n");
    case.wait_for("prune-two down");
    assert_eq!(folder.pods(), "prune prune-hand prune-other");
    folder.does(&["--prune"], "pod/prune unchanged\n");

    // A folder that somebody has emptied.
    fs::rename(folder.path.join("a.yaml"), &away).unwrap();
    let (code, out, error) = folder.apply(&["--prune"]);
    let why = "has no Pod any more, and these came from it: default/prune; nothing is done";
    assert!((code, out.as_str()) == (Some(2), "") && error.contains(why), "{out} {error}");
    // A pod that is run anew by hand is that person's.
    folder.does(&["--prune", "--allow-empty", "--dry-run"], "pod/prune pruned (dry run)\n");
    assert!(case.barepod(&["run", "-d", "--replace", away.to_str().unwrap()]).status.success());
    folder.does(&["--prune", "--allow-empty"], "");
    assert_eq!(folder.pods(), "prune prune-hand prune-other");
    // Back again, and begun from here: it is the folder's.
    end(&case, &["prune"]);
    fs::rename(&away, folder.path.join("a.yaml")).unwrap();
    folder.does(&["--prune"], "pod/prune created\n");
    fs::write(folder.path.join("a.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}").unwrap();
    folder.does(&["--prune", "--allow-empty"], "pod/prune pruned\n");
    assert_eq!(folder.pods(), "prune-hand prune-other");
    end(&case, &["prune-hand", "prune-other"]);
    case.nothing_left();
}

/// `--recursive` means what is below, and without it that stays.
#[test]
fn folders_below() {
    let Some(case) = Case::new("below") else { return };
    let folder = Folder::new(&case);
    fs::create_dir(folder.path.join("below")).unwrap();
    folder.put("a.yaml", &case.pod().main("main", "exec sleep 999").text());
    folder.put("below/b.yaml", &folder.pod("below-two").main("main", "exec sleep 999").text());
    folder.does(&["-R"], "pod/below created\npod/below-two created\n");
    folder.does(&["--prune"], "pod/below unchanged\n");
    assert_eq!(folder.pods(), "below below-two");
    fs::remove_file(folder.path.join("below/b.yaml")).unwrap();
    folder.does(&["--prune", "-R"], "pod/below-two pruned\npod/below unchanged\n");
    end(&case, &["below"]);
    case.nothing_left();
}
