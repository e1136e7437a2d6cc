//! `--log-driver journald`: what containers print is told to the journal. Here a socket of the test's own stands for it;
//! [`in_the_real_one`] has the real one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::unit::{Unit, has_systemd};
use crate::harness::{Case, PATIENT, binary, own_mounts, said, wait, worker};
use nix::mount::{MsFlags, mount};

const FOLDER: &str = "/run/systemd/journal";
const DRIVER: [&str; 2] = ["--log-driver", "journald"];

/// From now on the journal of this thread and what it starts.
fn journal() -> UnixDatagram {
    own_mounts();
    mount(None::<&str>, "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    fs::create_dir_all(FOLDER).unwrap();
    bind()
}

fn bind() -> UnixDatagram {
    let socket = UnixDatagram::bind(Path::new(FOLDER).join("socket")).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// The fields of an entry that has come; `None`: there is none.
fn entry(socket: &UnixDatagram) -> Option<BTreeMap<String, String>> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    let field = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    Some(text.lines().map(field).collect())
}

#[test]
fn lines_have_their_fields() {
    let Some(case) = Case::new("journaled") else { return };
    let socket = journal();
    let pod = case
        .pod()
        .init(worker("before", "echo from init"))
        .main("main", "echo 'to stdout = 1'; echo to stderr >&2; printf 'no end'");
    let mut run = case.start_with(&pod, &DRIVER);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    // It is shown and logged as ever.
    assert!(run.stdout().contains("main   | to stdout = 1"), "{}", run.stdout());
    assert!(said(&case, &["logs", case.name()]).1.contains("to stdout = 1\n"));
    let all: Vec<_> = std::iter::from_fn(|| entry(&socket)).collect();
    let of = |message: &str| {
        all.iter().find(|one| one["MESSAGE"] == message).unwrap_or_else(|| panic!("{message}: {all:?}"))
    };
    assert_eq!(all.len(), 4, "{all:?}");
    for (message, container, priority, is_partial) in [
        ("from init", "before", "6", false),
        ("to stdout = 1", "main", "6", false),
        ("to stderr", "main", "3", false),
        ("no end", "main", "6", true),
    ] {
        let one = of(message);
        let wanted = [
            ("CONTAINER_NAME", container),
            ("POD_NAME", case.name()),
            ("POD_NAMESPACE", "default"),
            ("POD_UID", case.uid()),
            ("PRIORITY", priority),
            ("SYSLOG_IDENTIFIER", &format!("{}/{container}", case.name())),
        ];
        for (name, value) in wanted {
            assert_eq!(one[name], value, "{one:?}");
        }
        assert_eq!(one.contains_key("CONTAINER_PARTIAL_MESSAGE"), is_partial, "{one:?}");
    }
    drop(run);
    case.nothing_left();
}

/// Detached too: a journal that reads nothing for a while keeps containers waiting, and loses nothing.
#[test]
fn a_slow_one_gets_all() {
    let Some(case) = Case::new("journal-slow") else { return };
    let socket = journal();
    // More than pipes, sockets and what is held back have room for.
    let pod = case.pod().main("main", "say up; seq 200000; say printed");
    let file = case.write(&pod.text());
    assert_eq!(said(&case, &["run", "-d", DRIVER[0], DRIVER[1], file.to_str().unwrap()]).0, Some(0));
    case.wait_for("up");
    let log = case.root().join(format!("logs/default_{}_{}/main/0.log", case.name(), case.uid()));
    let size = || fs::metadata(&log).map_or(0, |data| data.len());
    let mut before = size();
    // It comes to a stand: twice a command's time without a line more.
    wait("nothing is read any more", || {
        said(&case, &["get", "pod"]);
        let now = size();
        std::mem::replace(&mut before, now) == now && now > 0
    });
    assert!(!case.said("printed"));
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(u64::from(PATIENT)))).unwrap();
    for number in 1..=200_000 {
        assert_eq!(entry(&socket).expect("one more line")["MESSAGE"], number.to_string());
    }
    case.wait_for("printed");
    assert_eq!(said(&case, &["wait", "--for=phase=Succeeded", case.name()]).0, Some(0));
    assert_eq!(said(&case, &["rm", case.name()]).0, Some(0));
    case.nothing_left();
}

/// One that isn't there is an error before anything is made; one that goes away costs nobody a line.
#[test]
fn one_that_does_not_listen() {
    let Some(case) = Case::new("journal-gone") else { return };
    let socket = journal();
    let pod = case
        .pod()
        .main("main", "say up; hold gone; echo lost; say lost; hold back; echo told; say told; hold end; echo end");
    let mut run = case.start_with(&pod, &DRIVER);
    case.wait_for("up");
    let path = Path::new(FOLDER).join("socket");
    drop(socket);
    fs::remove_file(&path).unwrap();
    case.release("gone");
    case.wait_for("lost");
    wait("what is lost is said", || run.stderr().contains("isn't told what containers print until it listens again"));
    let socket = bind();
    case.release("back");
    case.wait_for("told");
    wait("that it is back is said", || run.stderr().contains("the journal takes lines again; 1 weren't told it"));
    case.release("end");
    assert_eq!(run.end(), 0);
    let messages: Vec<_> = std::iter::from_fn(|| entry(&socket)).map(|one| one["MESSAGE"].clone()).collect();
    assert_eq!(messages, ["told", "end"]);
    assert!(said(&case, &["logs", case.name()]).1.contains("lost\n"));
    drop(run);
    fs::remove_file(&path).unwrap();
    let mut refused = case.start_with(&pod, &DRIVER);
    assert_eq!(refused.end(), 125);
    let why = "--log-driver journald: /run/systemd/journal/socket: No such file or directory";
    assert!(refused.stderr().contains(why), "{}", refused.stderr());
    drop(refused);
    case.nothing_left();
}

#[test]
fn in_the_real_one() {
    if !has_systemd() {
        return;
    }
    let Some(case) = Case::new("journal-real") else { return };
    let long = "head -c 250000 /dev/zero | tr '\\0' x; echo; echo short";
    let mut run = case.start_with(&case.pod().main("main", long), &DRIVER);
    assert_eq!(run.end(), 0, "{}", run.stderr());
    let journal = |fields: &str| {
        let field = |name: &str, value: &str| format!("{name}={value}");
        let out = Command::new("journalctl")
            .args(["--quiet", "--all", "--output", "cat", "--output-fields", fields])
            .args([field("CONTAINER_NAME", "main"), field("POD_NAME", case.name()), field("POD_UID", case.uid())])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    wait("both lines", || journal("MESSAGE").lines().count() == 2);
    let lines: Vec<usize> = journal("MESSAGE").lines().map(str::len).collect();
    assert_eq!(lines, [250_000, 5]);
    drop(run);
    // A unit's lines are in its journal once.
    let paths = [binary(), case.root(), case.dir().join("pod.yaml")];
    let [binary, root, file] = paths.each_ref().map(|path| path.display());
    let unit =
        Unit::with(&case, &format!("ExecStart=\nExecStart={binary} --root {root} run --log-driver journald {file}"));
    unit.start();
    wait("the unit has ended", || unit.show("ActiveState") == "inactive");
    wait("both lines again", || journal("MESSAGE").lines().count() == 4);
    assert_eq!(unit.journal().matches("short\n").count(), 1, "{}", unit.journal());
    case.nothing_left();
}
