//! `barepod run`: a pod from its manifest to its end, in the foreground or detached from it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use barepod_engine::spec::{Backoff, ContainerSpec, FailFast};
use k8s_openapi::api::core::v1;

use super::args::{BackoffArgs, Global, LogLevel, MemoryReservationPolicy, RunArgs, SecurityArgs, SwapBehavior};
use super::error::CliError;
use super::exit_code::Exit;
use super::exit_code_file::ExitCodeFile;
use super::rootless::Runner;
use super::terminal::Colour;
use super::watch::{Detaching, Output, Steps, Verbosity, View, Watch};
use super::{cpus, detach, network, preflight, recover, rootless};
use crate::manifest::{self, Beside, Objects};
use crate::plan::Bytes;
use crate::plan::memory_qos::{MemoryQos, MemoryReservation, MemorySwap};
use crate::plan::{
    self, CgroupVersion, IdRange, NodeFacts, PodOptions, Scope, SeccompDefault, SecurityOptions, Uplink,
};
use crate::report::ending::Ending;
use crate::runtime::detach::Report;
use crate::runtime::sandbox::SandboxDirs;
use crate::runtime::{node, rlimits};
use crate::store::PodStore;
use crate::store::identity::Identity;
use crate::store::ids::Pool;
use crate::store::layout::Layout;
use crate::store::ledger::Ledger;
use crate::supervisor::{self, Afterwards, Pod, Supervisor, SupervisorError};

/// R4.2: the back-off starts over after this long, or twice the longest delay where that was set.
const RESET: std::time::Duration = std::time::Duration::from_secs(600);
const DEFAULT_BACKOFF_MAX: std::time::Duration = std::time::Duration::from_secs(300);

/// Runs the pod and gives its exit code.
pub fn run(args: &RunArgs, global: &Global) -> Result<Exit, CliError> {
    // First: while this process has one thread and holds nothing.
    let report = match args.detach {
        true => match detach::begin(args, global)? {
            detach::Side::Caller(exit) => return Ok(exit),
            detach::Side::Supervisor(report) => Some(report),
        },
        false => None,
    };
    let Some(path) = &args.exit_code_file else { return run_pod(args, global, report).map(|(exit, _)| exit) };
    let file = ExitCodeFile::prepare(path)?;
    let result = run_pod(args, global, report);
    let ending = match &result {
        Ok((_, Some(ending))) => Some(ending.clone()),
        // The process that ran it has written it.
        Ok((_, None)) => None,
        Err(error) => Some(Ending::of_error(error.exit_of_run().code(), &error.to_string())),
    };
    if let Some(Err(error)) = ending.map(|ending| file.write(&ending)) {
        rootless::warn(&format!("can't write --exit-code-file {}: {error}", path.display()));
    }
    result.map(|(exit, _)| exit)
}

/// As [`run`], and how the pod ended, where it was this process that ran it.
fn run_pod(args: &RunArgs, global: &Global, report: Option<Report>) -> Result<(Exit, Option<Ending>), CliError> {
    let backoff = backoff(&args.backoff)?;
    let claims = claims(&args.volume)?;
    let Given { pod: mut manifest, objects, name: text_name, text } = read_beside(args, &claims)?;
    preflight::check_claims(&manifest, &claims)?;
    if let Some(name) = &args.name {
        manifest::check_name(name).map_err(|why| CliError::Manifest(format!("error: --name {name:?}: {why}\n")))?;
        manifest.metadata.name = Some(name.clone());
    }
    in_namespace(&mut manifest, args.namespace.as_deref())?;
    manifest::generate_name(&mut manifest.metadata, uuid::Uuid::new_v4().as_u128() as u32);
    let layout = global.layout()?;
    // While this process has one thread and holds nothing.
    let (node, report) = match rootless::prepare(&layout, &manifest, report)? {
        Runner::Here(node, report) => (*node, report),
        Runner::Elsewhere(exit) => return Ok((exit, None)),
    };
    complete(&mut manifest, &node.hostname);
    let identity = identity(&layout, &manifest);
    identity.check()?;
    let options = PodOptions {
        manifest_dir: folder_of(&args.file)?,
        backoff,
        security: security(&args.security, &layout),
        objects,
        claims,
        memory_qos: memory_qos(args, &node)?,
        uplink: network::uplink(args.network, &manifest, &node)?,
        cgroup_name: identity.cgroup_name(),
    };
    let mut plan = plan::pod(&manifest, &node, &options).map_err(CliError::Plan)?;
    plan.lifecycle.timeout = args.timeout;
    plan.lifecycle.fail_fast = if args.fail_fast { FailFast::Yes } else { FailFast::No };
    let view = view(args, &plan.lifecycle.containers)?;
    manifest::refuse(&text_name, &text, &preflight::findings(&manifest, &plan, &node, &args.file)).map_err(refused)?;
    drop(text);
    let has_loopback_only = plan.sandbox.uplink == Uplink::None;
    if let Some(lacks) = plan::out_of_reach(&manifest).filter(|_| has_loopback_only && !args.quiet) {
        tell!("note: the pod has a loopback only: {lacks}; hostNetwork: true gives it the network of the box");
    }
    tell_unlabelled(&plan::unlabelled(&manifest, &node));
    rootless::tell_unenforced(&plan::unenforced(&manifest, &node), &node);
    open_files(&plan)?;
    let box_has = cpus::needed(args, &manifest, &node)?;
    let (namespace, name) = (plan.lifecycle.namespace.clone(), plan.lifecycle.name.clone());
    recover::clean_if_lost(&layout, &namespace, &name)?;
    recover::sweep_orphans(&layout);
    let ledger = ledger(&identity, &plan, &args.file);
    let dirs = SandboxDirs { state: identity.state_dir(), data: ledger.data_dir.clone() };
    let store = match plan.sandbox.user {
        Scope::Pod => {
            let pool = Pool { in_use: node::ids_in_use(), ..args.security.userns_range.clone() };
            PodStore::create_with_ids(&layout, ledger, &pool)?
        }
        _ => PodStore::create(&layout, ledger)?,
    };
    plan.sandbox.ids = store.ledger().first_id.map(|first| IdRange { first, length: IdRange::LENGTH });
    let mut watch = Watch::new(format!("{namespace}/{name}"), &plan.lifecycle, view).map_err(CliError::Output)?;
    if let Some(report) = report {
        watch.detach(Detaching { report, dir: store.dir().to_owned() });
    }
    let rejected = match box_has {
        Some(box_has) => cpus::allot(&layout, &store, &box_has, &manifest, &mut plan)?,
        None => None,
    };
    let afterwards = if args.rm { Afterwards::Forgotten } else { Afterwards::Readable };
    let storage_interval = args.eviction_interval;
    let pod = Pod { manifest, plan, node, dirs, rejected, storage_interval, afterwards };
    let supervisor = Supervisor::new(pod, store, &mut watch)?;
    crate::runtime::rootless::take_signals().map_err(CliError::Signals)?;
    let code = supervisor.run().map_err(|error| match error {
        SupervisorError::Network(error) => CliError::Network(error),
        error => CliError::Supervisor(error),
    })?;
    let ending = watch.ending().cloned().map(|ending| match ending.exit_code {
        its if its == code => ending,
        // The pod succeeded, and what it left could not be removed.
        _ => Ending {
            pod: ending.pod,
            phase: ending.phase,
            ..Ending::of_error(code, "something of the pod could not be removed")
        },
    });
    Ok((Exit::Pod(code), ending))
}

/// `--namespace`; as with kubectl it doesn't go over what the manifest says.
fn in_namespace(pod: &mut v1::Pod, asked: Option<&str>) -> Result<(), CliError> {
    let Some(asked) = asked else { return Ok(()) };
    manifest::check_name(asked).map_err(|why| CliError::Manifest(format!("error: --namespace {asked:?}: {why}\n")))?;
    match &pod.metadata.namespace {
        Some(own) if own != asked => Err(CliError::Words(format!(
            "--namespace {asked} and the manifest's metadata.namespace {own} contradict each other"
        ))),
        _ => {
            pod.metadata.namespace = Some(asked.to_owned());
            Ok(())
        }
    }
}

/// What is shown of the run.
fn view(args: &RunArgs, containers: &[ContainerSpec]) -> Result<View, CliError> {
    let attached = match &args.attach {
        None => None,
        Some(name) => Some(containers.iter().position(|one| one.name == *name).ok_or_else(|| {
            let known: Vec<&str> = containers.iter().map(|one| one.name.as_str()).collect();
            CliError::NoSuchContainer { container: name.clone(), known: known.join(", ") }
        })?),
    };
    Ok(View {
        verbosity: if args.quiet { Verbosity::Quiet } else { Verbosity::Normal },
        output: match attached {
            _ if args.detach => Output::None,
            Some(index) => Output::Only(index),
            None if args.no_prefix => Output::Plain,
            None => Output::Named,
        },
        steps: if args.log_level == LogLevel::Debug { Steps::Shown } else { Steps::Hidden },
    })
}

/// Before anything is made: a pod that runs into the limit halfway fails with riddles.
fn open_files(plan: &plan::PodPlan) -> Result<(), CliError> {
    let (limit, needed) = (rlimits::raise_open_files(), supervisor::open_files(&plan.lifecycle));
    if limit < needed { Err(CliError::OpenFiles { limit, needed }) } else { Ok(()) }
}

fn memory_qos(args: &RunArgs, node: &NodeFacts) -> Result<MemoryQos, CliError> {
    let reservation = match args.memory_reservation_policy {
        MemoryReservationPolicy::None => MemoryReservation::None,
        MemoryReservationPolicy::TieredReservation => MemoryReservation::Tiered,
    };
    let swap = match (node.swap, args.memory_swap) {
        (None, _) => MemorySwap::Unaccounted,
        (_, SwapBehavior::NoSwap) => MemorySwap::None,
        (Some(total), SwapBehavior::LimitedSwap) => MemorySwap::Limited(Bytes(total)),
        (_, SwapBehavior::UnlimitedSwap) => MemorySwap::Unlimited,
    };
    let qos = MemoryQos { throttling_factor: args.memory_throttling_factor, reservation, swap };
    if qos.is_wanted() && node.cgroups != CgroupVersion::V2 {
        let why = "--memory-throttling-factor and --memory-reservation-policy need cgroup v2, with all controllers";
        return Err(CliError::Usage(why));
    }
    Ok(qos)
}

/// The text of a file, or of standard input, and what it is called in messages.
pub(super) fn text_of(file: &Path) -> Result<(String, Vec<u8>), CliError> {
    let fail = |source| CliError::Read { path: file.to_owned(), source };
    // One byte more than is looked at: who reads it says what is too long, and /dev/zero has no end.
    let most = manifest::MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut bytes).map_err(fail)?;
        return Ok(("<stdin>".to_owned(), bytes));
    }
    std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut bytes)).map_err(fail)?;
    Ok((file.display().to_string(), bytes))
}

/// Reads and checks the manifest; prints what is accepted without effect. What it refers to is not looked for.
pub(super) fn read(file: &Path) -> Result<v1::Pod, CliError> {
    let (name, bytes) = text_of(file)?;
    let decoded = manifest::decode(&name, &bytes).map_err(refused)?;
    warn(&name, &bytes, &decoded.warnings, Detail::Some);
    Ok(decoded.pod)
}

/// The pod that a manifest describes, as `NAMESPACE/NAME`: for commands about a pod that it was run from.
pub(super) fn name_in(file: &Path) -> Result<String, CliError> {
    let (text_name, bytes) = text_of(file)?;
    let metadata = manifest::decode(&text_name, &bytes).map_err(refused)?.pod.metadata;
    match metadata.name.filter(|name| !name.is_empty()) {
        Some(name) => Ok(format!("{}/{name}", metadata.namespace.as_deref().unwrap_or("default"))),
        None => Err(CliError::Words(format!(
            "{text_name}: the manifest has no metadata.name, so that each run of it has another: name the pod itself"
        ))),
    }
}

/// A manifest with what was given beside it, and its text.
struct Given {
    pod: v1::Pod,
    objects: Objects,
    name: String,
    text: Vec<u8>,
}

/// As [`read`], with the ConfigMaps and Secrets of `--config`; the manifest must find in them what it refers to.
fn read_beside(args: &RunArgs, claims: &BTreeMap<String, PathBuf>) -> Result<Given, CliError> {
    let dash = Path::new("-");
    if std::iter::once(&args.file).chain(&args.config).filter(|file| file.as_path() == dash).count() > 1 {
        return Err(CliError::Usage("only one of FILE and --config can be standard input"));
    }
    let mut beside = Beside { objects: Objects::default(), claims: claims.keys().cloned().collect() };
    for file in &args.config {
        let (name, bytes) = text_of(file)?;
        let warnings = manifest::decode_objects(&name, &bytes, &mut beside.objects).map_err(refused)?;
        if let Some(warnings) = warnings.filter(|_| !args.quiet) {
            super::terminal::tell(&warnings.render(manifest_colour()));
        }
    }
    let (name, bytes) = text_of(&args.file)?;
    let decoded = manifest::decode_beside(&name, &bytes, &beside).map_err(refused)?;
    let detail = match (args.quiet, args.verbose) {
        (true, _) => Detail::None,
        (false, true) => Detail::Each,
        (false, false) => Detail::Some,
    };
    warn(&name, &bytes, &decoded.warnings, detail);
    Ok(Given { pod: decoded.pod, objects: decoded.objects, name, text: bytes })
}

fn refused(report: manifest::Report) -> CliError {
    CliError::Manifest(report.render(manifest_colour()))
}

/// Prints warnings: of all fields that mean nothing here one line, unless each is asked for.
fn warn(name: &str, bytes: &[u8], warnings: &[manifest::Diagnostic], detail: Detail) {
    if detail == Detail::None {
        return;
    }
    let each = |diagnostic: &&manifest::Diagnostic| {
        detail == Detail::Each || diagnostic.severity != manifest::Severity::NoEffect
    };
    let shown: Vec<manifest::Diagnostic> = warnings.iter().filter(each).cloned().collect();
    if !shown.is_empty() {
        super::terminal::tell(&manifest::render(name, &manifest::shown_text(bytes), &shown, manifest_colour()));
    }
    if let Some(line) = manifest::without_effect(name, warnings).filter(|_| detail == Detail::Some) {
        rootless::warn(&line);
    }
}

/// How much is said of what has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    None,
    /// A line.
    Some,
    /// A word about each field.
    Each,
}

/// Labels of SELinux on a box without.
fn tell_unlabelled(fields: &[String]) {
    if !fields.is_empty() {
        let fields = fields.join(", ");
        rootless::warn(&format!("SELinux is not enabled on this box, so that no labels are put on: {fields}"));
    }
}

/// `--volume`, with absolute paths.
fn claims(given: &[(String, PathBuf)]) -> Result<BTreeMap<String, PathBuf>, CliError> {
    let mut claims = BTreeMap::new();
    for (claim, path) in given {
        let absolute = std::path::absolute(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        if claims.insert(claim.clone(), absolute).is_some() {
            return Err(CliError::Usage("--volume names a claim twice"));
        }
    }
    Ok(claims)
}

/// Of what is said about a text on standard error.
pub(super) fn manifest_colour() -> manifest::Colour {
    match Colour::of(&std::io::stderr()) {
        Colour::Yes => manifest::Colour::Ansi,
        Colour::No => manifest::Colour::Plain,
    }
}

fn security(args: &SecurityArgs, layout: &Layout) -> SecurityOptions {
    let root = args.seccomp_profile_root.clone().unwrap_or_else(|| layout.seccomp_profiles());
    SecurityOptions {
        seccomp_default: if args.seccomp_default { SeccompDefault::RuntimeDefault } else { SeccompDefault::Unconfined },
        // Relative to where we are now: the supervisor may be elsewhere.
        seccomp_profile_root: std::path::absolute(&root).unwrap_or(root),
        allowed_unsafe_sysctls: args.allowed_unsafe_sysctls.clone(),
    }
}

/// What the API server and the scheduler would add.
fn complete(pod: &mut v1::Pod, node: &str) {
    manifest::apply_defaults(pod);
    pod.metadata.uid.get_or_insert_with(|| uuid::Uuid::new_v4().to_string());
    if let Some(spec) = &mut pod.spec {
        spec.node_name = Some(node.to_owned());
    }
}

fn folder_of(file: &Path) -> Result<PathBuf, CliError> {
    let fail = |source| CliError::Read { path: file.to_owned(), source };
    let absolute = std::path::absolute(file).map_err(fail)?;
    // Standard input's paths are relative to where we are.
    Ok(absolute.parent().unwrap_or(Path::new("/")).to_owned())
}

/// R4.6.
pub(super) fn backoff(args: &BackoffArgs) -> Result<Backoff, CliError> {
    let (initial, max) = (args.backoff_initial, args.backoff_max);
    if initial > max {
        return Err(CliError::Usage("--backoff-initial must not be longer than --backoff-max"));
    }
    let reset_after = if max == DEFAULT_BACKOFF_MAX { RESET } else { max * 2 };
    Ok(Backoff { initial, max, reset_after })
}

fn identity(layout: &Layout, pod: &v1::Pod) -> Identity {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    Identity::new(layout, namespace, &text(&pod.metadata.name), &text(&pod.metadata.uid))
}

fn ledger(pod: &Identity, plan: &plan::PodPlan, file: &Path) -> Ledger {
    Ledger {
        manifest: std::path::absolute(file).ok(),
        memory_qos: plan.memory_qos.is_wanted().then(|| plan.memory_qos.to_string()),
        ..Ledger::new(pod, plan.cgroup.path.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// R4.6, R4.2: where the longest delay isn't the kubelet's, twice that resets.
    #[test]
    fn the_back_off_that_is_asked_for() {
        let asked = |initial, max| {
            let (backoff_initial, backoff_max) = (Duration::from_secs(initial), Duration::from_secs(max));
            backoff(&BackoffArgs { backoff_initial, backoff_max })
        };
        for (initial, max, reset_after) in [(10, 300, 600), (1, 60, 120), (5, 5, 10)] {
            let backoff = asked(initial, max).unwrap();
            let seconds = [backoff.initial, backoff.max, backoff.reset_after].map(|length| length.as_secs());
            assert_eq!(seconds, [initial, max, reset_after]);
        }
        assert!(asked(61, 60).is_err());
    }
}
