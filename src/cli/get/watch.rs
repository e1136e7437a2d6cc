//! `barepod get --watch`: the pods as they are, then each pod again when it has changed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::args::GetArgs;
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::output::print;
use super::super::pod_changes::PodChanges;
use super::super::recover;
use super::format::{self, Format, Style};
use super::rows::{self, Looked};
use crate::report::table::{self, Growing, Namespaces, PodRow, Shown};
use crate::store::layout::Layout;
use crate::store::read::{self, Found};

/// Shows pods until nobody looks any more.
pub(super) fn watch(args: &GetArgs, names: &[String], layout: &Layout, format: &Format) -> Result<Exit, CliError> {
    let names = recover::full_names(layout, names)?;
    let is_asked_for = |found: &Found| {
        args.pods.namespace.as_ref().is_none_or(|namespace| *namespace == found.namespace)
            && (names.is_empty() || names.contains(&recover::full_name(found)))
    };
    let mut changes = PodChanges::begin(layout)?;
    let mut seen: BTreeMap<String, Looked> = BTreeMap::new();
    let mut printed: Option<Printed<'_>> = None;
    loop {
        let mut pods = read::list(layout)?;
        let all = pods.iter().map(|found| found.name.clone()).collect::<Vec<_>>();
        pods.retain(is_asked_for);
        changes.listen(&pods)?;
        let look = |found| (recover::full_name(found), rows::look_at(found, args.pods.selector.as_ref()));
        let now: BTreeMap<String, Looked> = pods.iter().map(look).collect();
        let is_first = printed.is_none();
        let rows = now.values().filter_map(|looked| looked.row.as_ref());
        let printed = printed.get_or_insert_with(|| Printed::new(args, format, rows));
        let mut new = Vec::new();
        for (name, looked) in &now {
            let before = seen.get(name);
            if let Some(note) =
                looked.note.as_ref().filter(|note| before.and_then(|one| one.note.as_ref()) != Some(note))
            {
                tell!("{note}");
            }
            let Some(row) = &looked.row else { continue };
            match before.and_then(|before| before.row.as_ref()) {
                None => new.push(Change { event: "ADDED", row }),
                Some(before) if printed.differs(before, row) => new.push(Change { event: "MODIFIED", row }),
                Some(_) => {}
            }
        }
        if args.output_watch_events {
            let is_there = |name: &String| now.get(name).is_some_and(|looked| looked.row.is_some());
            let gone = seen.iter().filter(|(name, _)| !is_there(name)).filter_map(|(_, looked)| looked.row.as_ref());
            new.extend(gone.map(|row| Change { event: "DELETED", row }));
        }
        if !(is_first && args.watch_only) {
            printed.show(&new, &all)?;
        }
        seen = now;
        if !changes.wait() {
            return Ok(Exit::Success);
        }
    }
}

/// A pod as it has become; one that is gone, as it was.
struct Change<'r> {
    /// In the words of Kubernetes' WatchEvent.
    event: &'static str,
    row: &'r PodRow,
}

/// What has been printed, and how more is.
struct Printed<'a> {
    format: &'a Format,
    namespace: Option<&'a str>,
    namespaces: Namespaces,
    /// That of the pods that were there at first. A pod of another one has its namespace before its name.
    home: String,
    lines: Growing,
    has_header: bool,
    has_events: bool,
    has_begun: bool,
}

impl<'a> Printed<'a> {
    fn new<'r>(args: &'a GetArgs, format: &'a Format, rows: impl Iterator<Item = &'r PodRow>) -> Self {
        let all: Vec<&PodRow> = rows.collect();
        let namespace = args.pods.namespace.as_deref();
        let first = all.first().map(|row| table::namespace(&row.pod));
        let home = namespace.or(first).unwrap_or("default").to_owned();
        let namespaces = rows::namespaces(args, all);
        Self {
            format,
            namespace,
            namespaces,
            home,
            lines: Growing::default(),
            has_header: !args.no_headers,
            has_events: args.output_watch_events,
            has_begun: false,
        }
    }

    /// Whether there is more to be seen than how long ago something was.
    fn differs(&self, before: &PodRow, row: &PodRow) -> bool {
        match self.format {
            Format::Table(shown) => {
                let now = jiff::Timestamp::now();
                self.cells(before, now, shown) != self.cells(row, now, shown)
            }
            Format::Columns(_) | Format::Name | Format::Object(_) => before.pod != row.pod,
        }
    }

    fn cells(&self, row: &PodRow, now: jiff::Timestamp, shown: &Shown) -> Vec<String> {
        let namespace = table::namespace(&row.pod);
        if self.namespaces == Namespaces::Shown || namespace == self.home {
            return table::cells(row, now, shown, self.namespaces);
        }
        let mut row = row.clone();
        let name = row.pod.metadata.name.as_deref().unwrap_or_default();
        row.pod.metadata.name = Some(format!("{namespace}/{name}"));
        table::cells(&row, now, shown, self.namespaces)
    }

    fn show(&mut self, changes: &[Change<'_>], all: &[String]) -> Result<(), CliError> {
        if changes.is_empty() {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let text = match self.format {
            Format::Table(shown) => {
                let now = jiff::Timestamp::now();
                let mut lines: Vec<_> = changes.iter().map(|change| self.cells(change.row, now, shown)).collect();
                let mut header = table::header(shown, self.namespaces);
                if self.has_events {
                    header.insert(0, "EVENT".to_owned());
                    lines.iter_mut().zip(changes).for_each(|(line, change)| line.insert(0, change.event.to_owned()));
                }
                self.table(is_first, &header, lines)
            }
            Format::Columns(columns) => {
                let line = |change| format::cells(&self.value(change)?, columns);
                let lines = changes.iter().map(line).collect::<Result<_, _>>()?;
                self.table(is_first, &columns.header().into_iter().map(str::to_owned).collect::<Vec<_>>(), lines)
            }
            Format::Name => {
                let rows: Vec<PodRow> = changes.iter().map(|change| change.row.clone()).collect();
                rows::names(&rows, self.namespace, all)
            }
            Format::Object(style) => {
                let mut text = String::new();
                for (index, change) in changes.iter().enumerate() {
                    if matches!(style, Style::Yaml) && !(is_first && index == 0) {
                        text.push_str("---\n");
                    }
                    text.push_str(&format::object(&self.value(change)?, style)?);
                }
                text
            }
        };
        print(&text).map(|_| ())
    }

    /// The pod, or the event that is about it.
    fn value(&self, change: &Change<'_>) -> Result<Value, CliError> {
        let pod = format::one(&change.row.pod)?;
        Ok(if self.has_events { serde_json::json!({"type": change.event, "object": pod}) } else { pod })
    }

    fn table(&mut self, is_first: bool, header: &[String], mut lines: Vec<Vec<String>>) -> String {
        if is_first && self.has_header {
            lines.insert(0, header.to_vec());
        }
        self.lines.lines(&lines)
    }
}
