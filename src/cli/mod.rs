//! The face: arguments, words, colours, exit codes. One file per command; what two of them need is in another room.

mod args;
mod console;
mod cpus;
mod describe;
mod ending;
mod error;
mod events;
mod exit_code;
mod get;
mod logs;
mod network;
mod preflight;
mod recover;
mod resize;
mod rm;
mod rootless;
mod run;
mod simulate;
mod stop;
mod terminal;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Global, LogLevel};
use error::CliError;
use exit_code::Exit;

/// Runs the command that this process's arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    say_things(cli.global.log_level);
    let result = match &cli.command {
        Command::Run(args) => run::run(args, &cli.global),
        Command::Get(args) => get::get(args, &cli.global),
        Command::Describe(args) => describe::describe(args, &cli.global),
        Command::Events(args) => events::events(args, &cli.global),
        Command::Logs(args) => logs::logs(args, &cli.global),
        Command::Stop(args) => stop::stop(args, &cli.global),
        Command::Resize(args) => resize::resize(args, &cli.global),
        Command::Rm(args) => rm::rm(args, &cli.global),
        Command::Simulate(args) => simulate::simulate(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            let colour = terminal::Colour::of(&std::io::stderr());
            let text = error.to_string();
            // A manifest's errors come with their own heads and colours.
            let shown =
                if error.is_rendered() { text } else { format!("{} {text}\n", terminal::warning("error:", colour)) };
            console::say(&shown);
            error.exit().into()
        }
    }
}

fn say_things(level: LogLevel) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let ansi = terminal::Colour::of(&std::io::stderr()) == terminal::Colour::Yes;
    tracing_subscriber::fmt().with_max_level(level).with_writer(|| console::Log).with_ansi(ansi).without_time().init();
}

/// Writes a command's result. A reader that went away (`| head`) is no error.
fn print(text: &str) -> Result<Exit, CliError> {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        Ok(()) | Err(_) => Ok(Exit::Success),
    }
}

impl Global {
    fn layout(&self) -> Result<crate::store::layout::Layout, CliError> {
        // Relative to where we are now: the supervisor's files are found from elsewhere too.
        let Some(root) = &self.root else { return rootless::default_layout() };
        let root = std::path::absolute(root).unwrap_or_else(|_| root.clone());
        // The one name that it has, whatever links lead to it: pods are told apart by it.
        Ok(crate::store::layout::Layout::at(&crate::store::layout::without_links(&root)))
    }
}
