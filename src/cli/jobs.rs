//! Jobs that there are: found by name, stopped, forgotten, waited for.

use std::time::Duration;

use k8s_openapi::api::batch::v1 as batch;

use super::changes::{Changes, WatchFlags};
use super::error::CliError;
use super::removal;
use super::until::Deadline;
use crate::manifest;
use crate::report::job::kind;
use crate::report::wanted::Wanted;
use crate::store::Error;
use crate::store::jobs::{self, FoundJob, JobFolder, SavedJob, Wish};
use crate::store::layout::Layout;
use crate::store::read::Found;

fn refused(why: String) -> CliError {
    Error::Job(why).into()
}

/// How long a Job's process may take to end its pods by force.
const PATIENCE: Duration = Duration::from_secs(60);

/// The Job that NAME or NAMESPACE/NAME means.
///
/// # Errors
/// Where there is none, or several have the name.
pub fn find(layout: &Layout, name: &str) -> Result<FoundJob, CliError> {
    let mut all = jobs::list(layout)?;
    match name.split_once('/') {
        Some((namespace, name)) => all.retain(|job| job.namespace == namespace && job.name == name),
        None => all.retain(|job| job.name == name),
    }
    match &all[..] {
        [_] => Ok(all.remove(0)),
        [] => Err(refused(format!("jobs {name:?} not found; `barepod get jobs` shows which there are"))),
        several => {
            let names: Vec<String> = several.iter().map(full_name).collect();
            Err(refused(format!("job name {name:?} is in several namespaces: say one of {}", names.join(", "))))
        }
    }
}

/// The Jobs of these names; all, or all of a namespace, where there are none.
///
/// # Errors
/// Where none can be looked for.
pub fn all_or(
    layout: &Layout,
    names: &[String],
    namespace: Option<&str>,
) -> Result<Vec<Result<FoundJob, CliError>>, CliError> {
    if !names.is_empty() {
        return Ok(names.iter().map(|name| find(layout, name)).collect());
    }
    let mut all = jobs::list(layout)?;
    all.retain(|job| namespace.is_none_or(|namespace| namespace == job.namespace));
    Ok(all.into_iter().map(Ok).collect())
}

/// What is known of a Job.
///
/// # Errors
/// Where it can't be read, or has just begun.
pub fn read(job: &FoundJob) -> Result<(SavedJob, batch::Job), CliError> {
    let saved = job.load()?.ok_or_else(|| refused(format!("job {} has no status yet, or is gone", full_name(job))))?;
    let bytes = saved.job.to_string().into_bytes();
    let object = manifest::from_json(&bytes).map_err(|error| refused(format!("job {}: {error}", full_name(job))))?;
    Ok((saved, object))
}

/// The pods of a Job that there are, in the order in which they were made.
///
/// # Errors
/// Where the Job can't be read.
pub fn pods(layout: &Layout, job: &FoundJob) -> Result<Vec<Found>, CliError> {
    let named = job.load()?.map(|saved| saved.pods).unwrap_or_default();
    let found = named.iter().map(|pod| removal::found(layout, &job.namespace, &pod.name));
    Ok(found.filter(|found| found.dir.exists()).collect())
}

/// `NAMESPACE/NAME`.
pub fn full_name(job: &FoundJob) -> String {
    format!("{}/{}", job.namespace, job.name)
}

/// Has who runs the Job end its pods gracefully, and waits for that, if that is wanted.
///
/// # Errors
/// Where nobody runs it, or it lasts too long.
pub fn stop(job: &FoundJob, is_waited_for: bool, limit: Option<Duration>) -> Result<(), CliError> {
    let shown = full_name(job);
    if !job.is_run()? {
        if job.load()?.is_none_or(|saved| saved.controller.is_finished()) {
            tell!("job {shown} has ended already");
            return Ok(());
        }
        return Err(refused(format!(
            "job {shown}: no process runs it; `barepod run` of its manifest goes on with it, `barepod rm --force job/{shown}` \
             ends and forgets it"
        )));
    }
    job.wish(Wish::Stop)?;
    if is_waited_for {
        wait_for_the_end(job, limit)?;
        tell!("job {shown} stopped");
    }
    Ok(())
}

fn wait_for_the_end(job: &FoundJob, limit: Option<Duration>) -> Result<(), CliError> {
    let deadline = limit.map_or(Deadline::never(), Deadline::after);
    while job.runs_on() {
        if deadline.is_over() {
            return Err(refused(format!(
                "job {}: it hasn't ended in time; what was asked for isn't undone",
                full_name(job)
            )));
        }
    }
    Ok(())
}

/// Forgets a Job and its pods; by force, ends them first.
///
/// # Errors
/// Where it runs, or not all can be removed.
pub fn remove(layout: &Layout, job: &FoundJob, force: bool) -> Result<(), CliError> {
    let shown = full_name(job);
    if job.is_run()? {
        let is_finished = job.load()?.is_some_and(|saved| saved.controller.is_finished());
        if !force && !is_finished {
            return Err(refused(format!(
                "job {shown} is running: `barepod stop job/{shown}` ends its pods gracefully, `barepod rm --force \
                 job/{shown}` at once"
            )));
        }
        job.wish(Wish::Kill)?;
        wait_for_the_end(job, Some(PATIENCE))?;
    }
    let Some(folder) = JobFolder::take(layout, &job.namespace, &job.name)? else {
        return Err(refused(format!("job {shown} has begun to run again")));
    };
    if let Some(saved) = folder.load()? {
        removal::of_job(layout, &job.namespace, &saved, force)?;
    }
    Ok(folder.remove()?)
}

/// Waits until a condition of the Job is so.
///
/// # Errors
/// Where it can't become so any more, or not in time.
pub fn wait(job: &FoundJob, wanted: &Wanted, limit: Duration) -> Result<(), CliError> {
    let Wanted::Condition { kind: name, status } = wanted else {
        let why = "of a Job a condition can be waited for: `--for condition=Complete`";
        return Err(CliError::Usage(why));
    };
    let (shown, deadline) = (full_name(job), Deadline::after(limit));
    let changes = Changes::of(job.dir(), WatchFlags::MOVED_TO)?;
    loop {
        let Some(saved) = job.load()? else {
            return Err(refused(format!("job {shown} has no status yet, or is gone")));
        };
        let conditions = saved.controller.status().conditions;
        let of_kind = conditions.iter().find(|one| kind(one.kind).eq_ignore_ascii_case(name));
        let is = if of_kind.is_some_and(|one| one.is_true) { "True" } else { "False" };
        if of_kind.is_some() && is.eq_ignore_ascii_case(status) {
            return Ok(());
        }
        let never = match () {
            () if saved.controller.is_finished() => "it has finished",
            () if !job.is_run()? => "no process runs it",
            () => "",
        };
        if !never.is_empty() {
            return Err(refused(format!("job {shown}: {wanted} can't come true any more: {never}")));
        }
        if !deadline.wait_for(&changes) {
            return Err(CliError::WaitedTooLong(shown));
        }
        changes.drain();
    }
}
