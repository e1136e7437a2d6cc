//! A root file system of busybox and the words that test containers speak.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::slow;

const APPLETS: [&str; 53] = [
    "sh",
    "cat",
    "ls",
    "echo",
    "sleep",
    "true",
    "false",
    "kill",
    "touch",
    "id",
    "hostname",
    "readlink",
    "dd",
    "ps",
    "grep",
    "stat",
    "mkdir",
    "ln",
    "rm",
    "head",
    "tail",
    "wc",
    "env",
    "pwd",
    "usleep",
    "printf",
    "seq",
    "yes",
    "mount",
    "umount",
    "cp",
    "mknod",
    "chmod",
    "chown",
    "ip",
    "df",
    "nc",
    "cut",
    "sed",
    "find",
    "test",
    "tr",
    "mv",
    "sync",
    "timeout",
    "ipcs",
    "setsid",
    "tee",
    "sort",
    "fallocate",
    "traceroute",
    "wget",
    "httpd",
];

/// `say WORDS` appends a line to the trace, by one write: the order of lines is the order of events.
const SAY: &str = "#!/bin/sh\necho \"$*\" >> /t/log\n";

/// How long a container that waits does so between two looks, in microseconds. Each look is a new process or two: where these
/// take long, they would leave the processors to nobody else.
fn pause() -> &'static str {
    if slow() { "40000" } else { "5000" }
}

/// `hold NAME` waits until the test releases NAME.
const HOLD: &str = "#!/bin/sh\nuntil [ -e /t/$1 ]; do usleep PAUSE; done\n";

/// `await WORDS` waits until somebody has said WORDS.
const AWAIT: &str = "#!/bin/sh\nuntil grep -qxF \"$*\" /t/log; do usleep PAUSE; done\n";

/// `serve NAME [CODE]` says NAME up, and on SIGTERM NAME term, and exits CODE.
const SERVE: &str =
    "#!/bin/sh\ntrap 'say \"$1 term\"; exit ${2:-0}' TERM\nsay \"$1 up\"\nwhile :; do sleep 1000 & wait $!; done\n";

/// `defy NAME` takes no notice of SIGTERM.
const DEFY: &str = "#!/bin/sh\ntrap 'say \"$1 term\"' TERM\nsay \"$1 up\"\nwhile :; do sleep 1000 & wait $!; done\n";

/// `answer FILE` is a web server for one connection: puts the request's head into FILE.asked and says what FILE holds.
const ANSWER: &str = "#!/bin/sh\nwhile read -r line && line=${line%?} && [ \"$line\" ]; do echo \"$line\"; done >> /t/$1.asked\ncat /t/$1\n";

/// `web PORT FILE` is one for all connections, in the background of whoever calls it; ready when it returns.
const WEB: &str = "#!/bin/sh\nnc -ll -p $1 -e answer $2 &\nuntil grep -q \"$(printf ':%04X 0*:0000 0A' $1)\" /proc/net/tcp /proc/net/tcp6; do usleep PAUSE; done\n";

pub fn make(root: &Path) {
    for folder in ["bin", "etc", "proc", "sys", "dev", "root", "var", "t"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::create_dir(root.join("tmp")).unwrap();
    fs::set_permissions(root.join("tmp"), PermissionsExt::from_mode(0o1777)).unwrap();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(busybox.expect("busybox is missing: scripts/setup test"), root.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    for (name, text) in [
        ("say", SAY),
        ("hold", HOLD),
        ("await", AWAIT),
        ("serve", SERVE),
        ("defy", DEFY),
        ("answer", ANSWER),
        ("web", WEB),
    ] {
        let path = root.join("bin").join(name);
        fs::write(&path, text.replace("PAUSE", pause())).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nguest:x:1000:\nextra:x:2000:guest\n").unwrap();
}

/// Every path with its kind, size and mode: an image is never written to.
pub fn listing(root: &Path) -> Vec<String> {
    let all = walkdir::WalkDir::new(root).sort_by_file_name();
    let line = |entry: walkdir::DirEntry| {
        let data = entry.path().symlink_metadata().unwrap();
        let size = if data.is_file() { data.len() } else { 0 };
        format!("{} {:o} {size}", entry.path().display(), data.permissions().mode())
    };
    all.into_iter().map(|entry| line(entry.unwrap())).collect()
}
