//! Which command is asked for, and what becomes of its error.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::args::{Cli, Command};
use super::error::CliError;
use super::exit_code::Exit;
use super::exit_code_file::ExitCodeFile;
use super::output::show;
use super::{
    apply, attach, complete, completion, cp, debug, describe, diff, events, exec, explain, generate, get, image,
    install, kill, logs, port_forward, resize, restart, rm, run, simulate, stop, top, wait, words,
};
use crate::report::ending::Ending;

/// Runs the command that this process's arguments name.
pub fn main() -> ExitCode {
    let args = words::rewrite(std::env::args_os().collect());
    let parsed = Cli::try_parse_from(&args).map_err(|error| match words::advice(&error, &args) {
        Some(advice) => advice,
        None => {
            if error.use_stderr() {
                // What follows is how it is used.
                let text = error.to_string();
                let why = text.lines().next().unwrap_or_default();
                write_exit_code_file(&args, why.strip_prefix("error: ").unwrap_or(why));
            }
            error.exit()
        }
    });
    let understood = parsed.and_then(|mut cli| words::understand(&mut cli).map(|()| cli));
    let cli = match understood {
        Ok(cli) => cli,
        Err(advice) => {
            let error = CliError::Words(advice);
            write_exit_code_file(&args, &error.to_string());
            show(&error);
            return error.exit().into();
        }
    };
    let result = match &cli.command {
        Command::Run(args) => run::run(args, &cli.global),
        Command::Get(args) => get::get(args, &cli.global),
        Command::Describe(args) => describe::describe(args, &cli.global),
        Command::Apply(args) => apply::apply(args, &cli.global),
        Command::Diff(args) => diff::diff(args, &cli.global),
        Command::Top(args) => top::top(args, &cli.global),
        Command::Events(args) => events::events(args, &cli.global),
        Command::Logs(args) => logs::logs(args, &cli.global),
        Command::Exec(args) => exec::exec(args, &cli.global),
        Command::Attach(args) => attach::attach(args, &cli.global),
        Command::Debug(args) => debug::debug(args, &cli.global),
        Command::Cp(args) => cp::cp(args, &cli.global),
        Command::PortForward(args) => port_forward::port_forward(args, &cli.global),
        Command::Kill(args) => kill::kill(args, &cli.global),
        Command::Restart(args) => restart::restart(args, &cli.global),
        Command::Stop(args) => stop::stop(args, &cli.global),
        Command::Wait(args) => wait::wait(args, &cli.global),
        Command::Resize(args) => resize::resize(args, &cli.global),
        Command::Rm(args) => rm::rm(args, &cli.global),
        Command::Explain(args) => explain::show(args),
        Command::Image(args) => image::image(args, &cli.global),
        Command::Simulate(args) => simulate::simulate(args),
        Command::Generate(args) => generate::generate(args, &cli.global),
        Command::Install(args) => install::install(args, &cli.global),
        Command::Uninstall(args) => install::uninstall(args),
        Command::Completion(args) => completion::completion(args),
        Command::Complete(args) => complete::complete(args),
        Command::Man(args) => completion::man(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            show(&error);
            match &cli.command {
                Command::Run(_) => error.exit_of_run().into(),
                // kubectl's: 1 says that something is different.
                Command::Diff(_) if error.exit() == Exit::Failure => Exit::Own.into(),
                _ => error.exit().into(),
            }
        }
    }
}

/// Whoever waits for the file that a `run` was to write finds that it was not understood.
fn write_exit_code_file(args: &[OsString], why: &str) {
    let Some(path) = ExitCodeFile::of_arguments(args) else { return };
    let ending = Ending::of_error(Exit::Usage.code(), why);
    let written = ExitCodeFile::prepare(&path).map(|file| file.write(&ending));
    if !matches!(written, Ok(Ok(()))) {
        tell!("warning: can't write --exit-code-file {}", path.display());
    }
}
