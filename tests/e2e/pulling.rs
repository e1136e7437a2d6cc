//! What is seen of a pull while it goes on.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::pty::Winsize;
use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::own_registry::Registry;
use crate::harness::{Case, Run, wait, worker};

/// An image of two layers in a registry, and the path of the upper layer in it.
fn registry(case: &Case) -> (Registry, String) {
    let layout = case.dir().join("images");
    let upper = Layer::default().file("large", &[7; 1 << 20]);
    let layers = write(&layout, "web", &json!({"Cmd": ["/bin/echo", "up"]}), vec![busybox(), upper]);
    let digest = layers[1].file_name().unwrap().to_str().unwrap().to_owned();
    (Registry::open(&layout), format!("blobs/sha256:{digest}"))
}

fn image(registry: &Registry) -> String {
    registry.image("team/app", "web")
}

/// A command as the foreground of a new terminal, so wide; the terminal's other end.
fn on_a_terminal<'a>(case: &'a Case, inner: &Command, columns: u16) -> (Run<'a>, File) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command = Command::new("setsid");
    command.arg("-c").arg(inner.get_program()).args(inner.get_args()).current_dir(case.dir());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    (Run::on_terminal(case, &mut command), File::from(pty.master))
}

/// What the terminal is given until it has this.
fn until(terminal: &mut File, text: &str) -> String {
    let (mut all, mut part) = (String::new(), [0; 4096]);
    while !all.contains(text) {
        let count = terminal.read(&mut part).unwrap_or_else(|_| panic!("no {text:?}: {all:?}"));
        all += &String::from_utf8_lossy(&part[..count]);
    }
    all
}

fn pull(case: &Case, registry: &Registry) -> Command {
    registry.command(case, &["image", "pull", &image(registry)])
}

/// A bar for each layer, in place of the one before; nothing of them is left at the end.
#[test]
fn layers_have_bars() {
    let Some(case) = Case::new("bars") else { return };
    let (registry, upper) = registry(&case);
    registry.hold(&upper);
    let (mut run, mut terminal) = on_a_terminal(&case, &pull(&case, &registry), 80);
    let text = until(&mut terminal, " of 1.0 MiB");
    let text = text + &until(&mut terminal, " done");
    assert!(text.contains(&format!("{}: ", image(&registry))) && text.contains(" [####"), "{text:?}");
    registry.let_go();
    let text = until(&mut terminal, " pulled (");
    assert_eq!(run.end(), 0, "{text:?}");
    let (bars, line) = text.rsplit_once("\x1b[J").unwrap();
    assert!(bars.ends_with('F') && line.starts_with(&image(&registry)), "{text:?}");
}

/// Ctrl-C in the middle, and a terminal that is narrow: the cursor is below the bars, and no mode of the terminal was changed.
#[test]
fn control_c_leaves_a_good_terminal() {
    let Some(case) = Case::new("bars-end") else { return };
    let (registry, upper) = registry(&case);
    registry.hold(&upper);
    let (mut run, mut terminal) = on_a_terminal(&case, &pull(&case, &registry), 40);
    let text = until(&mut terminal, "%");
    let text = text + &until(&mut terminal, "%");
    assert!(text.split(['\n', 'J']).all(|line| line.trim_end().len() < 40), "{text:?}");
    assert!(!text.contains("\x1b[?"), "{text:?}");
    terminal.write_all(b"\x03").unwrap();
    assert_eq!(run.end(), 130);
    registry.let_go();
}

/// Elsewhere there is a line once it takes its time, and one when it is over.
#[test]
fn elsewhere_there_are_lines() {
    let Some(case) = Case::new("lines") else { return };
    let (registry, upper) = registry(&case);
    registry.hold(&upper);
    let outputs: [PathBuf; 2] = ["out", "err"].map(|name| case.dir().join(name));
    let [out, err] = outputs.each_ref().map(|path| File::create(path).unwrap());
    let mut run = Run::of(&case, pull(&case, &registry).stdout(out).stderr(err));
    let [out, err] = outputs.map(|path| move || std::fs::read_to_string(&path).unwrap());
    wait("the line", || err() == format!("{}: pulling\n", image(&registry)));
    assert_eq!(out(), "");
    registry.let_go();
    assert_eq!(run.end(), 0);
    let said = out();
    assert!(said.starts_with(&format!("{} pulled (", image(&registry))) && said.ends_with(" s)\n"), "{said}");
}

/// What a terminal shows in the end that was given this, with lines that are never too long for it.
fn screen(text: &str) -> Vec<String> {
    let (mut lines, mut row) = (vec![String::new()], 0);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = &rest[next.len_utf8()..];
        match next {
            '\n' => row += 1,
            '\r' => {}
            '\x1b' => {
                let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
                let (number, command) = (&rest[1..end], &rest[end..=end]);
                match command {
                    "F" => row -= number.parse::<usize>().unwrap(),
                    "J" => lines.truncate(row),
                    "m" => {}
                    other => panic!("{other:?} in {text:?}"),
                }
                rest = &rest[end + 1..];
            }
            letter => lines[row].push(letter),
        }
        lines.resize(lines.len().max(row + 1), String::new());
    }
    lines
}

fn rest_of(mut terminal: File) -> String {
    let (mut all, mut part) = (String::new(), [0; 4096]);
    // Nobody has the other end open any more: an error.
    while let Ok(count @ 1..) = terminal.read(&mut part) {
        all += &String::from_utf8_lossy(&part[..count]);
    }
    all
}

/// The bars of a pod's pulls are below what its containers print meanwhile: whole lines of both, and nothing of the bars in the end.
#[test]
fn pods_have_bars() {
    let Some(case) = Case::new("pod-bars") else { return };
    let (registry, upper) = registry(&case);
    registry.hold(&upper);
    let pod = case
        .pod()
        .init(worker("init", "echo one; while ! [ -e /t/go ]; do echo again; sleep 0.05; done; echo two"))
        .container(json!({"name": "main", "image": image(&registry)}));
    let file = case.write(&pod.text()).display().to_string();
    for columns in [40, 200] {
        let command = registry.command(&case, &["run", "--replace", "--rm", &file]);
        let (mut run, mut terminal) = on_a_terminal(&case, &command, columns);
        let bar = if columns < 60 { "%\r\n" } else { "] 0.5 of 1.0 MiB" };
        let mut text = until(&mut terminal, "again");
        text += &until(&mut terminal, bar);
        text += &until(&mut terminal, "again");
        case.release("go");
        text += &until(&mut terminal, "two");
        // Below what was said last, for as long as it takes.
        text += &until(&mut terminal, bar);
        registry.let_go();
        text += &rest_of(terminal);
        assert_eq!(run.end(), 0, "{text:?}");
        let lines = screen(&text);
        assert!(lines.iter().all(|line| !line.contains('[')), "{lines:#?}");
        let said: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once(" | ")?.1)).collect();
        let (first, last) = (said[0], &said[said.len() - 2..]);
        assert_eq!((first, last), ("one", &["two", "up"][..]), "{lines:#?}");
        assert!(said[1..said.len() - 2].iter().all(|line| *line == "again"), "{lines:#?}");
        let done = case.barepod(&["image", "rm", &image(&registry)]);
        assert!(done.status.success());
        std::fs::remove_file(case.shared("go")).unwrap();
        registry.hold(&upper);
    }
    registry.let_go();
    case.nothing_left();
}

/// Whoever waits for a pod in the background sees its bars, and nothing of them afterwards.
#[test]
fn who_waits_for_a_pod_sees_bars() {
    let Some(case) = Case::new("wait-bars") else { return };
    let (registry, upper) = registry(&case);
    registry.hold(&upper);
    let pod = case.pod().container(json!({"name": "main", "image": image(&registry)}));
    let file = case.write(&pod.text()).display().to_string();
    let command = registry.command(&case, &["run", "-d", "--wait=phase=Succeeded", &file]);
    let (mut run, mut terminal) = on_a_terminal(&case, &command, 80);
    let text = until(&mut terminal, " of 1.0 MiB");
    let text = text + &until(&mut terminal, " of 1.0 MiB");
    registry.let_go();
    let text = text + &rest_of(terminal);
    assert_eq!(run.end(), 0, "{text:?}");
    assert_eq!(screen(&text), [format!("default/{}", case.name()), String::new()], "{text:?}");
    case.nothing_left();
}
