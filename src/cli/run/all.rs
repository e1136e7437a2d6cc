//! `run -d` of several Pods and Jobs.

use super::super::args::{Global, RunArgs};
use super::super::detach::{self, Begun};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::{Given, GivenJob, shown_name};
use super::super::job;
use super::pods::Pods;
use super::{jobs, manifests};

/// What is to be begun.
enum One {
    Pod(Box<Given>),
    Job(Box<GivenJob>),
}

impl One {
    /// For messages.
    fn name(&self) -> String {
        match self {
            Self::Pod(given) => shown_name(given),
            Self::Job(given) => format!("job/{}", given.shown_name()),
        }
    }
}

/// Runs them in the background: all, or none where one can be seen to be no good.
pub(super) fn run(
    args: &RunArgs,
    global: &Global,
    (pods, jobs): (Vec<Given>, Vec<GivenJob>),
    means: &Pods<'_>,
) -> Result<Exit, CliError> {
    if !args.detach {
        let why = format!(
            "there are {}: `barepod run -d` runs them in the background, without -d there can be one",
            manifests::all_of(&pods, &jobs)
        );
        return Err(CliError::Words(why));
    }
    if args.exit_code_file.is_some() {
        let why = format!("--exit-code-file is for one pod, and there are {}", manifests::all_of(&pods, &jobs));
        return Err(CliError::Words(why));
    }
    if !jobs.is_empty() {
        job::check(args)?;
    }
    let all: Vec<&Given> = pods.iter().chain(jobs.iter().map(|job| &job.template)).collect();
    (means.check)(&all)?;
    let (mut ready, mut first) = (Vec::new(), Exit::Success);
    let mut all = pods
        .into_iter()
        .map(|given| One::Pod(Box::new(given)))
        .chain(jobs.into_iter().map(|given| One::Job(Box::new(given))));
    while let Some(one) = all.next() {
        match detach::begin_one(&detach::print_name)? {
            Begun::Supervisor(report) => {
                drop((all, ready));
                return match one {
                    One::Pod(given) => (means.run)(args, *given, report),
                    One::Job(given) => jobs::run_one(args, global, *given, Some(report), means),
                };
            }
            Begun::Ready(name, _) => ready.push(name),
            Begun::Ended(exit) if first == Exit::Success => first = exit,
            Begun::Ended(_) => {}
            Begun::Stopped(exit) => {
                detach::tell_left(all.map(|one| one.name()));
                if !ready.is_empty() {
                    tell!("note: these run on: {}; `barepod stop` ends them", ready.join(", "));
                }
                return Ok(exit);
            }
        }
    }
    // Beside Jobs nothing is waited for.
    let waited = detach::wait_for_all(args, global, &ready)?;
    Ok(if first == Exit::Success { waited } else { first })
}
