//! The commands: one file each. Arguments, messages, colours and exit codes are made here and nowhere else. Logic that two
//! commands need belongs in another module.
//!
//! Start reading at `args` (what can be typed), then at the file of the command.

/// As `eprintln!`, which panics where standard error can't be written (a full disk, a terminal that is gone): that is no
/// reason to leave off in the middle of ending a pod.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::terminal::tell(&format!("{}\n", format_args!($($text)*))) };
}

mod args;
mod completion;
mod console;
mod cpus;
mod describe;
mod detach;
mod ending;
mod error;
mod events;
mod exec;
mod exit_code;
mod exit_code_file;
mod get;
mod logs;
mod network;
mod output;
mod preflight;
mod raw;
mod recover;
mod relay;
mod resize;
mod rm;
mod rootless;
mod run;
mod simulate;
mod stop;
mod terminal;
mod until;
mod wait;
mod watch;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Global};
use error::CliError;
use exit_code::Exit;
use exit_code_file::ExitCodeFile;
use output::show;

use crate::report::ending::Ending;

/// What `--root` is where it isn't given.
const ROOT: &str = "BAREPOD_ROOT";

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
        Command::Events(args) => events::events(args, &cli.global),
        Command::Logs(args) => logs::logs(args, &cli.global),
        Command::Exec(args) => exec::exec(args, &cli.global),
        Command::Stop(args) => stop::stop(args, &cli.global),
        Command::Wait(args) => wait::wait(args, &cli.global),
        Command::Resize(args) => resize::resize(args, &cli.global),
        Command::Rm(args) => rm::rm(args, &cli.global),
        Command::Simulate(args) => simulate::simulate(args),
        Command::Completion(args) => completion::completion(args),
        Command::Man(args) => completion::man(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            show(&error);
            match &cli.command {
                Command::Run(_) => error.exit_of_run().into(),
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

impl Global {
    fn layout(&self) -> Result<crate::store::layout::Layout, CliError> {
        // Relative to where we are now: the supervisor's files are found from elsewhere too.
        let variable = std::env::var_os(ROOT).filter(|value| !value.is_empty()).map(PathBuf::from);
        let Some(root) = self.root.clone().or(variable) else { return rootless::default_layout() };
        let root = std::path::absolute(&root).unwrap_or(root);
        // The one name that it has, whatever links lead to it: pods are told apart by it.
        Ok(crate::store::layout::Layout::at(&crate::store::layout::without_links(&root)))
    }
}
