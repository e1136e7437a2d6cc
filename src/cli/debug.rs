//! `barepod debug`: an ephemeral container for a pod that runs, and our terminal at it.

use std::path::Path;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::args::{DebugArgs, Global, Profile};
use super::error::CliError;
use super::exit_code::Exit;
use super::inside::Inside;
use super::session::{Over, Peer, Session, Wish};
use super::terminal::tell_below;
use super::{attach, container, logins, raw, recover};
use crate::control::{self, Added, Answer, Attaching, Client, Debugging, Request};
use crate::manifest;
use crate::runtime::{image, random};
use crate::{plan, report};

/// Adds the container, and where that is asked for shows what it prints until it ends.
pub fn debug(args: &DebugArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let (found, name) = recover::look_running(&layout, &args.pod)?;
    let pod = recover::pod(&found)?;
    let container = args.container.clone().unwrap_or_else(|| a_name(&pod));
    if args.container.is_none() && !args.quiet {
        tell!("Defaulting debug container name to {container}.");
    }
    let new = ephemeral(args, &container);
    let folder = std::env::current_dir().map_err(|source| CliError::Read { path: ".".into(), source })?;
    let place = place(&args.image, &folder);
    let of = Inside { found, name, container };
    let attach = args.attaches().then(|| {
        let size = raw::size();
        Attaching { stdin: args.stdin, rows: size.ws_row, columns: size.ws_col }
    });
    let container = serde_json::to_string(&new).unwrap_or_default();
    let files = logins::pull_files(args.auth_file.as_deref(), args.signature_policy.as_deref())?;
    let [auth_file, signature_policy] =
        [files.auth_file, files.signature_policy].map(|path| path.map(|path| path.display().to_string()));
    let folder = folder.display().to_string();
    let debugging = Debugging { container, folder, place, attach, auth_file, signature_policy };
    if attach.is_some() { attached(&of, debugging, args) } else { added(&of, debugging) }
}

/// What the name of an image stands for on this box; `None`: it is none, and the supervisor says why.
fn place(name: &str, folder: &Path) -> Option<String> {
    let source = plan::image_source("image".to_owned(), name, folder).ok()?;
    Some(image::resolved(source).ok()?.id())
}

fn refused(of: &Inside, why: String) -> CliError {
    CliError::Refused { what: "debug", pod: of.name.clone(), why }
}

/// Nobody is attached: the container runs by itself.
fn added(of: &Inside, debugging: Debugging) -> Result<Exit, CliError> {
    match control::debug(&of.found.dir, debugging, || of.found.runs_on())? {
        Some(Added::Done) => Ok(Exit::Success),
        Some(Added::Refused { why }) => Err(refused(of, why)),
        None => Err(CliError::Ended(of.name.clone())),
    }
}

/// From the container's beginning to its end.
fn attached(of: &Inside, debugging: Debugging, args: &DebugArgs) -> Result<Exit, CliError> {
    let mut client = Client::connect(&of.found.dir).map_err(|error| match of.found.runs_on() {
        true => error.into(),
        false => CliError::Ended(of.name.clone()),
    })?;
    let (id, links) = attach::ask(&mut client, Request::Debug(debugging))?;
    let wish = Wish { tty: args.tty, keys: &args.detach_keys };
    let what = format!("container {:?} of pod {}", of.container, of.name);
    let silence = || tell_of_waiting(of);
    let peer = Peer::Supervisor { client, id, silence: &silence };
    let logs = format!("{} -c {}", of.name, of.container);
    match Session::begin(wish, peer, what, links)?.run(&logs)? {
        Over::Left => Ok(Exit::Success),
        Over::Signal(signal) => Ok(attach::of_signal(signal)),
        Over::Ended(Ok(Answer::Added { outcome: Added::Refused { why } })) => Err(refused(of, why)),
        Over::Ended(answer) => attach::ended(of, answer, |note| {
            if !args.quiet {
                tell_below(note);
            }
        }),
    }
}

/// The container isn't there yet: what it waits for.
fn tell_of_waiting(of: &Inside) {
    if recover::stopped_supervisor(&of.found).is_some() {
        return of.tell_of_silence();
    }
    let pod = of.found.pod().ok().flatten().unwrap_or_default();
    let why = report::not_running(&pod, &of.container, &of.name);
    tell!("note: {why}; Ctrl-C ends this command, and leaves the container to the pod");
}

/// One that no container of the pod has.
fn a_name(pod: &v1::Pod) -> String {
    let taken = container::all(pod);
    loop {
        let mut meta = ObjectMeta { generate_name: Some("debugger-".to_owned()), ..ObjectMeta::default() };
        manifest::generate_name(&mut meta, random::number());
        let name = meta.name.unwrap_or_default();
        if !taken.contains(&name) {
            return name;
        }
    }
}

/// What is asked for, as the pod's manifest has it then.
fn ephemeral(args: &DebugArgs, name: &str) -> v1::EphemeralContainer {
    let command = (!args.command.is_empty()).then(|| args.command.clone());
    let (command, arguments) = if args.arguments_only { (None, command) } else { (command, None) };
    let variable = |(name, value): &(String, String)| v1::EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        value_from: None,
    };
    v1::EphemeralContainer {
        name: name.to_owned(),
        image: Some(args.image.clone()),
        command,
        args: arguments,
        env: (!args.env.is_empty()).then(|| args.env.iter().map(variable).collect()),
        security_context: context(args.profile),
        stdin: args.stdin.then_some(true),
        tty: args.tty.then_some(true),
        target_container_name: args.target.clone(),
        ..v1::EphemeralContainer::default()
    }
}

/// As kubectl's profiles have it.
fn context(profile: Profile) -> Option<v1::SecurityContext> {
    let capabilities = |add: &[&str], drop: &[&str]| {
        let list = |names: &[&str]| (!names.is_empty()).then(|| names.iter().map(|&name| name.to_owned()).collect());
        Some(v1::Capabilities { add: list(add), drop: list(drop) })
    };
    let none = v1::SecurityContext::default();
    Some(match profile {
        Profile::Baseline => return None,
        Profile::General => v1::SecurityContext { capabilities: capabilities(&["SYS_PTRACE"], &[]), ..none },
        Profile::Netadmin => v1::SecurityContext { capabilities: capabilities(&["NET_ADMIN", "NET_RAW"], &[]), ..none },
        Profile::Sysadmin => v1::SecurityContext { privileged: Some(true), ..none },
        Profile::Restricted => v1::SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: capabilities(&[], &["ALL"]),
            run_as_non_root: Some(true),
            seccomp_profile: Some(v1::SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..none
        },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::super::args::{Cli, Command};
    use super::*;

    fn made(options: &str) -> Value {
        let line = format!("barepod debug web --image rootfs:x {options}");
        let Command::Debug(args) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else { panic!() };
        serde_json::to_value(ephemeral(&args, "d")).unwrap()
    }

    /// kubectl's, profile by profile (kubectl, pkg/cmd/debug/profiles.go).
    #[test]
    fn what_profiles_allow() {
        let context = |profile: &str| made(&format!("--profile {profile}"))["securityContext"].clone();
        assert_eq!(made("")["securityContext"], json!({"capabilities": {"add": ["SYS_PTRACE"]}}));
        assert_eq!(context("general"), made("")["securityContext"]);
        assert_eq!(context("baseline"), Value::Null);
        assert_eq!(context("netadmin"), json!({"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}));
        assert_eq!(context("sysadmin"), json!({"privileged": true}));
        let restricted = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        assert_eq!(context("restricted"), restricted);
    }

    #[test]
    fn what_options_make() {
        let plain = json!({"name": "d", "image": "rootfs:x"});
        assert_eq!(made("--profile baseline"), plain);
        let full = made("--profile baseline -it --target main --env A=b --env C=d=e -- sh -c x");
        let expected = json!({
            "name": "d", "image": "rootfs:x", "stdin": true, "tty": true, "targetContainerName": "main",
            "command": ["sh", "-c", "x"], "env": [{"name": "A", "value": "b"}, {"name": "C", "value": "d=e"}],
        });
        assert_eq!(full, expected);
        assert_eq!(made("--arguments-only -- x y")["args"], json!(["x", "y"]));
        assert_eq!(made("--arguments-only -- x y")["command"], Value::Null);
    }

    #[test]
    fn a_name_is_no_other_containers() {
        let pod = serde_json::from_value(json!({"spec": {"containers": [{"name": "main"}]}})).unwrap();
        let name = a_name(&pod);
        assert!(name.starts_with("debugger-") && name.len() == 14, "{name}");
    }
}
