//! `barepod events`: what happened to pods, and with `--watch` what happens to them.

mod jobs;
mod shown;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;

use super::args::{EventsArgs, EventsOutput, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{print, show};
use super::pod_changes::PodChanges;
use super::{chosen, given, recover};
use shown::{Happened, by_time, is_wanted, json_lines, print_all, yaml};

use crate::report::event_table::{self, Of};
use crate::report::events::{self, About};
use crate::report::table::Growing;
use crate::store::events::EventLine;
use crate::store::layout::Layout;
use crate::store::read::{self, Found};

/// Shows pods' events, equal ones counted. Of several pods those are shown that there are.
pub fn events(args: &EventsArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    if let Some(names) = &args.pods.jobs {
        return jobs::events(args, names, &layout);
    }
    if args.watch {
        return watch(&layout, args);
    }
    let names = chosen::pods(&layout, &args.pods)?;
    let (mut happened, mut failures) = (Vec::new(), Vec::new());
    for name in &names {
        match recover::look(&layout, name).and_then(|found| of_pod(&found, args)) {
            Ok(one) => happened.push(one),
            Err(error) => failures.push(error),
        }
    }
    let last = failures.pop();
    if !happened.is_empty() {
        let is_one = names.len() == 1 && chosen::are_named(&args.pods);
        print_all(args, &happened, if is_one { Of::Pod } else { Of::Pods })?;
    }
    failures.iter().for_each(show);
    last.map_or(Ok(Exit::Success), Err)
}

fn of_pod(found: &Found, args: &EventsArgs) -> Result<Happened, CliError> {
    let _ = recover::warn_of_unreadable(found);
    let lines = lines(found, args)?;
    Ok(Happened { about: about(found), lines })
}

/// Of a pod's events those of the types that are asked for.
fn lines(found: &Found, args: &EventsArgs) -> Result<Vec<EventLine>, CliError> {
    let mut lines = found.events().map_err(|cause| recover::unreadable(found, cause))?;
    lines.retain(|line| is_wanted(line, args));
    Ok(lines)
}

/// Shows what happened, then what happens, until nobody looks any more.
fn watch(layout: &Layout, args: &EventsArgs) -> Result<Exit, CliError> {
    let named = match chosen::are_named(&args.pods) {
        true => Some(recover::full_names(layout, &given::names(&args.pods)?)?),
        // Also of pods that come later.
        false => None,
    };
    let of = if named.as_ref().is_some_and(|names| names.len() == 1) { Of::Pod } else { Of::Pods };
    let mut changes = PodChanges::begin(layout)?;
    let mut seen: BTreeMap<String, Vec<EventLine>> = BTreeMap::new();
    let mut growing = Growing::default();
    let mut has_begun = false;
    loop {
        let mut pods = read::list(layout)?;
        if let Some(names) = &named {
            pods.retain(|found| names.contains(&recover::full_name(found)));
        }
        // Also to those that have no labels yet, as they have no status yet.
        changes.listen(&pods)?;
        // Nobody knows the labels of one that can't be read.
        pods.retain(|found| named.is_some() || chosen::is_chosen(found, &args.pods).unwrap_or(false));
        let mut new = Vec::new();
        let mut all = BTreeMap::new();
        for found in &pods {
            let name = recover::full_name(found);
            let lines = lines(found, args)?;
            let before = seen.get(&name).map_or(&[][..], Vec::as_slice);
            let later: Vec<EventLine> = lines.iter().filter(|line| !before.contains(line)).cloned().collect();
            if !later.is_empty() {
                new.push(Happened { about: about(found), lines: later });
            }
            all.insert(name, lines);
        }
        seen = all;
        if !new.is_empty() {
            let is_first = !std::mem::replace(&mut has_begun, true);
            let text = match args.output {
                None => {
                    let now = jiff::Timestamp::now();
                    let mut rows: Vec<Vec<String>> =
                        by_time(&new).into_iter().map(|(pod, line)| event_table::cells(pod, line, of, now)).collect();
                    if is_first && !args.no_headers {
                        rows.insert(0, event_table::header(of).iter().map(|&name| name.to_owned()).collect());
                    }
                    growing.lines(&rows)
                }
                Some(EventsOutput::Json) => json_lines(&new)?,
                Some(EventsOutput::Yaml) => {
                    let between = if is_first { "" } else { "---\n" };
                    format!("{between}{}", yaml(&events::list(new.iter().map(|one| (&one.about, &one.lines[..]))))?)
                }
            };
            print(&text)?;
        }
        if !changes.wait() {
            return Ok(Exit::Success);
        }
    }
}

/// The pod; before its first status, and where that can't be read, what is known of it from the start.
fn about(found: &Found) -> About {
    if let Ok(Some(pod)) = found.pod() {
        return About::Pod(Box::new(pod));
    }
    let mut pod = v1::Pod::default();
    pod.metadata.name = Some(found.name.clone());
    pod.metadata.namespace = Some(found.namespace.clone());
    pod.metadata.uid = found.ledger().ok().flatten().map(|ledger| ledger.uid);
    About::Pod(Box::new(pod))
}
