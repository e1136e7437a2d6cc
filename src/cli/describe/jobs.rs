//! `describe job/NAME`.

use super::super::args::DescribeArgs;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::output::{exit_of_all, print};
use super::super::{jobs, terminal};
use crate::manifest;
use crate::report::describe::job::{self, DescribedJob};
use crate::store::jobs::FoundJob;
use crate::store::layout::Layout;

/// Shows the Jobs that are named, or all.
pub(super) fn describe(args: &DescribeArgs, names: &[String], layout: &Layout) -> Result<Exit, CliError> {
    let found = jobs::all_or(layout, names, args.pods.namespace.as_deref())?;
    if found.is_empty() {
        tell!("no jobs found");
    }
    let mut has_printed = false;
    exit_of_all(found.into_iter().map(|job| {
        let text = text(&job?, args)?;
        let between = if std::mem::replace(&mut has_printed, true) { "\n\n" } else { "" };
        print(&format!("{between}{text}"))
    }))
}

fn text(job: &FoundJob, args: &DescribeArgs) -> Result<String, CliError> {
    let (saved, object) = jobs::read(job)?;
    let events = args.show_events.then(|| job.events()).transpose()?;
    let process = match (saved.controller.is_finished(), job.is_run()?) {
        (_, true) => "runs",
        (true, false) => "ended, as the job has",
        (false, false) => "none; `barepod run` of the job's manifest goes on with it",
    };
    let status = saved.controller.status();
    let log = job.log();
    Ok(job::describe(&DescribedJob {
        job: &object,
        template: &manifest::pod_of(&object, "template"),
        status: &status,
        events: events.as_deref(),
        now: jiff::Timestamp::now(),
        process,
        log: log.as_deref(),
        width: terminal::width(),
    }))
}
