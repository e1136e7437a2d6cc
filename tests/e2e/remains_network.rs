//! What connects a pod with others is a process that the ledger names: whoever cleans up after a supervisor that was killed
//! ends it, and no other.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Case, wait};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A process in a folder of the freezer's, in which it can be kept from ending.
struct Stubborn {
    process: Child,
    cgroup: Option<PathBuf>,
}

impl Stubborn {
    fn new(case: &Case) -> Self {
        let process = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let cgroup = PathBuf::from("/sys/fs/cgroup/freezer").join(case.name());
        let cgroup = fs::create_dir(&cgroup).is_ok().then_some(cgroup);
        if let Some(cgroup) = &cgroup {
            fs::write(cgroup.join("tasks"), process.id().to_string()).unwrap();
        }
        Self { process, cgroup }
    }

    /// False: it can't be kept.
    fn freeze(&self) -> bool {
        let Some(cgroup) = &self.cgroup else { return false };
        fs::write(cgroup.join("freezer.state"), "FROZEN").unwrap();
        wait("the frost", || fs::read_to_string(cgroup.join("freezer.state")).unwrap() == "FROZEN\n");
        true
    }

    fn thaw(&self) {
        fs::write(self.cgroup.as_ref().unwrap().join("freezer.state"), "THAWED").unwrap();
    }

    /// As a ledger has it.
    fn recorded(&self) -> Value {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let start: u64 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
        json!({"kind": "pasta", "pid": self.process.id(), "start": start})
    }

    fn lives(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Stubborn {
    fn drop(&mut self) {
        if self.cgroup.is_some() {
            self.thaw();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(cgroup) = &self.cgroup {
            wait("the end of its cgroup", || fs::remove_dir(cgroup).is_ok());
        }
    }
}

/// Of a pod whose supervisor was killed, with a ledger that says this of its network.
fn killed(case: &Case, network: &Value) {
    let mut run = case.start(&case.pod().main("main", "say up; exec serve main"));
    case.wait_for("main up");
    run.kill();
    let file = case.state().join("ledger.json");
    let mut ledger: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    ledger["network"] = network.clone();
    fs::write(file, ledger.to_string()).unwrap();
    fs::write(case.shared("log"), "").unwrap();
}

#[test]
fn it_is_ended_and_no_other() {
    let Some(case) = Case::new("network-swept") else { return };
    for (change, ends) in [(0, true), (1, false)] {
        let mut process = Stubborn::new(&case);
        let mut recorded = process.recorded();
        // A later process with the pid of one that has ended.
        recorded["start"] = json!(recorded["start"].as_u64().unwrap() - change);
        killed(&case, &recorded);
        let output = case.barepod(&["rm", "--force", case.name()]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(process.lives(), !ends);
    }
}

/// One that doesn't end stays known, keeps the pod's name, and is ended by the next command when it can be.
#[test]
fn what_does_not_end_is_known_until_it_does() {
    let Some(case) = Case::new("network-left") else { return };
    let mut process = Stubborn::new(&case);
    if !process.freeze() {
        crate::skips::skip("no process here can be kept from ending (cgroup v1's freezer)");
        return;
    }
    killed(&case, &process.recorded());
    let pid = process.process.id();
    let stop = case.barepod(&["stop", case.name()]);
    assert!(said(&stop).contains(&format!("end process {pid}: timed out")), "{}", said(&stop));
    let get = case.barepod(&["get"]);
    assert!(String::from_utf8_lossy(&get.stdout).contains(" CleanupFailed "), "{get:?}");
    let ledger = fs::read_to_string(case.state().join("ledger.json")).unwrap();
    assert!(ledger.contains("Left") && ledger.contains(&pid.to_string()), "{ledger}");
    process.thaw();
    wait("its end", || !process.lives());
    let output = case.barepod(&["rm", case.name()]);
    assert!(output.status.success(), "{}", said(&output));
}
