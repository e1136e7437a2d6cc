//! docs/kubectl.md is true: what it says of commands, options and words is what there is.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use clap::{ArgAction, CommandFactory, Parser};

use super::super::args::Cli;
use super::advice;

const PAGE: &str = include_str!("../../../docs/kubectl.md");

/// What stands in a text between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of the tables' rows below a heading.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let part = PAGE.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
    let lines = part.lines().filter(|line| line.starts_with("| `") || line.starts_with("| - |"));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The long names of a command's options, those of every command left out.
fn options(command: &clap::Command) -> BTreeSet<String> {
    let named = command.get_arguments().filter(|arg| !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version));
    named.filter_map(|arg| arg.get_long()).filter(|name| *name != "root").map(|name| format!("--{name}")).collect()
}

#[test]
fn options_of_kubectls_commands() {
    let cli = Cli::command();
    let mut seen = BTreeSet::new();
    for row in rows("kubectl") {
        let [_, ours, same, missing, own] = row[..] else { panic!("{row:?}") };
        let name = quoted(ours)[0];
        let command = cli.find_subcommand(name).unwrap_or_else(|| panic!("there is no `{name}`"));
        let there = options(command);
        let said: BTreeSet<String> = quoted(same).into_iter().chain(quoted(own)).map(str::to_owned).collect();
        assert_eq!(said, there, "the options of `{name}`: docs/kubectl.md on the left");
        for option in quoted(missing) {
            assert!(!there.contains(option), "`{name}` has {option} now");
        }
        seen.insert(name.to_owned());
    }
    let all: BTreeSet<String> =
        cli.get_subcommands().filter(|one| !one.is_hide_set()).map(|one| one.get_name().to_owned()).collect();
    assert_eq!(seen, all);
}

#[test]
fn podmans_commands() {
    let cli = Cli::command();
    for row in rows("podman") {
        for ours in quoted(row[1]) {
            let name = ours.split(' ').nth(1).unwrap();
            assert!(cli.find_subcommand(name).is_some(), "{ours}");
        }
    }
}

/// Each word that stands in a paragraph of its own is no command, and is answered.
#[test]
fn words_that_are_answered() {
    let words: Vec<&str> = PAGE
        .lines()
        .filter(|line| line.starts_with('`'))
        .flat_map(quoted)
        .filter(|word| !word.starts_with('-'))
        .collect();
    assert!(words.len() > 60, "{words:?}");
    for word in words {
        let line = ["barepod", word, "web"];
        let Err(error) = Cli::try_parse_from(line) else { panic!("`{word}` is a command") };
        let args: Vec<std::ffi::OsString> = line.iter().map(Into::into).collect();
        assert!(advice(&error, &args).is_some(), "`{word}` isn't answered: {error}");
    }
}
