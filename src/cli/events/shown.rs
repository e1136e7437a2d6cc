//! How events are shown, whoever they are about.

use super::super::args::{EventType, EventsArgs, EventsOutput};
use super::super::error::CliError;
use super::super::exit_code::Exit;
use super::super::output::print;
use super::super::terminal;
use crate::report::event_table::{self, Of};
use crate::report::events::{self, About};
use crate::report::table::Growing;
use crate::store::events::EventLine;

/// A pod or a Job, and what happened to it.
pub(super) struct Happened {
    pub(super) about: About,
    pub(super) lines: Vec<EventLine>,
}

/// Shows them all.
pub(super) fn print_all(args: &EventsArgs, happened: &[Happened], of: Of) -> Result<Exit, CliError> {
    print(&match args.output {
        None if args.no_headers => {
            let now = jiff::Timestamp::now();
            let lines = by_time(happened).into_iter().map(|(name, line)| event_table::cells(name, line, of, now));
            Growing::default().lines(&lines.collect::<Vec<_>>())
        }
        None => event_table::events(&by_time(happened), of, jiff::Timestamp::now(), terminal::width()),
        Some(EventsOutput::Json) => json_lines(happened)?,
        Some(EventsOutput::Yaml) => yaml(&events::list(happened.iter().map(|one| (&one.about, &one.lines[..]))))?,
    })
}

/// Whether it is of the types that are asked for.
pub(super) fn is_wanted(line: &EventLine, args: &EventsArgs) -> bool {
    let kind = if line.kind == "Warning" { EventType::Warning } else { EventType::Normal };
    args.types.is_empty() || args.types.contains(&kind)
}

/// All events with the names of whom they are about, the oldest first.
pub(super) fn by_time(happened: &[Happened]) -> Vec<(&str, &EventLine)> {
    let mut all: Vec<(&str, &EventLine)> = Vec::new();
    for Happened { about, lines } in happened {
        let name = about.metadata().name.as_deref().unwrap_or_default();
        all.extend(lines.iter().map(|line| (name, line)));
    }
    // Those of one stand in their order already.
    if happened.len() > 1 {
        all.sort_by_key(|(_, line)| line.time);
    }
    all
}

/// A v1 Event a line.
pub(super) fn json_lines(happened: &[Happened]) -> Result<String, CliError> {
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

/// As YAML.
pub(super) fn yaml(list: &impl serde::Serialize) -> Result<String, CliError> {
    serde_saphyr::to_string(list).map_err(|error| CliError::Format { format: "yaml", cause: error.to_string() })
}
