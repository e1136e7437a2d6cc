//! `barepod events`: what happened to a pod.

use k8s_openapi::api::core::v1;

use super::args::{EventsArgs, EventsOutput, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use super::{recover, terminal};
use crate::report::{events, table};
use crate::store::read::Found;

/// Shows a pod's events, equal ones counted.
pub fn events(args: &EventsArgs, global: &Global) -> Result<Exit, CliError> {
    let found = recover::look(&global.layout()?, &args.pod.name)?;
    let _ = recover::warn_of_unreadable(&found);
    let happened = found.events().map_err(|cause| recover::unreadable(&found, cause))?;
    let text = match args.output {
        Some(EventsOutput::Json) => {
            let objects = events::objects(&about(&found), &happened);
            let lines: Result<Vec<String>, _> = objects.iter().map(serde_json::to_string).collect();
            let lines = lines.map_err(|error| CliError::Format { format: "json", cause: error.to_string() })?;
            lines.into_iter().map(|line| line + "\n").collect()
        }
        Some(EventsOutput::Yaml) => serde_saphyr::to_string(&events::list(&about(&found), &happened))
            .map_err(|error| CliError::Format { format: "yaml", cause: error.to_string() })?,
        None => table::events(&happened, jiff::Timestamp::now(), terminal::width()),
    };
    print(&text)
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
