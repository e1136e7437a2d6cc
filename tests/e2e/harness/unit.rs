//! A systemd unit of the box or of a user, as docs/systemd.md has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Case, MARK, binary, guest, wait};

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

/// The document's units, one after the other.
fn documented() -> impl Iterator<Item = &'static str> {
    DOCUMENT.split("```ini\n").skip(1).map(|after| after.split_once("```").unwrap().0)
}

/// The folder below /var/lib that it has in that drop-in.
pub const STATE: &str = "e2e-shop";

/// The document's drop-in for a unit of the box that runs as a user.
pub fn as_a_user() -> String {
    let text = documented().find(|text| text.contains("User=")).unwrap();
    let text = text.replace("User=shop", &format!("User={}", guest::USER));
    text.replace("=shop", &format!("={STATE}")).replace("%S/shop", &format!("%S/{STATE}")).replace("[Service]\n", "")
}

/// The document's unit, with the case's binary, manifest and pod.
fn text(case: &Case, manager: Manager) -> String {
    let unit = documented().next().unwrap();
    let changed = [
        ("/usr/local/bin/barepod", format!("{} --root {}", binary().display(), case.root().display())),
        ("/etc/barepod/shop.yaml", case.dir().join("pod.yaml").display().to_string()),
    ];
    let text = changed.iter().fold(unit.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "docs/systemd.md's unit has no {from}");
        text.replace(from, to)
    });
    match manager {
        Manager::Box => text,
        Manager::User => {
            let lines = text.lines().filter(|line| !line.starts_with("After=") && !line.starts_with("Wants="));
            let lines = lines.map(|line| line.replace("multi-user.target", "default.target") + "\n");
            lines.collect::<String>().replace("Type=notify\n", "Type=notify\nNotifyAccess=all\n")
        }
    }
}

/// Whose unit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Box,
    User,
}

/// Of the case's pod; stopped and forgotten when it is dropped.
pub struct Unit<'a> {
    case: &'a Case,
    name: String,
    manager: Manager,
}

impl<'a> Unit<'a> {
    /// Installed, not started.
    pub fn install(case: &'a Case) -> Self {
        Self::with(case, "")
    }

    /// The same with more lines for its service.
    pub fn with(case: &'a Case, lines: &str) -> Self {
        Self::make(case, Manager::Box, &text(case, Manager::Box), lines)
    }

    /// As `barepod generate systemd` prints it for the case's manifest, with more lines for its service.
    pub fn generated(case: &'a Case, lines: &str) -> Self {
        let file = case.dir().join("pod.yaml");
        let output = case.command(&["generate", "systemd"]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self::make(case, Manager::Box, &String::from_utf8(output.stdout).unwrap(), lines)
    }

    /// Of the user [`guest`], whose manager runs.
    pub fn of_user(case: &'a Case, lines: &str) -> Self {
        Self::make(case, Manager::User, &text(case, Manager::User), lines)
    }

    fn make(case: &'a Case, manager: Manager, text: &str, lines: &str) -> Self {
        let unit = Self { case, name: format!("e2e-{}.service", case.name()), manager };
        // What finds what is left of the case, and nothing else.
        let more = format!(
            "[Service]\nEnvironment={MARK}={} TMPDIR={}\n{lines}\n",
            case.uid(),
            case.dir().join("tmp").display()
        );
        fs::create_dir_all(unit.more()).unwrap();
        fs::write(unit.file(), text).unwrap();
        fs::write(unit.more().join("e2e.conf"), more).unwrap();
        unit.systemctl(&["daemon-reload"]);
        unit
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn folder(&self) -> &'static Path {
        match self.manager {
            Manager::Box => Path::new("/run/systemd/system"),
            Manager::User => guest::units(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder().join(&self.name)
    }

    fn more(&self) -> PathBuf {
        self.folder().join(format!("{}.d", self.name))
    }

    fn command(&self, words: &[&str]) -> Command {
        let before = match self.manager {
            Manager::Box => vec!["systemctl".to_owned()],
            Manager::User => [guest::as_user(), vec!["systemctl".to_owned(), "--user".to_owned()]].concat(),
        };
        let mut command = Command::new(&before[0]);
        command.args(&before[1..]).args(words);
        command
    }

    fn systemctl(&self, words: &[&str]) {
        // Not every stop or reset finds something to do.
        let _ = self.command(words).output().unwrap();
    }

    /// `systemctl start`, whatever becomes of it.
    pub fn start(&self) {
        self.systemctl(&["start", &self.name]);
    }

    /// As [`Self::start`], which waits until the unit is ready.
    pub fn starting(&self) -> Command {
        self.command(&["start", &self.name])
    }

    /// `systemctl stop`, which waits for the end.
    pub fn stop(&self) -> Command {
        self.command(&["stop", &self.name])
    }

    /// One of the unit's properties.
    pub fn show(&self, property: &str) -> String {
        let output = self.command(&["show", "--value", "-p", property, &self.name]).output().unwrap();
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
        let field = match self.manager {
            Manager::Box => "_SYSTEMD_UNIT",
            Manager::User => "_SYSTEMD_USER_UNIT",
        };
        let mut command = Command::new("journalctl");
        command.args(["--no-pager", "-o", "cat"]).arg(format!("{field}={}", self.name));
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("journal of {}:\n{}", self.name, self.journal());
            // A container that a test holds must not hold up the end.
            self.systemctl(&["kill", "--signal=KILL", &self.name]);
        }
        self.systemctl(&["stop", &self.name]);
        let removed = fs::remove_file(self.file()).and(fs::remove_dir_all(self.more()));
        // A user's are on a file system that goes with the user's manager.
        if self.manager == Manager::Box && !std::thread::panicking() {
            removed.unwrap();
        }
        self.systemctl(&["daemon-reload"]);
        self.systemctl(&["reset-failed", &self.name]);
        self.case.barepod(&["rm", "--force", self.case.name()]);
    }
}
