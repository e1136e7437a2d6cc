//! `barepod run`: a pod from its manifest to its end, in the foreground or detached from it.

mod all;
mod jobs;
mod limits;
mod manifests;
mod pods;
mod service;
mod view;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use barepod_engine::spec::{Ahead, FailFast};
use k8s_openapi::api::core::v1;

use super::args::{Global, Pull, RunArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::exit_code_file::ExitCodeFile;
use super::given::{Given, GivenJob};
use super::journal::{self, Journaled};
use super::rootless::Runner;
use super::terminal::warn;
use super::user::is_user;
use super::watch::{Detaching, Watch};
use super::{cpus, detach, ending, interactive, logins, network, options, pinned, preflight, recover, rootless};
use crate::manifest::{self, Jobs};
use crate::plan::{self, IdRange, NodeFacts, PodOptions, PodPlan, Scope, Uplink};
use crate::report::ending::Ending;
use crate::runtime::detach::Report;
use crate::runtime::sandbox::SandboxDirs;
use crate::runtime::{image, node, random};
use crate::store::PodStore;
use crate::store::identity::Identity;
use crate::store::ids::Pool;
use crate::store::layout::Layout;
use crate::store::ledger::Ledger;
use crate::supervisor::{Audience, Pod, Supervisor, SupervisorError};

use pods::Pods;
use view::view;

pub(super) use manifests::{listed, read as read_manifests};

/// Runs the pod and gives its exit code; of several, which run in the background, that of the first that couldn't be begun.
pub fn run(args: &RunArgs, global: &Global) -> Result<Exit, CliError> {
    detach::check(args)?;
    match manifests::read_all(args, Jobs::Taken) {
        Ok((mut pods, jobs)) => {
            for given in &mut pods {
                manifest::generate_name(&mut given.pod.metadata, random::number());
            }
            run_given(args, global, pods, jobs)
        }
        Err(error) => {
            if let Some(path) = &args.exit_code_file {
                write_ending(&ExitCodeFile::prepare(path)?, path, &ending_of(&error));
            }
            Err(error)
        }
    }
}

/// Likewise, of manifests that have been read.
pub(super) fn run_given(
    args: &RunArgs,
    global: &Global,
    mut pods: Vec<Given>,
    mut jobs: Vec<GivenJob>,
) -> Result<Exit, CliError> {
    with_means(args, global, |means| match (pods.len(), jobs.len(), pods.pop(), jobs.pop()) {
        (1, 0, Some(pod), None) => run_one(args, global, pod),
        (0, 1, None, Some(job)) => jobs::run(args, global, job, means),
        (_, _, pod, job) => {
            pods.extend(pod);
            jobs.extend(job);
            all::run(args, global, (pods, jobs), means)
        }
    })
}

/// As [`run_reported`], of a Job.
pub(super) fn run_job(args: &RunArgs, global: &Global, given: GivenJob, report: Report) -> Result<Exit, CliError> {
    with_means(args, global, |means| jobs::run_one(args, global, given, Some(report), means))
}

fn with_means(
    args: &RunArgs,
    global: &Global,
    run: impl FnOnce(&Pods<'_>) -> Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    let check = |pods: &[&Given]| check(args, global, pods)?.into_iter().collect::<Result<(), CliError>>();
    let run_pod = |args: &RunArgs, pod, report| run_reported(args, global, pod, Some(report));
    run(&Pods { check: &check, run: &run_pod })
}

/// Whether each pod can be made, as far as that can be seen before; what is wrong is for whoever calls to say.
pub(super) fn check(args: &RunArgs, global: &Global, pods: &[&Given]) -> Result<Vec<Result<(), CliError>>, CliError> {
    // For an ordinary user the box is another one in the process that runs a pod.
    if is_user() || pods.is_empty() {
        return Ok(pods.iter().map(|_| Ok(())).collect());
    }
    let layout = global.layout()?;
    let (node, images) = (node::facts(&layout.data)?, global.images(&layout)?);
    let one = |given: &&Given| {
        let mut given = (*given).clone();
        complete(&mut given.pod, &node.hostname);
        planned(args, &layout, &mut given, &node, &images).map(drop)
    };
    Ok(pods.iter().map(one).collect())
}

/// Runs one pod.
fn run_one(args: &RunArgs, global: &Global, given: Given) -> Result<Exit, CliError> {
    // First: while this process has one thread and holds nothing.
    let report = match args.detach || args.is_interactive() {
        true => match detach::begin(args, global)? {
            detach::Side::Caller(exit) => return Ok(exit),
            detach::Side::Supervisor(report) => Some(report),
        },
        false => None,
    };
    run_reported(args, global, given, report)
}

/// As [`run_one`], in the process that runs it; `report` is that of a pod that is to be detached.
pub(super) fn run_reported(
    args: &RunArgs,
    global: &Global,
    given: Given,
    report: Option<Report>,
) -> Result<Exit, CliError> {
    let Some(path) = &args.exit_code_file else { return run_pod(args, global, given, report).map(|(exit, _)| exit) };
    let file = ExitCodeFile::prepare(path)?;
    let result = run_pod(args, global, given, report);
    match &result {
        Ok((_, Some(ending))) => write_ending(&file, path, ending),
        // The process that ran it has written it.
        Ok((_, None)) => {}
        Err(error) => write_ending(&file, path, &ending_of(error)),
    }
    result.map(|(exit, _)| exit)
}

fn ending_of(error: &CliError) -> Ending {
    Ending::of_error(error.exit_of_run().code(), &error.to_string())
}

fn write_ending(file: &ExitCodeFile, path: &Path, ending: &Ending) {
    if let Err(error) = file.write(ending) {
        warn(&format!("can't write --exit-code-file {}: {error}", path.display()));
    }
}

/// What is to be made of a manifest that is complete. All that can be seen to be wrong with it is said here, before anything is
/// made.
fn planned(
    args: &RunArgs,
    layout: &Layout,
    given: &mut Given,
    node: &NodeFacts,
    images: &image::Place,
) -> Result<(PodPlan, Identity), CliError> {
    let identity = identity(layout, &given.pod);
    identity.check()?;
    let options = PodOptions {
        manifest_dir: folder_of(&given.file)?,
        backoff: options::backoff(&args.backoff)?,
        security: options::security(&args.security, layout),
        objects: Rc::unwrap_or_clone(std::mem::take(&mut given.objects)),
        claims: options::claims(&args.volume)?,
        memory_qos: options::memory_qos(args, node)?,
        uplink: network::uplink(args.network, &given.pod, node)?,
        cgroup_name: identity.cgroup_name(),
    };
    let mut plan = plan::pod(&given.pod, node, &options).map_err(CliError::Plan)?;
    resolve_images(&mut plan);
    let mut findings = preflight::findings(&given.pod, &plan, node, &given.file);
    findings.extend(logins::findings(&given.pod, &plan.objects));
    if args.require_digest {
        findings.extend(pinned::findings(&given.pod, images));
    }
    given.refuse(&findings)?;
    Ok((plan, identity))
}

/// As [`run_reported`], and how the pod ended, where it was this process that ran it.
fn run_pod(
    args: &RunArgs,
    global: &Global,
    mut given: Given,
    report: Option<Report>,
) -> Result<(Exit, Option<Ending>), CliError> {
    options::backoff(&args.backoff)?;
    let pull_files = logins::pull_files(args.auth_file.as_deref(), args.signature_policy.as_deref())?;
    let layout = global.layout()?;
    // While this is the process that was started.
    let service = service::of(args);
    // While this process has one thread and holds nothing.
    let (node, mut report) = match rootless::prepare(&layout, &given.pod, report)? {
        Runner::Here(node, report) => (*node, report),
        Runner::Elsewhere(exit) => return Ok((exit, None)),
    };
    let images = global.images(&layout)?;
    complete(&mut given.pod, &node.hostname);
    let (mut plan, identity) = planned(args, &layout, &mut given, &node, &images)?;
    let (manifest, file, applied_from) = given.into_parts();
    plan.lifecycle.timeout = args.timeout;
    plan.lifecycle.ahead = match args.pull {
        Pull::Parallel => Ahead::Yes,
        Pull::Serial => Ahead::No,
    };
    plan.lifecycle.fail_fast = if args.fail_fast { FailFast::Yes } else { FailFast::No };
    let view = view(args, &plan.lifecycle.containers)?;
    let attach = interactive::client(args, &manifest, &plan.lifecycle.containers, report.as_mut())?;
    let has_loopback_only = plan.sandbox.uplink == Uplink::None;
    if let Some(lacks) = plan::out_of_reach(&manifest).filter(|_| has_loopback_only && !args.quiet) {
        tell!("note: the pod has a loopback only: {lacks}; hostNetwork: true gives it the network of the box");
    }
    limits::tell_unlabelled(&plan::unlabelled(&manifest, &node));
    rootless::tell_unenforced(&plan::unenforced(&manifest, &node), &node);
    limits::open_files(&plan)?;
    let box_has = cpus::needed(args, &manifest, &node)?;
    let journal = journal::connect(args.log_driver)?;
    let (namespace, name) = (plan.lifecycle.namespace.clone(), plan.lifecycle.name.clone());
    // Nothing that could be refused is left by now.
    if args.replace {
        ending::for_another(&layout, &namespace, &name)?;
    }
    recover::clean_if_lost(&layout, &namespace, &name)?;
    recover::sweep_orphans(&layout);
    let ledger = Ledger { applied_from, ..ledger(&identity, &plan, &file) };
    let dirs = SandboxDirs { state: identity.state_dir(), data: ledger.data_dir.clone() };
    crate::runtime::rootless::hold_signals().map_err(CliError::Signals)?;
    let store = match plan.sandbox.user {
        Scope::Pod => {
            let pool = Pool { in_use: node::ids_in_use()?, ..args.security.userns_range.clone() };
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
    let storage_interval = args.eviction_interval;
    let forget = args.rm;
    let pod =
        Pod { manifest, plan, node, dirs, images, pull_files, rejected, storage_interval, forget, attach, service };
    let mut journaled;
    let audience: &mut dyn Audience = match journal {
        Some(journal) => {
            journaled = Journaled::new(journal, &pod.plan.lifecycle, &pod.manifest, &mut watch);
            &mut journaled
        }
        None => &mut watch,
    };
    let supervisor = Supervisor::new(pod, store, audience)?;
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

/// What the API server and the scheduler would add.
fn complete(pod: &mut v1::Pod, node: &str) {
    manifest::apply_defaults(pod);
    pod.metadata.uid.get_or_insert_with(|| random::uuid().to_string());
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

/// Images of containers and volumes by their whole names, as this box's aliases have them: the supervisor reads no files for that.
/// What is no name is told with all else that is wrong.
fn resolve_images(plan: &mut plan::PodPlan) {
    for named in plan.images_mut() {
        if let Ok(whole) = image::resolved(named.clone()) {
            *named = whole;
        }
    }
}
