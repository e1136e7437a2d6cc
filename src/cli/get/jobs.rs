//! `get jobs`.

use serde_json::Value;

use super::super::args::GetArgs;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::jobs;
use super::super::output::{print, show};
use super::format::{self, Format};
use crate::report::{job, table};
use crate::store::Error;
use crate::store::jobs::{FoundJob, SavedJob, list};
use crate::store::layout::Layout;

/// Shows the Jobs that are named, or all.
pub(super) fn get(args: &GetArgs, names: &[String], layout: &Layout, format: &Format) -> Result<Exit, CliError> {
    let is_for_pods = args.watch
        || args.watch_only
        || args.sort_by.is_some()
        || args.show_labels
        || !args.label_columns.is_empty()
        || args.pods.selector.is_some()
        || !args.pods.filename.is_empty();
    if is_for_pods {
        return Err(CliError::Usage(
            "get jobs takes names, --namespace, --no-headers and -o; other options are for pods (`barepod wait job/NAME` waits)",
        ));
    }
    let mut found = Vec::new();
    let mut failures = Vec::new();
    if names.is_empty() {
        found = list(layout)?;
        found.retain(|one| args.pods.namespace.as_ref().is_none_or(|namespace| *namespace == one.namespace));
    }
    for name in names {
        match jobs::find(layout, name) {
            Ok(one) => found.push(one),
            Err(CliError::Store(Error::Job(_))) if args.ignore_not_found => {}
            Err(error) => failures.push(error),
        }
    }
    let mut all = Vec::new();
    for one in found {
        // One that has just begun has nothing to be shown yet.
        if let Some(saved) = one.load()? {
            tell_if_left(&one, &saved)?;
            all.push((one, saved));
        }
    }
    let last = failures.pop();
    failures.iter().for_each(show);
    let is_one = names.len() == 1;
    let exit = if all.is_empty() && last.is_some() { Exit::Success } else { print_all(args, is_one, format, &all)? };
    last.map_or(Ok(exit), Err)
}

/// Of a Job that no process runs though it hasn't finished.
fn tell_if_left(job: &FoundJob, saved: &SavedJob) -> Result<(), CliError> {
    if !saved.controller.is_finished() && !job.is_run()? {
        tell!("note: no process runs job {}; `barepod run` of its manifest goes on with it", jobs::full_name(job));
    }
    Ok(())
}

fn print_all(args: &GetArgs, is_one: bool, format: &Format, all: &[(FoundJob, SavedJob)]) -> Result<Exit, CliError> {
    match format {
        Format::Table(_) | Format::Name if all.is_empty() => {
            tell!("no jobs found");
            Ok(Exit::Success)
        }
        Format::Table(_) => print(&table_of(args, all)),
        Format::Name => {
            let line = |(job, _): &(FoundJob, SavedJob)| format!("job.batch/{}\n", job.name);
            print(&all.iter().map(line).collect::<String>())
        }
        Format::Columns(columns) => {
            let objects: Vec<Value> = all.iter().map(object).collect();
            let text = columns.table(&objects);
            print(&text.map_err(|why| CliError::Template(format!("custom-columns: {why}")))?)
        }
        Format::Object(style) => {
            let mut items: Vec<Value> = all.iter().map(object).collect();
            let value = match (is_one, items.len()) {
                (true, 1) => items.remove(0),
                _ => {
                    serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items})
                }
            };
            print(&format::object(&value, style)?)
        }
    }
}

fn table_of(args: &GetArgs, all: &[(FoundJob, SavedJob)]) -> String {
    let now = jiff::Timestamp::now();
    let has_namespaces = all.iter().any(|(job, _)| job.namespace != all[0].0.namespace);
    let row = |(job, saved): &(FoundJob, SavedJob)| {
        let mut row = job::row(&saved.job, &saved.controller.status(), now);
        if has_namespaces {
            row.insert(0, job.namespace.clone());
        }
        row
    };
    let header: Vec<&str> = has_namespaces.then_some("NAMESPACE").into_iter().chain(job::HEADER).collect();
    let text = table::columns(&header, all.iter().map(row));
    if args.no_headers { text.split_once('\n').map_or_else(String::new, |(_, rows)| rows.to_owned()) } else { text }
}

/// The Job with its status.
fn object((_, saved): &(FoundJob, SavedJob)) -> Value {
    let mut job = saved.job.clone();
    job["status"] = job::status(&saved.controller.status());
    job
}
