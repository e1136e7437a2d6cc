//! `barepod get`: pods as a table, as the v1 objects they are, in parts, or by name.

mod format;
mod jobs;
mod rows;
mod watch;

use super::args::{GetArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::{print, show};
use super::{given, terminal};
use crate::manifest::quantity::Quantity;
use crate::report::order;
use crate::report::table::{self, Growing, PodRow};
use crate::store::layout::Layout;
use crate::store::{Error, read};
pub(super) use format::{Format, object, one};

/// Shows the pods that are named, or all of those that the selector chooses.
pub fn get(args: &GetArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let format = Format::of_get(args)?;
    if args.output_watch_events && !(args.watch || args.watch_only) {
        return Err(CliError::Usage("--output-watch-events is for --watch or --watch-only"));
    }
    if let Some(names) = &args.pods.jobs {
        return jobs::get(args, names, &layout, &format);
    }
    let names = given::names(&args.pods)?;
    if args.watch || args.watch_only {
        return watch::watch(args, &names, &layout, &format);
    }
    let (rows, mut failures) = if names.is_empty() {
        (rows::all(&layout, args.pods.namespace.as_deref(), args.pods.selector.as_ref())?, Vec::new())
    } else {
        rows::named(&layout, &names)
    };
    if args.ignore_not_found {
        failures.retain(|error| !matches!(error, CliError::Store(Error::NotFound(_))));
        if rows.is_empty() && failures.is_empty() {
            return Ok(Exit::Success);
        }
    }
    let rows = match &args.sort_by {
        Some(path) => {
            let values = rows.iter().map(|row| format::one(&row.pod)).collect::<Result<Vec<_>, _>>()?;
            let amount = |text: &str| Quantity::parse(text).ok().map(Quantity::milli);
            order::sort(rows.into_iter().zip(values).collect(), path, amount).map_err(CliError::Template)?
        }
        None => rows,
    };
    // Of several pods those are shown that there are.
    let last = failures.pop();
    let exit = if rows.is_empty() && last.is_some() {
        Exit::Success
    } else {
        print_rows(args, names.len(), &layout, &format, &rows)?
    };
    failures.iter().for_each(show);
    last.map_or(Ok(exit), Err)
}

fn print_rows(
    args: &GetArgs,
    named: usize,
    layout: &Layout,
    format: &Format,
    rows: &[PodRow],
) -> Result<Exit, CliError> {
    match format {
        Format::Table(_) | Format::Name if rows.is_empty() => {
            tell!("no pods found");
            Ok(Exit::Success)
        }
        Format::Table(shown) if args.no_headers => {
            let (now, namespaces) = (jiff::Timestamp::now(), rows::namespaces(args, rows));
            let lines: Vec<_> = rows.iter().map(|row| table::cells(row, now, shown, namespaces)).collect();
            print(&Growing::default().lines(&lines))
        }
        Format::Columns(columns) if args.no_headers => {
            let lines: Vec<_> =
                rows.iter().map(|row| format::cells(&format::one(&row.pod)?, columns)).collect::<Result<_, _>>()?;
            print(&Growing::default().lines(&lines))
        }
        Format::Table(shown) => {
            print(&table::pods(rows, jiff::Timestamp::now(), shown, rows::namespaces(args, rows), terminal::width()))
        }
        Format::Columns(columns) => print(&format::table(rows, columns)?),
        Format::Name => {
            let known: Vec<String> = read::list(layout)?.into_iter().map(|found| found.name).collect();
            print(&rows::names(rows, args.pods.namespace.as_deref(), &known))
        }
        Format::Object(style) => {
            let value = match (named, rows) {
                (1, [row]) => format::one(&row.pod)?,
                _ => format::list(rows)?,
            };
            print(&format::object(&value, style)?)
        }
    }
}
