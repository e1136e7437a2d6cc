//! `barepod stop`: graceful deletion, waited for.

use std::os::fd::BorrowedFd;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use super::args::{Global, StopArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::until::Deadline;
use super::{chosen, ending, jobs, output, recover};
use crate::control::{self, End, Request, Until, Waiting};
use crate::store::Error;
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};

/// Asks the pods' supervisors to stop them, all at once, and waits for the ends.
pub fn stop(args: &StopArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    if let Some(names) = &args.pods.chosen.jobs {
        if args.now || args.grace_period.is_some() {
            return Err(CliError::Usage(
                "a Job's pods are stopped with their own grace periods; `barepod rm --force` ends them at once",
            ));
        }
        let found = jobs::all_or(&layout, names, args.pods.chosen.namespace.as_deref())?;
        return output::exit_of_all(found.into_iter().map(|job| match job {
            Err(CliError::Store(Error::Job(_))) if args.ignore_not_found => Ok(Exit::Success),
            job => job.and_then(|job| jobs::stop(&job, args.wait, args.timeout.0).map(|()| Exit::Success)),
        }));
    }
    let names = chosen::to_act_on(&layout, &args.pods, |life| life != Life::Ended)?;
    let grace_period = if args.now { Some(1) } else { args.grace_period };
    let grace_period = grace_period.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let living: Vec<_> = names.iter().map(|name| living(&layout, name, args)).collect();
    let deadline = args.timeout.0.map_or(Deadline::never(), Deadline::after);
    let until = if args.wait { Until::Ended } else { Until::Begun };
    // Threads do nothing but wait: cleaning up after a supervisor that died may make this process the root of a namespace.
    let ends: Vec<_> = thread::scope(|scope| {
        let wait = |(found, name): &(Found, String)| {
            let news = |waiting: &Waiting| tell!("{}", ending::words_of(waiting, name));
            let (lives, in_time) = (|| found.runs_on(), |answer: BorrowedFd<'_>| deadline.wait_for(answer));
            control::end_within(&found.dir, Request::stop(grace_period), until, lives, news, in_time)
        };
        let begin = |pod| scope.spawn(move || wait(pod));
        let waits: Vec<_> = living.iter().map(|pod| pod.as_ref().ok()?.as_ref().map(begin)).collect();
        let end = |wait: thread::ScopedJoinHandle<'_, _>| wait.join().unwrap_or_else(|panic| resume_unwind(panic));
        waits.into_iter().map(|wait| wait.map(end)).collect()
    });
    let told = living.into_iter().zip(ends).map(|(pod, end)| match (pod?, end) {
        (Some((_, name)), Some(end)) => tell_end(&layout, name, end?),
        (Some(_) | None, _) => Ok(Exit::Success),
    });
    output::exit_of_all(told)
}

/// The pod, with its full name; `None`: it has ended.
fn living(layout: &Layout, name: &str, args: &StopArgs) -> Result<Option<(Found, String)>, CliError> {
    let found = match recover::find(layout, name) {
        Err(CliError::Store(Error::NotFound(_)) | CliError::CutOff(_)) if args.ignore_not_found => return Ok(None),
        found => found?,
    };
    let name = recover::full_name(&found);
    match recover::life(&found)? {
        Life::Running => {
            ending::tell_if_stopped(&found, &name);
            Ok(Some((found, name)))
        }
        Life::Ended => {
            tell!("pod {name} has ended already");
            Ok(None)
        }
        Life::Left | Life::Lost => Err(not_swept(&found, name)),
    }
}

fn tell_end(layout: &Layout, name: String, end: End) -> Result<Exit, CliError> {
    match end {
        End::Ended(ended) => tell!("pod {name} stopped: {} (exit code {})", ended.phase, ended.exit_code),
        End::Begun => tell!("pod {name} is being stopped"),
        End::Late => return Err(CliError::StopsOn(name)),
        End::Gone => match recover::find(layout, &name) {
            Ok(found) if matches!(recover::life(&found)?, Life::Left | Life::Lost) => {
                return Err(not_swept(&found, name));
            }
            // Another command was as fast as to remove it.
            Ok(_) | Err(CliError::CutOff(_) | CliError::Store(Error::NotFound(_))) => {
                tell!("pod {name} has ended");
            }
            Err(error) => return Err(error),
        },
    }
    Ok(Exit::Success)
}

fn not_swept(found: &Found, pod: String) -> CliError {
    let left = found.ledger().ok().flatten().map(|ledger| ledger.left.join("; ")).unwrap_or_default();
    CliError::NotSwept { pod, left }
}
