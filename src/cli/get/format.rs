//! How `barepod get` shows pods.

use k8s_openapi::api::core::v1;
use serde_json::Value;

use super::super::args::{GetArgs, GetOutput};
use super::super::error::CliError;
use super::super::files;
use crate::report::columns::Columns;
use crate::report::jsonpath::{Missing, Template};
use crate::report::table::{PodRow, Shown, Width};

/// What is printed of pods.
pub(in crate::cli) enum Format {
    /// `kubectl get pods`.
    Table(Shown),
    /// A table with these columns.
    Columns(Columns),
    /// `pod/NAME`.
    Name,
    /// What they are, in whole or in part.
    Object(Style),
}

/// How an object is written.
pub(in crate::cli) enum Style {
    Json,
    Yaml,
    /// A template that is filled in.
    Template(Template, Missing),
    /// What a template finds, as JSON.
    TemplateAsJson(Template, Missing),
}

impl Format {
    /// What `get` is asked for; reads the files that are named.
    pub(super) fn of_get(args: &GetArgs) -> Result<Self, CliError> {
        let missing = if args.allow_missing_template_keys { Missing::Ignored } else { Missing::Refused };
        let format = Self::of(args.output.as_ref(), missing)?;
        let (label_columns, labels, kind) = (args.label_columns.clone(), args.show_labels, args.show_kind);
        match format {
            Self::Table(Shown { width, .. }) => Ok(Self::Table(Shown { width, label_columns, labels, kind })),
            _ if labels || kind || !label_columns.is_empty() => Err(CliError::Usage(
                "--show-labels, --label-columns and --show-kind are for the table, not for other formats",
            )),
            format => Ok(format),
        }
    }

    /// What is asked for; reads the files that are named.
    pub(in crate::cli) fn of(output: Option<&GetOutput>, missing: Missing) -> Result<Self, CliError> {
        Ok(match output {
            None => Self::Table(Width::Normal.into()),
            Some(GetOutput::Wide) => Self::Table(Width::Wide.into()),
            Some(GetOutput::Name) => Self::Name,
            Some(GetOutput::Json) => Self::Object(Style::Json),
            Some(GetOutput::Yaml) => Self::Object(Style::Yaml),
            Some(GetOutput::JsonPath(template)) => Self::Object(Style::Template(template.clone(), missing)),
            Some(GetOutput::JsonPathAsJson(template)) => Self::Object(Style::TemplateAsJson(template.clone(), missing)),
            Some(GetOutput::JsonPathFile(path)) => {
                let (name, text) = files::text_of(path)?;
                let template = Template::parse(&String::from_utf8_lossy(&text));
                let template = template.map_err(|error| CliError::Words(format!("{name}: {error}")))?;
                Self::Object(Style::Template(template, missing))
            }
            Some(GetOutput::Columns(columns)) => Self::Columns(columns.clone()),
            Some(GetOutput::ColumnsFile(path)) => {
                let (name, text) = files::text_of(path)?;
                let columns = Columns::parse_file(&String::from_utf8_lossy(&text));
                Self::Columns(columns.map_err(|why| CliError::Words(format!("{name}: {why}")))?)
            }
        })
    }
}

/// A pod, or a list of pods, in a style.
pub(in crate::cli) fn object(value: &Value, style: &Style) -> Result<String, CliError> {
    let fail = |format, cause: String| CliError::Format { format, cause };
    let misfit = |template: &Template, why: String| CliError::Template(format!("jsonpath {}: {why}", template.text()));
    match style {
        Style::Json => {
            serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| fail("json", error.to_string()))
        }
        Style::Yaml => serde_saphyr::to_string(value).map_err(|error| fail("yaml", error.to_string())),
        Style::Template(template, missing) => {
            template.fill_in(value, *missing).map_err(|why| misfit(template, why.to_string()))
        }
        Style::TemplateAsJson(template, missing) => {
            template.as_json(value, *missing).map_err(|why| misfit(template, why.to_string()))
        }
    }
}

/// Pods in columns of somebody's own, with a header.
pub(super) fn table(rows: &[PodRow], columns: &Columns) -> Result<String, CliError> {
    let pods: Vec<Value> = rows.iter().map(|row| one(&row.pod)).collect::<Result<_, _>>()?;
    columns.table(&pods).map_err(|why| CliError::Template(format!("custom-columns: {why}")))
}

/// An object's cells in such columns.
pub(super) fn cells(object: &Value, columns: &Columns) -> Result<Vec<String>, CliError> {
    columns.row(object).map_err(|why| CliError::Template(format!("custom-columns: {why}")))
}

/// A pod as JSON.
pub(in crate::cli) fn one(pod: &v1::Pod) -> Result<Value, CliError> {
    serde_json::to_value(pod).map_err(|error| CliError::Format { format: "json", cause: error.to_string() })
}

/// Pods as a v1 List.
pub(super) fn list(rows: &[PodRow]) -> Result<Value, CliError> {
    let items: Vec<Value> = rows.iter().map(|row| one(&row.pod)).collect::<Result<_, _>>()?;
    Ok(serde_json::json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::read::Life;

    fn rows(count: usize) -> Vec<PodRow> {
        let text = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"a"}]}}"#;
        vec![PodRow { pod: serde_json::from_str(text).unwrap(), life: Life::Running }; count]
    }

    #[test]
    fn one_pod_is_a_pod_and_all_are_a_list() {
        insta::assert_snapshot!(object(&one(&rows(1)[0].pod).unwrap(), &Style::Json).unwrap());
        insta::assert_snapshot!(object(&one(&rows(1)[0].pod).unwrap(), &Style::Yaml).unwrap());
        insta::assert_snapshot!(object(&list(&rows(2)).unwrap(), &Style::Yaml).unwrap());
        let none = list(&[]).unwrap();
        assert_eq!((&none["kind"], &none["items"]), (&"List".into(), &serde_json::json!([])));
    }
}
