//! Which pods a command is about: those that are named, or all that labels choose.

use super::args::ChosenPods;
use super::error::CliError;
use super::recover;
use crate::store::layout::Layout;
use crate::store::read;

/// Names as they are given; by a selector the full names of all pods with such labels. A pod that can't be read is left out
/// behind a warning: nobody knows its labels.
pub fn pods(layout: &Layout, asked: &ChosenPods) -> Result<Vec<String>, CliError> {
    let Some(selector) = &asked.selector else { return Ok(asked.names.clone()) };
    let mut chosen = Vec::new();
    for found in read::list(layout)? {
        if asked.namespace.as_ref().is_some_and(|namespace| *namespace != found.namespace) {
            continue;
        }
        match found.pod() {
            Ok(Some(pod)) if selector.chooses(&pod) => {
                chosen.push(recover::full_name(&found));
            }
            Ok(_) => {}
            Err(cause) => tell!("warning: {}", recover::unreadable(&found, cause)),
        }
    }
    if chosen.is_empty() {
        tell!("no pods found");
    }
    Ok(chosen)
}
