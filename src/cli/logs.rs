//! `barepod logs`: what a container printed.

use std::io;

use k8s_openapi::api::core::v1;

use super::args::{Global, LogsArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::recover;
use crate::log::{self, ReadOptions};

/// kubectl's annotation for the container that is meant where none is named.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Prints the newest instance's log, or the one's before.
pub fn logs(args: &LogsArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout();
    let found = recover::find(&layout, &args.pod)?;
    let name = format!("{}/{}", found.namespace, found.name);
    let pod = found.pod()?.ok_or_else(|| CliError::NoStatus(name.clone()))?;
    let container = container(&pod, args.container.as_deref(), &name)?;
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let folder = layout.log_dir(&found.namespace, &found.name, &uid).join(&container);
    let newest = newest(&folder);
    let missing = |what| CliError::NoLog { container: container.clone(), pod: name.clone(), what };
    let attempt = match (newest, args.previous) {
        (None, _) => return Err(missing("has not started yet: it has no log")),
        (Some(0), true) => return Err(missing("was never restarted: it has no previous log")),
        (Some(newest), true) => newest - 1,
        (Some(newest), false) => newest,
    };
    let since = args.since.map(|since| {
        let age = jiff::SignedDuration::try_from(since).unwrap_or(jiff::SignedDuration::MAX);
        jiff::Timestamp::now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN)
    });
    let options = ReadOptions { tail: args.tail, since, timestamps: args.timestamps };
    let path = folder.join(format!("{attempt}.log"));
    match log::copy(&path, options, &mut io::BufWriter::new(io::stdout().lock())) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing("has no such log any more")),
        Err(source) => Err(CliError::Log { path, source }),
        Ok(()) => Ok(Exit::Success),
    }
}

fn container(pod: &v1::Pod, asked: Option<&str>, name: &str) -> Result<String, CliError> {
    let spec = pod.spec.as_ref();
    let mains: Vec<&str> = spec.into_iter().flat_map(|spec| &spec.containers).map(|one| one.name.as_str()).collect();
    let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let all: Vec<&str> = inits.map(|one| one.name.as_str()).chain(mains.iter().copied()).collect();
    let default = pod.metadata.annotations.as_ref().and_then(|all| all.get(DEFAULT_CONTAINER)).map(String::as_str);
    let chosen = asked.or(default).or(mains.first().copied()).unwrap_or_default();
    if !all.contains(&chosen) {
        return Err(CliError::NoContainer {
            container: chosen.to_owned(),
            pod: name.to_owned(),
            known: all.join(", "),
        });
    }
    if asked.is_none() && default.is_none() && all.len() > 1 {
        eprintln!("Defaulted container \"{chosen}\" out of: {}", all.join(", "));
    }
    Ok(chosen.to_owned())
}

/// The highest attempt that has a log.
fn newest(folder: &std::path::Path) -> Option<u32> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".log")?.parse::<u32>().ok()).max()
}
