//! `barepod events`: what happened to pods, and with `--watch` what happens to them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;

use super::args::{EventType, EventsArgs, EventsOutput, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{print, show};
use super::pod_changes::PodChanges;
use super::{chosen, given, recover, terminal};
use crate::report::event_table::{self, OfPods};
use crate::report::events;
use crate::report::table::Growing;
use crate::store::events::EventLine;
use crate::store::layout::Layout;
use crate::store::read::{self, Found};

/// Shows pods' events, equal ones counted. Of several pods those are shown that there are.
pub fn events(args: &EventsArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
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
        let of = if is_one { OfPods::One } else { OfPods::Several };
        let text = match args.output {
            None if args.no_headers => {
                let now = jiff::Timestamp::now();
                let lines = by_time(&happened).into_iter().map(|(pod, line)| event_table::cells(pod, line, of, now));
                Growing::default().lines(&lines.collect::<Vec<_>>())
            }
            None => event_table::events(&by_time(&happened), of, jiff::Timestamp::now(), terminal::width()),
            Some(EventsOutput::Json) => json_lines(&happened)?,
            Some(EventsOutput::Yaml) => yaml(&events::list(happened.iter().map(|one| (&one.about, &one.lines[..]))))?,
        };
        print(&text)?;
    }
    failures.iter().for_each(show);
    last.map_or(Ok(Exit::Success), Err)
}

/// A pod and what happened to it.
struct Happened {
    about: v1::Pod,
    lines: Vec<EventLine>,
}

fn of_pod(found: &Found, args: &EventsArgs) -> Result<Happened, CliError> {
    let _ = recover::warn_of_unreadable(found);
    let lines = lines(found, args)?;
    Ok(Happened { about: about(found), lines })
}

/// Of a pod's events those of the types that are asked for.
fn lines(found: &Found, args: &EventsArgs) -> Result<Vec<EventLine>, CliError> {
    let mut lines = found.events().map_err(|cause| recover::unreadable(found, cause))?;
    let is_wanted = |line: &EventLine| match &*line.kind {
        "Warning" => args.types.contains(&EventType::Warning),
        _ => args.types.contains(&EventType::Normal),
    };
    lines.retain(|line| args.types.is_empty() || is_wanted(line));
    Ok(lines)
}

/// Shows what happened, then what happens, until nobody looks any more.
fn watch(layout: &Layout, args: &EventsArgs) -> Result<Exit, CliError> {
    let named = match chosen::are_named(&args.pods) {
        true => Some(recover::full_names(layout, &given::names(&args.pods)?)?),
        // Also of pods that come later.
        false => None,
    };
    let of = if named.as_ref().is_some_and(|names| names.len() == 1) { OfPods::One } else { OfPods::Several };
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

/// All events with their pods' names, the oldest first.
fn by_time(happened: &[Happened]) -> Vec<(&str, &EventLine)> {
    let mut all: Vec<(&str, &EventLine)> = Vec::new();
    for Happened { about, lines } in happened {
        let name = about.metadata.name.as_deref().unwrap_or_default();
        all.extend(lines.iter().map(|line| (name, line)));
    }
    // Those of one pod stand in their order already.
    if happened.len() > 1 {
        all.sort_by_key(|(_, line)| line.time);
    }
    all
}

fn json_lines(happened: &[Happened]) -> Result<String, CliError> {
    let mut text = String::new();
    for one in happened {
        for object in events::objects(&one.about, &one.lines) {
            let line = serde_json::to_string(&object);
            text += &line.map_err(|error| CliError::Format { format: "json", cause: error.to_string() })?;
            text.push('\n');
        }
    }
    Ok(text)
}

fn yaml(list: &impl serde::Serialize) -> Result<String, CliError> {
    serde_saphyr::to_string(list).map_err(|error| CliError::Format { format: "yaml", cause: error.to_string() })
}

/// The pod; before its first status, and where that can't be read, what is known of it from the start.
fn about(found: &Found) -> v1::Pod {
    if let Ok(Some(pod)) = found.pod() {
        return pod;
    }
    let mut pod = v1::Pod::default();
    pod.metadata.name = Some(found.name.clone());
    pod.metadata.namespace = Some(found.namespace.clone());
    pod.metadata.uid = found.ledger().ok().flatten().map(|ledger| ledger.uid);
    pod
}
