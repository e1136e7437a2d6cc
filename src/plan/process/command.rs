//! What is executed in a container, and where.

use std::path::PathBuf;

use super::env::Environment;
use super::expansion;
use crate::plan::error::{ConfigCause, ConfigError};
use crate::plan::inputs::Inputs;

/// R10.1: what is executed; R10.2: with its references replaced.
pub(crate) fn command(inputs: &Inputs, env: &Environment) -> Result<Vec<String>, ConfigError> {
    let own = inputs.container.manifest.command.as_ref().filter(|command| !command.is_empty());
    let args = inputs.container.manifest.args.as_ref().filter(|args| !args.is_empty());
    let mut size = env.size();
    let mut expand = |field: &str, list: &[String]| {
        let words = list.iter().enumerate().map(|(at, text)| {
            let word = expansion::expand(text, expansion::STRING, |name| env.own(name))
                .map_err(|_| inputs.manifest_error(&format!("{field}[{at}]"), ConfigCause::TooLong))?;
            size += word.len() + expansion::EACH;
            if size <= expansion::ALL { Ok(word) } else { Err(inputs.manifest_error(field, ConfigCause::AllTooLong)) }
        });
        words.collect::<Result<Vec<String>, ConfigError>>()
    };
    let image: Vec<String> =
        inputs.image.base.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default();
    let mut command: Vec<String> = match (own, args) {
        (Some(own), _) => expand("command", own)?,
        (None, Some(_)) => image.into_iter().take(inputs.image.entrypoint).collect(),
        (None, None) => image,
    };
    if let Some(args) = args {
        command.extend(expand("args", args)?);
    }
    match command.first() {
        None => Err(inputs.create_error("process.args", ConfigCause::NoCommand)),
        Some(program) if program.is_empty() => Err(inputs.create_error("process.args", ConfigCause::NoCommand)),
        Some(_) => match command.iter().find(|word| word.contains('\0')) {
            Some(word) => Err(inputs.config_error("command", ConfigCause::Nul { value: word.clone() })),
            None => Ok(command),
        },
    }
}

/// The container's working directory, else the bundle's, else `/`.
pub(crate) fn cwd(inputs: &Inputs) -> Result<PathBuf, ConfigError> {
    let own = inputs.container.manifest.working_dir.as_deref().filter(|path| !path.is_empty()).map(PathBuf::from);
    let manifests = own.is_some();
    let path = own
        .or_else(|| inputs.image.base.process().as_ref().map(|process| process.cwd().clone()))
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| "/".into());
    if path.is_absolute() {
        return Ok(path);
    }
    let cause = ConfigCause::Relative { path: path.display().to_string() };
    Err(if manifests { inputs.config_error("workingDir", cause) } else { inputs.create_error("process.cwd", cause) })
}
