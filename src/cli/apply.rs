//! `barepod apply`: pods that run become those of their manifests, as far as a pod can be changed; those that aren't there are run.
//! All manifests are read, and held against what runs, before anything is done: that is the plan, which `--dry-run` shows.

mod begin;
mod change;
mod jobs;
mod prune;
mod said;
mod step;
mod wanted;
mod watch;

use super::args::{ApplyArgs, DryRun, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::{logins, run};
use crate::store::layout::Layout;

use begin::{After, New};
use prune::{Folders, listed};
use said::{Outcome, Said};
use step::Step;

/// Applies the manifests. Once all have proven good each is applied, whatever becomes of the others.
pub fn apply(args: &ApplyArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let after = match args.watch {
        true => watch::watch(args, &mut |said| round(args, global, &layout, said))?,
        false => round(args, global, &layout, &mut Said::new(args))?,
    };
    match after {
        After::Done(exit) | After::Stopped(exit) => Ok(exit),
        After::Supervise(given, report) => run::run_reported(&begin::options(args)?, global, *given, Some(report)),
        After::RunJob(given, report) => run::run_job(&begin::options(args)?, global, *given, report),
    }
}

/// Brings the pods to what the manifests say now.
fn round(args: &ApplyArgs, global: &Global, layout: &Layout, said: &mut Said) -> Result<After, CliError> {
    let files = logins::pull_files(args.auth_file.as_deref(), args.signature_policy.as_deref())?;
    let folders = Folders::of(args)?;
    let wanted = wanted::read(args, global, layout, said)?;
    if !(wanted.is_whole || args.watch) {
        return Ok(After::Done(said.exit()));
    }
    let gone = folders.gone(args, layout, &wanted.names)?;
    let gone = match wanted.is_whole {
        true => {
            folders.refuse_empty(args, &gone, &wanted.names)?;
            gone
        }
        // Who knows what the files that are wrong were to say.
        false => {
            if !gone.is_empty() {
                said.note(format!("note: while a manifest is wrong these stay, which are in none: {}", listed(&gone)));
            }
            Vec::new()
        }
    };
    let (mut new, mut there) = (Vec::new(), Vec::new());
    for (given, found) in wanted.pods {
        match found {
            None => new.push((given, Outcome::Created, Vec::new())),
            Some(found) => match step::of(args, given, found, &files) {
                Ok(Step::Anew(given, differences)) => new.push((*given, Outcome::Replaced, differences)),
                Ok(step) => there.push(step),
                Err(error) => said.error(&error),
            },
        }
    }
    let mut jobs = jobs::plan(args, layout, wanted.jobs, said)?;
    let begun: Vec<_> =
        new.iter().map(|(given, ..)| given).chain(jobs.iter().filter_map(jobs::Step::template)).collect();
    let checked = run::check(&begin::options(args)?, global, &begun)?;
    let is_good = checked.iter().all(Result::is_ok);
    let checked = checked.into_iter().map(|one| one.map_err(|error| said.error(&error)).is_ok());
    let mut checked: Vec<bool> = checked.collect();
    if !(is_good || args.watch) {
        return Ok(After::Done(said.exit()));
    }
    let mut of_jobs = checked.split_off(new.len()).into_iter();
    jobs.retain(|job| job.template().is_none() || of_jobs.next() == Some(true));
    let new: Vec<_> = new.into_iter().zip(checked).filter_map(|(one, is_good)| is_good.then_some(one)).collect();
    // First: they may have what the new ones need, a port say.
    prune::end(args, global, &gone, said)?;
    for step in there {
        if let Err(error) = step::carry_out(args, layout, step, &files, said) {
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
        match jobs::carry_out(args, step, said) {
            Ok(new) => begin.extend(new),
            Err(error) => said.error(&error),
        }
    }
    if !begin.is_empty() {
        return begin::all(begin, layout, said);
    }
    Ok(After::Done(said.exit()))
}
