//! What can be written on the command line.

mod examples;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use examples::*;
pub use run::{
    BackoffArgs, CpuManager, LogLevel, MemoryReservationPolicy, Network, RunArgs, SecurityArgs, SwapBehavior,
};

use crate::report::wanted::Wanted;

/// barepod: runs one Kubernetes Pod on a bare Linux box.
#[derive(Debug, Parser)]
#[command(name = "barepod", version, about, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_CODES)]
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
    /// The folder for state, data and logs of pods, by default $BAREPOD_ROOT. Without either, state is in /run/barepod, an
    /// ordinary user's in $XDG_RUNTIME_DIR/barepod, and logs and data are elsewhere
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// The commands.
// There is one, and it lives as long as the process: boxing would only cost.
#[expect(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pod in the foreground, where Ctrl-C stops it gracefully and a second Ctrl-C at once, or in the background (-d)
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Show pods
    #[command(aliases = ["ps", "ls", "list"], after_help = GET_EXAMPLES)]
    Get(GetArgs),
    /// Show all about a pod: its containers, what they need together, its conditions, volumes and events
    #[command(after_help = DESCRIBE_EXAMPLES)]
    Describe(DescribeArgs),
    /// Show what happened to a pod
    #[command(alias = "event", after_help = EVENTS_EXAMPLES)]
    Events(EventsArgs),
    /// Show what a container printed
    #[command(alias = "log", after_help = LOGS_EXAMPLES)]
    Logs(LogsArgs),
    /// Run a program in a container that runs
    #[command(after_help = EXEC_EXAMPLES)]
    Exec(ExecArgs),
    /// Stop a pod and wait for its end
    #[command(after_help = STOP_EXAMPLES)]
    Stop(StopArgs),
    /// Wait until a pod is as you want it, or can't become so any more
    #[command(after_help = WAIT_EXAMPLES)]
    Wait(WaitArgs),
    /// Change cpu and memory of a running container, without a restart unless its resizePolicy asks for one
    #[command(after_help = RESIZE_EXAMPLES)]
    Resize(ResizeArgs),
    /// Forget a pod that has ended: its state and its logs
    #[command(alias = "remove", after_help = RM_EXAMPLES)]
    Rm(RmArgs),
    /// Show in virtual time what a pod would do; runs nothing
    #[command(after_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArgs),
    /// Print a shell's completion script
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion(CompletionArgs),
    /// Print the manual page, or write all of them into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

/// What kubectl has everywhere.
#[derive(Debug, Args)]
pub struct Kubectl {
    /// The name, where the word before it is Kubernetes' for the kind: `pod web`
    #[arg(hide = true, value_name = "NAME")]
    pub also: Option<String>,
    /// The pod's namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// `barepod simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The manifest, YAML or JSON; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A file that says what the containers do, and when somebody stops the pod (docs/simulate.md); without it all goes well
    #[arg(long, value_name = "SCRIPT")]
    pub script: Option<PathBuf>,
    /// Output format instead of a table: one JSON object a line
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
    /// NAME or NAMESPACE/NAME; all pods if left out
    #[arg(value_name = "POD")]
    pub pod: Option<String>,
    /// Arguments as kubectl takes them
    #[command(flatten)]
    pub kubectl: Kubectl,
    /// All there are, which is so anyway
    #[arg(short = 'A', long, hide = true)]
    pub all_namespaces: bool,
    /// Output format instead of a table
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
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
}

/// `barepod events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
    /// Output format instead of a table: one v1 Event a line as JSON, or a v1 EventList as YAML
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
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
    /// The container; if left out, the first main container
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// The log of the previous instance of the container
    #[arg(short, long)]
    pub previous: bool,
    /// Only the last N lines; -1: all
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub tail: Option<i64>,
    /// Only lines that are not older than this (5s, 2m, 3h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Put its time before each line
    #[arg(long)]
    pub timestamps: bool,
}

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
    /// The program and its arguments, best behind `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub command: Vec<String>,
}

/// `barepod stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
    /// Seconds, instead of terminationGracePeriodSeconds. 0: no hooks and no order, and SIGKILL 2 s after SIGTERM
    #[arg(long, value_name = "N")]
    pub grace_period: Option<u32>,
}

/// `barepod wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// NAME or NAMESPACE/NAME, one or several
    #[arg(value_name = "POD", required_unless_present = "filename")]
    pub pods: Vec<String>,
    /// The pods' namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The pod that this manifest describes; may be given several times
    #[arg(short, long, value_name = "FILE")]
    pub filename: Vec<PathBuf>,
    /// For what: condition=TYPE[=STATUS] (condition=Ready, condition=Ready=False), phase=PHASE, or delete: until the pod is
    /// forgotten
    #[arg(long = "for", value_name = "WHAT", value_parser = Wanted::parse)]
    pub wanted: Wanted,
    /// For how long at most, all pods together; 0: only look; negative: a week
    #[arg(long, value_name = "DURATION", default_value = "30s", allow_hyphen_values = true, value_parser = patience)]
    pub timeout: Duration,
}

/// `barepod resize`.
#[derive(Debug, Args)]
pub struct ResizeArgs {
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
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
    /// NAME or NAMESPACE/NAME
    #[arg(value_name = "POD")]
    pub pod: String,
    /// As kubectl's fingers have it
    #[command(flatten)]
    pub kubectl: Kubectl,
    /// End a running pod first, at once; also clean up after a supervisor that was killed
    #[arg(short, long)]
    pub force: bool,
}

/// `barepod completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `completion SHELL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// `barepod man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write barepod.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `cpu=200m`.
fn resource(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, amount)) if !name.is_empty() && !amount.is_empty() => Ok((name.to_owned(), amount.to_owned())),
        _ => Err(format!("{text:?} is not RESOURCE=AMOUNT; write it like cpu=200m,memory=64Mi")),
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

/// As `kubectl wait --timeout`.
fn patience(text: &str) -> Result<Duration, String> {
    const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    match (text, text.strip_prefix('-')) {
        ("0", _) => Ok(Duration::ZERO),
        (_, Some("1")) => Ok(WEEK),
        (_, Some(positive)) => duration(positive).map(|_| WEEK),
        (_, None) => duration(text),
    }
}

/// `300ms`, `10s`, `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("not a duration: {text:?}; write it like 300ms, 10s or 5m"))?;
    Duration::try_from(span).map_err(|_| format!("{text:?} is negative"))
}

#[cfg(test)]
mod tests;
