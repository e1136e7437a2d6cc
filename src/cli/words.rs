//! Words that fingers know from other tools: understood where they can only mean one thing here, else answered by the
//! command that does it.

mod jobs;
mod kinds;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use kinds::{in_namespace, is_kind};

use super::args::{ChosenPods, Cli, Command, CopyPlace, OnePod, Pods};

/// As kubectl takes a manifest: `run -f FILE`.
pub fn rewrite(args: Vec<OsString>) -> Vec<OsString> {
    let reads_file = matches!(command(&args), Some("run" | "simulate"));
    if !reads_file {
        return args;
    }
    let file = |arg: OsString| match arg.to_str() {
        Some("-f" | "--filename") => None,
        Some(text) => match text.strip_prefix("--filename=").or_else(|| text.strip_prefix("-f")) {
            Some(file) if !file.is_empty() => Some(file.into()),
            _ => Some(arg),
        },
        None => Some(arg),
    };
    args.into_iter().filter_map(file).collect()
}

/// The first word that is no option.
fn command(args: &[OsString]) -> Option<&str> {
    let mut rest = args.iter().skip(1).filter_map(|arg| arg.to_str());
    while let Some(arg) = rest.next() {
        match arg {
            "--root" => _ = rest.next(),
            _ if arg.starts_with('-') => {}
            _ => return Some(arg),
        }
    }
    None
}

/// What to write instead of a line that was not understood; `None`: clap's own words are the best.
pub fn advice(error: &clap::Error, args: &[OsString]) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => instead(said(ContextKind::InvalidSubcommand)?, args),
        ErrorKind::UnknownArgument => of_option(command(args)?, said(ContextKind::InvalidArg)?),
        _ => None,
    }
}

/// For a command that there is not.
fn instead(word: &str, args: &[OsString]) -> Option<String> {
    let Operands { file, given, name } = Operands::of(word, args);
    let text = match word {
        "create" | "up" | "play" => {
            format!("`barepod run {file}` runs a pod in the foreground, `barepod run -d {file}` in the background")
        }
        "start" => format!(
            "a pod is started by its manifest: `barepod run FILE`; `barepod restart {name}` restarts the containers of one \
             that runs"
        ),
        "delete" | "down" => {
            let (stopped, removed) = match given {
                true => (format!("-f {file}"), format!("--filename {file}")),
                false => (name.to_owned(), name),
            };
            format!(
                "`barepod stop {stopped}` ends a pod gracefully, `barepod rm {removed}` forgets one that has ended, \
                 `barepod rm --force {removed}` ends it at once and forgets it"
            )
        }
        "edit" | "patch" => {
            format!("that is not there yet; `barepod --help` shows what is, `barepod describe {name}` all about a pod")
        }
        "inspect" => {
            format!(
                "`barepod describe {name}` shows all about a pod, `barepod get {name} -o json` the same for programs"
            )
        }
        "check" | "validate" | "lint" => {
            format!("`barepod simulate {file}` checks a manifest and shows what it would do, and runs nothing")
        }
        "pull" | "history" => format!("`barepod image {word} {name}`"),
        "rmi" => format!("`barepod image rm {name}`"),
        "load" | "import" => "`barepod image import FILE` brings what `docker save` or `podman save` wrote".to_owned(),
        "save" | "export" => format!("`barepod image export {name} FILE` writes an image where other tools read it"),
        "build" | "push" | "tag" | "search" | "commit" | "login" | "logout" | "mount" => {
            "barepod brings images and runs them; other tools make and hand them on (docs/images.md)".to_owned()
        }
        "scale" | "rollout" | "expose" | "autoscale" => {
            "barepod runs Pods and Jobs; it knows no Deployments or Services".to_owned()
        }
        "replace" | "label" | "annotate" | "set" => format!(
            "a pod is changed by its manifest: `barepod apply -f {file}` changes what can be while it runs, `barepod run \
             --replace {file}` stops it and runs it anew; `barepod resize {name}` changes cpu and memory"
        ),
        "cluster-info" | "config" | "cordon" | "uncordon" | "drain" | "taint" | "auth" | "certificate" | "api-resources"
        | "api-versions" | "proxy" | "plugin" | "kustomize" | "options" => {
            "there is no cluster here, and nothing of it to be set; `barepod --help` shows what there is".to_owned()
        }
        "kube" => {
            let file = if file == "play" { "FILE" } else { &file };
            format!("`barepod run -d {file}` runs the pod of a manifest in the background")
        }
        "pod" | "container" => {
            "barepod's commands are about pods without a word for it: `barepod get`, `barepod stop NAME`".to_owned()
        }
        "pause" | "unpause" | "rename" | "init" => "a pod runs or has ended; barepod has no such thing".to_owned(),
        "stats" => "`barepod top -w` shows again and again what pods use".to_owned(),
        "port" | "network" => "docs/networking.md says what network a pod has".to_owned(),
        "volume" | "secret" => {
            "ConfigMaps and Secrets are files (`run --config FILE`), volumes folders (`run --volume CLAIM=PATH`): docs/volumes.md"
                .to_owned()
        }
        "info" | "system" => "`barepod --version` says which barepod this is, `barepod get` which pods there are".to_owned(),
        "help" => "`barepod --help` shows the commands, `barepod COMMAND --help` the options of one".to_owned(),
        "version" => "`barepod --version`".to_owned(),
        _ => return None,
    };
    Some(format!("there is no command `{word}`: {text}"))
}

/// For an option that a command has elsewhere.
fn of_option(command: &str, option: &str) -> Option<String> {
    let text = match (command, option) {
        ("run", "--image") => "barepod runs a manifest: `barepod run FILE`; the image stands in it",
        ("stop", "--force") => "`barepod rm --force POD` ends a pod at once and forgets it",
        ("stop", "-t" | "--time") => "`barepod stop POD --grace-period N` gives it N seconds",
        _ => return None,
    };
    Some(format!("`barepod {command}` has no {option}: {text}"))
}

/// What a command that isn't there was to be done with.
struct Operands {
    file: String,
    /// Whether that was said: by `-f`, or by its name.
    given: bool,
    name: String,
}

impl Operands {
    fn of(word: &str, args: &[OsString]) -> Self {
        let args: Vec<&str> = args.iter().skip(1).filter_map(|arg| arg.to_str()).collect();
        let rest = args.iter().position(|arg| *arg == word).map_or(&[][..], |at| &args[at + 1..]);
        let file = rest.iter().position(|arg| matches!(*arg, "-f" | "--filename")).and_then(|at| rest.get(at + 1));
        let words: Vec<&str> = rest.iter().copied().filter(|arg| !arg.starts_with('-')).collect();
        let name = words.iter().copied().find(|arg| !is_kind(arg) && Some(arg) != file).map(bare);
        let file = file.copied().or_else(|| words.first().copied());
        let ends = |file: &str| [".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end));
        let given = file.is_some_and(|file| file == "-" || ends(file));
        Self { file: file.unwrap_or("FILE").to_owned(), given, name: name.unwrap_or("NAME").to_owned() }
    }
}

/// Kubernetes' words for kinds that people ask for by name.
fn is_other_kind(word: &str) -> bool {
    matches!(word, "deployment" | "deployments" | "deploy" | "service" | "services" | "svc" | "job" | "jobs")
        || matches!(word, "node" | "nodes" | "namespace" | "configmap")
}

/// `web` of `pod/web`.
fn bare(word: &str) -> &str {
    match word.split_once('/') {
        Some((kind, name)) if is_kind(kind) => name,
        _ => word,
    }
}

/// `get pods`, `describe pod web -n ops`, `stop pod/web`: as `get`, `describe ops/web`, `stop web`.
///
/// # Errors
/// Where it can't be meant.
pub fn understand(cli: &mut Cli) -> Result<(), String> {
    if jobs::understood(&mut cli.command)? {
        return Ok(());
    }
    match &mut cli.command {
        Command::Get(args) => chosen(&mut args.pods, NoName::MeansAll),
        Command::Top(args) => {
            if let [word] = &args.pods.names[..]
                && matches!(&**word, "node" | "nodes" | "no")
            {
                return Err("`barepod top` is about pods; `free` and `top` show what the box uses".to_owned());
            }
            chosen(&mut args.pods, NoName::MeansAll)
        }
        Command::Logs(args) => {
            if args.selector.is_some() {
                // `logs pods -l app=web`.
                args.name.take_if(|name| is_kind(name));
                let both = || Err("pods are named or chosen by --selector, not both".to_owned());
                return args.name.as_ref().map_or(Ok(()), |_| both());
            }
            let (name, also) = (args.name.take().unwrap_or_default(), args.also.take());
            let mut pod = OnePod { name, also, namespace: args.namespace.clone() };
            // `kubectl logs POD CONTAINER`.
            if !is_kind(&pod.name) && args.container.is_none() {
                args.container = pod.also.take();
            }
            one(&mut pod, "logs")?;
            args.name = Some(pod.name);
            Ok(())
        }
        Command::Describe(args) => chosen(&mut args.pods, NoName::IsAnError),
        Command::Events(args) => {
            args.pods.names.extend(args.about.take());
            chosen(&mut args.pods, NoName::MeansAll)
        }
        Command::Resize(args) => one(&mut args.pod, "resize"),
        Command::Exec(args) => by_name(&mut args.pod, args.namespace.as_deref()),
        Command::Attach(args) => by_name(&mut args.pod, args.namespace.as_deref()),
        Command::Debug(args) => by_name(&mut args.pod, args.namespace.as_deref()),
        Command::Cp(args) => [&mut args.source, &mut args.target].into_iter().try_for_each(|place| match place {
            CopyPlace::Pod { pod, .. } => by_name(pod, args.namespace.as_deref()),
            CopyPlace::Box(_) => Ok(()),
        }),
        Command::PortForward(args) => by_name(&mut args.pod, args.namespace.as_deref()),
        Command::Stop(args) => several(&mut args.pods),
        Command::Kill(args) => several(&mut args.pods),
        Command::Restart(args) => several(&mut args.pods),
        Command::Wait(args) => several(&mut args.pods),
        Command::Rm(args) => several(&mut args.pods),
        Command::Run(_)
        | Command::Apply(_)
        | Command::Diff(_)
        | Command::Explain(_)
        | Command::Image(_)
        | Command::Simulate(_)
        | Command::Generate(_)
        | Command::Install(_)
        | Command::Uninstall(_)
        | Command::Completion(_)
        | Command::Complete(_)
        | Command::Man(_) => Ok(()),
    }
}

/// What a command without a pod's name is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoName {
    /// All pods: `get pods`.
    MeansAll,
    /// Nothing, unless something else says which: `describe pods -l app=web`.
    IsAnError,
}

fn chosen(pods: &mut ChosenPods, no_name: NoName) -> Result<(), String> {
    let says_which = pods.selector.is_some() || pods.all_namespaces || !pods.filename.is_empty();
    if let [word] = &pods.names[..]
        && is_kind(word)
        && (says_which || no_name == NoName::MeansAll)
    {
        pods.names.clear();
    }
    if pods.selector.is_some() {
        not_named(pods, "--selector")?;
    }
    names(&mut pods.names, pods.namespace.as_deref())
}

fn not_named(pods: &ChosenPods, by: &str) -> Result<(), String> {
    match (&pods.names[..], &pods.filename[..]) {
        ([], []) => Ok(()),
        ([], [..]) => Err(format!("pods are given by --filename or chosen by {by}, not both")),
        ([..], _) => Err(format!("pods are named or chosen by {by}, not both")),
    }
}

/// `stop web db`, `stop pods --all`.
fn several(pods: &mut Pods) -> Result<(), String> {
    if pods.all {
        pods.chosen.names.retain(|name| !is_kind(name));
        not_named(&pods.chosen, "--all")?;
    }
    chosen(&mut pods.chosen, NoName::IsAnError)
}

/// `wait pod web db`, `wait pod/web pod/db`.
fn names(pods: &mut Vec<String>, namespace: Option<&str>) -> Result<(), String> {
    if pods.len() > 1 && is_kind(&pods[0]) {
        pods.remove(0);
    } else if let [kind, name, ..] = &pods[..]
        && is_other_kind(kind)
    {
        return Err(format!("{kind} {name}: this is about Pods"));
    }
    pods.iter_mut().try_for_each(|pod| match pod.split_once('/') {
        // No namespace is called so by whoever writes kubectl's TYPE/NAME.
        Some((kind, _)) if is_other_kind(kind) => Err(format!("{pod}: this is about Pods")),
        _ => by_name(pod, namespace),
    })
}

/// `describe pod web`.
fn one(pod: &mut OnePod, command: &str) -> Result<(), String> {
    if let Some(second) = pod.also.take() {
        if !is_kind(&pod.name) {
            return Err(format!(
                "`barepod {command} {} {second}`: one pod at a time, by NAME or NAMESPACE/NAME (and Pods are the only kind)",
                pod.name
            ));
        }
        pod.name = second;
    }
    by_name(&mut pod.name, pod.namespace.as_deref())
}

/// `pod/web -n ops` as `ops/web`.
fn by_name(pod: &mut String, namespace: Option<&str>) -> Result<(), String> {
    *pod = bare(pod).to_owned();
    in_namespace(pod, namespace)
}

#[cfg(test)]
mod table;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
