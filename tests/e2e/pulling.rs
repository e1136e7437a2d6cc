//! What is seen of a pull while it goes on.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::pty::Winsize;
use serde_json::json;

use crate::harness::image::{Layer, busybox, write};
use crate::harness::own_registry::Registry;
use crate::harness::{Case, Run, wait};

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
