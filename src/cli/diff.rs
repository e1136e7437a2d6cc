//! `barepod diff`: what of a pod that runs is different from its manifest.

use serde_json::Value;

use super::args::{DiffArgs, Global};
use super::error::CliError;
use super::exit_code::Exit;
use super::files::Depth;
use super::given::{self, Given};
use super::output::print;
use super::recover;
use super::terminal::sanitize;
use crate::plan::Difference;
use crate::store::Error;
use crate::store::layout::Layout;

/// Prints the differences; that there are some is exit code 1, as `kubectl diff` has it.
pub fn diff(args: &DiffArgs, global: &Global) -> Result<Exit, CliError> {
    let layout = global.layout()?;
    let mut exit = Exit::Success;
    let pods = given::named(&args.filename, Depth::of(args.recursive), args.namespace.as_deref())?;
    if pods.iter().any(|(_, given)| !given.objects.is_empty()) {
        tell!("note: ConfigMaps and Secrets are not compared");
    }
    for (name, given) in pods {
        if diff_one(&layout, name, given)? {
            exit = Exit::Failure;
        }
    }
    Ok(exit)
}

/// Whether there are some.
fn diff_one(layout: &Layout, name: String, given: Given) -> Result<bool, CliError> {
    let Given { pod: mut wanted, file, .. } = given;
    let shown = sanitize(&file.display().to_string());
    let found = match recover::look(layout, &name) {
        Ok(found) => found,
        Err(CliError::Store(Error::NotFound(_))) => {
            print(&format!("pod {name} isn't there; `barepod run {shown}` runs it\n"))?;
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let differences = given::differences(&mut recover::pod(&found)?, &mut wanted);
    let lines = words_of_all(&differences);
    if !differences.is_empty() {
        print(&format!("pod {name} (-) and {shown} (+):\n{lines}"))?;
    }
    Ok(!differences.is_empty())
}

/// Of each difference the field, and below it what is there and what would be.
pub(super) fn words_of_all(differences: &[Difference]) -> String {
    differences.iter().map(words_of).collect()
}

/// The field, and below it what is there and what would be.
fn words_of(difference: &Difference) -> String {
    let Difference { field, container, old, new } = difference;
    let of = container.as_ref().map(|name| format!(" (container {name})")).unwrap_or_default();
    let side = |sign: char, value: &Option<Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => format!("  {sign} {}\n", sanitize(text)),
        Some(value) => format!("  {sign} {}\n", sanitize(&value.to_string())),
    };
    format!("{}{}\n{}{}", sanitize(&field.to_string()), sanitize(&of), side('-', old), side('+', new))
}
