//! Attacks on the folders that pods are kept in by default: another user of the box has made them first, so as to say by
//! what stands in them what is killed and removed (docs/rootless.md).

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::Case;
use crate::harness::user::{Ids, UID};

const ATTACKER: u32 = UID + 1;

/// Without XDG_RUNTIME_DIR, which is in /tmp.
fn barepod(case: &Case, args: &[&str]) -> Output {
    case.command_at(&[], args).env_remove("XDG_RUNTIME_DIR").output().unwrap()
}

#[track_caller]
fn refused(case: &Case, why: &str) {
    let manifest = case.write(&case.pod().main("main", "say never").text()).display().to_string();
    let all: [&[&str]; 5] = [
        &["run", &manifest],
        &["get"],
        &["logs", case.name()],
        &["rm", "--force", case.name()],
        &["stop", case.name()],
    ];
    for args in all {
        let output = barepod(case, args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{args:?}: {text}");
        assert!(text.contains("can't be trusted with pods") && text.contains(why), "{args:?}: {text}");
    }
}

/// A record that makes `rm` remove what the victim loves.
fn plant(folder: &Path, case: &Case, beloved: &Path) {
    let path = folder.join(format!("pods/default_{}/ledger.json", case.name()));
    let mut ledger: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    ledger["log_dir"] = json!(beloved);
    fs::write(&path, ledger.to_string()).unwrap();
}

#[test]
fn another_users_folder_is_not_used() {
    let Some(mut case) = Case::of_user("attack-tmp", Ids::Subordinate) else { return };
    let folder = case.own_tmp().join(format!("barepod-run-{UID}"));
    let beloved = case.dir().join("home/beloved");
    fs::create_dir(&beloved).unwrap();
    chown(&beloved, Some(UID), Some(UID)).unwrap();

    // What is the user's own is used, and made so that it stays that.
    let manifest = case.write(&case.pod().main("main", "say ran").text());
    let output = barepod(&case, &["run", &manifest.display().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(case.said("ran"));
    let made = fs::metadata(&folder).unwrap();
    assert_eq!((made.uid(), made.mode() & 0o7777), (UID, 0o700));

    plant(&folder, &case, &beloved);
    chown(&folder, Some(ATTACKER), Some(ATTACKER)).unwrap();
    refused(&case, &format!("it belongs to user {ATTACKER}, not to user {UID}"));
    // In which the attacker may write all the same.
    chown(&folder, Some(UID), Some(ATTACKER)).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o770)).unwrap();
    refused(&case, "others than its owner may write to it (mode 0770)");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    // A link that is the attacker's, to a folder that is the victim's.
    let elsewhere = folder.with_file_name("elsewhere");
    fs::rename(&folder, &elsewhere).unwrap();
    symlink("elsewhere", &folder).unwrap();
    lchown(&folder, Some(ATTACKER), Some(ATTACKER)).unwrap();
    refused(&case, &format!("it belongs to user {ATTACKER}"));
    fs::remove_file(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    chown(&folder, Some(UID), Some(UID)).unwrap();
    refused(&case, "it is not a folder");
    assert!(beloved.is_dir());

    // The record was one to be afraid of.
    fs::remove_file(&folder).unwrap();
    fs::rename(&elsewhere, &folder).unwrap();
    assert!(barepod(&case, &["rm", case.name()]).status.success());
    assert!(!beloved.exists());
}

/// XDG_RUNTIME_DIR as it is after a change of user, and folders for data and logs.
#[test]
fn another_users_runtime_and_data_are_not_used() {
    let Some(case) = Case::of_user("attack-xdg", Ids::Subordinate) else { return };
    let get = |text: &str| {
        let output = case.command_at(&[], &["get"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(text), "{said}");
    };
    let runtime = case.dir().join("runtime");
    chown(&runtime, Some(ATTACKER), Some(ATTACKER)).unwrap();
    get(&format!("{} can't be trusted", runtime.display()));
    chown(&runtime, Some(UID), Some(UID)).unwrap();
    for name in ["runtime/barepod", "home/.local/share/barepod/data", "home/.local/share/barepod/logs"] {
        let folder = case.dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        get(&format!("{} can't be trusted with pods: it belongs to user 0", folder.display()));
        fs::remove_dir(&folder).unwrap();
    }
    let output = case.command_at(&[], &["get"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
