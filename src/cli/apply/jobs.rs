//! `apply` of Jobs: those that run are told what may change of them, those that nobody runs are begun or gone on with.

use std::time::Duration;

use serde_json::Value;

use super::super::args::{ApplyArgs, DryRun};
use super::super::changes::{Changes, WatchFlags};
use super::super::error::CliError;
use super::super::given::{Given, GivenJob};
use super::super::job::{self, changes};
use super::super::jobs;
use super::super::until::Deadline;
use super::begin::New;
use super::said::{Outcome, Said};
use crate::plan::Difference;
use crate::store::Error;
use crate::store::jobs::{FoundJob, SavedJob, list};
use crate::store::layout::Layout;

/// How long who runs a Job may take to do what is wanted of it.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// What is to be done with a Job.
pub(super) enum Step {
    Unchanged(FoundJob),
    /// Its process is told.
    Change(FoundJob, Value, Vec<Difference>),
    /// It is begun or gone on with; the one of its name that there is, is ended and forgotten before.
    Begin(Box<GivenJob>, Outcome, Option<FoundJob>, Vec<Difference>),
}

impl Step {
    /// The pod of one that is to be begun.
    pub(super) fn template(&self) -> Option<&Given> {
        match self {
            Self::Unchanged(_) | Self::Change(..) => None,
            Self::Begin(given, ..) => Some(&given.template),
        }
    }
}

/// What is to be done with each; what nothing can be done with is said.
///
/// # Errors
/// Where it isn't known which Jobs there are.
pub(super) fn plan(
    args: &ApplyArgs,
    layout: &Layout,
    given: Vec<GivenJob>,
    said: &mut Said,
) -> Result<Vec<Step>, CliError> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let found = list(layout)?;
    let mut steps = Vec::new();
    for given in given {
        match step(args, &found, given) {
            Ok(step) => steps.push(step),
            Err(error) => said.error(&error),
        }
    }
    Ok(steps)
}

fn refused(job: &FoundJob, why: &str) -> CliError {
    Error::Job(format!("job {}: {why}", jobs::full_name(job))).into()
}

fn step(args: &ApplyArgs, all: &[FoundJob], given: GivenJob) -> Result<Step, CliError> {
    if given.job.metadata.name.is_none() {
        let why = "a Job without metadata.name has another name with each run of it: name the Job itself";
        return Err(CliError::Words(why.to_owned()));
    }
    let mut wanted = given.job.clone();
    job::complete(&mut wanted);
    let [namespace, name] = [&wanted.metadata.namespace, &wanted.metadata.name].map(|text| text.as_deref());
    let begin = |given, outcome, former, differences| Step::Begin(Box::new(given), outcome, former, differences);
    let Some(found) = all.iter().find(|one| Some(&*one.namespace) == namespace && Some(&*one.name) == name).cloned()
    else {
        return Ok(begin(given, Outcome::Created, None, Vec::new()));
    };
    let runs = found.is_run()?;
    let Some(saved) = found.load()? else {
        return match runs {
            true => Err(refused(&found, "it is just being begun")),
            false => Ok(begin(given, Outcome::Created, None, Vec::new())),
        };
    };
    let wanted = changes::value(&wanted)?;
    let fixed = changes::fixed(&saved.job, &wanted);
    let differences = changes::differences(&saved.job, &wanted);
    if !fixed.is_empty() {
        let why = format!(
            "this can't be changed: {}; --replace ends and forgets it, and runs it anew",
            changes::listed(&fixed)
        );
        return match args.replace {
            true => Ok(begin(given, Outcome::Replaced, Some(found), differences)),
            false => Err(refused(&found, &why)),
        };
    }
    Ok(match (saved.controller.is_finished(), runs) {
        // Its work is done.
        (true, _) => Step::Unchanged(found),
        (false, true) if differences.is_empty() => Step::Unchanged(found),
        (false, true) => Step::Change(found, wanted, differences),
        (false, false) => begin(given, Outcome::Configured, None, differences),
    })
}

/// Does it, or says what would be done; what is to be begun is given back.
///
/// # Errors
/// Where a Job's process doesn't do what is wanted.
pub(super) fn carry_out(args: &ApplyArgs, step: Step, said: &mut Said) -> Result<Option<(New, Outcome)>, CliError> {
    let is_done = args.dry_run == DryRun::None;
    let name = |job: &FoundJob| format!("job/{}", jobs::full_name(job));
    match step {
        Step::Unchanged(found) => said.of(&name(&found), Outcome::Unchanged, &[]).map(|_| None),
        Step::Change(found, wanted, differences) => {
            if is_done {
                change(&found, &wanted)?;
                if args.auth_file.is_some() || args.signature_policy.is_some() {
                    tell!(
                        "note: --auth-file and --signature-policy of a job that runs are those that it was begun with"
                    );
                }
            }
            said.of(&name(&found), Outcome::Configured, &differences).map(|_| None)
        }
        Step::Begin(given, outcome, former, _) if is_done => Ok(Some((New::Job(given, former), outcome))),
        Step::Begin(given, outcome, _, differences) => {
            said.of(&format!("job/{}", given.shown_name()), outcome, &differences).map(|_| None)
        }
    }
}

/// Tells who runs it, and waits until that is so.
fn change(found: &FoundJob, wanted: &Value) -> Result<(), CliError> {
    let is_so = |saved: &SavedJob| changes::applied(&saved.job, wanted) == saved.job;
    let news = Changes::of(found.dir(), WatchFlags::MOVED_TO)?;
    found.change(wanted)?;
    let deadline = Deadline::after(TAKEN_WITHIN);
    loop {
        let runs = found.is_run()?;
        match found.load()? {
            Some(saved) if is_so(&saved) => return Ok(()),
            Some(saved) if saved.controller.is_finished() => return Err(refused(found, "it has finished before that")),
            Some(_) if runs => {}
            Some(_) | None => return Err(refused(found, "its process has ended before that")),
        }
        if !deadline.wait_for(&news) {
            let limit = TAKEN_WITHIN.as_secs();
            let why = format!("its process hasn't taken the change within {limit} s; it does when it comes to it");
            return Err(refused(found, &why));
        }
        news.drain();
    }
}
