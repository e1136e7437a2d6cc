//! What is shown of a run.

use barepod_engine::spec::ContainerSpec;

use super::super::args::{LogLevel, RunArgs};
use super::super::error::CliError;
use super::super::screen;
use super::super::watch::{Output, View};
use crate::supervisor::PullsShown;

/// What of it, and where.
pub(super) fn view(args: &RunArgs, containers: &[ContainerSpec]) -> Result<View, CliError> {
    let attached = match &args.attach {
        None => None,
        Some(name) => Some(containers.iter().position(|one| one.name == *name).ok_or_else(|| {
            let known: Vec<&str> = containers.iter().map(|one| one.name.as_str()).collect();
            CliError::NoSuchContainer { container: name.clone(), known: known.join(", ") }
        })?),
    };
    Ok(View {
        quiet: args.quiet,
        output: match attached {
            _ if args.detach || args.is_interactive() => Output::None,
            Some(index) => Output::Only(index),
            None if args.no_prefix => Output::Plain,
            None => Output::Named,
        },
        steps: args.log_level == LogLevel::Debug,
        pulls: match args.detach {
            _ if args.quiet || args.is_interactive() || !screen::is_terminal(screen::Stream::Stderr) => {
                PullsShown::Nowhere
            }
            false => PullsShown::Here,
            // Of who waits.
            true if args.wait.is_some() => PullsShown::Elsewhere,
            true => PullsShown::Nowhere,
        },
    })
}
