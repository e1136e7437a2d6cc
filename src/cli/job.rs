//! `run` of a Job: its own small process, which makes and ends pods as the Job's controller decides. Pods are begun as `run -d` begins
//! them: they go on when this process is killed, and the next `run` of the Job goes on with them.

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
use super::exit_code::Exit;
use super::given::GivenJob;
use super::output::print;
use super::removal;
use crate::manifest;
use crate::runtime::detach::{self, Detached, Outcome, Ready, Report};
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

/// Runs the Job to its end, or begins it in the background.
///
/// # Errors
/// Where it can't be begun, or goes on otherwise than before.
pub(super) fn run(args: &RunArgs, global: &Global, mut given: GivenJob) -> Result<Next, CliError> {
    let layout = global.layout()?;
    manifest::generate_name(&mut given.job.metadata, random::number());
    manifest::apply_job_defaults(&mut given.job);
    let now = jiff::Timestamp::now();
    given.job.metadata.creation_timestamp.get_or_insert(Time(now));
    given.job.metadata.uid.get_or_insert_with(|| random::uuid().to_string());
    let folder = std::env::current_dir().map_err(CliError::Detach)?;
    if !args.detach {
        return begin(args, &layout, given, None)?.run();
    }
    let mut above = match detach::detach(&[]).map_err(CliError::Detach)? {
        Detached::Below(report) => return begin(args, &layout, given, Some((report, folder)))?.run(),
        Detached::Above(above) => above,
    };
    Ok(Next::End(match above.wait().map_err(CliError::Detach)? {
        Outcome::Ready(ready) => print(&format!("{}\n", ready.pod))?,
        Outcome::Interrupted(ready, signal) => {
            print(&format!("{}\n", ready.pod))?;
            tell!("note: the job is being stopped: a signal came while it began");
            Exit::Pod(u8::try_from(128 + signal).unwrap_or(u8::MAX))
        }
        Outcome::Ended(end) | Outcome::Asked(end) => end.code().map(Exit::Pod).ok_or(CliError::NeverReady)?,
        Outcome::Stopped(signal) => Exit::Pod(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
    }))
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
        None => SavedJob::new(value(&given.job)?, Job::new(spec::spec(&given.job))),
    };
    let place = Place { layout: layout.clone(), namespace, name };
    let mut runner = Runner::new(place, folder, saved, given, args.quiet, report.is_some())?;
    if let Some((report, working)) = report {
        let log = runner.log()?;
        report.ready(&Ready { pod: format!("job/{shown}"), log: Some(log) }).map_err(CliError::Detach)?;
        // Where the manifest's paths are relative to.
        std::env::set_current_dir(&working).map_err(|source| CliError::Read { path: working, source })?;
    }
    match is_new {
        true => runner.step(JobEvent::Begin)?,
        false => runner.go_on()?,
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
    let fixed = |mut job: serde_json::Value| {
        let mut spec = job["spec"].take();
        for field in ["parallelism", "suspend"] {
            spec[field].take();
        }
        spec
    };
    if fixed(saved.job.clone()) == fixed(value(given)?) {
        return Ok(());
    }
    Err(CliError::Words(format!(
        "job {shown} was begun with another spec, of which only parallelism and suspend can change; `barepod rm --force \
         job/{shown}` ends and forgets it"
    )))
}

fn value(job: &batch::Job) -> Result<serde_json::Value, CliError> {
    serde_json::to_value(job).map_err(|error| CliError::Words(format!("the Job can't be written down: {error}")))
}
