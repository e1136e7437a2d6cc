//! The pods that a command is about, as kubectl's users name them.

use std::path::PathBuf;

use clap::Args;

use crate::manifest::Selector;

/// One pod. kubectl's users also write the kind in front of its name.
#[derive(Debug, Args)]
pub struct OnePod {
    /// NAME or NAMESPACE/NAME
    #[arg(id = "pod", value_name = "POD")]
    pub name: String,
    /// The name, where the word before it is Kubernetes' for the kind: `pod web`
    #[arg(hide = true, value_name = "NAME")]
    pub also: Option<String>,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// Pods by name, by their manifests, or by their labels: for commands that show something.
#[derive(Clone, Debug, Default, Args)]
pub struct ChosenPods {
    /// NAME or NAMESPACE/NAME, one or several
    #[arg(id = "pods", value_name = "POD")]
    pub names: Vec<String>,
    /// The pods' namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The pods that these manifests describe: a file, a folder, or `-`; may be given several times
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// Of folders given by --filename, also read those below them
    #[arg(short = 'R', long, requires = "filename")]
    pub recursive: bool,
    /// All pods with such labels (app=web,tier!=db). Also: app in (web,api), tier notin (db), app, !app, weight>3
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = Selector::parse)]
    pub selector: Option<Selector>,
    /// Those of all namespaces, which is so anyway
    #[arg(short = 'A', long, hide = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Jobs instead of pods, where those are named (`job/NAME`); none: all of them.
    #[arg(skip)]
    pub jobs: Option<Vec<String>>,
}

/// The same for commands that do something with pods: which, must be said.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("pods", |arg| arg.required_unless_present_any(["filename", "selector", "all"])))]
pub struct Pods {
    /// Which pods
    #[command(flatten)]
    pub chosen: ChosenPods,
    /// All pods, with --namespace those in it
    #[arg(long, conflicts_with = "selector")]
    pub all: bool,
}

/// In the place of `ChosenPods::names`' help, where no name means all.
pub const PODS_OR_ALL: &str = "NAME or NAMESPACE/NAME, one or several; all pods if left out";

/// Likewise, for `top`.
pub const PODS_OF_TOP: &str = "NAME or NAMESPACE/NAME, one or several; all that run if left out";

/// Likewise, for `stop`.
pub const PODS_OF_STOP: &str = "NAME or NAMESPACE/NAME, one or several, which are stopped together";

/// In the place of `ChosenPods::all_namespaces`' help, for `describe`.
pub const ALL_OF_DESCRIBE: &str = "All pods";

/// In the place of `ChosenPods::filename`'s help, for `rm`.
pub const FILENAME_OF_RM: &str =
    "The pods that these manifests describe: a file, a folder, or `-`; may be given several times (-f is --force)";
