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

/// Pods by name, by their manifests, or both.
#[derive(Debug, Args)]
pub struct Pods {
    /// NAME or NAMESPACE/NAME, one or several
    #[arg(id = "pods", value_name = "POD", required_unless_present = "filename")]
    pub names: Vec<String>,
    /// The pods' namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The pod that this manifest describes; may be given several times
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
}

/// Pods by name, or by their labels.
#[derive(Debug, Args)]
pub struct ChosenPods {
    /// NAME or NAMESPACE/NAME, one or several
    #[arg(id = "pods", value_name = "POD", required_unless_present = "selector", conflicts_with = "selector")]
    pub names: Vec<String>,
    /// The pods' namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// All pods with such labels (app=web,tier!=db)
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = Selector::parse)]
    pub selector: Option<Selector>,
}

/// In the place of `Pods::names`' help, for `stop`.
pub const PODS_OF_STOP: &str = "NAME or NAMESPACE/NAME, one or several, which are stopped together";

/// In the place of `Pods::filename`'s help, for `rm`.
pub const FILENAME_OF_RM: &str = "The pod that this manifest describes; may be given several times (-f is --force)";
