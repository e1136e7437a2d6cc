//! `apply --watch`: the box follows a folder, for as long as somebody watches.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Folder, end};
use crate::harness::{Case, wait};

/// `apply --watch` of a folder; ended with the test.
struct Watch<'a> {
    case: &'a Case,
    child: Child,
}

impl<'a> Watch<'a> {
    fn start(case: &'a Case, folder: &Folder<'_>, options: &[&str]) -> Self {
        let mut command = case.command(&[&["apply", "--watch"], options, &["-f"]].concat());
        command.arg(&folder.path).env("NOTIFY_SOCKET", case.dir().join("notify"));
        command.stdout(File::create(case.dir().join("out.txt")).unwrap());
        command.stderr(File::create(case.dir().join("err.txt")).unwrap());
        Self { case, child: command.spawn().unwrap() }
    }

    fn out(&self) -> String {
        fs::read_to_string(self.case.dir().join("out.txt")).unwrap()
    }

    fn error(&self) -> String {
        fs::read_to_string(self.case.dir().join("err.txt")).unwrap()
    }

    #[track_caller]
    fn wait_for(&self, lines: &str) {
        wait(&format!("{lines:?}"), || self.out() == lines);
    }

    /// A signal, and the end of it.
    fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(!self.child.wait().unwrap().success());
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its process.
fn supervisor(case: &Case, pod: &str) -> i32 {
    let file = case.state().with_file_name(format!("default_{pod}")).join("ledger.json");
    let ledger: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    i32::try_from(ledger["supervisor_pid"].as_i64().unwrap()).unwrap()
}

#[test]
fn the_box_follows_a_folder() {
    let Some(case) = Case::new("watch") else { return };
    let folder = Folder::new(&case);
    let manager = UnixDatagram::bind(case.dir().join("notify")).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let told = || {
        let mut text = [0; 1024];
        let length = manager.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let main = |name: &str, script: &str| folder.pod(name).main("main", &format!("{script}; exec sleep 999"));
    let one = main("watch", "say one");
    folder.put("a.yaml", &one.text());
    folder.put("b.yaml", "kind: Pod\nspec: [");
    let watch = Watch::start(&case, &folder, &["--prune", "--replace"]);
    // A file that is wrong keeps no other from being applied, and is said once.
    assert_eq!(told(), "READY=1\nSTATUS=applied but for 1 error, which the journal has\n");
    watch.wait_for("pod/watch created\n");
    case.wait_for("one");
    folder.put("c.yaml", &main("watch-three", "say three").text());
    watch.wait_for("pod/watch created\npod/watch-three created\n");
    told();
    // While it is wrong nothing is pruned, but what is new is changed.
    fs::remove_file(folder.path.join("c.yaml")).unwrap();
    wait("a word about what stays", || watch.error().contains("these stay, which are in none: default/watch-three"));
    told();
    folder.put("a.yaml", &one.clone().metadata(json!({"labels": {"tier": "front"}})).text());
    watch.wait_for("pod/watch created\npod/watch-three created\npod/watch configured\n");
    told();
    assert_eq!(watch.error().matches("b.yaml:").count(), 1, "{}", watch.error());
    assert_eq!(folder.pods(), "watch watch-three");
    // It comes in parts, as over a slow network: what it says before it is whole doesn't count.
    let text = fs::read_to_string(case.write(&main("watch-two", "say two").text())).unwrap();
    let mut file = File::create(folder.path.join("b.yaml")).unwrap();
    let (first, second) = text.split_at(text.len() / 2);
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(second.as_bytes()).unwrap();
    drop(file);
    let all = "pod/watch created\npod/watch-three created\npod/watch configured\npod/watch-three pruned\npod/watch-two created\n";
    watch.wait_for(all);
    assert_eq!(told(), "READY=1\nSTATUS=all manifests are applied\n");
    case.wait_for("two");
    assert_eq!(folder.pods(), "watch watch-two");
    // A supervisor that is killed isn't taken for one that lives, though it was begun here.
    let pid = supervisor(&case, "watch-two");
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    wait("its supervisor reaped", || !fs::exists(format!("/proc/{pid}")).unwrap());
    // What can't be changed is replaced, as is what nobody supervises.
    folder.put("a.yaml", &main("watch", "say new one").text());
    case.wait_for("new one");
    wait("both", || watch.out().contains("pod/watch replaced\n") && watch.out().contains("pod/watch-two replaced\n"));
    assert!(watch.out().starts_with(all), "{}", watch.out());
    watch.end();
    // The pods run on, and another watch does nothing.
    assert_eq!(folder.pods(), "watch watch-two");
    told();
    let watch = Watch::start(&case, &folder, &["--prune", "--replace"]);
    assert_eq!(told(), "READY=1\nSTATUS=all manifests are applied\n");
    assert_eq!(watch.out(), "");
    // An emptied folder.
    for file in ["a.yaml", "b.yaml"] {
        fs::remove_file(folder.path.join(file)).unwrap();
    }
    wait("a word about the accident", || watch.error().contains("has no Pod any more"));
    assert_eq!(folder.pods(), "watch watch-two");
    watch.end();
    end(&case, &["watch", "watch-two"]);
    case.nothing_left();
}
