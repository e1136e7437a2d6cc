//! What the commands take that show something: `get`, `describe`, `events`, `logs`, `simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::kubectl::ChosenPods;
use super::output::{GetOutput, GetOutputParser};
use super::run::BackoffArgs;
use super::values::{duration, time};
use crate::manifest::Selector;
use crate::report::jsonpath::Template;

/// `barepod get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: ChosenPods,
    /// Output format instead of a table
    #[arg(short, long, value_name = "FORMAT", value_parser = GetOutputParser)]
    pub output: Option<GetOutput>,
    /// Whether templates (jsonpath) print nothing where a pod lacks a field, instead of failing
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_missing_template_keys: bool,
    /// Order the pods by what this path leads to in each of them (.metadata.creationTimestamp)
    #[arg(long, value_name = "JSONPATH", value_parser = Template::parse_path, conflicts_with_all = ["watch", "watch_only"])]
    pub sort_by: Option<Template>,
    /// A column with the labels of each pod
    #[arg(long)]
    pub show_labels: bool,
    /// A column for each of these labels (app,tier); may be given several times
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    pub label_columns: Vec<String>,
    /// Write pods' names as pod/NAME
    #[arg(long)]
    pub show_kind: bool,
    /// Leave out the line with the columns' names
    #[arg(long)]
    pub no_headers: bool,
    /// Show each pod again when it has changed, and new pods, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// As --watch, without the pods as they are now
    #[arg(long)]
    pub watch_only: bool,
    /// With --watch: say what each change is (ADDED, MODIFIED, DELETED). An object is a v1 WatchEvent then, with the pod in it
    #[arg(long)]
    pub output_watch_events: bool,
    /// Where there is no such pod, show nothing, and exit with 0
    #[arg(long)]
    pub ignore_not_found: bool,
}

/// `barepod describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: ChosenPods,
    /// Whether to show what happened to the pod
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub show_events: bool,
}

/// `barepod events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Which pods
    #[command(flatten)]
    pub pods: ChosenPods,
    /// Of this pod, as pod/NAME, or of this Job, as job/NAME: as if it were named
    #[arg(long = "for", value_name = "pod/NAME", conflicts_with = "pods")]
    pub about: Option<String>,
    /// Only events of these types (Normal, Warning)
    #[arg(long, value_name = "TYPES", value_delimiter = ',', ignore_case = true)]
    pub types: Vec<EventType>,
    /// Leave out the line with the columns' names
    #[arg(long)]
    pub no_headers: bool,
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// Output format instead of a table: one v1 Event a line as JSON, or a v1 EventList as YAML
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<EventsOutput>,
}

/// `events --types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum EventType {
    #[value(name = "Normal")]
    Normal,
    #[value(name = "Warning")]
    Warning,
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
    /// NAME or NAMESPACE/NAME of a pod, or job/NAME: of one of the Job's pods, or with --all-pods of all of them
    #[arg(id = "pod", value_name = "POD", required_unless_present = "selector")]
    pub name: Option<String>,
    /// The Job that is named instead of a pod.
    #[arg(skip)]
    pub job: Option<String>,
    /// The container, or the pod where the word before it is Kubernetes' for the kind
    #[arg(hide = true, value_name = "CONTAINER")]
    pub also: Option<String>,
    /// The pods' namespace, instead of NAMESPACE/NAME
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// The logs of all pods with such labels (app=web,tier!=db); the last ten lines of each, unless --tail says otherwise
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = Selector::parse)]
    pub selector: Option<Selector>,
    /// The container; if left out, the one that the annotation kubectl.kubernetes.io/default-container names, else the first
    /// main container
    #[arg(short, long, value_name = "CONTAINER")]
    pub container: Option<String>,
    /// The logs of all containers, init containers first: one after the other, with --follow as they come
    #[arg(long)]
    pub all_containers: bool,
    /// Of a Job, the logs of all its pods that there are, each line with its pod's and container's name
    #[arg(long)]
    pub all_pods: bool,
    /// Put [pod/NAME/CONTAINER] before each line
    #[arg(long)]
    pub prefix: bool,
    /// Go on with what the containers print from now on, over their restarts, until the pods have ended. Waits for containers
    /// that haven't started yet
    #[arg(short, long, conflicts_with = "previous")]
    pub follow: bool,
    /// How many logs --follow may follow at once
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub max_log_requests: usize,
    /// Say why a log can't be shown, and exit with 0 all the same
    #[arg(long)]
    pub ignore_errors: bool,
    /// The log of the previous instance of the container
    #[arg(short, long)]
    pub previous: bool,
    /// Only the last N lines; -1: all
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    pub tail: Option<i64>,
    /// Only lines that are not older than this (5s, 2m, 3h)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    /// Only lines that are not older than this time (2026-11-30T12:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "since")]
    pub since_time: Option<jiff::Timestamp>,
    /// No more than so many bytes of a container's log, without prefixes; 0: all
    #[arg(long, value_name = "N")]
    pub limit_bytes: Option<u64>,
    /// Put its time before each line
    #[arg(long)]
    pub timestamps: bool,
}

/// `barepod diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Manifests: a file, a folder (its .yaml, .yml and .json files, by name), or `-` for standard input; may be given several
    /// times
    #[arg(short, long, value_name = "FILE", required = true)]
    pub filename: Vec<PathBuf>,
    /// Of folders, also read those below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The pod's namespace, if the manifest names none
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// `barepod explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The field's path: pod.spec.containers, spec.volumes.hostPath, or pod
    #[arg(value_name = "FIELD")]
    pub field: String,
    /// Only names and types, of all fields below it
    #[arg(long)]
    pub recursive: bool,
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
