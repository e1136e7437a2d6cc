//! `barepod logs`: what a container printed, or each of them.

use std::io::{self, Write};
use std::path::Path;

use k8s_openapi::api::core::v1;

use super::args::{Global, LogsArgs};
use super::error::CliError;
use super::exit_code::Exit;
use super::{container, follow, recover};
use crate::log::{self, ReadOptions};
use crate::store::identity::Identity;
use crate::store::layout::Layout;
use crate::store::read::Life;
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
    let found = match recover::look(&layout, &args.pod.name) {
        Err(CliError::Store(Error::NotFound(name))) => return without_state(args, &layout, name),
        found => found?,
    };
    let name = recover::full_name(&found);
    let pod = match recover::warn_of_unreadable(&found) {
        false => recover::pod(&found)?,
        true => match found.pod() {
            Ok(Some(pod)) => pod,
            Ok(None) | Err(_) => return by_folders(args, &layout, &found.namespace, &found.name),
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
    let folder = Identity::new(&layout, &found.namespace, &found.name, &uid).log_dir();
    // Nothing more comes of one that nobody supervises.
    let grows = args.follow && recover::life(&found)? == Life::Running;
    if let ([container], true) = (&containers[..], grows) {
        let folder = folder.join(container);
        let newest = newest(&folder, &name, container)?;
        return follow::follow(&found, &folder, newest, options(args, &prefix(args, &name, container)));
    }
    print(args, &name, &containers, &folder, |container, newest| previous(&pod, container, newest))
}

/// Of a pod of which nothing but logs is known: it ended before the box was restarted.
fn without_state(args: &LogsArgs, layout: &Layout, name: String) -> Result<Exit, CliError> {
    let [(namespace, bare)] = &recover::pods_with_logs(layout, &name)?[..] else {
        return Err(Error::NotFound(name).into());
    };
    tell!("note: of pod {namespace}/{bare} nothing but its logs is left: it ended before the box was restarted");
    by_folders(args, layout, namespace, bare)
}

/// Of a pod of which the names of folders and files must tell which containers and attempts there were.
fn by_folders(args: &LogsArgs, layout: &Layout, namespace: &str, bare: &str) -> Result<Exit, CliError> {
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
        all if args.all_containers && !all.is_empty() => {
            return print(args, &name, all, &folder, |_, newest| newest.checked_sub(1));
        }
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
    print(args, &name, &[container], &folder, |_, newest| newest.checked_sub(1))
}

/// Prints what is asked for of these containers' logs. One of several that has none hides no other's.
fn print(
    args: &LogsArgs,
    name: &str,
    containers: &[String],
    folder: &Path,
    previous: impl Fn(&str, u32) -> Option<u32>,
) -> Result<Exit, CliError> {
    let mut out = Joined { out: io::BufWriter::new(io::stdout().lock()), unfinished: false };
    let mut missing = Vec::new();
    for container in containers {
        match copy(args, name, container, &folder.join(container), |newest| previous(container, newest), &mut out) {
            Err(error @ CliError::NoLog { .. }) => missing.push(error),
            done => done?,
        }
    }
    if missing.len() < containers.len() {
        missing.iter().for_each(|error| tell!("note: {error}"));
        return Ok(Exit::Success);
    }
    missing.into_iter().next().map_or(Ok(Exit::Success), Err)
}

/// Logs one after the other: what follows one that ends in the middle of a line begins a line of its own.
struct Joined<W> {
    out: W,
    unfinished: bool,
}

impl<W: Write> Joined<W> {
    fn begin_log(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unfinished) { self.out.write_all(b"\n") } else { Ok(()) }
    }
}

impl<W: Write> Write for Joined<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            self.unfinished = *last != b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Copies what is asked for of one container's log.
fn copy(
    args: &LogsArgs,
    name: &str,
    container: &str,
    folder: &Path,
    previous: impl FnOnce(u32) -> Option<u32>,
    out: &mut Joined<impl Write>,
) -> Result<(), CliError> {
    let newest = newest(folder, name, container)?;
    let missing = |what| CliError::NoLog { container: container.to_owned(), pod: name.to_owned(), what };
    let attempt = if args.previous {
        previous(newest).ok_or_else(|| missing("was never restarted: it has no previous log"))?
    } else {
        newest
    };
    let prefix = prefix(args, name, container);
    let options = options(args, &prefix);
    let path = log::path_of(folder, attempt);
    match out.begin_log().and_then(|()| log::copy(&path, options, out)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing("has no such log any more")),
        done => done.map_err(|source| CliError::Log { path, source }),
    }
}

fn prefix(args: &LogsArgs, name: &str, container: &str) -> String {
    let bare = name.rsplit('/').next().unwrap_or(name);
    if args.prefix { format!("[pod/{bare}/{container}] ") } else { String::new() }
}

fn options<'a>(args: &LogsArgs, prefix: &'a str) -> ReadOptions<'a> {
    let since = args.since.map(|since| {
        let age = jiff::SignedDuration::try_from(since).unwrap_or(jiff::SignedDuration::MAX);
        jiff::Timestamp::now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN)
    });
    ReadOptions {
        tail: args.tail.and_then(|lines| usize::try_from(lines).ok()),
        since: since.or(args.since_time),
        timestamps: args.timestamps,
        limit: args.limit_bytes.filter(|bytes| *bytes > 0).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        prefix,
    }
}

/// The instance that `lastState` is about: the newest while its container waits to be restarted, else the one before.
fn previous(pod: &v1::Pod, container: &str, newest: u32) -> Option<u32> {
    let status = pod.status.as_ref()?;
    let inits = status.init_container_statuses.iter().flatten();
    let one = inits.chain(status.container_statuses.iter().flatten()).find(|one| one.name == container)?;
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

    #[test]
    fn logs_do_not_run_into_each_other() {
        let mut out = Joined { out: Vec::new(), unfinished: false };
        for log in ["whole\n", "", "half", "", "next\n"] {
            out.begin_log().unwrap();
            out.write_all(log.as_bytes()).unwrap();
        }
        assert_eq!(out.out, b"whole\nhalf\nnext\n");
    }
}
