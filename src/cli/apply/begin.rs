//! The beginning of pods that aren't there, or that are run anew: in the background, as by `run -d`.

use std::ffi::OsString;

use clap::Parser;

use super::super::args::{ApplyArgs, Cli, Command, RunArgs};
use super::super::detach::{self, Begun};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::given::{Given, shown_name};
use super::said::{Outcome, Said};
use crate::runtime::detach::Report;

/// How this process goes on.
pub(super) enum After {
    Done(Exit),
    /// It has become the one that is to run this pod.
    Supervise(Box<Given>, Report),
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
pub(super) fn all(pods: Vec<(Given, Outcome)>, said: &mut Said) -> Result<After, CliError> {
    let mut pods = pods.into_iter();
    while let Some((given, outcome)) = pods.next() {
        match detach::begin_one(&|pod| said.of(pod, outcome, &[]))? {
            Begun::Supervisor(report) => return Ok(After::Supervise(Box::new(given), report)),
            Begun::Ready(_) => {}
            Begun::Ended(exit) => said.ends(exit),
            Begun::Stopped(exit) => {
                let left: Vec<String> = pods.map(|(given, _)| shown_name(&given)).collect();
                if !left.is_empty() {
                    tell!("note: a signal came, and these were not begun: {}", left.join(", "));
                }
                return Ok(After::Done(exit));
            }
        }
    }
    Ok(After::Done(said.exit()))
}
