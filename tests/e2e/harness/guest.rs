//! The ordinary user that the test VM has (scripts/vm-test), with a user manager of systemd's. One test at a time has the
//! user: logins and lingering are the user's, not a test's.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::fcntl::OFlag;

use super::unit::has_systemd;
use super::user::give;
use super::{Case, MARK, binary, wait};

/// The user's name.
pub const USER: &str = "guest";
const UID: u32 = 1000;
const RUNTIME: &str = "/run/user/1000";

/// A case whose state, image and shared folder are that user's.
pub struct Guest {
    /// The case; looked through before the next test has the user.
    pub case: Case,
    _alone: File,
}

impl Guest {
    /// `None`, said aloud, where there is no such user.
    pub fn new(name: &str) -> Option<Self> {
        if !has_systemd() {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        if !passwd.lines().any(|line| line.starts_with(&format!("{USER}:x:{UID}:"))) {
            crate::skips::skip(format_args!("this machine has no user {USER} with uid {UID}"));
            return None;
        }
        let alone = File::create("/run/barepod-e2e-guest.lock").unwrap();
        alone.lock().unwrap();
        let case = Case::new(name)?;
        fs::create_dir(case.root()).unwrap();
        for folder in [case.dir(), &case.root(), &case.dir().join("tmp")] {
            lchown(folder, Some(UID), Some(UID)).unwrap();
        }
        give(&case.rootfs(), UID);
        fs::set_permissions(case.root(), PermissionsExt::from_mode(0o700)).unwrap();
        Some(Self { case, _alone: alone })
    }

    /// Words of a shell: barepod, as the user runs it.
    pub fn barepod(&self) -> String {
        format!(
            "env {MARK}={} TMPDIR={}/tmp {} --root {}",
            self.case.uid(),
            self.case.dir().display(),
            binary().display(),
            self.case.root().display()
        )
    }

    /// From now on barepod is run by the user, started by a program, whose words these are; without a terminal or a session.
    pub fn within(&mut self, words: &[&str]) {
        let all: Vec<String> = as_user().into_iter().chain(words.iter().map(ToString::to_string)).collect();
        self.case.within(&all.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// The words by which a program is run as the user, with the user's manager at hand.
pub fn as_user() -> Vec<String> {
    let (uid, bus) = (UID.to_string(), format!("DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus"));
    let (home, runtime) = (format!("HOME=/home/{USER}"), format!("XDG_RUNTIME_DIR={RUNTIME}"));
    let words = ["setpriv", "--reuid", &uid, "--regid", &uid, "--init-groups", "env", &home, &runtime, &bus];
    words.map(str::to_owned).to_vec()
}

/// Where the user's manager looks for units.
pub fn units() -> &'static Path {
    Path::new("/run/user/1000/systemd/user")
}

/// The user's manager, without a login, until this is dropped.
pub struct Lingering(());

impl Lingering {
    pub fn begin() -> Self {
        loginctl(&["enable-linger", USER]);
        // Waits for it, also where the one before is still on its way out.
        assert!(Command::new("systemctl").args(["start", "user@1000.service"]).status().unwrap().success());
        wait("the bus of the user's manager", has_manager);
        Self(())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        loginctl(&["disable-linger", USER]);
    }
}

/// Whether the user's manager is there, and with it the user's runtime folder.
pub fn has_manager() -> bool {
    Path::new(RUNTIME).join("bus").exists()
}

/// What logind says of the user's state: `active`, `closing`, `lingering`; empty: it knows none.
pub fn state() -> String {
    loginctl(&["show-user", "--property=State", "--value", USER]).trim().to_owned()
}

fn loginctl(words: &[&str]) -> String {
    let output = Command::new("loginctl").args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The user's login at a terminal: its shell, and the terminal's other end, which nobody else has open: that it is closed
/// is the hang-up.
pub struct Login {
    shell: Child,
    terminal: File,
}

impl Login {
    pub fn begin() -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = nix::pty::posix_openpt(flags).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let path = nix::pty::ptsname_r(&master).unwrap();
        let no_tty = OFlag::O_NOCTTY.bits();
        let end = || Stdio::from(File::options().read(true).write(true).custom_flags(no_tty).open(&path).unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "su", "--login", USER]).stdin(end()).stdout(end()).stderr(end());
        Self { shell: command.spawn().unwrap(), terminal: File::from(master.as_fd().try_clone_to_owned().unwrap()) }
    }

    /// A line for the shell.
    pub fn types(&mut self, line: &str) {
        writeln!(self.terminal, "{line}").unwrap();
    }

    /// The terminal goes, and with it the shell.
    pub fn hang_up(self) {
        let Self { mut shell, terminal } = self;
        drop(terminal);
        wait("the end of the shell", || shell.try_wait().unwrap().is_some());
    }
}
