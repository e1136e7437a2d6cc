//! What a command can end with, in words.

mod advice;
mod exit;

use std::io;
use std::path::PathBuf;

use super::exit_code::Exit;
use advice::{lines, of_a_port, still_stopping, way_out};

/// A command's failure.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The manifest can't be read.
    #[error("can't read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// `image`.
    #[error("image {image}: {cause}")]
    Image { image: String, cause: String },
    /// systemctl(1).
    #[error("{0}")]
    Systemd(String),
    /// inotify(7).
    #[error("can't watch folders: {0}; /proc/sys/fs/inotify has the limits")]
    Watch(#[source] io::Error),
    /// `--exit-code-file`.
    #[error("--exit-code-file {path}: {source}; its folder must be there and writable")]
    ExitCodeFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `--attach`.
    #[error("--attach {container}: the pod has no such container; it has: {known}")]
    NoSuchContainer {
        /// What was asked for.
        container: String,
        /// Its containers.
        known: String,
    },
    /// The manifest is no good. Rendered already.
    #[error("{0}")]
    Manifest(String),
    /// The manifest is no good, found while planning.
    #[error("{}", lines(.0))]
    Plan(Vec<crate::plan::PlanError>),
    /// Options that don't go together.
    #[error("{0}")]
    Usage(&'static str),
    /// `--volume`.
    #[error("--volume {claim}=...: the pod has no volume with a persistentVolumeClaim {claim:?}; {known}")]
    UnknownClaim {
        /// What was given.
        claim: String,
        /// Which it has.
        known: String,
    },
    /// Words that another tool knows, and what says the same here.
    #[error("{0}")]
    Words(String),
    /// This box.
    #[error("{0}")]
    Node(#[from] crate::runtime::node::NodeError),
    /// The state folder.
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    /// The supervisor.
    #[error("{0}")]
    Supervisor(#[from] crate::supervisor::SupervisorError),
    /// The control socket.
    #[error("{0}")]
    Control(#[from] crate::control::ControlError),
    /// A file of `man --dir`.
    #[error("can't write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output.
    #[error("can't write to standard output: {0}")]
    Output(#[source] io::Error),
    /// A pod that never came to have a status.
    #[error("pod \"{0}\" has no status: its run was cut off at its very beginning; `barepod rm {0}` removes it")]
    NoStatus(String),
    /// A pod that has no status yet.
    #[error("pod \"{0}\" is about to start and has no status yet; try again")]
    NotYet(String),
    /// A pod that never came to be anything. Nothing is left of it.
    #[error("pod \"{0}\" not found: its run was cut off before it made anything")]
    CutOff(String),
    /// What a pod left can't be removed.
    #[error("pod \"{pod}\" can't be forgotten before what it left is removed: {left}; `barepod rm {pod}` tries again")]
    NotSwept {
        /// Which.
        pod: String,
        /// What, and why.
        left: String,
    },
    /// A state folder that makes no sense.
    #[error("the state of pod \"{pod}\" can't be read: {cause}; {}", way_out(.pod, .cause))]
    Unreadable {
        /// Which.
        pod: String,
        /// What is wrong.
        cause: crate::store::Error,
    },
    /// The same of a pod whose supervisor lives: that one knows better, and will write the file again.
    #[error(
        "the state of pod \"{pod}\" can't be read: {cause}; the pod runs, and its supervisor writes the file anew when \
         something changes; `barepod stop {pod}` ends the pod"
    )]
    UnreadableYet {
        /// Which.
        pod: String,
        /// What is wrong.
        cause: crate::store::Error,
    },
    /// `rm --force` of a supervisor that doesn't end.
    #[error("the supervisor of pod \"{pod}\"{process} doesn't end, and can't be killed from here: {why}")]
    Stuck {
        /// Which.
        pod: String,
        /// Its pid, where that is known.
        process: String,
        /// Why not.
        why: String,
    },
    /// Something needs a supervisor.
    #[error("the supervisor of pod \"{0}\" is gone; `barepod rm {0}` ends what is left of the pod")]
    Unsupervised(String),
    /// `exec` into what doesn't run.
    #[error("pod \"{pod}\": {why}")]
    NotRunning {
        /// Which.
        pod: String,
        /// What it does instead.
        why: String,
    },
    /// `exec` of what can't be run.
    #[error("container \"{container}\" of pod \"{pod}\": {message}")]
    Exec {
        /// Which.
        container: String,
        /// Its pod.
        pod: String,
        /// Why not.
        message: String,
        /// What that is as an exit code.
        exit: Exit,
    },
    /// `cp`.
    #[error("container \"{container}\" of pod \"{pod}\": {cause}; what was copied before stays")]
    Copy {
        /// Its pod.
        pod: String,
        /// Which.
        container: String,
        /// Why not.
        cause: crate::runtime::transfer::TransferError,
    },
    /// `cp`.
    #[error("{left_out} of what is in the source could not be read and is not copied, first {path}: {why}")]
    NotAllCopied {
        /// How many.
        left_out: u64,
        /// The first.
        path: String,
        /// Why not.
        why: String,
    },
    /// `port-forward`.
    #[error("pod \"{0}\" has ended; `barepod describe {0}` shows how")]
    Ended(String),
    /// `port-forward`: nothing to get into.
    #[error("pod \"{pod}\" can't be reached: {why}; `barepod describe {pod}` shows its state")]
    NotReached {
        /// Which.
        pod: String,
        /// Why not.
        why: String,
    },
    /// `port-forward POD NAME`.
    #[error("pod \"{pod}\" has no port named {port:?}; it has: {known}")]
    NoPort {
        /// Which.
        pod: String,
        /// What was asked for.
        port: String,
        /// Those that it has.
        known: String,
    },
    /// A port of this box.
    #[error("can't listen on {at}: {source}{}", of_a_port(.source, *.at))]
    Listen {
        /// Where.
        at: std::net::SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Sockets of this process.
    #[error("{call}: {source}")]
    Socket {
        /// Which call.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// `logs -c`.
    #[error("container \"{container}\" is not in pod \"{pod}\"; it has: {known}")]
    NoContainer {
        /// What was asked for.
        container: String,
        /// The pod.
        pod: String,
        /// Its containers.
        known: String,
    },
    /// `logs` of a pod that nothing else is known of.
    #[error("pod \"{pod}\": say by -c which container's log is meant; there are: {known}")]
    WhichLog {
        /// The pod.
        pod: String,
        /// Its containers.
        known: String,
    },
    /// `logs`.
    #[error("container \"{container}\" in pod \"{pod}\" {what}")]
    NoLog {
        /// Which.
        container: String,
        /// The pod.
        pod: String,
        /// Why there is none.
        what: &'static str,
    },
    /// A log file.
    #[error("can't read the log {path}: {source}")]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `--cpu-manager static`.
    #[error("--cpu-manager static: {0}")]
    Cpus(#[from] crate::supervisor::cpus::CpuError),
    /// `-o jsonpath` and the like, and `wait --for=jsonpath`: a template that doesn't fit a pod.
    #[error("{0}")]
    Template(String),
    /// `wait -l`, in kubectl's words.
    #[error("no matching resources found")]
    NoneToWaitFor,
    /// `stop --timeout`.
    #[error("{}", still_stopping(.0))]
    StopsOn(String),
    /// `wait`, in kubectl's words.
    #[error("timed out waiting for the condition on pods/{0}")]
    WaitedTooLong(String),
    /// `wait`.
    #[error("pod \"{pod}\" has ended ({why}): {wanted} can't come true any more")]
    Never {
        /// Which.
        pod: String,
        /// What was waited for.
        wanted: String,
        /// How it ended.
        why: String,
    },
    /// `resize`.
    #[error("can't resize pod \"{pod}\": {why}")]
    Resize {
        /// Which.
        pod: String,
        /// Why not.
        why: String,
    },
    /// `apply`, `restart`.
    #[error("can't {what} pod \"{pod}\": {why}")]
    Refused {
        /// What was to be done.
        what: &'static str,
        /// Which.
        pod: String,
        /// Why not.
        why: String,
    },
    /// `rm` of a pod that runs.
    #[error("pod \"{0}\" is running; stop it first (`barepod stop {0}`), or use --force")]
    StillRunning(String),
    /// JSON or YAML could not be made.
    #[error("can't write that pod as {format}: {cause}")]
    Format {
        /// json, yaml.
        format: &'static str,
        /// Why.
        cause: String,
    },
    /// An ordinary user who may not have what a pod needs.
    #[error(transparent)]
    Rootless(#[from] crate::runtime::rootless::RootlessError),
    /// `--network`.
    #[error("--network pasta: {0}; or leave the option out: without pasta the pod has its loopback only")]
    Network(#[source] crate::supervisor::NotConnected),
    /// `--log-driver journald`.
    #[error("--log-driver journald: {socket}: {0}; is systemd-journald running?", socket = crate::runtime::journal::SOCKET)]
    Journal(#[source] io::Error),
    /// `ulimit -n`.
    #[error(
        "this pod needs up to {needed} open files, and barepod may have {limit} (the hard limit, `ulimit -Hn`); raise it: in \
         a shell of root's by `ulimit -Hn {needed}`, in a systemd unit by `LimitNOFILE={needed}`"
    )]
    OpenFiles {
        /// The hard limit.
        limit: u64,
        /// What it takes.
        needed: u64,
    },
    /// Root, but no cgroups.
    #[error(
        "no cgroups for the pod, and without them nothing keeps root's containers from the box's devices: {why}; in a \
         container give it writable cgroups (docker: --cgroupns=private and a read-write /sys/fs/cgroup), or run barepod \
         as an ordinary user, who needs none"
    )]
    NoCgroups {
        /// What keeps it from them, and what helps.
        why: String,
    },
    /// Signals.
    #[error("can't listen to signals: {0}")]
    Signals(#[source] io::Error),
    /// The process that ran the pod.
    #[error("the supervisor was killed, and the pod with it")]
    Killed,
    /// `run --detach`.
    #[error("can't go into the background: {0}")]
    Detach(#[source] io::Error),
    /// Likewise.
    #[error(
        "the supervisor was killed before the pod's sandbox was there; `barepod get` shows what is left of the pod, and the \
         next `barepod run` of it removes that"
    )]
    NeverReady,
}
