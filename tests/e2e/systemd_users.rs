//! Pods of an ordinary user on a box that systemd runs, across a logout. The user is the one that the test VM has
//! (scripts/vm-test).

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown};
use std::process::{Child, Command, Stdio};

use nix::fcntl::OFlag;

use crate::harness::unit::has_systemd;
use crate::harness::{Case, binary, wait};

const USER: &str = "guest";
const UID: u32 = 1000;

/// A case whose state, image and shared folder are that user's. `None`, said aloud, where there is no such user.
fn case(name: &str) -> Option<Case> {
    if !has_systemd() {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    if !passwd.lines().any(|line| line.starts_with(&format!("{USER}:x:{UID}:"))) {
        crate::skips::skip(format_args!("this machine has no user {USER} with uid {UID}"));
        return None;
    }
    let case = Case::new(name)?;
    std::fs::create_dir(case.root()).unwrap();
    for folder in [case.dir(), &case.root(), &case.dir().join("tmp")] {
        lchown(folder, Some(UID), Some(UID)).unwrap();
    }
    for entry in walkdir::WalkDir::new(case.rootfs()) {
        lchown(entry.unwrap().path(), Some(UID), Some(UID)).unwrap();
    }
    std::fs::set_permissions(case.root(), PermissionsExt::from_mode(0o700)).unwrap();
    Some(case)
}

/// Words of a shell: barepod, as the user runs it.
fn barepod(case: &Case) -> String {
    format!(
        "env BAREPOD_E2E={} TMPDIR={}/tmp {} --root {}",
        case.uid(),
        case.dir().display(),
        binary().display(),
        case.root().display()
    )
}

/// The user's login at a terminal: its shell, and the terminal's other end, which nobody else has open: that it is closed
/// is the hang-up.
fn log_in() -> (Child, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let path = nix::pty::ptsname_r(&master).unwrap();
    let no_tty = OFlag::O_NOCTTY.bits();
    let end = || Stdio::from(File::options().read(true).write(true).custom_flags(no_tty).open(&path).unwrap());
    let mut command = Command::new("setsid");
    command.args(["--ctty", "su", "--login", USER]).stdin(end()).stdout(end()).stderr(end());
    (command.spawn().unwrap(), File::from(master.as_fd().try_clone_to_owned().unwrap()))
}

fn sessions() -> String {
    let output = Command::new("loginctl").args(["list-sessions", "--no-legend"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// `nohup` holds when the terminal goes: the pod runs on without the session, and ends by the user's word.
#[test]
fn nohup_outlives_the_terminal() {
    let Some(case) = case("user-nohup") else { return };
    case.write(&case.pod().main("main", "say up; hold go; say over").text());
    let (mut shell, mut terminal) = log_in();
    let manifest = case.dir().join("pod.yaml");
    writeln!(
        terminal,
        "nohup {} run --network none {} > {}/out.txt 2>&1 &",
        barepod(&case),
        manifest.display(),
        case.dir().display()
    )
    .unwrap();
    case.wait_for("up");
    assert!(sessions().contains(USER), "{}", sessions());
    drop(terminal);
    wait("the end of the shell", || shell.try_wait().unwrap().is_some());
    let held = case.marked();
    assert!(held.iter().any(|command| command.contains("run")), "{held:?}");
    case.release("go");
    case.wait_for("over");
    wait("the end of the pod", || case.marked().is_empty());
}
