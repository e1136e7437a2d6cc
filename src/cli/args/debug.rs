//! What `debug` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::detach_keys::DetachKeys;

/// `barepod debug`.
#[derive(Debug, Args)]
pub struct DebugArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The image of the container that is added: as in a manifest
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// A file of logins for the image's registry, as podman login and docker login write it, instead of those that the pod has; its
    /// imagePullSecrets come before it
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Whether the image is trusted, as containers-policy.json(5), instead of what counts for the pod
    #[arg(long, value_name = "FILE")]
    pub signature_policy: Option<PathBuf>,
    /// Its name, which no container of the pod has; if left out, debugger-XXXXX
    #[arg(short, long, value_name = "NAME")]
    pub container: Option<String>,
    /// A container of the pod whose processes it sees, where they don't all share them
    #[arg(long, value_name = "CONTAINER")]
    pub target: Option<String>,
    /// What it may do
    #[arg(long, value_name = "PROFILE", default_value = "general")]
    pub profile: Profile,
    /// A variable for it, as NAME=VALUE; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Keep its standard input open, and give it ours
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Give it a terminal, at which we are; with --stdin
    #[arg(short = 't', long, requires = "stdin")]
    pub tty: bool,
    /// Whether to show what it prints until it ends, and to end with its exit code; so it is with --stdin
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub attach: Option<bool>,
    /// What to type to leave its terminal, as for `attach`
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = DetachKeys::parse)]
    pub detach_keys: DetachKeys,
    /// Give what is behind `--` to the image's own command, instead of running it
    #[arg(long)]
    pub arguments_only: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The program and its arguments, instead of the image's
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<String>,
}

/// What a container for debugging may do: kubectl's profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// As any container, and it may trace processes (SYS_PTRACE)
    General,
    /// As any container
    Baseline,
    /// Not as root, without capabilities, under the default seccomp profile
    Restricted,
    /// As any container, and it may change the network (NET_ADMIN, NET_RAW)
    Netadmin,
    /// All: it is privileged
    Sysadmin,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

impl DebugArgs {
    /// Whether it is attached to from its beginning on.
    pub fn attaches(&self) -> bool {
        self.attach.unwrap_or(self.stdin)
    }
}
