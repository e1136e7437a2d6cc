//! What `barepod run` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::detach_keys::DetachKeys;
use super::values::{delay, interval};
use crate::plan::CpuSet;
use crate::report::wanted::Wanted;
use crate::store::ids::{LENGTH, Pool};

/// `barepod run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Manifests, YAML or JSON: files, folders (their .yaml, .yml and .json files, by name), and `-` for standard input. Each may
    /// hold several objects in any order: Pods, of which there can be several with --detach, ConfigMaps and Secrets. What only a
    /// cluster has a use for is left out
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Of folders, also read those below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Refuse what would be left out
    #[arg(long)]
    pub strict: bool,
    /// Return when the pod's sandbox is there, print the pod's name, and leave it running in the background; what is wrong
    /// until then is said here, as in the foreground. What containers print is shown by `barepod logs`
    #[arg(short, long, conflicts_with_all = ["attach", "no_prefix"])]
    pub detach: bool,
    /// Give a container our standard input from its beginning on: the only one with `stdin` or `tty`, or the one that the
    /// annotation kubectl.kubernetes.io/default-container names. Its `stdin` must be set
    #[arg(short = 'i', long, conflicts_with_all = ["detach", "attach", "no_prefix"])]
    pub stdin: bool,
    /// Likewise its terminal our keys and our size. Its `tty` must be set
    #[arg(short = 't', long, conflicts_with_all = ["detach", "attach", "no_prefix"])]
    pub tty: bool,
    /// With -it: what to type to leave the terminal and the pod in the background, as for `attach`
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q", value_parser = DetachKeys::parse)]
    pub detach_keys: DetachKeys,
    /// With --detach: return when this condition of the pod is true (Initialized, Ready=False, phase=Succeeded), or can't come
    /// true any more as the pod has ended: then with the pod's exit code, or 1 where that is 0
    #[arg(long, value_name = "CONDITION", num_args = 0..=1, require_equals = true, default_missing_value = "Ready", requires = "detach", value_parser = Wanted::parse_short)]
    pub wait: Option<Wanted>,
    /// How long to wait for that (30s, 5m); exit code 124. The pod runs on
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = delay)]
    pub wait_timeout: Option<Duration>,
    /// If a pod of this name runs, stop it first, with its own grace period, and forget it. Not before this manifest has proven
    /// good
    #[arg(long)]
    pub replace: bool,
    /// Forget the pod when it has ended: its status, its events and its logs
    #[arg(long)]
    pub rm: bool,
    /// The pod's name, instead of metadata.name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The pod's namespace, if the manifest names none
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// A file of ConfigMaps and Secrets for the pod, YAML or JSON; may be given several times. They may also stand among the
    /// manifests; each name once in all
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// A file of logins for registries, as podman login and docker login write it, instead of the files that this box has for that;
    /// the pod's imagePullSecrets come before it
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Which images the pod may have, as containers-policy.json(5), instead of what this box's file says
    #[arg(long, value_name = "FILE")]
    pub signature_policy: Option<PathBuf>,
    /// When images are pulled
    #[arg(long, value_name = "HOW", default_value = "parallel")]
    pub pull: Pull,
    /// Refuse a manifest with an image whose name in a registry has no digest (NAME@sha256:...), before anything is made
    #[arg(long)]
    pub require_digest: bool,
    /// The folder for a persistentVolumeClaim of the pod; may be given several times
    #[arg(long, value_name = "CLAIM=PATH", value_parser = claim)]
    pub volume: Vec<(String, PathBuf)>,
    /// Print no lifecycle lines: only what containers print, what goes wrong, and why the pod failed
    #[arg(short, long)]
    pub quiet: bool,
    /// Say for each field without effect on one box why, instead of one line for all
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Print what containers print without their names in front
    #[arg(long)]
    pub no_prefix: bool,
    /// Print only this container's output, unchanged and on the same streams, and no other container's
    #[arg(long, value_name = "CONTAINER")]
    pub attach: Option<String>,
    /// End the pod as soon as it can't succeed: a main container has failed and isn't restarted, or the sandbox, an image or a
    /// container can't be made. Without this barepod keeps trying, as a kubelet does
    #[arg(long)]
    pub fail_fast: bool,
    /// Delete the pod gracefully if its main containers have not ended in this time (30s, 5m); exit code 124
    #[arg(long, value_name = "DURATION", value_parser = delay)]
    pub timeout: Option<Duration>,
    /// Write the exit code, and whose it is, into this file as JSON (docs/exit-codes.md)
    #[arg(long, value_name = "FILE")]
    pub exit_code_file: Option<PathBuf>,
    /// In a systemd unit of Type=notify: the unit is ready when this condition of the pod is true (Initialized, phase=Running), or
    /// when the pod has succeeded; ignore: systemd is told nothing. Not with --detach
    #[arg(long, value_name = "CONDITION", default_value = "Ready", value_parser = ReadyWhen::parse)]
    pub sdnotify: ReadyWhen,
    /// How much barepod says about its own work on standard error
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: LogLevel,
    /// Where what containers print goes: into files that `barepod logs` reads, and with journald to systemd's journal as well, with the
    /// fields CONTAINER_NAME, POD_NAME and POD_NAMESPACE
    #[arg(long, value_name = "DRIVER", default_value = "k8s-file")]
    pub log_driver: LogDriver,
    /// The network of an ordinary user's pod; by default pasta if it is installed and works, else none. Not for pods with
    /// hostNetwork. Root's pods have a loopback
    #[arg(long, value_name = "HOW")]
    pub network: Option<Network>,
    /// Restart back-off
    #[command(flatten)]
    pub backoff: BackoffArgs,
    /// static: containers of Guaranteed pods that request whole CPUs get these CPUs for themselves, as with the kubelet's
    /// policy; other pods run on the rest
    #[arg(long, value_name = "POLICY", default_value = "none")]
    pub cpu_manager: CpuManager,
    /// CPUs that no container gets for itself (0-1,4); by default the first one. Needs --cpu-manager static
    #[arg(long, value_name = "LIST", value_parser = reserved)]
    pub reserved_cpus: Option<CpuSet>,
    /// How often to measure the disk use of a pod that has limits of ephemeral-storage or of an emptyDir. A pod above a limit
    /// is evicted
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = interval)]
    pub eviction_interval: Duration,
    /// Slow containers down (memory.high) before they reach their memory limit: 0.9 is nine tenths of the way from request
    /// to limit. The kubelet's memoryThrottlingFactor; needs cgroup v2
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub memory_throttling_factor: Option<f64>,
    /// tiered-reservation: the kernel doesn't reclaim requested memory, in Guaranteed pods never (memory.min), in Burstable
    /// ones as long as it finds other memory (memory.low). The kubelet's memoryReservationPolicy; needs cgroup v2
    #[arg(long, value_name = "POLICY", default_value = "none")]
    pub memory_reservation_policy: MemoryReservationPolicy,
    /// Which containers may swap. The kubelet's memorySwap.swapBehavior, and UnlimitedSwap of older kubelets
    #[arg(long, value_name = "BEHAVIOR", default_value = "NoSwap")]
    pub memory_swap: SwapBehavior,
    /// What a kubelet's operator would say about security
    #[command(flatten)]
    pub security: SecurityArgs,
}

impl RunArgs {
    /// Whether a container is attached to from its beginning on.
    pub fn is_interactive(&self) -> bool {
        self.stdin || self.tty
    }
}

/// `--sdnotify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadyWhen {
    /// The service manager is told nothing.
    Ignore,
    /// Once this is so.
    Is(Wanted),
}

impl Default for ReadyWhen {
    fn default() -> Self {
        Self::Is(Wanted::Condition { kind: "Ready".to_owned(), status: "True".to_owned() })
    }
}

impl ReadyWhen {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "ignore" { Ok(Self::Ignore) } else { Wanted::parse_short(text).map(Self::Is) }
    }
}

/// `--pull`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pull {
    /// Those of later containers at once, while init containers run
    Parallel,
    /// Each when its container's turn comes
    Serial,
}

/// `--log-driver`, by podman's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogDriver {
    /// Files as the kubelet's
    K8sFile,
    /// The journal too
    Journald,
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// pasta (package passt): what the pod sends goes out as if the user had sent it; nothing comes in
    Pasta,
    /// A loopback and nothing else
    None,
}

/// `--cpu-manager`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum CpuManager {
    None,
    Static,
}

/// `--memory-swap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
#[allow(clippy::enum_variant_names, reason = "the kubelet's names")]
pub enum SwapBehavior {
    /// No container
    NoSwap,
    /// Containers of Burstable pods that request less memory than their limit: the same share of the swap as they request
    /// of the memory
    LimitedSwap,
    /// Every container, all of the swap
    UnlimitedSwap,
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
    /// Give containers without a seccomp profile containerd's default one; false: none, as kubelets do by default
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub seccomp_default: bool,
    /// The folder of localhostProfile files; by default seccomp below --root if that is given, else
    /// /var/lib/barepod/seccomp
    #[arg(long, value_name = "DIR")]
    pub seccomp_profile_root: Option<PathBuf>,
    /// Unsafe sysctls that pods may set, separated by commas; a * at the end matches anything (kernel.msg*,
    /// net.core.somaxconn)
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = crate::plan::sysctl_pattern)]
    pub allowed_unsafe_sysctls: Vec<String>,
    /// Range of host ids for pods with hostUsers: false; each pod gets 65536
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

/// `--log-level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogLevel {
    /// What goes wrong
    Warn,
    /// Also each event that the lifecycle engine gets, and each action it asks for
    Debug,
}

/// `0-1,4`.
fn reserved(text: &str) -> Result<CpuSet, String> {
    let cpus = CpuSet::parse(text).map_err(|error| error.to_string())?;
    if cpus.is_empty() { Err("at least one cpu must be left for everybody".to_owned()) } else { Ok(cpus) }
}

/// `data=/srv/data`.
fn claim(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((claim, path)) if !claim.is_empty() && !path.is_empty() => Ok((claim.to_owned(), path.into())),
        _ => Err(format!("{text:?} is not CLAIM=PATH; write it like data=/srv/data")),
    }
}
