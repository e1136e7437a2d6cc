//! A systemd unit that runs a pod, as text (docs/systemd.md).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use barepod_engine::spec::RestartPolicy;

/// How much longer than its grace period systemd gives a pod to end: the 2 s of R5.2, and time to remove what it had. The
/// supervisor asks for more where it needs more.
const MARGIN: Duration = Duration::from_secs(32);
/// An ordinary stop signal, SIGTERM.
const TERM: i32 = 15;

/// A unit in the making.
#[derive(Clone, Debug)]
pub struct Unit {
    /// `NAMESPACE/NAME`.
    pub pod: String,
    /// Who runs it.
    pub manager: Manager,
    /// The program that is executed, and its arguments.
    pub command: Vec<String>,
    /// The folder that relative paths among the arguments are in, where there may be any.
    pub folder: Option<PathBuf>,
    /// What must be mounted.
    pub needs: Vec<PathBuf>,
    /// Whether it is started when the box is online.
    pub needs_network: bool,
    /// The pod's grace period.
    pub grace: Duration,
    /// The pod's restartPolicy.
    pub policy: RestartPolicy,
    /// Signals that containers are told to stop by, but SIGTERM.
    pub stop_signals: BTreeSet<i32>,
}

/// Whose systemd it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// The box's.
    Box,
    /// A user's.
    User,
}

/// A path or an argument that no unit can have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} can't stand in a systemd unit: {why}")]
pub struct Unfit {
    /// It.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Unfit {
    fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.to_owned(), why }
    }
}

impl Unit {
    /// Its text.
    ///
    /// # Errors
    /// Where a path or an argument can't be written in one.
    pub fn text(&self) -> Result<String, Unfit> {
        let mut text = String::from("[Unit]\n");
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key}={value}");
        };
        line("Description", &format!("Pod {}", specifiers(&self.pod)));
        // A user's manager has no such target.
        if self.needs_network && self.manager == Manager::Box {
            line("Wants", "network-online.target");
            line("After", "network-online.target");
        }
        if !self.needs.is_empty() {
            let needs: Result<Vec<String>, Unfit> =
                self.needs.iter().map(|path| Ok(quoted(path_text(path)?))).collect();
            line("RequiresMountsFor", &needs?.join(" "));
        }
        let mut text = text + "\n[Service]\n";
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(text, "{key}={value}");
        };
        line("Type", "notify");
        if self.manager == Manager::User {
            // An ordinary user's pod has a supervisor that isn't the process which systemd has started.
            line("NotifyAccess", "all");
        }
        if let Some(folder) = &self.folder {
            line("WorkingDirectory", &specifiers(path_text(folder)?));
        }
        line("ExecStart", &self.command_line()?);
        for (key, value) in [("Delegate", "yes"), ("KillMode", "mixed"), ("TimeoutStartSec", "infinity")] {
            line(key, value);
        }
        line("TimeoutStopSec", &(self.grace + MARGIN).as_secs().to_string());
        line("WatchdogSec", "2min");
        line("Restart", restart(self.policy));
        line("RestartPreventExitStatus", "2");
        let signals: BTreeSet<i32> = self.stop_signals.iter().copied().chain([TERM]).collect();
        let codes: Vec<String> = signals.iter().map(|signal| (128 + signal).to_string()).collect();
        line("SuccessExitStatus", &codes.join(" "));
        let target = match self.manager {
            Manager::Box => "multi-user.target",
            Manager::User => "default.target",
        };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
        Ok(text)
    }

    fn command_line(&self) -> Result<String, Unfit> {
        let mut words = self.command.iter();
        let program = words.next().map(|path| match path.contains(['"', '\'', '\\']) {
            true => Err(Unfit::new(path, "systemd executes no program with quotes or a backslash in its path")),
            // No variable is looked for in there.
            false => Ok(quoted(fit(path)?)),
        });
        let words = words.map(|word| Ok(quoted(fit(word)?).replace('$', "$$")));
        let all: Result<Vec<String>, Unfit> = program.into_iter().chain(words).collect();
        Ok(all?.join(" "))
    }
}

/// `Restart=`: what a kubelet does with a static pod that has failed. Where containers may run twice it is run anew; a pod whose
/// containers end (OnFailure) when barepod itself ended badly, as its failure is a result; Never means never.
fn restart(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::Always => "on-failure",
        RestartPolicy::OnFailure => "on-abnormal",
        RestartPolicy::Never => "no",
    }
}

fn path_text(path: &Path) -> Result<&str, Unfit> {
    let Some(text) = path.to_str() else { return Err(Unfit::new(&path.to_string_lossy(), "it isn't UTF-8")) };
    match text.ends_with([' ', '\\']) {
        // Where a path isn't quoted, these would be taken for the line's end.
        true => Err(Unfit::new(text, "it ends with a space or a backslash")),
        false => fit(text),
    }
}

fn fit(text: &str) -> Result<&str, Unfit> {
    match text.chars().any(char::is_control) {
        true => Err(Unfit::new(text, "it has a control character")),
        false => Ok(text),
    }
}

/// systemd.unit(5), "Specifiers".
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word as systemd.syntax(7) reads it, with quotes where it needs some.
fn quoted(text: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/._-+=:@,%$".contains(one);
    let text = specifiers(text);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        Unit {
            pod: "default/shop".to_owned(),
            manager: Manager::Box,
            command: ["/usr/local/bin/barepod", "run", "/etc/barepod/shop.yaml"].map(str::to_owned).into(),
            folder: None,
            needs: vec!["/etc/barepod/shop.yaml".into()],
            needs_network: true,
            grace: Duration::from_secs(30),
            policy: RestartPolicy::Always,
            stop_signals: BTreeSet::new(),
        }
    }

    /// The document shows what is printed.
    #[test]
    fn the_documents_unit_is_printed() {
        let page = include_str!("../../docs/systemd.md");
        let shown = page.split("```ini\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(unit().text().unwrap(), shown);
    }

    #[test]
    fn of_a_user_and_of_a_job() {
        let one = Unit {
            manager: Manager::User,
            folder: Some("/home/a b/100%".into()),
            grace: Duration::from_secs(600),
            policy: RestartPolicy::Never,
            stop_signals: BTreeSet::from([3, 37]),
            needs: Vec::new(),
            ..unit()
        };
        let text = one.text().unwrap();
        for line in [
            "NotifyAccess=all",
            "WorkingDirectory=/home/a b/100%%",
            "TimeoutStopSec=632",
            "Restart=no",
            "SuccessExitStatus=131 143 165",
            "WantedBy=default.target",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        for key in ["network-online", "RequiresMountsFor"] {
            assert!(!text.contains(key), "{text}");
        }
        let policies = [RestartPolicy::Always, RestartPolicy::OnFailure, RestartPolicy::Never];
        assert_eq!(policies.map(restart), ["on-failure", "on-abnormal", "no"]);
    }

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        let line = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            Unit { command, ..unit() }.command_line()
        };
        for (words, wanted) in [
            (&["/bin/b", "--root", "/srv/x_y-z.1"][..], "/bin/b --root /srv/x_y-z.1"),
            (&["/bin/a b", "run", "/srv/my pods/web.yaml"], "\"/bin/a b\" run \"/srv/my pods/web.yaml\""),
            (&["/bin/b", "50%", "$HOME", "a=$$", ";", ""], "/bin/b 50%% $$HOME a=$$$$ \";\" \"\""),
            (&["/bin/$b", "a\"b\\c'd", "ü"], "/bin/$b \"a\\\"b\\\\c'd\" \"ü\""),
        ] {
            assert_eq!(line(words).unwrap(), wanted);
        }
        for wrong in ["a\nb", "a\tb", "\u{7f}"] {
            assert_eq!(line(&["/bin/b", wrong]).unwrap_err().text, wrong);
        }
        for wrong in ["/bin/a\"b", "/bin/a'b", "/bin/a\\b", "/bin/a\nb"] {
            assert_eq!(line(&[wrong, "run"]).unwrap_err().text, wrong);
        }
        for wrong in ["/srv/a ", "/srv/a\\", "/srv/a\nb"] {
            let one = Unit { folder: Some(wrong.into()), ..unit() };
            assert_eq!(one.text().unwrap_err().text, wrong);
        }
    }
}
