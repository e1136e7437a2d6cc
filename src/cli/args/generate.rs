//! What `generate` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples::GENERATE_SYSTEMD_EXAMPLES;

/// `barepod generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to print
    #[command(subcommand)]
    pub command: GenerateCommand,
}

/// What can be generated.
#[derive(Debug, Subcommand)]
pub enum GenerateCommand {
    /// Print a systemd unit that runs a pod
    #[command(after_help = GENERATE_SYSTEMD_EXAMPLES)]
    Systemd(SystemdArgs),
}

/// `barepod generate systemd`.
#[derive(Debug, Args)]
pub struct SystemdArgs {
    /// The manifest, YAML or JSON; it is read again whenever the unit starts
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For a user's systemd (systemctl --user) instead of the box's
    #[arg(long)]
    pub user: bool,
    /// Options that `barepod run` is to have, behind `--`; relative paths stay relative to this folder
    #[arg(last = true, value_name = "RUN-OPTION")]
    pub run: Vec<String>,
}

/// `barepod install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub unit: SystemdArgs,
    /// The unit's name, instead of the pod's
    #[arg(long, value_name = "UNIT")]
    pub name: Option<String>,
    /// Don't start it before the next boot
    #[arg(long)]
    pub no_start: bool,
}

/// `barepod uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    /// The pod, or the unit
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Of a user's systemd (systemctl --user) instead of the box's
    #[arg(long)]
    pub user: bool,
}
