//! A disk that is full from some moment on, for state, data and logs alike: a small pod's life on a file system that has
//! room for one more file, or page, each time, until nothing fails any more. Wherever it fails, nobody hangs, nobody says
//! what isn't so, and once there is room again the next command leaves nothing behind.
//!
//! A few of the steps always, all of them with `BAREPOD_FAULTS=all` (scripts/nightly).

use std::fs;
use std::path::PathBuf;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::harness::{Case, own_mounts, wait};

/// With these a small pod's life has room to spare.
const PLENTY: &str = "size=64m,nr_inodes=20000";
/// From here on nothing fails.
const STEPS: u32 = 70;

/// The state root on a file system of its own, for this thread and what it starts.
struct Disk(PathBuf);

impl Disk {
    fn mount(case: &Case, options: &str) -> Self {
        fs::create_dir_all(case.root()).unwrap();
        mount(Some("tmpfs"), &case.root(), Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
        Self(case.root())
    }

    fn make_room(&self) {
        mount(None::<&str>, &self.0, None::<&str>, MsFlags::MS_REMOUNT, Some(PLENTY)).unwrap();
    }

    /// All that is there but the folders that all pods share.
    fn left(&self) -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(&self.0).min_depth(2).into_iter();
        all.map(|entry| entry.unwrap().into_path()).collect()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let ended = umount2(&self.0, MntFlags::MNT_DETACH);
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

fn steps() -> Vec<u32> {
    match std::env::var_os("BAREPOD_FAULTS") {
        Some(_) => (1..STEPS).collect(),
        None => vec![2, 5, 9, 14, 20, 27, 35, 44],
    }
}

fn walk(name: &str, options: impl Fn(u32) -> String) {
    let Some(case) = Case::new(name) else { return };
    own_mounts();
    let mut clean = 0;
    for step in steps().into_iter().chain([u32::MAX]) {
        let options = if step == u32::MAX { PLENTY.to_owned() } else { options(step) };
        let disk = Disk::mount(&case, &options);
        fs::write(case.shared("log"), "").unwrap();
        let volume = serde_json::json!({"volumes": [{"name": "e", "emptyDir": {}}]});
        let mounts = serde_json::json!({"volumeMounts": [{"name": "e", "mountPath": "/e"}]});
        let script = "say ran; echo hello; echo data > /e/data; exit 3";
        let pod = case.pod().spec(volume).container(crate::harness::main("main", script, mounts));
        let mut run = case.start(&pod);
        let complains = |told: &str| told.to_lowercase().contains("no space left");
        // Neither in silence nor for ever.
        wait(&format!("{name} {step}: an end, or a word of the full disk"), || {
            run.has_ended() || complains(&run.stderr())
        });
        let by_itself = run.has_ended();
        disk.make_room();
        let stop = case.barepod(&["stop", case.name()]);
        let code = run.end();
        let told = run.stderr();
        let what = format!("{name} {step}: exit code {code}, by itself: {by_itself}\n{told}\n{stop:?}");
        assert_eq!(code == 3, case.said("ran"), "{what}");
        assert!(code == 3 || complains(&told), "{what}");
        assert!([1, 3, 125].contains(&code), "{what}");
        assert!(!told.contains("panicked"), "{what}");
        clean += u32::from(code == 3 && !complains(&told));
        let rm = case.barepod(&["rm", "--force", case.name()]);
        let known = rm.status.success() || String::from_utf8_lossy(&rm.stderr).contains("not found");
        assert!(known, "{what}\n{rm:?}");
        assert_eq!(disk.left(), [""; 0].map(PathBuf::from), "{what}\n{rm:?}");
    }
    assert!(clean > 0, "{name}: nothing ever went well");
}

#[test]
fn room_for_so_many_files() {
    walk("few-inodes", |step| format!("size=64m,nr_inodes={}", step + 1));
}

#[test]
fn room_for_so_many_pages() {
    walk("few-pages", |step| format!("size={}k,nr_inodes=20000", step * 4));
}
