//! `get -o`: words, and templates behind some of them.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};

use crate::report::columns::Columns;
use crate::report::jsonpath::Template;

/// `get -o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetOutput {
    /// The v1 Pod, or a v1 List of pods.
    Json,
    /// The same as YAML.
    Yaml,
    /// A table with more columns.
    Wide,
    /// `pod/NAME`.
    Name,
    /// A template that is filled in.
    JsonPath(Template),
    /// What a template finds, as JSON.
    JsonPathAsJson(Template),
    /// A template in a file.
    JsonPathFile(PathBuf),
    /// A table with columns of one's own.
    Columns(Columns),
    /// A file that says which columns.
    ColumnsFile(PathBuf),
}

/// Words, and how each is written with what is given behind it.
const FORMATS: [(&str, &str); 9] = [
    ("json", "json"),
    ("yaml", "yaml"),
    ("wide", "wide"),
    ("name", "name"),
    ("jsonpath", "jsonpath=TEMPLATE"),
    ("jsonpath-as-json", "jsonpath-as-json=TEMPLATE"),
    ("jsonpath-file", "jsonpath-file=FILE"),
    ("custom-columns", "custom-columns=NAME:PATH,..."),
    ("custom-columns-file", "custom-columns-file=FILE"),
];

/// Reads it, and tells shells what there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct GetOutputParser;

impl TypedValueParser for GetOutputParser {
    type Value = GetOutput;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<GetOutput, clap::Error> {
        (|text: &str| read(text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FORMATS.iter().map(|(_, written)| PossibleValue::new(*written))))
    }
}

fn read(text: &str) -> Result<GetOutput, String> {
    let (word, rest) = text.split_once('=').map_or((text, None), |(word, rest)| (word, Some(rest)));
    let template = |rest| Template::parse(rest).map_err(|error| error.to_string());
    match (word, rest.filter(|rest| !rest.is_empty())) {
        ("json", None) => Ok(GetOutput::Json),
        ("yaml", None) => Ok(GetOutput::Yaml),
        ("wide", None) => Ok(GetOutput::Wide),
        ("name", None) => Ok(GetOutput::Name),
        ("jsonpath", Some(rest)) => template(rest).map(GetOutput::JsonPath),
        ("jsonpath-as-json", Some(rest)) => template(rest).map(GetOutput::JsonPathAsJson),
        ("jsonpath-file", Some(rest)) => Ok(GetOutput::JsonPathFile(rest.into())),
        ("custom-columns", Some(rest)) => Columns::parse(rest).map(GetOutput::Columns),
        ("custom-columns-file", Some(rest)) => Ok(GetOutput::ColumnsFile(rest.into())),
        ("go-template" | "go-template-file" | "template" | "templatefile", _) => {
            Err("there are no Go templates here; jsonpath=TEMPLATE does the like, as kubectl's (docs/kubectl.md)"
                .to_owned())
        }
        _ => match FORMATS.iter().find(|(known, written)| *known == word && written != known) {
            Some((_, written)) => Err(format!("write it like {written}")),
            None => Err(format!("possible values: {}", FORMATS.map(|(_, written)| written).join(", "))),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let template = Template::parse("{.a}={.b}").unwrap();
        for (text, output) in [
            ("json", GetOutput::Json),
            ("jsonpath={.a}={.b}", GetOutput::JsonPath(template.clone())),
            ("jsonpath-as-json={.a}={.b}", GetOutput::JsonPathAsJson(template)),
            ("jsonpath-file=a=b", GetOutput::JsonPathFile("a=b".into())),
            ("custom-columns-file=/x", GetOutput::ColumnsFile("/x".into())),
            ("custom-columns=A:.a", GetOutput::Columns(Columns::parse("A:.a").unwrap())),
        ] {
            assert_eq!(read(text), Ok(output), "{text}");
        }
        for (text, why) in [
            ("xml", "possible values: json, yaml, wide, name, jsonpath=TEMPLATE, "),
            ("jsonpath", "write it like jsonpath=TEMPLATE"),
            ("custom-columns=", "write it like custom-columns=NAME:PATH,..."),
            ("jsonpath={.a", "unclosed action"),
            ("custom-columns=A", "\"A\" is no column"),
            ("go-template={{.metadata.name}}", "no Go templates here; jsonpath=TEMPLATE"),
            ("go-template-file=x", "jsonpath=TEMPLATE"),
            ("json=x", "possible values"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
