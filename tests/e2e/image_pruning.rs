//! Images that go because nobody has used them for long, or because their disk is full.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::image::{self, Layer, write};
use crate::harness::{Case, own_mounts, said, wait};

/// As if nothing had been pulled or used for two days.
fn let_time_pass(case: &Case) {
    let then = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    let seconds = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let layout = case.root().join("data/images/layout");
    // There are no leases before something but a pull has asked for one.
    let files = |folder: &str| -> Vec<PathBuf> {
        fs::read_dir(layout.join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    for path in files("summaries") {
        let mut summary: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        summary["pulled"] = seconds.into();
        fs::write(&path, summary.to_string()).unwrap();
    }
    for path in files("leases") {
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
}

/// What `prune` says when it has removed nothing.
fn none() -> String {
    "note: no image was removed\n".to_owned()
}

/// What a pod uses stays, and was used when the pod has ended.
#[test]
fn images_go_by_their_last_use() {
    let Some(case) = Case::new("unused") else { return };
    let [one, two] = image::one_and_two(&case.dir().join("images"));
    assert_eq!(said(&case, &["image", "pull", "-q", &one, &two]).0, Some(0));
    assert_eq!(said(&case, &["image", "prune", "--until", "1d"]), (Some(0), String::new(), none()));
    let container = json!({"name": "main", "image": "oci:images:one", "imagePullPolicy": "IfNotPresent"});
    let mut run = case.start(&case.pod().container(container));
    wait("the start", || run.stderr().contains("main started"));
    let_time_pass(&case);
    let used = |name: &str| {
        let listed: Value = serde_json::from_str(&said(&case, &["image", "ls", name, "-o", "json"]).1).unwrap();
        (listed[0]["inUse"].as_bool().unwrap(), listed[0]["lastUsed"].as_str().map(str::to_owned))
    };
    assert_eq!(used(&one), (true, None));
    assert!(matches!(used(&two), (false, Some(_))));
    let table = said(&case, &["image", "ls"]).1;
    let column = |row: usize| table.lines().nth(row).unwrap().split_whitespace().last().unwrap().to_owned();
    assert_eq!([column(0), column(1), column(2)], ["USED", "now", "2d"], "{table}");
    assert_eq!(said(&case, &["image", "prune", "--until", "1d"]).1, format!("{two}\n"));
    let layers = || fs::read_dir(case.root().join("data/images/layers")).unwrap().count();
    assert_eq!(layers(), 2);
    run.signal(Signal::TERM);
    run.end();
    assert_eq!(said(&case, &["image", "prune", "--until", "1d"]).1, "");
    let_time_pass(&case);
    assert_eq!(said(&case, &["image", "prune", "--until", "1d"]).1, format!("{one}\n"));
    assert_eq!(layers(), 0);
    case.nothing_left();
}

/// Above the high mark the images go that were unused for longest, until the disk is as empty as the low mark says.
#[test]
fn images_go_where_their_disk_is_full() {
    let Some(case) = Case::new("full-of-images") else { return };
    let layout = case.dir().join("images");
    let images: Vec<String> = ["one", "two", "three"].map(|name| format!("oci:{}:{name}", layout.display())).to_vec();
    for (name, image) in ["one", "two", "three"].iter().zip(&images) {
        write(&layout, name, &json!({}), vec![Layer::default().file("data", name.repeat(1 << 20).as_bytes())]);
        assert!(image.ends_with(name));
    }
    let store = case.root().join("data/images");
    fs::create_dir_all(&store).unwrap();
    own_mounts();
    mount(Some("small"), &store, Some("tmpfs"), MsFlags::empty(), Some("size=16m,mode=0711")).unwrap();
    for image in &images {
        assert_eq!(said(&case, &["image", "pull", "-q", image]).0, Some(0));
    }
    let prune = |more: &[&str]| said(&case, &[&["image", "prune", "--disk-use"], more].concat());
    assert_eq!(prune(&[]), (Some(0), String::new(), none()), "it isn't that full");
    let (_, _, err) = said(&case, &["image", "prune"]);
    assert_eq!(err, "note: images that have a name stay, of which no pod uses 3; --all removes those\n");
    let low = ["--high-threshold", "60", "--low-threshold", "55"];
    let (code, out, err) = prune(&low);
    assert!((code, out.as_str()) == (Some(0), "") && err.contains(", which is above 55%: "), "they are young: {err}");
    let_time_pass(&case);
    // By this the others are younger.
    assert_eq!(said(&case, &["image", "pull", "-q", &images[0], &images[2]]).0, Some(0));
    assert_eq!(prune(&low), (Some(0), format!("{}\n", images[1]), String::new()));
    assert_eq!(said(&case, &["image", "verify"]).1.lines().count(), 2);
    let (code, _, err) = prune(&["--low-threshold", "90"]);
    assert!(code == Some(2) && err.contains("--low-threshold"), "{code:?} {err}");
    umount2(&store, MntFlags::MNT_DETACH).unwrap();
    case.nothing_left();
}

/// A pod that starts while somebody looks whether its image may go waits for that, and finds it, or brings it again.
#[test]
fn a_start_waits_for_who_removes_its_image() {
    let Some(case) = Case::new("removed") else { return };
    let [one, _] = image::one_and_two(&case.dir().join("images"));
    let container = json!({"name": "main", "image": "oci:images:one", "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", "exit 0"]});
    let manifest = case.pod().container(container);
    assert_eq!(said(&case, &["image", "pull", "-q", &one]).0, Some(0));
    let listed: Value = serde_json::from_str(&said(&case, &["image", "ls", &one, "-o", "json"]).1).unwrap();
    let hex = listed[0]["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let leases = case.root().join("data/images/layout/leases");
    fs::create_dir_all(&leases).unwrap();
    for goes in [false, true] {
        let lease = File::options().create(true).append(true).open(leases.join(&hex)).unwrap();
        lease.lock().unwrap();
        let mut run = case.start(&manifest);
        let inode = format!(":{} ", lease.metadata().unwrap().ino());
        let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&inode);
        wait("the helper that waits", || fs::read_to_string("/proc/locks").unwrap().lines().any(waits));
        if goes {
            assert_eq!(said(&case, &["image", "rm", &one]).1, format!("{one}\n"));
        }
        drop(lease);
        assert_eq!(run.end(), 0, "{}", run.stderr());
        assert!(!run.stderr().contains("somebody has just removed it"), "{}", run.stderr());
        assert_eq!(said(&case, &["image", "ls", "-o", "name"]).1, format!("{one}\n"));
    }
    case.nothing_left();
}

/// A pod's pull that leaves the disk too full has images go that pods have brought and none has used for a day; unless that is off.
#[test]
fn pulls_of_pods_keep_to_the_marks() {
    let Some(case) = Case::new("marks") else { return };
    let images = image::one_and_two(&case.dir().join("images"));
    let store = case.root().join("data/images");
    fs::create_dir_all(&store).unwrap();
    own_mounts();
    mount(Some("small"), &store, Some("tmpfs"), MsFlags::empty(), Some("size=64m,mode=0711")).unwrap();
    let run = |name: &str, marks: &str| {
        let command = ["/bin/sh", "-c", "exit 0"];
        let container = json!({"name": "main", "image": format!("oci:images:{name}"), "command": command});
        let file = case.write(&case.pod().container(container).text());
        let output = case.command(&["run", file.to_str().unwrap()]).env("BAREPOD_IMAGE_GC", marks).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let words = "the disk was too full";
    let (code, err) = run("one", "2,1");
    assert!(code == Some(0) && !err.contains(words), "{err}");
    let_time_pass(&case);
    let (code, err) = run("two", "off");
    assert!(code == Some(0) && !err.contains(words), "{err}");
    assert_eq!(said(&case, &["image", "rm", &images[1]]).0, Some(0));
    let (code, err) = run("two", "2,1");
    let told = format!("{words}; {}, which no pod had used for a day, was removed", images[0]);
    assert!(code == Some(0) && err.contains(&told), "{err}");
    assert_eq!(said(&case, &["image", "ls", "-o", "name"]).1, format!("{}\n", images[1]));
    for wrong in ["80,85", "80", "101,5", "a,b", "on"] {
        let (code, err) = run("two", wrong);
        assert!(code == Some(2) && err.contains("BAREPOD_IMAGE_GC"), "{wrong}: {code:?} {err}");
    }
    umount2(&store, MntFlags::MNT_DETACH).unwrap();
    case.nothing_left();
}
