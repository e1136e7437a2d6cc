//! What every command ends with: its result on standard output, or its failure on standard error.

use std::io::Write;

use super::error::CliError;
use super::exit_code::Exit;
use super::{console, terminal};

/// Says how a command has failed.
pub fn show(error: &CliError) {
    let colour = terminal::Colour::of(&std::io::stderr());
    let text = error.to_string();
    // A manifest's errors come with their own heads and colours.
    let shown = if error.is_rendered() { text } else { format!("{} {text}\n", terminal::warning("error:", colour)) };
    console::say(&shown);
}

/// Writes a command's result. A reader that went away (`| head`) is no error.
pub fn print(text: &str) -> Result<Exit, CliError> {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        Ok(()) | Err(_) => Ok(Exit::Success),
    }
}
