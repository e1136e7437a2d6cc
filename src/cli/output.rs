//! What every command ends with: its result on standard output, or its failure on standard error.

use std::io::Write;

use super::error::CliError;
use super::exit_code::Exit;
use super::{console, terminal};

/// Says how a command has failed.
pub fn show(error: &CliError) {
    console::say(&shown(error, terminal::has_colours(&std::io::stderr())));
}

/// Of a command for several pods: each error is told, and the first of them gives the exit code.
pub fn exit_of_all(results: impl Iterator<Item = Result<Exit, CliError>>) -> Result<Exit, CliError> {
    let mut exit = Exit::Success;
    for result in results {
        let one = result.unwrap_or_else(|error| {
            show(&error);
            error.exit()
        });
        if exit.code() == 0 {
            exit = one;
        }
    }
    Ok(exit)
}

/// A line for each thing that is wrong. What they quote is made harmless here, for every command.
fn shown(error: &CliError, coloured: bool) -> String {
    let head = terminal::warning("error:", coloured);
    let line = |text: String| terminal::harmless_line(&head, &text);
    match error {
        // They come with their own heads and colours, and harmless.
        CliError::Manifest(text) => text.clone(),
        CliError::Plan(errors) => errors.iter().map(|one| line(one.to_string())).collect(),
        one => line(one.to_string()),
    }
}

/// Writes a command's result. A reader that went away (`| head`) is no error.
pub fn print(text: &str) -> Result<Exit, CliError> {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        Ok(()) | Err(_) => Ok(Exit::Success),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanError;

    /// Names, messages and files may be anybody's.
    #[test]
    fn errors_do_not_speak_to_the_terminal() {
        let hostile = "\u{1b}]0;x\u{7}\u{9b}2J\r\nerror: none";
        let harmless = r"\u{1b}]0;x\u{7}\u{9b}2J\r\nerror: none";
        let error = CliError::NoContainer { container: hostile.into(), pod: "web".into(), known: hostile.into() };
        let expected = format!("error: container \"{harmless}\" is not in pod \"web\"; it has: {harmless}\n");
        assert_eq!(shown(&error, false), expected);
        let field = || "spec.x".to_owned();
        let one = |value: &str| PlanError::Invalid { field: field(), value: value.into(), cause: hostile.into() };
        let text = shown(&CliError::Plan(vec![one("a"), one(hostile)]), false);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| line.starts_with("error: ")), "{text}");
        assert!(!text.chars().any(|one| one.is_control() && one != '\n'), "{text:?}");
    }
}
