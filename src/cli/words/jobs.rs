//! Jobs among the names of a command: `get jobs`, `stop job/pi`, `rm job pi -n ops`.

use super::super::args::{ChosenPods, Command, LogsArgs};
use super::kinds::{in_namespace, is_kind};

fn is_job(word: &str) -> bool {
    matches!(word, "job" | "jobs" | "job.batch" | "jobs.batch")
}

/// Takes Jobs out of what a command is about that can do with them. `false`: it is about pods.
///
/// # Errors
/// Where both are meant, or none of the two can be.
pub(super) fn understood(command: &mut Command) -> Result<bool, String> {
    let shows_all = matches!(command, Command::Get(_) | Command::Describe(_) | Command::Events(_));
    let (pods, is_all) = match command {
        Command::Logs(args) => return of_logs(args),
        Command::Get(args) => (&mut args.pods, false),
        Command::Describe(args) => (&mut args.pods, false),
        Command::Events(args) => {
            // `--for job/pi`: as if it were named.
            if args.about.as_deref().is_some_and(|about| named(about).is_some()) {
                args.pods.names.extend(args.about.take());
            }
            (&mut args.pods, false)
        }
        Command::Stop(args) => (&mut args.pods.chosen, args.pods.all),
        Command::Rm(args) => (&mut args.pods.chosen, args.pods.all),
        Command::Wait(args) => (&mut args.pods.chosen, args.pods.all),
        _ => return Ok(false),
    };
    let Some(names) = taken(pods)? else { return Ok(false) };
    match (names.is_empty(), is_all) {
        (true, false) if !shows_all => Err("which jobs? Name them, as job/NAME".to_owned()),
        (false, true) => Err("jobs are named or chosen by --all, not both".to_owned()),
        _ => {
            pods.jobs = Some(names);
            Ok(true)
        }
    }
}

/// `job/pi`, as kubectl takes it.
fn named(word: &str) -> Option<&str> {
    word.split_once('/').filter(|(kind, _)| is_job(kind)).map(|(_, name)| name)
}

/// `logs job/pi`, `logs job/pi CONTAINER`.
fn of_logs(args: &mut LogsArgs) -> Result<bool, String> {
    let Some(job) = args.name.as_deref().and_then(named) else {
        let is_odd = args.all_pods && args.selector.is_none();
        return if is_odd {
            Err("--all-pods is about a Job's pods: name it, as job/NAME".to_owned())
        } else {
            Ok(false)
        };
    };
    if args.selector.is_some() {
        return Err("pods are a Job's or chosen by --selector, not both".to_owned());
    }
    let mut job = job.to_owned();
    in_namespace(&mut job, args.namespace.as_deref())?;
    if args.container.is_none() {
        args.container = args.also.take();
    }
    if let Some(also) = &args.also {
        return Err(format!("one container is named by --container, and {also:?} stands behind job/{job}"));
    }
    args.job = Some(job);
    Ok(true)
}

fn taken(pods: &mut ChosenPods) -> Result<Option<Vec<String>>, String> {
    let bare = |word: &str| named(word).map(str::to_owned);
    let Some(first) = pods.names.first() else { return Ok(None) };
    let mut names = match (is_job(first), bare(first)) {
        (true, _) => pods.names[1..].iter().map(|word| bare(word).unwrap_or_else(|| word.clone())).collect(),
        (false, Some(_)) => {
            let all: Option<Vec<String>> = pods.names.iter().map(|word| bare(word)).collect();
            all.ok_or("jobs and pods can't be named together: first the ones, then the others")?
        }
        (false, None) => return Ok(None),
    };
    if names.iter().any(|name: &String| is_kind(name) || is_job(name)) {
        return Err("jobs and pods can't be named together: first the ones, then the others".to_owned());
    }
    if pods.selector.is_some() || !pods.filename.is_empty() {
        return Err("jobs are chosen by their names: --selector and --filename are for pods".to_owned());
    }
    for name in &mut names {
        in_namespace(name, pods.namespace.as_deref())?;
    }
    pods.names.clear();
    Ok(Some(names))
}
