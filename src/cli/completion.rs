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
    let text = String::from_utf8_lossy(&text);
    print(&match args.shell {
        Shell::Bash => with_names_in_bash(&text),
        Shell::Zsh => with_names_in_zsh(&text),
        Shell::Fish => with_names_in_fish(&text),
    })
}

/// Names of pods, containers and namespaces, where there are any at the cursor; else what the script knows by itself, without
/// the names of arguments in it.
fn with_names_in_bash(script: &str) -> String {
    const NAMES: &str = r#"
_barepod_names() {
    local word
    local -a known names
    _barepod "$@"
    for word in "${COMPREPLY[@]}"; do
        [[ $word == [\[\<]* ]] || known+=("$word")
    done
    mapfile -t names < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if ((${#names[@]})); then
        known=("${names[@]}")
        # Behind it comes a path.
        [[ ${names[0]} != *: ]] || compopt -o nospace 2>/dev/null
    fi
    COMPREPLY=("${known[@]}")
}
"#;
    let (before, last) = script.rsplit_once("\n}\n").unwrap_or((script, ""));
    format!("{before}\n}}\n{NAMES}{}", last.replace("complete -F _barepod ", "complete -F _barepod_names "))
}

/// The arguments that are such names are asked for.
fn with_names_in_zsh(script: &str) -> String {
    const NAMES: &str = r#"_barepod_names() {
    local -a names
    names=("${(@f)$("${barepod_words[1]}" __complete "${(@)barepod_words[2,-1]}" 2>/dev/null)}")
    names=(${names:#})
    (( ${#names} )) || return 1
    if [[ ${names[1]} == *: ]]; then
        compadd -S '' -a names
        _files
    else
        compadd -a names
    fi
}

_barepod() {
    local -a barepod_words
    barepod_words=("${(@)words[1,CURRENT]}")
"#;
    let script = script.replacen("_barepod() {\n", NAMES, 1);
    let is_name = |line: &str| {
        let is_argument = ["pod", "pods", "also", "source", "target"]
            .iter()
            .any(|id| ["':", "'::", "'*:", "'*::"].iter().any(|head| line.starts_with(&format!("{head}{id} -- "))));
        is_argument || line.contains("]:CONTAINER:") || line.contains("]:NAMESPACE:")
    };
    let line = |line: &str| match is_name(line) {
        true => format!("{}\n", line.replace(":_default'", ":_barepod_names'")),
        false => format!("{line}\n"),
    };
    script.lines().map(line).collect()
}

/// Likewise; a file is no pod.
fn with_names_in_fish(script: &str) -> String {
    const ASK: &str = " -f -a \"(__fish_barepod_names)\"";
    let takes_names = |line: &str| line.contains(" -l container ") || line.contains(" -l namespace ");
    let line = |line: &str| match takes_names(line) && line.ends_with(" -r") {
        true => format!("{line}{ASK}\n"),
        false => format!("{line}\n"),
    };
    let with = |value: &str| {
        let cli = Cli::command();
        let has = |one: &&clap::Command| {
            let mut names = one.get_positionals().filter_map(clap::Arg::get_value_names).flatten();
            !one.is_hide_set() && names.any(|name| name == value)
        };
        cli.get_subcommands().filter(has).map(|one| one.get_name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let (pods, files) = (with("POD"), with("SOURCE"));
    let files_too = ASK.trim_start_matches(" -f");
    format!(
        "function __fish_barepod_names\n    set -l words (commandline -opc) (commandline -ct)\n    $words[1] __complete \
         $words[2..-1] 2>/dev/null\nend\n\n{}complete -c barepod -n \"__fish_barepod_using_subcommand {pods}\"{ASK}\n\
         complete -c barepod -n \"__fish_barepod_using_subcommand {files}\"{files_too}\n",
        script.lines().map(line).collect::<String>()
    )
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
