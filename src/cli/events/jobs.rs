//! `events job/NAME`.

use super::super::args::EventsArgs;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::jobs;
use super::super::output::show;
use super::shown::{Happened, is_wanted, print_all};
use crate::report::event_table::Of;
use crate::report::events::About;
use crate::store::jobs::FoundJob;
use crate::store::layout::Layout;

/// Shows what happened to the Jobs that are named, or to all.
pub(super) fn events(args: &EventsArgs, names: &[String], layout: &Layout) -> Result<Exit, CliError> {
    if args.watch {
        return Err(CliError::Usage(
            "events --watch is about pods: `barepod events -w -l job-name=NAME` watches a job's, `barepod wait job/NAME` waits \
             for its end",
        ));
    }
    let found = jobs::all_or(layout, names, args.pods.namespace.as_deref())?;
    if found.is_empty() {
        tell!("no jobs found");
    }
    let (mut happened, mut failures) = (Vec::new(), Vec::new());
    for job in found {
        match job.and_then(|job| of_job(&job, args)) {
            Ok(one) => happened.push(one),
            Err(error) => failures.push(error),
        }
    }
    let last = failures.pop();
    if !happened.is_empty() {
        let of = if names.len() == 1 { Of::Job } else { Of::Jobs };
        print_all(args, &happened, of)?;
    }
    failures.iter().for_each(show);
    last.map_or(Ok(Exit::Success), Err)
}

fn of_job(job: &FoundJob, args: &EventsArgs) -> Result<Happened, CliError> {
    let (_, object) = jobs::read(job)?;
    let mut lines = job.events()?;
    lines.retain(|line| is_wanted(line, args));
    Ok(Happened { about: About::Job(Box::new(object.metadata)), lines })
}
