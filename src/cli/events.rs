//! `barepod events`: what happened to a pod.

use super::args::{EventsArgs, EventsOutput, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::{print, recover};
use crate::report::table;

/// Shows a pod's events, equal ones counted.
pub fn events(args: &EventsArgs, global: &Global) -> Result<Exit, CliError> {
    let found = recover::find(&global.layout()?, &args.pod)?;
    let events = found.events()?;
    match args.output {
        Some(EventsOutput::Json) => {
            let mut text = String::new();
            for event in &events {
                let line = serde_json::to_string(event);
                text += &line.map_err(|error| CliError::Format { format: "json", cause: error.to_string() })?;
                text.push('\n');
            }
            print(&text)
        }
        None => print(&table::events(&events, jiff::Timestamp::now())),
    }
}
