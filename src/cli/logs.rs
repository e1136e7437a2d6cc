//! `barepod logs`: what containers printed.

mod of_job;

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1;

use super::args::{ChosenPods, Global, LogsArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::follow::Followed;
use super::joined::{Joined, Part};
use super::output::exit_of_all;
use super::{chosen, container, follow, recover};
use crate::log::{self, ReadOptions};
use crate::store::identity::Identity;
use crate::store::layout::Layout;
use crate::store::read::{Found, Life};
use crate::store::{Error, old_logs};

/// Prints the newest instance's log, or the one's before.
pub fn logs(args: &LogsArgs, global: &Global) -> Result<Exit, CliError> {
    match show(args, global) {
        // Whoever reads has seen enough (`| head`).
        Err(CliError::Log { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        shown => shown,
    }
}

fn show(args: &LogsArgs, global: &Global) -> Result<Exit, CliError> {
    if args.all_containers && args.container.is_some() {
        return Err(CliError::Usage(
            "one container is named, and --all-containers asks for all; leave one of them out",
        ));
    }
    let layout = global.layout()?;
    let out = RefCell::new(Joined::new(BufWriter::new(io::stdout().lock())));
    let mut output = Output { args, joined: &out, logs: 0, errors: Vec::new() };
    let mut growing = Vec::new();
    for name in names(args, &layout)? {
        let shown = PodLogs::find(args, &layout, &name).and_then(|found| match found {
            Known::Pod(logs) if args.follow && recover::life(&logs.found)? == Life::Running => {
                growing.push(*logs);
                Ok(())
            }
            // Nothing more comes of one that nobody supervises.
            Known::Pod(logs) => {
                let PodLogs { name, pod, containers, folder, .. } = *logs;
                output.print(&name, &containers, &folder, |container, newest| previous(&pod, container, newest))
            }
            Known::Folder { name, containers, folder } => {
                output.print(&name, &containers, &folder, |_, newest| newest.checked_sub(1))
            }
        });
        output.failed_or(shown)?;
    }
    let errors = std::mem::take(&mut output.errors);
    // What follows has the output to itself.
    drop(out);
    if !growing.is_empty() {
        follow_all(args, &growing)?;
    }
    if args.ignore_errors {
        errors.iter().for_each(|error| tell!("note: {error}"));
        return Ok(Exit::Success);
    }
    exit_of_all(errors.into_iter().map(Err))
}

/// The pod that is named, those of a Job, or all that labels choose.
fn names(args: &LogsArgs, layout: &Layout) -> Result<Vec<String>, CliError> {
    if let Some(job) = &args.job {
        return of_job::pods(args, layout, job);
    }
    let (selector, namespace) = (args.selector.clone(), args.namespace.clone());
    match &args.name {
        Some(name) => Ok(vec![name.clone()]),
        None => chosen::pods(layout, &ChosenPods { selector, namespace, ..ChosenPods::default() }),
    }
}

/// The logs that are followed, of pods that run.
fn follow_all(args: &LogsArgs, pods: &[PodLogs]) -> Result<(), CliError> {
    let logs = || pods.iter().flat_map(|pod| pod.containers.iter().map(move |container| (pod, container)));
    let count = logs().count();
    if count > args.max_log_requests {
        return Err(CliError::Words(format!(
            "{count} logs would be followed at once, and no more than {} may; --max-log-requests {count} allows it",
            args.max_log_requests
        )));
    }
    let prefixes: Vec<String> = logs().map(|(pod, container)| prefix(args, &pod.name, container)).collect();
    let followed = logs().zip(&prefixes).map(|((pod, container), prefix)| Followed {
        found: &pod.found,
        name: format!("container {container:?} of pod {}", pod.name),
        folder: pod.folder.join(container),
        options: options(args, prefix),
    });
    follow::follow(&followed.collect::<Vec<_>>()).map(drop)
}

/// What is known of a pod's logs.
enum Known {
    /// All.
    Pod(Box<PodLogs>),
    /// Nothing but which there are.
    Folder { name: String, containers: Vec<String>, folder: PathBuf },
}

/// The logs of a pod that are asked for.
struct PodLogs {
    found: Found,
    name: String,
    pod: v1::Pod,
    containers: Vec<String>,
    folder: PathBuf,
}

impl PodLogs {
    fn find(args: &LogsArgs, layout: &Layout, name: &str) -> Result<Known, CliError> {
        let found = match recover::look(layout, name) {
            Err(CliError::Store(Error::NotFound(name))) => return without_state(args, layout, name),
            found => found?,
        };
        let name = recover::full_name(&found);
        let pod = match recover::warn_of_unreadable(&found) {
            false => recover::pod(&found)?,
            true => match found.pod() {
                Ok(Some(pod)) => pod,
                Ok(None) | Err(_) => return by_folders(args, layout, &found.namespace, &found.name),
            },
        };
        let containers = if args.all_containers {
            container::all(&pod)
        } else {
            let (container, note) = container::which(&pod, args.container.as_deref(), &name)?;
            if let Some(note) = note {
                tell!("{note}");
            }
            vec![container]
        };
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let folder = Identity::new(layout, &found.namespace, &found.name, &uid).log_dir();
        Ok(Known::Pod(Box::new(Self { found, name, pod, containers, folder })))
    }
}

/// Of a pod of which nothing but logs is known: it ended before the box was restarted.
fn without_state(args: &LogsArgs, layout: &Layout, name: String) -> Result<Known, CliError> {
    let [(namespace, bare)] = &recover::pods_with_logs(layout, &name)?[..] else {
        return Err(Error::NotFound(name).into());
    };
    tell!("note: of pod {namespace}/{bare} nothing but its logs is left: it ended before the box was restarted");
    by_folders(args, layout, namespace, bare)
}

/// Of a pod of which the names of folders and files must tell which containers and attempts there were.
fn by_folders(args: &LogsArgs, layout: &Layout, namespace: &str, bare: &str) -> Result<Known, CliError> {
    let name = format!("{namespace}/{bare}");
    let folder = old_logs::logs_of(layout, namespace, bare)?.pop();
    let folder = folder.ok_or_else(|| {
        let container = args.container.clone().unwrap_or_else(|| "*".to_owned());
        CliError::NoLog { container, pod: name.clone(), what: "has no log" }
    })?;
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut containers: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    containers.sort();
    let asked = args.container.as_ref();
    let container = match &containers[..] {
        all if args.all_containers && !all.is_empty() => return Ok(Known::Folder { name, containers, folder }),
        [only] if asked.is_none_or(|asked| asked == only) => only.clone(),
        _ => match asked.filter(|asked| containers.contains(asked)) {
            Some(asked) => asked.clone(),
            None if asked.is_none() => return Err(CliError::WhichLog { pod: name, known: containers.join(", ") }),
            None => {
                let container = asked.cloned().unwrap_or_default();
                return Err(CliError::NoContainer { container, pod: name, known: containers.join(", ") });
            }
        },
    };
    Ok(Known::Folder { name, containers: vec![container], folder })
}

/// Where logs go, one after the other.
struct Output<'a, W: Write> {
    args: &'a LogsArgs,
    joined: &'a RefCell<Joined<W>>,
    /// How many there were.
    logs: usize,
    errors: Vec<CliError>,
}

impl<W: Write> Output<'_, W> {
    /// Prints what is asked for of these containers' logs. One of several that has none hides no other's.
    fn print(
        &mut self,
        name: &str,
        containers: &[String],
        folder: &Path,
        previous: impl Fn(&str, u32) -> Option<u32>,
    ) -> Result<(), CliError> {
        let mut missing = Vec::new();
        for container in containers {
            match self.copy(name, container, &folder.join(container), |newest| previous(container, newest)) {
                Err(error @ CliError::NoLog { .. }) => missing.push(error),
                done => done?,
            }
        }
        if missing.len() < containers.len() {
            missing.iter().for_each(|error| tell!("note: {error}"));
            return Ok(());
        }
        missing.into_iter().next().map_or(Ok(()), Err)
    }

    /// Copies what is asked for of one container's log.
    fn copy(
        &mut self,
        name: &str,
        container: &str,
        folder: &Path,
        previous: impl FnOnce(u32) -> Option<u32>,
    ) -> Result<(), CliError> {
        let newest = newest(folder, name, container)?;
        let missing = |what| CliError::NoLog { container: container.to_owned(), pod: name.to_owned(), what };
        let attempt = if self.args.previous {
            previous(newest).ok_or_else(|| missing("was never restarted: it has no previous log"))?
        } else {
            newest
        };
        let prefix = prefix(self.args, name, container);
        let path = log::path_of(folder, attempt);
        self.logs += 1;
        match log::copy(&path, options(self.args, &prefix), &mut Part::of(self.joined, self.logs)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing("has no such log any more")),
            done => done.map_err(|source| CliError::Log { path, source }),
        }
    }

    /// Of several pods those are shown that can be. Where nobody reads, nothing is.
    fn failed_or(&mut self, shown: Result<(), CliError>) -> Result<(), CliError> {
        match shown {
            Err(CliError::Log { path, source }) if source.kind() == io::ErrorKind::BrokenPipe => {
                Err(CliError::Log { path, source })
            }
            Err(error) => {
                self.errors.push(error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

fn prefix(args: &LogsArgs, name: &str, container: &str) -> String {
    let bare = name.rsplit('/').next().unwrap_or(name);
    if args.prefix || args.all_pods { format!("[pod/{bare}/{container}] ") } else { String::new() }
}

fn options<'a>(args: &LogsArgs, prefix: &'a str) -> ReadOptions<'a> {
    let since = args.since.map(|since| {
        let age = jiff::SignedDuration::try_from(since).unwrap_or(jiff::SignedDuration::MAX);
        jiff::Timestamp::now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN)
    });
    ReadOptions {
        tail: match (args.tail, &args.selector) {
            // As kubectl.
            (None, Some(_)) => Some(10),
            (lines, _) => lines.and_then(|lines| usize::try_from(lines).ok()),
        },
        since: since.or(args.since_time),
        timestamps: args.timestamps,
        limit: args.limit_bytes.filter(|bytes| *bytes > 0).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        prefix,
    }
}

/// The instance that `lastState` is about: the newest while its container waits to be restarted, else the one before.
fn previous(pod: &v1::Pod, container: &str, newest: u32) -> Option<u32> {
    let status = pod.status.as_ref()?;
    let lists = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let one = lists.into_iter().flatten().flatten().find(|one| one.name == container)?;
    let last = one.last_state.as_ref().and_then(|last| last.terminated.as_ref())?;
    if last.container_id.is_some() && last.container_id == one.container_id {
        Some(newest)
    } else {
        newest.checked_sub(1)
    }
}

/// The newest attempt of a container that has a log.
fn newest(folder: &Path, pod: &str, container: &str) -> Result<u32, CliError> {
    let what = "has not started yet: it has no log";
    let missing = || CliError::NoLog { container: container.to_owned(), pod: pod.to_owned(), what };
    log::attempts(folder).max().ok_or_else(missing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `logs --previous` of a pod in CrashLoopBackOff is what people want it most for.
    #[test]
    fn the_instance_that_last_state_is_about() {
        let with = |id: &str, last: &str| {
            let mut pod = v1::Pod::default();
            let text = format!(
                r#"{{"containerStatuses":[{{"name":"a","image":"","imageID":"","ready":false,"restartCount":0,
                "containerID":"{id}","lastState":{last}}}]}}"#
            );
            pod.status = Some(serde_json::from_str(&text).unwrap());
            pod
        };
        let ended = |id: &str| format!(r#"{{"terminated":{{"exitCode":1,"containerID":"{id}"}}}}"#);
        assert_eq!(previous(&with("x/0", "{}"), "a", 0), None);
        assert_eq!(previous(&with("x/0", &ended("x/0")), "a", 0), Some(0));
        assert_eq!(previous(&with("x/1", &ended("x/0")), "a", 1), Some(0));
        assert_eq!(previous(&with("x/3", &ended("x/3")), "a", 3), Some(3));
        assert_eq!(previous(&with("x/0", "{}"), "b", 4), None);
    }
}
