//! `barepod install` and `uninstall`: a pod as a unit of systemd that is there and enabled. What the unit is `generate` says.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::{Global, InstallArgs, UninstallArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::generate;
use super::user::is_user;
use crate::store::atomic;

/// The first line of every unit that is written here. No other one is replaced or removed.
const MARK: &str = "# Written by `barepod install`, removed by `barepod uninstall`; `systemctl edit` changes it.\n";
const SUFFIX: &str = ".service";

/// Writes the unit of a manifest, enables it, and starts it unless that isn't wished.
pub fn install(args: &InstallArgs, global: &Global) -> Result<Exit, CliError> {
    let systemd = Systemd::new(args.unit.user)?;
    let generate::Made { pod, text } = generate::unit(&args.unit, global)?;
    let name = match &args.name {
        Some(name) => unit_name(name)?,
        None => unit_name(&of_pod(&pod))?,
    };
    let text = format!("{MARK}{text}");
    let path = systemd.folder.join(&name);
    let before = own(&path)?;
    if before.is_none() {
        systemd.refuse_anothers(&name)?;
    }
    let is_new = before.as_ref() != Some(&text);
    if is_new {
        systemd.write(&name, &text)?;
        if let Err(error) = systemd.call(&["daemon-reload"]) {
            // As if nothing had been asked for.
            let _ = match before {
                Some(before) => systemd.write(&name, &before),
                None => fs::remove_file(&path).map_err(|cause| failed("remove", &path, &cause)),
            };
            return Err(error);
        }
    }
    systemd.call(&["enable", "--quiet", &name])?;
    let was_active = systemd.says("ActiveState", &name)? != "inactive";
    let line = |verb| systemd.line(&[verb, &name]);
    match (args.no_start, was_active, is_new) {
        (true, _, _) => tell!("{name} is enabled; `{}` starts it before the next boot", line("start")),
        (false, true, false) => {
            tell!("{name} is as it was, and runs; `{}` has it read a changed manifest", line("restart"));
        }
        (false, ..) => {
            tell!("{name} is enabled; starting it, until the pod is ready");
            systemd.call(&[if was_active { "restart" } else { "start" }, &name])?;
        }
    }
    Ok(Exit::Success)
}

/// Ends the pod of a unit that [`install`] has written, in order, and removes the unit.
pub fn uninstall(args: &UninstallArgs) -> Result<Exit, CliError> {
    let systemd = Systemd::new(args.user)?;
    let name = unit_name(&match args.name.split_once('/') {
        Some(_) => of_pod(&args.name),
        None => args.name.clone(),
    })?;
    let path = systemd.folder.join(&name);
    if own(&path)?.is_none() {
        return Err(CliError::Words(format!(
            "there is no {}; `systemctl list-unit-files {}*` shows what there is",
            path.display(),
            name.strip_suffix(SUFFIX).unwrap_or(&name)
        )));
    }
    systemd.call(&["disable", "--quiet", "--now", &name])?;
    fs::remove_file(&path).map_err(|cause| failed("remove", &path, &cause))?;
    systemd.call(&["daemon-reload"])?;
    // Where it has failed systemd would remember that; of one that hasn't it says that it doesn't know it.
    let _ = systemd.command(&["reset-failed", "--quiet", &name]).output();
    Ok(Exit::Success)
}

/// What a pod's unit is called (`NAMESPACE/NAME`): no pod and no namespace has an underscore in its name.
fn of_pod(pod: &str) -> String {
    match pod.split_once('/') {
        Some(("default", name)) => name.to_owned(),
        Some((namespace, name)) => format!("{namespace}_{name}"),
        None => pod.to_owned(),
    }
}

/// With its suffix (systemd.unit(5): at most 255 characters, and which).
fn unit_name(name: &str) -> Result<String, CliError> {
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    let fits = |one: char| one.is_ascii_alphanumeric() || "-_.:".contains(one);
    match !stem.is_empty() && !stem.starts_with(['.', '-']) && stem.len() <= 200 && stem.chars().all(fits) {
        true => Ok(format!("{stem}{SUFFIX}")),
        false => Err(CliError::Words(format!(
            "{name:?} can't be the name of a unit: letters, digits and -_.: can, 200 at most; --name gives another"
        ))),
    }
}

/// The text of a unit that was written here; `None`: there is nothing of that name.
fn own(path: &Path) -> Result<Option<String>, CliError> {
    match fs::read(path) {
        Ok(bytes) if bytes.starts_with(MARK.as_bytes()) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Ok(_) => Err(CliError::Words(format!(
            "{} wasn't written by `barepod install`, and stays as it is; --name gives the pod's unit another name",
            path.display()
        ))),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed("read", path, &cause)),
    }
}

fn failed(verb: &str, path: &Path, cause: &std::io::Error) -> CliError {
    CliError::Words(format!("can't {verb} {}: {cause}", path.display()))
}

/// The box's systemd, or a user's.
struct Systemd {
    is_users: bool,
    /// Where its administrator's units are.
    folder: PathBuf,
}

impl Systemd {
    fn new(is_users: bool) -> Result<Self, CliError> {
        if !Path::new("/run/systemd/system").exists() {
            return Err(CliError::Words(
                "systemd doesn't run this box (sd_booted(3)); `barepod generate systemd` prints a unit for another one"
                    .to_owned(),
            ));
        }
        if !is_users {
            return match is_user() {
                true => Err(CliError::Usage("units of the box are root's; --user is for a user's own systemd")),
                false => Ok(Self { is_users, folder: "/etc/systemd/system".into() }),
            };
        }
        let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = of("XDG_CONFIG_HOME").or_else(|| Some(of("HOME")?.join(".config")));
        match config {
            Some(config) => Ok(Self { is_users, folder: config.join("systemd/user") }),
            None => Err(CliError::Usage("neither $XDG_CONFIG_HOME nor $HOME says where the user's units are")),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        let folder = &self.folder;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder)
            .map_err(|cause| failed("make", folder, &cause))?;
        atomic::replace_bytes_synced(folder, name, text.as_bytes()).map_err(CliError::Store)?;
        let path = folder.join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).map_err(|cause| failed("change", &path, &cause))
    }

    /// A unit that would stand in the place of a program's own.
    fn refuse_anothers(&self, name: &str) -> Result<(), CliError> {
        match self.says("FragmentPath", name)? {
            path if path.is_empty() => Ok(()),
            path => Err(CliError::Words(format!(
                "there is a unit {name} already, {path}; --name gives the pod's unit another name"
            ))),
        }
    }

    fn says(&self, property: &str, name: &str) -> Result<String, CliError> {
        self.call(&["show", "--value", "--property", property, name]).map(|text| text.trim().to_owned())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("systemctl");
        command.args(self.is_users.then_some("--user")).args(words);
        command
    }

    /// The same as people write it.
    fn line(&self, words: &[&str]) -> String {
        format!("systemctl {}{}", if self.is_users { "--user " } else { "" }, words.join(" "))
    }

    /// What systemctl says to it.
    fn call(&self, words: &[&str]) -> Result<String, CliError> {
        let (mut command, line) = (self.command(words), self.line(words));
        let output = command.output().map_err(|cause| CliError::Words(format!("{line}: {cause}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(CliError::Systemd(format!("{line}: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_called_as_their_pods() {
        for (pod, unit) in [("default/shop", Some("shop.service")), ("ops/web", Some("ops_web.service"))] {
            assert_eq!(unit_name(&of_pod(pod)).ok().as_deref(), unit);
        }
        for (name, unit) in [
            ("shop", Some("shop.service")),
            ("shop.service", Some("shop.service")),
            ("", None),
            ("../x", None),
            ("-x", None),
            (".x", None),
            ("a b", None),
            ("web@1", None),
        ] {
            assert_eq!(unit_name(name).ok().as_deref(), unit, "{name}");
        }
    }
}
