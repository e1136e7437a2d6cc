//! `run` of a Job.

use super::super::args::{Global, RunArgs};
use super::super::detach::{self, Begun};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::GivenJob;
use super::super::job::{self, Next};
use super::pods::Pods;
use crate::runtime::detach::Report;

/// Runs the only Job: this process is its controller's, or that of one of its pods.
pub(super) fn run(args: &RunArgs, global: &Global, given: GivenJob, pods: &Pods<'_>) -> Result<Exit, CliError> {
    job::check(args)?;
    (pods.check)(&[&given.template])?;
    if !args.detach {
        return run_one(args, global, given, None, pods);
    }
    match detach::begin_one(&detach::print_name)? {
        Begun::Supervisor(report) => run_one(args, global, given, Some(report), pods),
        Begun::Ready(..) => Ok(Exit::Success),
        Begun::Ended(exit) | Begun::Stopped(exit) => Ok(exit),
    }
}

/// Runs it in this process; `report` is that of one in the background.
pub(super) fn run_one(
    args: &RunArgs,
    global: &Global,
    given: GivenJob,
    report: Option<Report>,
    pods: &Pods<'_>,
) -> Result<Exit, CliError> {
    match job::run(args, global, given, report)? {
        Next::End(exit) => Ok(exit),
        Next::RunPod(pod, report) => {
            // In the background, and silent: the Job's process tells what there is to be told.
            let args = RunArgs { detach: true, quiet: true, replace: false, ..args.clone() };
            (pods.run)(&args, *pod, report)
        }
    }
}
