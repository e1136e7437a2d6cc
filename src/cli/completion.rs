//! `barepod completion` and `barepod man`: what shells and man(1) want to know, made from the arguments themselves.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use super::args::{Cli, CompletionArgs, ManArgs, Shell};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;

/// Prints a shell's completion script.
pub fn completion(args: &CompletionArgs) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    let shell = match args.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut Cli::command(), "barepod", &mut text);
    print(&String::from_utf8_lossy(&text))
}

/// Prints barepod.1, or writes it and a page for each command into a folder.
pub fn man(args: &ManArgs) -> Result<Exit, CliError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| CliError::Write { path, source }
    };
    let Some(dir) = &args.dir else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(CliError::Output)?;
        return print(&String::from_utf8_lossy(&text));
    };
    std::fs::create_dir_all(dir).map_err(fail(dir))?;
    let mut whole = Cli::command();
    whole.build();
    let commands: Vec<clap::Command> = whole.get_subcommands().filter(|one| !one.is_hide_set()).cloned().collect();
    let page = |command: clap::Command, name: String| {
        let path = dir.join(format!("{name}.1"));
        let mut text = Vec::new();
        // A page is named as a shell would look for it, and shows the words as they are typed.
        let command = command.display_name(name);
        clap_mangen::Man::new(command).render(&mut text).map_err(fail(&path))?;
        std::fs::File::create(&path).and_then(|mut file| file.write_all(&text)).map_err(fail(&path))
    };
    page(Cli::command(), "barepod".to_owned())?;
    for command in commands {
        let name = format!("barepod-{}", command.get_name());
        page(command, name)?;
    }
    Ok(Exit::Success)
}
