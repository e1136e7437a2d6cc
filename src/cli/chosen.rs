//! Which pods a command is about: those that are named or described by manifests, or all that labels choose.

use super::args::{ChosenPods, Pods};
use super::error::CliError;
use super::{given, recover};
use crate::store::layout::Layout;
use crate::store::read::{self, Found, Life};

/// Names as they are given, else the full names of all pods, or of all with such labels. A pod that can't be read is left out
/// behind a warning where labels choose: nobody knows its labels.
pub fn pods(layout: &Layout, asked: &ChosenPods) -> Result<Vec<String>, CliError> {
    of_lives(layout, asked, |_| true)
}

/// Likewise for a command that does something; of pods that aren't named it takes those that live so.
pub fn to_act_on(layout: &Layout, asked: &Pods, fits: impl Fn(Life) -> bool) -> Result<Vec<String>, CliError> {
    of_lives(layout, &asked.chosen, fits)
}

/// Whether pods are given one by one.
pub fn are_named(asked: &ChosenPods) -> bool {
    !(asked.names.is_empty() && asked.filename.is_empty())
}

fn of_lives(layout: &Layout, asked: &ChosenPods, fits: impl Fn(Life) -> bool) -> Result<Vec<String>, CliError> {
    if are_named(asked) {
        return given::names(asked);
    }
    let mut chosen = Vec::new();
    for found in read::list(layout)? {
        match is_chosen(&found, asked) {
            // Whoever does something with it says what is wrong with it.
            Ok(true) if found.life().map_or(true, &fits) => chosen.push(recover::full_name(&found)),
            Ok(_) => {}
            Err(cause) => tell!("warning: {}", recover::unreadable(&found, cause)),
        }
    }
    if chosen.is_empty() {
        tell!("no pods found");
    }
    Ok(chosen)
}

/// Whether one of all pods is in the namespace and has the labels that are asked for.
///
/// # Errors
/// Where its labels can't be read.
pub fn is_chosen(found: &Found, asked: &ChosenPods) -> Result<bool, crate::store::Error> {
    if asked.namespace.as_ref().is_some_and(|namespace| *namespace != found.namespace) {
        return Ok(false);
    }
    let Some(selector) = &asked.selector else { return Ok(true) };
    Ok(found.pod()?.is_some_and(|pod| selector.chooses(&pod)))
}
