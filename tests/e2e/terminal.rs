//! A run on a terminal: colours, Ctrl-C.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::harness::{Case, Run};

/// `barepod run` as the foreground of a new terminal of its own; the terminal's other end.
fn on_a_terminal<'a>(case: &'a Case, text: &str) -> (Run<'a>, File) {
    let file = case.write(text);
    let pty = nix::pty::openpty(None, None).unwrap();
    // setsid makes the terminal the controlling one, so that ^C is a signal to the foreground.
    let mut command = Command::new("setsid");
    let inner = case.command(&["run"]);
    command.arg("-c").arg(inner.get_program()).args(inner.get_args()).arg(file).current_dir(case.dir());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let run = Run::on_terminal(case, &mut command);
    (run, File::from(pty.master))
}

/// All that the terminal was given; its end is an error (EIO) when nobody has its other end open any more.
fn shown(mut terminal: File) -> String {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = terminal.read(&mut part) {
        all.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Names are coloured, each container's in one of its own; what containers print is passed on as it is.
#[test]
fn names_are_coloured() {
    let Some(case) = Case::new("coloured") else { return };
    let pod = case.pod().init(crate::harness::worker("init", "echo one")).main("main", "echo two");
    let (mut run, terminal) = on_a_terminal(&case, &pod.text());
    let text = shown(terminal);
    assert_eq!(run.end(), 0, "{text}");
    let colour = |name: &str| {
        let (before, _) = text.split_once(&format!("m{name}")).unwrap_or_else(|| panic!("{name} in {text:?}"));
        before.rsplit_once('\x1b').unwrap().1.to_owned()
    };
    assert_ne!(colour("init |"), colour("main |"), "{text:?}");
    assert!(text.contains("\x1b[0m one\r\n") && text.contains("\x1b[0m two\r\n"), "{text:?}");
}

/// A style that a program leaves on ends with its line: it colours neither other names nor the shell after the run.
#[test]
fn styles_do_not_reach_other_lines() {
    let Some(case) = Case::new("styles") else { return };
    let pod = case.pod().main("main", r"printf '\033[1;41mloud\n'; echo calm; printf '\033[7mlast'");
    let (mut run, terminal) = on_a_terminal(&case, &pod.text());
    let text = shown(terminal);
    assert_eq!(run.end(), 0, "{text}");
    for line in ["\x1b[1;41mloud\x1b[0m\r\n", " calm\r\n", "\x1b[7mlast\x1b[0m\r\n"] {
        assert!(text.contains(line), "{line:?} in {text:?}");
    }
}

/// Ctrl-C goes to barepod alone: containers don't see SIGINT but the ordered SIGTERM; a second one ends them at once.
#[test]
fn control_c() {
    let Some(case) = Case::new("control-c") else { return };
    let script =
        "trap 'say NAME int' INT; trap 'say NAME term' TERM; say NAME up; while :; do sleep 99 & wait $!; done";
    let pod = case
        .pod()
        .spec(serde_json::json!({"terminationGracePeriodSeconds": 600}))
        .sidecar("web", &script.replace("NAME", "web"))
        .main("main", &format!("await web up; {}", script.replace("NAME", "main")));
    let (mut run, mut terminal) = on_a_terminal(&case, &pod.text());
    case.wait_for("main up");
    terminal.write_all(b"\x03").unwrap();
    case.wait_for("main term");
    terminal.write_all(b"\x03").unwrap();
    let text = shown(terminal);
    assert_eq!(run.end(), 137, "{text}");
    assert_eq!(case.trace(), ["web up", "main up", "main term"]);
}

/// While it stops it is said for whom, how long at most, and how to force it.
#[test]
fn who_is_waited_for() {
    let Some(case) = Case::new("waits") else { return };
    let pod = case.pod().spec(serde_json::json!({"terminationGracePeriodSeconds": 600})).main("main", "exec defy main");
    let (mut run, mut terminal) = on_a_terminal(&case, &pod.text());
    case.wait_for("main up");
    terminal.write_all(b"\x03").unwrap();
    let mut text = String::new();
    let mut part = [0; 4096];
    while !text.contains("; Ctrl-C again ends it at once") {
        let count = terminal.read(&mut part).unwrap();
        text += &String::from_utf8_lossy(&part[..count]);
    }
    assert!(text.contains("waiting for main (") && text.contains(" of 10 min grace left)"), "{text}");
    terminal.write_all(b"\x03").unwrap();
    let text = shown(terminal);
    assert_eq!(run.end(), 137, "{text}");
    assert!(text.contains("main ended by SIGKILL, killed by barepod"), "{text}");
    assert!(
        text.contains("default/waits Failed: it was stopped on request; container \"main\" was ended by signal 9"),
        "{text}"
    );
}
