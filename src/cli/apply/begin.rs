//! The beginning of pods and Jobs that aren't there, or that are run anew: in the background, as by `run -d`.

use std::ffi::OsString;

use clap::Parser;

use super::super::args::{ApplyArgs, Cli, Command, RunArgs};
use super::super::detach::{self, Begun};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::{Given, GivenJob, shown_name};
use super::super::jobs;
use super::said::{Outcome, Said};
use crate::runtime::detach::Report;
use crate::store::jobs::FoundJob;
use crate::store::layout::Layout;

/// How this process goes on.
pub(super) enum After {
    Done(Exit),
    /// A signal ended it, which is for all of them.
    Stopped(Exit),
    /// It has become the one that is to run this pod.
    Supervise(Box<Given>, Report),
    /// Likewise, this Job.
    RunJob(Box<GivenJob>, Report),
}

/// What is to be begun.
pub(super) enum New {
    Pod(Box<Given>),
    /// The Job of its name that is ended and forgotten before.
    Job(Box<GivenJob>, Option<FoundJob>),
}

impl New {
    fn shown_name(&self) -> String {
        match self {
            Self::Pod(given) => shown_name(given),
            Self::Job(given, _) => format!("job/{}", given.job.metadata.name.as_deref().unwrap_or_default()),
        }
    }
}

/// The options of the `run` of each.
pub(super) fn options(args: &ApplyArgs) -> Result<RunArgs, CliError> {
    let mut words: Vec<OsString> = ["barepod", "run", "--detach"].map(OsString::from).to_vec();
    if let Some(file) = &args.auth_file {
        words.extend(["--auth-file".into(), file.into()]);
    }
    if let Some(file) = &args.signature_policy {
        words.extend(["--signature-policy".into(), file.into()]);
    }
    if args.require_digest {
        words.push("--require-digest".into());
    }
    if args.replace {
        words.push("--replace".into());
    }
    words.push("--".into());
    words.extend(args.filename.iter().map(OsString::from));
    match Cli::try_parse_from(words).map(|cli| cli.command) {
        Ok(Command::Run(args)) => Ok(args),
        Ok(_) | Err(_) => Err(CliError::Usage("the manifest's name can't be handed to `barepod run`")),
    }
}

/// Begins one after the other. In the process that is to run one of them this returns, too.
pub(super) fn all(new: Vec<(New, Outcome)>, layout: &Layout, said: &mut Said) -> Result<After, CliError> {
    let mut new = new.into_iter();
    while let Some((one, outcome)) = new.next() {
        if let New::Job(_, Some(former)) = &one
            && let Err(error) = jobs::remove(layout, former, true)
        {
            said.error(&error);
            continue;
        }
        match detach::begin_one(&|name| said.of(name, outcome, &[]))? {
            Begun::Supervisor(report) => {
                return Ok(match one {
                    New::Pod(given) => After::Supervise(given, report),
                    New::Job(given, _) => After::RunJob(given, report),
                });
            }
            Begun::Ready(_, above) => said.begun(above),
            Begun::Ended(exit) => said.ends(exit),
            Begun::Stopped(exit) => {
                detach::tell_left(new.map(|(one, _)| one.shown_name()));
                return Ok(After::Stopped(exit));
            }
        }
    }
    Ok(After::Done(said.exit()))
}
