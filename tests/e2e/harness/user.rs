//! An ordinary user that this machine doesn't have: known in a mount namespace of the command's own, by an /etc of its
//! own. Nothing of the machine's is changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its uid and gid.
pub const UID: u32 = 47_007;

/// The first of its subordinate ids.
pub const FIRST: u32 = 1_900_000_000;

/// Whether /etc/subuid and /etc/subgid have a line for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    Subordinate,
    None,
}

/// Makes an /etc of its own, goes to a cgroup where there is one to go to, sees no more of /tmp than the case's folder and
/// what `tmp` holds where there is one, goes to a network namespace where there is one to go to, with a /dev/net/tun that
/// is everybody's as systemd has it, and becomes the user.
const BECOME: &str = r#"
set -e
etc=$1 binary=$2 uid=$3 cgroup=$4 tmp=$5 network=$6; shift 6
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" /etc
mount -o bind "$binary" "$etc/barepod"
[ -z "$cgroup" ] || echo $$ > "$cgroup/cgroup.procs"
if [ -n "$tmp" ]; then
  case=$(dirname "$etc") here=$tmp/$(basename "$(dirname "$etc")")
  mkdir -p "$here"
  mount -o rbind "$case" "$here"
  mount -o rbind "$tmp" /tmp
fi
enter=
if [ -n "$network" ]; then
  mount -t tmpfs devices "$etc/devices"
  mknod -m 666 "$etc/devices/tun" c 10 200
  mount -o bind "$etc/devices/tun" /dev/net/tun
  enter="nsenter --net=$network"
fi
exec $enter setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
"#;

/// Who runs barepod.
#[derive(Debug, Default)]
pub struct User {
    /// Where they may make cgroups.
    pub cgroup: Option<PathBuf>,
    /// What they have as /tmp.
    pub tmp: Option<PathBuf>,
    /// The network namespace they are in.
    pub network: Option<PathBuf>,
}

/// Prepares what `command` needs in the case's folder, which is to be searchable by all.
pub fn prepare(dir: &Path, ids: Ids) {
    let etc = dir.join("etc");
    for folder in ["upper", "work", "devices"] {
        fs::create_dir_all(etc.join(folder)).unwrap();
    }
    fs::set_permissions(&etc, PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(etc.join("upper"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(etc.join("barepod"), "").unwrap();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let range = format!("e2euser:{FIRST}:65536\n");
    let range = if ids == Ids::Subordinate { range.as_str() } else { "" };
    for (name, text) in [
        ("passwd", format!("{passwd}e2euser:x:{UID}:{UID}::{}:/bin/sh\n", dir.join("home").display()).as_str()),
        ("subuid", range),
        ("subgid", range),
    ] {
        let path = etc.join("upper").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    }
    for folder in ["root", "home", "runtime", "tmp"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
        chown(dir.join(folder), Some(UID), Some(UID)).unwrap();
        fs::set_permissions(dir.join(folder), PermissionsExt::from_mode(0o700)).unwrap();
    }
}

/// Makes a tree a user's.
pub fn give(tree: &Path, uid: u32) {
    for entry in walkdir::WalkDir::new(tree) {
        std::os::unix::fs::lchown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
    }
}

/// barepod, run by the user, behind the words of another program that runs it.
pub fn command(dir: &Path, binary: &Path, user: &User, within: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-c", BECOME, "become"]);
    command.arg(dir.join("etc")).arg(binary).arg(UID.to_string());
    for path in [&user.cgroup, &user.tmp, &user.network] {
        command.arg(path.as_deref().unwrap_or(Path::new("")));
    }
    command.args(within).arg(dir.join("etc/barepod"));
    command.env("HOME", dir.join("home")).env("XDG_RUNTIME_DIR", dir.join("runtime")).env_remove("XDG_DATA_HOME");
    command
}
