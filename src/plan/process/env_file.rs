//! Variables from files (`fileKeyRef`, KEP-3721): which files a container names, and what stands in one.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1;

use crate::plan::error::ConfigCause;
use crate::plan::facts::EnvFile;
use crate::plan::identity::PodContainer;
use crate::plan::inputs::Inputs;

/// The files whose bytes [`crate::plan::container`] has to be given for this container.
#[must_use]
pub fn env_files(container: &PodContainer<'_>) -> BTreeSet<EnvFile> {
    let sources = container.manifest.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref());
    sources.filter_map(|source| source.file_key_ref.as_ref()).map(EnvFile::of).collect()
}

/// The value of a key; `None`: it is optional and not there.
pub(super) fn value(inputs: &Inputs, from: &v1::FileKeySelector) -> Result<Option<String>, ConfigCause> {
    let file = EnvFile::of(from);
    let fail = |why: String| ConfigCause::EnvFile { file: Box::new(file.clone()), why };
    let bytes = match inputs.sandbox.env_files.get(&file) {
        Some(Ok(Some(bytes))) => bytes,
        Some(Err(why)) => return Err(fail(why.clone())),
        Some(Ok(None)) | None if from.optional == Some(true) => return Ok(None),
        Some(Ok(None)) | None => {
            return Err(fail("it isn't there; a container before this one has to write it".into()));
        }
    };
    let text = std::str::from_utf8(bytes).map_err(|_| fail("it is no UTF-8 text".to_owned()))?;
    match find(text, &from.key).map_err(|wrong| fail(wrong.to_string()))? {
        None if from.optional != Some(true) => {
            Err(ConfigCause::NoSuchEnvKey { key: from.key.clone(), file: Box::new(file.clone()) })
        }
        found => Ok(found),
    }
}

/// What is wrong with a file, and in which line. Never what the line says: it may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
struct Wrong {
    line: usize,
    what: &'static str,
}

/// The first value of `key` in a file as the kubelet takes it: lines `NAME='value'`, a subset of what a POSIX shell
/// reads, so that the one has the values that the other has. A value may go over several lines. What comes after the key
/// isn't looked at.
fn find(text: &str, key: &str) -> Result<Option<String>, Wrong> {
    let blank = [' ', '\t'];
    let mut rest = text;
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let wrong = |what| Wrong { line, what };
        let (own, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let own = own.strip_suffix('\r').unwrap_or(own).trim_start_matches(blank);
        if own.is_empty() || own.starts_with('#') {
            rest = after;
            continue;
        }
        let (name, given) = own.split_once('=').ok_or(wrong("there is no '='; write NAME='value'"))?;
        if name.is_empty() {
            return Err(wrong("there is no name before '='; write NAME='value'"));
        }
        if name.ends_with(blank) {
            return Err(wrong("no space may stand before '='; write NAME='value'"));
        }
        // A shell takes it for an empty value, and a command after it.
        if given.starts_with(blank) {
            if name == key {
                return Ok(Some(String::new()));
            }
            rest = after;
            continue;
        }
        if !given.starts_with('\'') {
            return Err(wrong("the value must stand in single quotes; write NAME='value'"));
        }
        // From here on in the file, and not in the line: there may be newlines before the end.
        let start = rest.find("='").map_or(rest.len(), |at| at + 2);
        let (value, after) = rest[start..].split_once('\'').ok_or(wrong("its single quote isn't closed"))?;
        let (more, after) = after.split_once('\n').unwrap_or((after, ""));
        let more = more.trim_start_matches(blank).trim_end_matches('\r');
        line += value.matches('\n').count();
        if !more.is_empty() && !more.starts_with('#') {
            return Err(Wrong { line, what: "only a comment may come after the value; write NAME='value'" });
        }
        if name == key {
            return Ok(Some(value.to_owned()));
        }
        rest = after;
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says() {
        let cases = [
            ("A='1'\n", Ok(Some("1"))),
            ("A='1'", Ok(Some("1"))),
            ("", Ok(None)),
            ("B='2'\nAB='3'\n", Ok(None)),
            ("A='1'\nA='2'\n", Ok(Some("1"))),
            ("\n \t\n# A='0'\n\t A='1' # said\n", Ok(Some("1"))),
            ("A=' #\\n$B \"x\" '\n", Ok(Some(" #\\n$B \"x\" "))),
            ("B='\nA='\nA='one\n\n two'\n", Ok(Some("one\n\n two"))),
            ("B='\nA=x\n'\nA='one\n\n two'\nbad", Ok(Some("one\n\n two"))),
            ("A=''\n", Ok(Some(""))),
            ("B= '0'\nA= '1'\n", Ok(Some(""))),
            ("A='1'\r\n", Ok(Some("1"))),
            ("B='1'\r\nA='2'\r\n", Ok(Some("2"))),
            ("A=1\n", Err("line 1: the value must stand in single quotes; write NAME='value'")),
            ("A=\n", Err("line 1: the value must stand in single quotes; write NAME='value'")),
            ("A=\"1\"\n", Err("line 1: the value must stand in single quotes; write NAME='value'")),
            ("\nA ='1'\n", Err("line 2: no space may stand before '='; write NAME='value'")),
            ("='1'\n", Err("line 1: there is no name before '='; write NAME='value'")),
            ("export\n", Err("line 1: there is no '='; write NAME='value'")),
            ("B='\n\n'\nA='1\n", Err("line 4: its single quote isn't closed")),
            ("A='1''2'\n", Err("line 1: only a comment may come after the value; write NAME='value'")),
            ("B='1\n'$A\n", Err("line 2: only a comment may come after the value; write NAME='value'")),
            ("don't='2'\nA='1'\n", Ok(Some("1"))),
        ];
        for (text, wanted) in cases {
            let found = find(text, "A").map_err(|wrong| wrong.to_string());
            let found = found.as_ref().map(Option::as_deref).map_err(String::as_str);
            assert_eq!(found, wanted, "{text:?}");
        }
    }
}
