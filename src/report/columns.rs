//! Columns that somebody has chosen (`kubectl get -o custom-columns`): a name and a path for each.

use serde_json::Value;

use super::jsonpath::{Missing, NotFound, Template};
use super::table;

/// Columns, from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<(String, Template)>);

impl Columns {
    /// `NAME:.metadata.name,PHASE:.status.phase`.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let column = |text: &str| match text.split_once(':') {
            Some((name, path)) => Ok((name.to_owned(), Template::parse_path(path)?)),
            None => Err(format!("{text:?} is no column; write it like NAME:.metadata.name")),
        };
        text.split(',').map(column).collect::<Result<_, String>>().map(Self)
    }

    /// Of a file's two lines: the names, and the path below each.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_file(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let (Some(names), Some(paths)) = (lines.next(), lines.next()) else {
            return Err("a line with the names of the columns is needed, and one with a path for each".to_owned());
        };
        if names.len() != paths.len() || names.is_empty() {
            return Err(format!("{} names of columns and {} paths don't match", names.len(), paths.len()));
        }
        let columns = names.iter().zip(paths).map(|(name, path)| Ok(((*name).to_owned(), Template::parse_path(path)?)));
        columns.collect::<Result<_, String>>().map(Self)
    }

    /// The names.
    pub fn header(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// An object's cells. What an object doesn't have is `<none>`.
    ///
    /// # Errors
    /// Where a path leads nowhere for another reason.
    pub fn row(&self, object: &Value) -> Result<Vec<String>, NotFound> {
        let cell = |(_, path): &(String, Template)| {
            let found: Vec<String> = path.find(object, Missing::Ignored)?.concat().into_iter().map(printed).collect();
            Ok(if found.is_empty() { "<none>".to_owned() } else { found.join(",") })
        };
        self.0.iter().map(cell).collect()
    }

    /// A table of objects.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn table<'a>(&self, objects: impl IntoIterator<Item = &'a Value>) -> Result<String, NotFound> {
        let rows: Vec<Vec<String>> = objects.into_iter().map(|object| self.row(object)).collect::<Result<_, _>>()?;
        Ok(table::columns(&self.header(), rows.into_iter()))
    }
}

/// As Go's `fmt.Sprint` writes what JSON has.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(elements) => format!("[{}]", elements.iter().map(printed).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}:{}", printed(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pods() -> [Value; 2] {
        let web = json!({
            "metadata": {"name": "web", "labels": {"b": "2", "a": "1"}},
            "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 80}]}]},
        });
        [web, json!({"metadata": {"name": "db\u{1b}"}, "spec": {"containers": []}})]
    }

    #[test]
    fn columns_are_a_table() {
        let columns =
            Columns::parse("NAME:metadata.name,CONTAINERS:{.spec.containers[*].name},LABELS:.metadata.labels").unwrap();
        let expected =
            "NAME       CONTAINERS   LABELS\nweb        a,b          map[a:1 b:2]\ndb\\u{1b}   <none>       <none>\n";
        assert_eq!(columns.table(&pods()).unwrap(), expected);
        let same = "NAME CONTAINERS  LABELS\nmetadata.name\t{.spec.containers[*].name} .metadata.labels\n";
        assert_eq!(Columns::parse_file(same).unwrap(), columns);
        let ports = Columns::parse("P:..ports").unwrap();
        assert_eq!(ports.row(&pods()[0]).unwrap(), ["[map[containerPort:80]]"]);
        assert!(Columns::parse("C:spec.containers[0].name").unwrap().table(&pods()).is_err());
    }

    #[test]
    fn what_is_no_column() {
        for (text, why) in [
            ("", "\"\" is no column"),
            ("NAME", "write it like NAME:.metadata.name"),
            ("NAME:", "\"\" is no path"),
            ("NAME:.a,", "\"\" is no column"),
            ("NAME:{.a}{.b}", "is no path"),
            ("NAME:.a[x]", "{.a[x]}: invalid array index x"),
        ] {
            let error = Columns::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        for (text, why) in [
            ("", "is needed"),
            ("A B\n.a\n", "2 names of columns and 1 paths"),
            ("\n\n", "0 names"),
            ("A\n{\n", "no path"),
        ] {
            let error = Columns::parse_file(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
