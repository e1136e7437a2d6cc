//! What can be written on the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::store::ids::{LENGTH, Pool};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::cpus::CpuSet;

/// barepod: runs one Kubernetes Pod on a bare Linux box.
#[derive(Debug, Parser)]
#[command(name = "barepod", version, about, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Where pods' state is kept, by default /run/barepod, or $XDG_RUNTIME_DIR/barepod for an ordinary user. With another
    /// folder logs and data go below it too
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// How much barepod says about itself on standard error
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub log_level: LogLevel,
}

/// `--log-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pod in the foreground; Ctrl-C stops it, a second Ctrl-C at once
    Run(RunArgs),
    /// Show pods
    Get(GetArgs),
    /// Show all about a pod: its containers, what they need together, its conditions, volumes and events
    Describe(DescribeArgs),
    /// Show what happened to a pod
    Events(EventsArgs),
    /// Show what a container printed
    Logs(LogsArgs),
    /// Stop a pod and wait for its end
    Stop(StopArgs),
    /// Give a running container other cpu and memory, without a restart unless its resizePolicy asks for one
    Resize(ResizeArgs),
    /// Forget a pod that has ended: its state and its logs
    Rm(RmArgs),
    /// Show what a pod would do, in virtual time: nothing is run
    Simulate(SimulateArgs),
}

/// `barepod run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The manifest, YAML or JSON; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Name of the pod, instead of metadata.name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A file of ConfigMaps and Secrets that the pod refers to, YAML or JSON; may be given several times. They may also
    /// be further documents of the manifest
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// The folder that a persistentVolumeClaim names; may be given several times
    #[arg(long, value_name = "CLAIM=PATH", value_parser = claim)]
    pub volume: Vec<(String, PathBuf)>,
    /// No lifecycle lines, only what containers print and what goes wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// Says of each field that means nothing on one box why, instead of one line for all
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// How an ordinary user's pod gets to the network; by default by pasta where that is installed and works, else not at
    /// all. Not for pods with hostNetwork; those of root have their loopback
    #[arg(long, value_name = "HOW")]
    pub network: Option<Network>,
    /// Restart back-off
    #[command(flatten)]
    pub backoff: BackoffArgs,
    /// static: containers of Guaranteed pods that request whole cpus get these for themselves, as by the kubelet's policy
    /// of that name; all other pods are kept off them
    #[arg(long, value_name = "POLICY", default_value = "none")]
    pub cpu_manager: CpuManager,
    /// Cpus that no container gets for itself (0-1,4); by default the first one. Needs --cpu-manager static
    #[arg(long, value_name = "LIST", value_parser = reserved)]
    pub reserved_cpus: Option<CpuSet>,
    /// How often it is measured whether a pod that has limits of ephemeral-storage or of an emptyDir on disk exceeds them;
    /// such a pod is evicted
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = interval)]
    pub eviction_interval: Duration,
    /// Slow containers down (memory.high) before they reach their memory limit, so far between request and limit: 0.9.
    /// The kubelet's memoryThrottlingFactor; needs cgroup v2
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub memory_throttling_factor: Option<f64>,
    /// tiered-reservation: memory that is requested is not reclaimed, in Guaranteed pods never (memory.min), in Burstable
    /// ones as long as there is other (memory.low). The kubelet's memoryReservationPolicy; needs cgroup v2
    #[arg(long, value_name = "POLICY", default_value = "none")]
    pub memory_reservation_policy: MemoryReservationPolicy,
    /// What a kubelet's operator would say about security
    #[command(flatten)]
    pub security: SecurityArgs,
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// By pasta (package passt): what the pod sends goes out as if the user had sent it; nothing comes in
    Pasta,
    /// It has its loopback and nothing else
    None,
}

/// `--cpu-manager`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum CpuManager {
    None,
    Static,
}

/// `--memory-reservation-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum MemoryReservationPolicy {
    None,
    TieredReservation,
}

/// As the kubelet takes them.
fn factor(text: &str) -> Result<f64, String> {
    let valid = text.parse::<f64>().ok().filter(|factor| *factor > 0.0 && *factor <= 1.0);
    valid.ok_or_else(|| "must be greater than 0 and at most 1, such as 0.9".to_owned())
}

/// What a kubelet's operator would say about security.
#[derive(Clone, Debug, Args)]
pub struct SecurityArgs {
    /// Containers that don't say a seccomp profile get containerd's default one; false: none, as stock kubelets have it
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub seccomp_default: bool,
    /// What a localhostProfile is relative to; by default seccomp below --root, where that is given, else
    /// /var/lib/barepod/seccomp
    #[arg(long, value_name = "DIR")]
    pub seccomp_profile_root: Option<PathBuf>,
    /// Sysctls beyond the safe ones that pods may set, separated by commas; a * at the end stands for any end
    /// (kernel.msg*, net.core.somaxconn)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = crate::plan::sysctl_pattern)]
    pub allowed_unsafe_sysctls: Vec<String>,
    /// Host ids that pods with hostUsers: false get, 65536 each
    #[arg(long, value_name = "FIRST:LENGTH", value_parser = id_pool, default_value = "65536:7208960")]
    pub userns_range: Pool,
}

/// `FIRST:LENGTH`, both multiples of 65536 (hostUsers: false).
fn id_pool(text: &str) -> Result<Pool, String> {
    let (first, length) = text.split_once(':').ok_or("write FIRST:LENGTH")?;
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text:?}: {error}"));
    let (first, length) = (number(first)?, number(length)?);
    if !first.is_multiple_of(LENGTH) || !length.is_multiple_of(LENGTH) {
        return Err(format!("both numbers must be multiples of {LENGTH}"));
    }
    if first == 0 || length == 0 {
        return Err("must begin behind the host's own users, at 65536 or higher, and hold a pod at least".to_owned());
    }
    if u64::from(first) + u64::from(length) > 1 << 32 {
        return Err("ends behind the last id, 4294967295".to_owned());
    }
    Ok(Pool { first, count: length / LENGTH, ..Pool::default() })
}

/// Restart back-off (R4.6).
#[derive(Clone, Copy, Debug, Args)]
pub struct BackoffArgs {
    /// Delay before the second restart of a container (300ms, 10s, 5m); the first is immediate
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = delay)]
    pub backoff_initial: Duration,
    /// Longest delay before a restart
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = delay)]
    pub backoff_max: Duration,
}

/// `barepod simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The manifest, YAML or JSON; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What its containers do and when somebody stops it (docs/simulate.md); without one all goes well
    #[arg(long, value_name = "SCRIPT")]
    pub script: Option<PathBuf>,
    /// Other than a table: one JSON object a line
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<SimulateOutput>,
    /// Restart back-off
    #[command(flatten)]
    pub backoff: BackoffArgs,
}

/// `simulate -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum SimulateOutput {
    Json,
}

/// `barepod get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// NAME or NAMESPACE/NAME; all pods where it is left out
    #[arg(value_name = "POD")]
    pub pod: Option<String>,
    /// Other than a table
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<GetOutput>,
}

/// `get -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum GetOutput {
    Json,
    Yaml,
    Wide,
}

/// `barepod describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
}

/// `barepod events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Other than a table: one v1 Event a line as JSON, or a v1 EventList as YAML
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<EventsOutput>,
}

/// `events -o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum EventsOutput {
    Json,
    Yaml,
}

/// `barepod logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Which container; the first main one where it is left out
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// Of the instance that ended before the one that runs, or that is about to be restarted
    #[arg(short, long)]
    pub previous: bool,
    /// Only the last N lines; -1: all
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub tail: Option<i64>,
    /// Only what is not older than this (5s, 2m, 3h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Each line behind its time
    #[arg(long)]
    pub timestamps: bool,
}

/// `barepod stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Seconds, instead of terminationGracePeriodSeconds; 0: no hooks and no order, 2 s after SIGTERM comes SIGKILL
    #[arg(long, value_name = "N")]
    pub grace_period: Option<u32>,
}

/// `barepod resize`.
#[derive(Debug, Args)]
pub struct ResizeArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// Which container; may be left out where there is one
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// New cpu (200m, 1.5): its request and its limit, of the two those it has; or both, as REQUEST:LIMIT
    #[arg(long, value_name = "AMOUNT")]
    pub cpu: Option<String>,
    /// New memory (64Mi), likewise
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
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// End it first if it runs, at once; clean up after a supervisor that was killed
    #[arg(long)]
    pub force: bool,
}

/// `0-1,4`.
fn reserved(text: &str) -> Result<CpuSet, String> {
    let cpus = CpuSet::parse(text).map_err(|error| error.to_string())?;
    if cpus.is_empty() { Err("at least one cpu must be left for everybody".to_owned()) } else { Ok(cpus) }
}

/// `cpu=200m`.
fn resource(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, amount)) if !name.is_empty() && !amount.is_empty() => Ok((name.to_owned(), amount.to_owned())),
        _ => Err(format!("{text:?} is not RESOURCE=AMOUNT; write it like cpu=200m,memory=64Mi")),
    }
}

/// `data=/srv/data`.
fn claim(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((claim, path)) if !claim.is_empty() && !path.is_empty() => Ok((claim.to_owned(), path.into())),
        _ => Err(format!("{text:?} is not CLAIM=PATH; write it like data=/srv/data")),
    }
}

/// A duration that something can be done in.
fn interval(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    duration(text).and_then(|interval| if interval < LEAST { Err("at least 100ms".to_owned()) } else { Ok(interval) })
}

/// Of none, restarts would follow each other as fast as the box can.
fn delay(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|delay| if delay.is_zero() { Err("at least 1ms".to_owned()) } else { Ok(delay) })
}

/// `300ms`, `10s`, `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("not a duration: {text:?}; write it like 300ms, 10s or 5m"))?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative"))
}

#[cfg(test)]
mod tests;
