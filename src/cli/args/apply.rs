//! `apply`: manifests become what runs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `barepod apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Manifests: a file, a folder (its .yaml, .yml and .json files, by name), or `-` for standard input; may be given several
    /// times. Each may hold several objects in any order: Pods, ConfigMaps and Secrets. What only a cluster has a use for is left
    /// out
    #[arg(short, long, value_name = "FILE", required = true)]
    pub filename: Vec<PathBuf>,
    /// Of folders, also read those below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Refuse what would be left out
    #[arg(long)]
    pub strict: bool,
    /// A file of ConfigMaps and Secrets for the pod, YAML or JSON; may be given several times. They may also stand among the
    /// manifests; each name once in all
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// A file of logins for registries, as podman login and docker login write it, for what the pod pulls from now on, instead of
    /// the files that this box has for that
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Which images the pod may have from now on, as containers-policy.json(5), instead of what this box's file says
    #[arg(long, value_name = "FILE")]
    pub signature_policy: Option<PathBuf>,
    /// Refuse a manifest with an image whose name in a registry has no digest (NAME@sha256:...), before anything is changed
    #[arg(long)]
    pub require_digest: bool,
    /// The pod's namespace, if the manifest names none
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Stop and run anew what can't be changed while it runs, and pods that have ended where something of them is different or
    /// their restartPolicy is Always
    #[arg(long)]
    pub replace: bool,
    /// Also end and forget pods that `apply` has begun from these folders and that are no longer in them. Nothing is, where
    /// anything in them is wrong, or a folder has no Pod at all any more
    #[arg(long)]
    pub prune: bool,
    /// With --prune: a folder without a Pod is meant as it is, and all that came from it ends
    #[arg(long, requires = "prune")]
    pub allow_empty: bool,
    /// Stay, and apply the manifests again whenever something of them changes; for a unit of systemd (docs/systemd.md). A file that
    /// is wrong is said once, and leaves its pods as they are. A signal ends the watching alone: the pods run on
    #[arg(long, conflicts_with = "dry_run")]
    pub watch: bool,
    /// Say what would be done, with what is different, and do nothing. All that can be known before is looked at in either
    /// mode: client and server are kubectl's words
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client")]
    pub dry_run: DryRun,
    /// Print pod/NAME of each pod instead of words
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<ApplyOutput>,
}

/// `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum DryRun {
    None,
    Client,
    Server,
}

/// `apply -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ApplyOutput {
    Name,
}
