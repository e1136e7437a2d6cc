//! A systemd unit of the box, as docs/systemd.md has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Case, MARK, binary, wait};

const DOCUMENT: &str = include_str!("../../../docs/systemd.md");

/// Whether systemd runs this machine; said aloud where it doesn't.
pub fn has_systemd() -> bool {
    let is = fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "systemd")
        && Path::new("/run/systemd/system").exists();
    if !is {
        crate::skips::skip("systemd is not this machine's first process");
    }
    is
}

/// The document's unit, with the case's binary, manifest and pod.
fn text(case: &Case) -> String {
    let (_, after) = DOCUMENT.split_once("```ini\n").unwrap();
    let (unit, _) = after.split_once("```").unwrap();
    let changed = [
        ("/usr/local/bin/barepod", format!("{} --root {}", binary().display(), case.root().display())),
        ("/etc/barepod/shop.yaml", case.dir().join("pod.yaml").display().to_string()),
        ("--force shop", format!("--force {}", case.name())),
    ];
    changed.iter().fold(unit.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "docs/systemd.md's unit has no {from}");
        text.replace(from, to)
    })
}

/// Of the case's pod; stopped and forgotten when it is dropped.
pub struct Unit<'a> {
    case: &'a Case,
    name: String,
}

impl<'a> Unit<'a> {
    /// Installed, not started.
    pub fn install(case: &'a Case) -> Self {
        let unit = Self { case, name: format!("e2e-{}.service", case.name()) };
        fs::write(unit.file(), text(case)).unwrap();
        // What finds what is left of the case, and nothing else.
        let more =
            format!("[Service]\nEnvironment={MARK}={} TMPDIR={}\n", case.uid(), case.dir().join("tmp").display());
        fs::create_dir_all(unit.more()).unwrap();
        fs::write(unit.more().join("e2e.conf"), more).unwrap();
        systemctl(&["daemon-reload"]);
        unit
    }

    fn file(&self) -> PathBuf {
        Path::new("/run/systemd/system").join(&self.name)
    }

    fn more(&self) -> PathBuf {
        Path::new("/run/systemd/system").join(format!("{}.d", self.name))
    }

    /// `systemctl start`, whatever becomes of it.
    pub fn start(&self) {
        systemctl(&["start", &self.name]);
    }

    /// `systemctl stop`, which waits for the end.
    pub fn stop(&self) -> Command {
        let mut command = Command::new("systemctl");
        command.args(["stop", &self.name]);
        command
    }

    /// One of the unit's properties.
    pub fn show(&self, property: &str) -> String {
        let output = Command::new("systemctl").args(["show", "--value", "-p", property, &self.name]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until a property has this value.
    #[track_caller]
    pub fn wait_for(&self, property: &str, value: &str) {
        wait(&format!("{property}={value} of {}", self.name), || self.show(property) == value);
    }

    /// What the journal has of it.
    pub fn journal(&self) -> String {
        Command::new("journalctl").arg("--sync").status().unwrap();
        let output = Command::new("journalctl").args(["--no-pager", "-o", "cat", "-u", &self.name]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("journal of {}:\n{}", self.name, self.journal());
            // A container that a test holds must not hold up the end.
            systemctl(&["kill", "--signal=KILL", &self.name]);
        }
        systemctl(&["stop", &self.name]);
        fs::remove_file(self.file()).unwrap();
        fs::remove_dir_all(self.more()).unwrap();
        systemctl(&["daemon-reload"]);
        systemctl(&["reset-failed", &self.name]);
        self.case.barepod(&["rm", "--force", self.case.name()]);
    }
}

fn systemctl(words: &[&str]) {
    // Not every stop or reset finds something to do.
    let _ = Command::new("systemctl").args(words).output().unwrap();
}
