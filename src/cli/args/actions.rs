//! What the commands take that do something with a pod that there is: `exec`, `cp`, `port-forward`, `stop`, `kill`,
//! `restart`, `wait`, `resize`, `rm`.

use std::time::Duration;

use clap::Args;

use super::detach_keys::DetachKeys;
use super::kubectl::{OnePod, Pods};
use super::output::{GetOutput, GetOutputParser};
use super::values::{Address, CopyPlace, Forwarding, Limit, limit, patience, resource};
use crate::plan::signal_number;
use crate::report::wanted::Wanted;

/// `barepod exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Which container; where it is left out, the one that the annotation kubectl.kubernetes.io/default-container names, else
    /// the first main one
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Give the program our standard input
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Give the program a terminal of the container's
    #[arg(short = 't', long)]
    pub tty: bool,
    /// Don't say which container is meant where none is named: nothing is printed but what the program prints, and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The program and its arguments, best behind `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

/// `barepod attach`.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Which container; where it is left out, the one that the annotation kubectl.kubernetes.io/default-container names, else
    /// the first main one
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Give the container our standard input, where its `stdin` is set
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Give the container's terminal, where its `tty` is set, our keys and our size
    #[arg(short = 't', long)]
    pub tty: bool,
    /// What to type to leave the container's terminal: keys behind commas, ctrl-a to ctrl-z or characters; empty: nothing
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = DetachKeys::parse)]
    pub detach_keys: DetachKeys,
}

/// `barepod cp`.
#[derive(Debug, Args)]
pub struct CpArgs {
    /// What is copied: a file or folder of this box, or POD:PATH or NAMESPACE/POD:PATH. `FOLDER/.` is all that is in it
    #[arg(value_name = "SOURCE", value_parser = CopyPlace::parse)]
    pub source: CopyPlace,
    /// Where to, likewise; one of the two is in a pod
    #[arg(value_name = "TARGET", value_parser = CopyPlace::parse)]
    pub target: CopyPlace,
    /// The pod's namespace, instead of NAMESPACE/POD:PATH
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Which container; where it is left out, the one that the annotation kubectl.kubernetes.io/default-container names, else
    /// the first main one
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Keep the numbers of users and groups, and the bits for setuid, setgid and sticky. Else copies are the container's
    /// user's, or yours
    #[arg(short, long)]
    pub archive: bool,
}

/// `barepod port-forward`.
#[derive(Debug, Args)]
pub struct PortForwardArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Where to listen: IP addresses, or localhost, which is 127.0.0.1 and ::1
    #[arg(long = "address", value_name = "ADDRESS", value_delimiter = ',', default_value = "localhost", value_parser = Address::parse)]
    pub addresses: Vec<Address>,
    /// Ports, as [LOCAL:]REMOTE: a port of this box, and a port of the pod, by its number or the name that a container gives
    /// it. Without LOCAL both are the same; `:REMOTE` takes any that is free
    #[arg(value_name = "[LOCAL:]REMOTE", required = true, value_parser = Forwarding::parse)]
    pub ports: Vec<Forwarding>,
}

/// `barepod stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: Pods,
    /// Seconds, instead of terminationGracePeriodSeconds. 0: no hooks and no order, and SIGKILL 2 s after SIGTERM
    #[arg(long, value_name = "N")]
    pub grace_period: Option<u32>,
    /// As --grace-period 1
    #[arg(long, conflicts_with = "grace_period")]
    pub now: bool,
    /// Whether to wait for the pods' ends. With --wait=false the command ends as soon as their supervisors know
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub wait: bool,
    /// For how long at most, all pods together; 0: without a limit. The pods are stopped all the same
    #[arg(long, value_name = "DURATION", default_value = "0", value_parser = limit)]
    pub timeout: Limit,
    /// Where there is no such pod, do nothing, and exit with 0
    #[arg(long)]
    pub ignore_not_found: bool,
}

/// `barepod kill`.
#[derive(Debug, Args)]
pub struct KillArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: Pods,
    /// The container; if left out, all main containers that run
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// By name (TERM, SIGTERM), number or RTMIN+N
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL", value_parser = signal_number)]
    pub signal: i32,
}

/// `barepod restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: Pods,
    /// The container; if left out, all main containers and sidecars, in order
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Seconds, instead of terminationGracePeriodSeconds. 0: no hooks and no order, and SIGKILL 2 s after SIGTERM
    #[arg(long, value_name = "N")]
    pub grace_period: Option<u32>,
}

/// `barepod wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: Pods,
    /// For what: condition=TYPE[=STATUS] (condition=Ready, condition=Ready=False), phase=PHASE, jsonpath=PATH[=VALUE]
    /// (jsonpath={.status.podIP}), or delete: until the pod is forgotten
    #[arg(long = "for", value_name = "WHAT", value_parser = Wanted::parse)]
    pub wanted: Wanted,
    /// What to print of each pod when it is so, instead of words: name, json, yaml, or a template (jsonpath=...)
    #[arg(short, long, value_name = "FORMAT", value_parser = GetOutputParser)]
    pub output: Option<GetOutput>,
    /// For how long at most, all pods together; 0: only look; negative: a week
    #[arg(long, value_name = "DURATION", default_value = "30s", allow_hyphen_values = true, value_parser = patience)]
    pub timeout: Duration,
}

/// `barepod resize`.
#[derive(Debug, Args)]
pub struct ResizeArgs {
    /// Which pod
    #[command(flatten)]
    pub pod: OnePod,
    /// The container; may be left out if only one can be resized
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// New cpu (200m, 1.5) for request and limit, if the container has them; REQUEST:LIMIT sets both
    #[arg(long, value_name = "AMOUNT")]
    pub cpu: Option<String>,
    /// New memory (64Mi), in the same way
    #[arg(long, value_name = "AMOUNT")]
    pub memory: Option<String>,
    /// New requests (cpu=100m,memory=64Mi)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = resource)]
    pub requests: Vec<(String, String)>,
    /// New limits (cpu=200m,memory=128Mi)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = resource)]
    pub limits: Vec<(String, String)>,
}

/// `barepod rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: Pods,
    /// End a running pod first, at once; also clean up after a supervisor that was killed
    #[arg(short, long)]
    pub force: bool,
    /// Where there is no such pod, do nothing, and exit with 0
    #[arg(long)]
    pub ignore_not_found: bool,
}
