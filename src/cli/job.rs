//! `run` of a Job: its own small process, which makes and ends pods as the Job's controller decides. Pods are begun as `run -d` begins
//! them: they go on when this process is killed, and the next `run` of the Job goes on with them.

pub(super) mod changes;
mod next;
mod pods;
mod runner;
mod spec;

use std::path::PathBuf;

use barepod_engine::job::{Job, JobEvent};
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::args::{Global, RunArgs};
use super::error::CliError;
use super::given::GivenJob;
use super::removal;
use crate::manifest;
use crate::runtime::detach::{Ready, Report};
use crate::runtime::random;
use crate::store::boot;
use crate::store::jobs::{JobFolder, SavedJob};
use crate::store::layout::Layout;

pub(super) use next::Next;
use runner::{Place, Runner};

/// What a Job can't have, as one pod has it.
///
/// # Errors
/// It is asked for.
pub(super) fn check(args: &RunArgs) -> Result<(), CliError> {
    let asked = [
        ("--attach", args.attach.is_some()),
        ("--stdin", args.stdin),
        ("--tty", args.tty),
        ("--no-prefix", args.no_prefix),
        ("--wait", args.wait.is_some()),
        ("--replace", args.replace),
        ("--rm", args.rm),
        ("--timeout", args.timeout.is_some()),
        ("--exit-code-file", args.exit_code_file.is_some()),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        None => Ok(()),
        Some((option, _)) => {
            let instead = match *option {
                "--timeout" => "; spec.activeDeadlineSeconds limits a Job's time",
                "--rm" => "; spec.ttlSecondsAfterFinished removes a Job that has finished",
                "--replace" => "; `barepod rm --force job/NAME` ends and forgets the one that there is",
                _ => "",
            };
            Err(CliError::Words(format!("{option} is for one Pod, and this is a Job{instead}")))
        }
    }
}

/// Gives a Job what it has not been given: a name, defaults, and what the API server notes in it.
pub(super) fn complete(job: &mut batch::Job) {
    manifest::generate_name(&mut job.metadata, random::number());
    manifest::apply_job_defaults(job);
    job.metadata.creation_timestamp.get_or_insert_with(|| Time(jiff::Timestamp::now()));
    job.metadata.uid.get_or_insert_with(|| random::uuid().to_string());
}

/// Runs the Job to its end; `report` is that of one in the background.
///
/// # Errors
/// Where it can't be begun, or goes on otherwise than before.
pub(super) fn run(
    args: &RunArgs,
    global: &Global,
    mut given: GivenJob,
    report: Option<Report>,
) -> Result<Next, CliError> {
    let layout = global.layout()?;
    complete(&mut given.job);
    let folder = std::env::current_dir().map_err(CliError::Detach)?;
    begin(args, &layout, given, report.map(|report| (report, folder)))?.run()
}

/// Takes the Job's lock, and goes on where an earlier process was, if there was one.
fn begin(
    args: &RunArgs,
    layout: &Layout,
    mut given: GivenJob,
    report: Option<(Report, PathBuf)>,
) -> Result<Runner, CliError> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (namespace, name) = (text(&given.job.metadata.namespace), text(&given.job.metadata.name));
    let shown = format!("{namespace}/{name}");
    let Some(mut folder) = JobFolder::take(layout, &namespace, &name)? else {
        return Err(CliError::Words(format!(
            "job {shown} is run already, by another process; `barepod stop job/{shown}` ends its pods, and then this goes on"
        )));
    };
    let saved = folder.load()?;
    let (saved, is_new) = match saved {
        Some(saved) if saved.controller.is_finished() => {
            // As a pod that has ended is forgotten by its next run.
            removal::of_job(layout, &namespace, &saved, true)?;
            folder.forget_events()?;
            (None, true)
        }
        Some(saved) => (Some(saved), false),
        None => (None, true),
    };
    let saved = match saved {
        Some(saved) => {
            given.job.metadata.uid = saved.job["metadata"]["uid"].as_str().map(str::to_owned);
            goes_on(&saved, &given.job, &shown)?;
            saved
        }
        None => SavedJob::new(changes::value(&given.job)?, Job::new(spec::spec(&given.job))),
    };
    let place = Place { layout: layout.clone(), namespace, name };
    let mut runner = Runner::new(place, folder, saved, given, args.quiet, report.is_some())?;
    if is_new {
        // Before anybody hears of it: then there is something to look at and to wait for.
        runner.step(JobEvent::Begin)?;
    }
    if let Some((report, working)) = report {
        let log = runner.log()?;
        report.ready(&Ready { pod: format!("job/{shown}"), log: Some(log) }).map_err(CliError::Detach)?;
        // Where the manifest's paths are relative to.
        std::env::set_current_dir(&working).map_err(|source| CliError::Read { path: working, source })?;
    }
    if !is_new {
        runner.go_on()?;
    }
    Ok(runner)
}

/// Whether a Job that was begun is the same as the one that is given, but for what may change.
fn goes_on(saved: &SavedJob, given: &batch::Job, shown: &str) -> Result<(), CliError> {
    if saved.boot != boot::current() {
        return Err(CliError::Words(format!(
            "job {shown} was begun before the box was restarted, and can't go on; `barepod rm job/{shown}` forgets it"
        )));
    }
    match &changes::fixed(&saved.job, &changes::value(given)?)[..] {
        [] => Ok(()),
        fields => Err(CliError::Words(format!(
            "job {shown} was begun with another spec, and this can't change: {}; `barepod rm --force job/{shown}` ends and \
             forgets it",
            changes::listed(fields)
        ))),
    }
}
