//! `barepod generate`: what runs a pod as part of something else.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use clap::Parser;
use k8s_openapi::api::core::v1;

use super::args::{Cli, Command, GenerateArgs, GenerateCommand, Global, ReadyWhen, RunArgs, SystemdArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::files::{is_of_the_caller, is_stdin};
use super::output::print;
use super::{options, run};
use crate::manifest;
use crate::plan::{self, ImageSource, Stored, image_source};
use crate::report::unit::{Manager, Unit};

/// Prints it.
pub fn generate(args: &GenerateArgs, global: &Global) -> Result<Exit, CliError> {
    match &args.command {
        GenerateCommand::Systemd(args) => print(&unit(args, global)?.text),
    }
}

/// A unit for a pod.
pub(super) struct Made {
    /// `NAMESPACE/NAME`.
    pub(super) pod: String,
    pub(super) text: String,
}

/// What systemd runs a pod by.
pub(super) fn unit(args: &SystemdArgs, global: &Global) -> Result<Made, CliError> {
    let asked = run_args(args)?;
    for file in std::iter::once(&args.file).chain(files_of(&asked)) {
        if is_stdin(file) || is_of_the_caller(file) {
            return Err(CliError::Words(format!(
                "{}: a unit needs a file that is there whenever it starts; name one",
                file.display()
            )));
        }
    }
    let claims = options::claims(&asked.volume)?;
    let given = claims.values().chain(files_of(&asked)).cloned();
    let mut pods = run::read_manifests(&asked)?;
    if pods.len() > 1 {
        return Err(CliError::Words(format!("a unit runs one Pod, and there are {}", run::listed(&pods))));
    }
    let (mut pod, text_file, _) = pods.remove(0).into_parts();
    manifest::apply_defaults(&mut pod);
    let spec = plan::lifecycle_of(&pod, options::backoff(&asked.backoff)?).map_err(CliError::Plan)?;
    let file = absolute(&args.file)?;
    let sources = sources(&pod, absolute(&text_file)?.parent().unwrap_or(Path::new("/")))?;
    let unit = Unit {
        pod: format!("{}/{}", spec.namespace, name(&pod)),
        manager: if args.user { Manager::User } else { Manager::Box },
        command: command(args, &asked, global, &pod, &file)?,
        folder: if args.run.is_empty() { None } else { Some(absolute(Path::new("."))?) },
        needs_network: needs_network(&pod, &asked, &sources),
        needs: needs(file, &pod, given, sources)?,
        grace: spec.grace_period,
        policy: spec.restart_policy,
        stop_signals: spec.containers.iter().filter_map(|one| one.stop_signal).collect(),
    };
    let text = unit.text().map_err(|unfit| CliError::Words(unfit.to_string()))?;
    Ok(Made { pod: unit.pod, text })
}

/// The options behind `--`, as `run` understands them.
fn run_args(args: &SystemdArgs) -> Result<RunArgs, CliError> {
    let file = args.file.as_os_str();
    let words = ["barepod", "run"].map(Into::into).into_iter().chain(args.run.iter().map(Into::into));
    let words = words.chain(["--".into(), file.to_owned()]);
    let parsed = Cli::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let why = text.lines().next().unwrap_or_default();
        CliError::Words(format!("behind --: {}", why.strip_prefix("error: ").unwrap_or(why)))
    })?;
    match parsed.command {
        Command::Run(run) if run.detach || run.is_interactive() => {
            Err(CliError::Usage("behind --: -d, -i and -t are not for a unit, which is in the background as it is"))
        }
        Command::Run(run) if run.sdnotify == ReadyWhen::Ignore => {
            Err(CliError::Usage("behind --: with --sdnotify ignore the unit would never be ready"))
        }
        Command::Run(run) if parsed.global.root.is_none() => Ok(run),
        _ => Err(CliError::Usage("behind -- there are options of `barepod run`; --root comes before `generate`")),
    }
}

fn command(
    args: &SystemdArgs,
    run: &RunArgs,
    global: &Global,
    pod: &v1::Pod,
    file: &Path,
) -> Result<Vec<String>, CliError> {
    let text = |path: &Path| {
        let lossy = || CliError::Words(format!("{:?} can't stand in a systemd unit: it isn't UTF-8", path.display()));
        path.to_str().map(str::to_owned).ok_or_else(lossy)
    };
    let program = std::env::current_exe().map_err(|source| CliError::Read { path: "/proc/self/exe".into(), source })?;
    let mut words = vec![text(&program)?];
    if let Some(root) = global.given_root() {
        words.extend(["--root".to_owned(), text(&root)?]);
    }
    for store in global.given_stores() {
        words.extend(["--image-store-ro".to_owned(), text(&store)?]);
    }
    words.push("run".to_owned());
    words.extend(args.run.iter().cloned());
    // Nobody here can say that a gate is open.
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_ref()).is_some_and(|gates| !gates.is_empty());
    if gates && run.sdnotify == ReadyWhen::default() {
        words.extend(["--sdnotify", "ContainersReady"].map(str::to_owned));
    }
    words.push(text(file)?);
    Ok(words)
}

/// What a pod without a name is called by, until it has one.
fn name(pod: &v1::Pod) -> String {
    let generated = || pod.metadata.generate_name.as_ref().map(|name| format!("{name}*"));
    pod.metadata.name.clone().filter(|name| !name.is_empty()).or_else(generated).unwrap_or_default()
}

/// Files that options of `run` name, which the pod can't start without.
fn files_of(run: &RunArgs) -> impl Iterator<Item = &PathBuf> {
    run.config.iter().chain(&run.auth_file).chain(&run.signature_policy)
}

/// A path as systemd takes it: without `..`. Links that a path goes over otherwise stay, as they may lead elsewhere later.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    let unread = |source| CliError::Read { path: path.to_owned(), source };
    let path = std::path::absolute(path).map_err(unread)?;
    let parts: Vec<Component<'_>> = path.components().collect();
    let Some(last) = parts.iter().rposition(|part| *part == Component::ParentDir) else { return Ok(path) };
    let (above, below) = parts.split_at(last + 1);
    let above = std::fs::canonicalize(above.iter().collect::<PathBuf>()).map_err(unread)?;
    Ok(above.join(below.iter().collect::<PathBuf>()))
}

/// Images of containers and volumes.
fn sources(pod: &v1::Pod, dir: &Path) -> Result<Vec<ImageSource>, CliError> {
    let spec = pod.spec.iter();
    let containers = spec.clone().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
    let volumes = spec.flat_map(|spec| spec.volumes.iter().flatten());
    let shown = volumes.filter_map(|volume| volume.image.as_ref()?.reference.as_deref());
    let names = containers.filter_map(|container| container.image.as_deref()).chain(shown);
    let sources = names.map(|name| image_source("image".to_owned(), name, dir));
    sources.collect::<Result<_, _>>().map_err(|error| CliError::Plan(vec![error]))
}

/// Whether something of the pod may be somewhere else than on this box.
fn needs_network(pod: &v1::Pod, run: &RunArgs, sources: &[ImageSource]) -> bool {
    let is_remote = |source: &ImageSource| matches!(source, ImageSource::Stored(Stored::Registry(_)));
    let has_the_boxs = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
    let asked = run.network.is_some_and(|network| network != super::args::Network::None);
    has_the_boxs || asked || sources.iter().any(is_remote)
}

/// Files and folders of the box that the pod is made of, each once.
fn needs(
    file: PathBuf,
    pod: &v1::Pod,
    given: impl Iterator<Item = PathBuf>,
    sources: Vec<ImageSource>,
) -> Result<Vec<PathBuf>, CliError> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let host = volumes.filter_map(|volume| volume.host_path.as_ref()).map(|host| PathBuf::from(&host.path));
    let images = sources.into_iter().filter_map(|source| match source {
        ImageSource::Bundle(path) | ImageSource::Rootfs(path) => Some(path),
        ImageSource::Stored(Stored::File { path, .. }) => Some(path),
        ImageSource::Stored(Stored::Registry(_)) => None,
    });
    let all = host.chain(given).chain(images).map(|path| absolute(&path));
    let mut all: BTreeSet<PathBuf> = all.collect::<Result<_, _>>()?;
    all.remove(&file);
    Ok(std::iter::once(file).chain(all).collect())
}
