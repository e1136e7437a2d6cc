//! `run` of a Job.

use super::super::args::{Global, RunArgs};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::{Given, GivenJob};
use super::super::job::{self, Next};
use super::super::user::is_user;
use super::manifests;
use crate::runtime::detach::Report;

/// Runs the only Job: this process is its controller's, or that of one of its pods.
pub(super) fn run(
    args: &RunArgs,
    global: &Global,
    pods: &[Given],
    mut jobs: Vec<GivenJob>,
    (check, run_pod): (
        impl FnOnce(Given) -> Result<(), CliError>,
        impl FnOnce(&RunArgs, Given, Report) -> Result<Exit, CliError>,
    ),
) -> Result<Exit, CliError> {
    let given = match (pods, jobs.pop()) {
        ([], Some(given)) if jobs.is_empty() => given,
        (_, last) => {
            jobs.extend(last);
            let all = manifests::all_of(pods, &jobs);
            return Err(CliError::Words(format!(
                "`barepod run` takes one Job, without Pods beside it, and there are {all}"
            )));
        }
    };
    job::check(args)?;
    // For an ordinary user the box is another one in the process that runs a pod.
    if !is_user() {
        check(given.template.clone())?;
    }
    match job::run(args, global, given)? {
        Next::End(exit) => Ok(exit),
        Next::RunPod(pod, report) => {
            // In the background, and silent: the Job's process tells what there is to be told.
            let args = RunArgs { detach: true, quiet: true, ..args.clone() };
            run_pod(&args, *pod, report)
        }
    }
}
