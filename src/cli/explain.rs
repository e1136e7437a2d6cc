//! `barepod explain`: a field of the Pod's, its meaning, and what becomes of it here.

use super::args::ExplainArgs;
use super::error::CliError;
use super::exit_code::Exit;
use super::output::print;
use crate::manifest::{Below, Explained, Explanation, explain};

/// Prints it as `kubectl explain` does, with its fate.
pub fn show(args: &ExplainArgs) -> Result<Exit, CliError> {
    let below = if args.recursive { Below::All } else { Below::Next };
    let found = explain(&args.field, below).map_err(CliError::Words)?;
    print(&page(&found, below))
}

fn page(found: &Explanation, below: Below) -> String {
    let Explanation { field, fields, below: rest } = found;
    let mut text = "KIND:       Pod\nVERSION:    v1\n".to_owned();
    if !field.name.is_empty() {
        text += &format!("\nFIELD:      {}\n", head(field));
    }
    text += &format!("HERE:       {}\n\nDESCRIPTION:\n    {}\n", field.fate, field.meaning);
    if let Some(rest) = rest {
        text += &format!("    Of its fields ({rest}) there is nothing else to tell: they share its fate.\n");
    }
    if fields.is_empty() {
        return text;
    }
    text += "\nFIELDS:\n";
    for one in fields {
        text += &match below {
            Below::All => format!("{}{}\n", "  ".repeat(one.depth + 1), head(one)),
            Below::Next => {
                let fate = if one.fate == "honoured" { String::new() } else { format!("    {}\n", one.fate) };
                format!("  {}\n    {}\n{fate}\n", head(one), one.meaning)
            }
        };
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// `name <string> -required-`.
fn head(field: &Explained) -> String {
    let required = if field.is_required { " -required-" } else { "" };
    format!("{} <{}>{required}", field.name, field.of_type)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn how_it_looks() {
        let page = |path, below| page(&explain(path, below).unwrap(), below);
        assert_eq!(
            page("pod.spec.os", Below::Next),
            "KIND:       Pod\nVERSION:    v1\n\nFIELD:      os <PodOS>\nHERE:       in part: linux; windows is refused\n\n\
             DESCRIPTION:\n    the operating system of the containers\n\nFIELDS:\n  name <string> -required-\n    linux or windows\n"
        );
        assert!(
            page("pod", Below::All).contains("\n  spec <PodSpec> -required-\n    activeDeadlineSeconds <integer>\n")
        );
        assert!(page("pod.spec", Below::Next).contains(
            "\n  nodeName <string>\n    the node that the pod is bound to\n    warning: the pod runs on this box, whatever its name\n"
        ));
        assert!(page("pod.spec.affinity.podAffinity", Below::Next).contains("Of its fields (podAffinity)"));
    }
}
