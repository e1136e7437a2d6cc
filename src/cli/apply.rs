//! `barepod apply`: pods that run become those of their manifests, as far as a pod can be changed; those that aren't there are run.
//! All manifests are read, and held against what runs, before anything is done: that is the plan, which `--dry-run` shows.

mod begin;
mod change;
mod jobs;
mod said;
mod step;
mod wanted;

use super::args::{ApplyArgs, DryRun, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::{logins, run};
use crate::store::layout::Layout;

use begin::{After, New};
use said::{Outcome, Said};
use step::Step;
use wanted::Wanted;

/// Applies the manifests. Once all have proven good each is applied, whatever becomes of the others.
pub fn apply(args: &ApplyArgs, global: &Global) -> Result<Exit, CliError> {
    match round(args, global, &global.layout()?)? {
        After::Done(exit) => Ok(exit),
        After::Supervise(given, report) => run::run_reported(&begin::options(args)?, global, *given, Some(report)),
        After::RunJob(given, report) => run::run_job(&begin::options(args)?, global, *given, report),
    }
}

/// Brings the pods to what the manifests say now.
fn round(args: &ApplyArgs, global: &Global, layout: &Layout) -> Result<After, CliError> {
    let files = logins::pull_files(args.auth_file.as_deref(), args.signature_policy.as_deref())?;
    let mut said = Said::new(args);
    let Wanted { pods, jobs } = wanted::read(args, global, layout)?;
    let (mut new, mut there) = (Vec::new(), Vec::new());
    for (given, found) in pods {
        match found {
            None => new.push((given, Outcome::Created, Vec::new())),
            Some(found) => match step::of(args, given, found, &files) {
                Ok(Step::Anew(given, differences)) => new.push((*given, Outcome::Replaced, differences)),
                Ok(step) => there.push(step),
                Err(error) => said.error(&error),
            },
        }
    }
    let jobs = jobs::plan(args, layout, jobs, &mut said)?;
    let begun: Vec<_> =
        new.iter().map(|(given, ..)| given).chain(jobs.iter().filter_map(jobs::Step::template)).collect();
    let checked = run::check(&begin::options(args)?, global, &begun)?;
    let wrong: Vec<CliError> = checked.into_iter().filter_map(Result::err).collect();
    if !wrong.is_empty() {
        wrong.iter().for_each(|error| said.error(error));
        return Ok(After::Done(said.exit()));
    }
    for step in there {
        if let Err(error) = step::carry_out(args, layout, step, &files, &mut said) {
            said.error(&error);
        }
    }
    let mut begin = Vec::new();
    for (given, outcome, differences) in new {
        match args.dry_run {
            DryRun::None => begin.push((New::Pod(Box::new(given)), outcome)),
            DryRun::Client | DryRun::Server => _ = said.of(&given.name()?, outcome, &differences)?,
        }
    }
    for step in jobs {
        match jobs::carry_out(args, step, &mut said) {
            Ok(new) => begin.extend(new),
            Err(error) => said.error(&error),
        }
    }
    if !begin.is_empty() {
        return begin::all(begin, layout, &mut said);
    }
    Ok(After::Done(said.exit()))
}
