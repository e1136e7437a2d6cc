//! One file, read strictly where it says something that counts here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_span::value::{Table, Value};

use super::error::{Fault, RegistriesError};
use crate::images::reference::{Reference, usual_spelling};
use crate::images::registry::Transport;

/// What is said of the names that begin in one way.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As it is written, for people.
    pub prefix: String,
    /// The prefix, its registry in the one spelling that all have that mean it: by this names and entries are compared.
    pub usual: String,
    /// What stands in the prefix' place; `None`: nothing else.
    pub location: Option<String>,
    pub transport: Transport,
    pub is_blocked: bool,
    pub mirrors: Vec<Mirror>,
    /// Who says it.
    pub path: PathBuf,
}

#[derive(Clone, Debug)]
pub struct Mirror {
    pub location: String,
    pub transport: Transport,
    pub when: When,
}

/// For which images a mirror is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Those named by a digest.
    Digest,
    /// The others: a mirror's tags may be old.
    Tag,
}

#[derive(Default)]
pub struct File {
    pub entries: Vec<Entry>,
    pub aliases: BTreeMap<String, String>,
}

/// `path`: for errors.
pub fn read(text: &str, path: &Path) -> Result<File, RegistriesError> {
    let root = toml_span::parse(text).map_err(|cause| {
        let (line, column) =
            cause.line_info.map_or_else(|| place(text, cause.span.start), |(line, column)| (line + 1, column + 1));
        RegistriesError::Toml { path: path.to_owned(), line, column, cause: cause.to_string() }
    })?;
    Reader { path }.file(&root).map_err(|Wrong { at, fault }| RegistriesError::Value {
        path: path.to_owned(),
        line: place(text, at).0,
        fault,
    })
}

/// Line and column of a byte, from 1 on.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    (line, before.len() - begin + 1)
}

/// What is wrong, and where.
struct Wrong {
    at: usize,
    fault: Fault,
}

type Read<T> = Result<T, Wrong>;

fn wrong<T>(value: &Value<'_>, fault: Fault) -> Read<T> {
    Err(Wrong { at: value.span.start, fault })
}

fn table<'a, 'b>(value: &'a Value<'b>, key: &'static str) -> Read<&'a Table<'b>> {
    value.as_table().map_or_else(|| wrong(value, Fault::Kind { key, wanted: "a table" }), Ok)
}

fn text(all: &Table<'_>, key: &'static str) -> Read<Option<String>> {
    let Some(value) = all.get(key) else { return Ok(None) };
    let Some(text) = value.as_str() else { return wrong(value, Fault::Kind { key, wanted: "a text" }) };
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn flag(all: &Table<'_>, key: &'static str) -> Read<bool> {
    let Some(value) = all.get(key) else { return Ok(false) };
    value.as_bool().map_or_else(|| wrong(value, Fault::Kind { key, wanted: "true or false" }), Ok)
}

fn list<'a, 'b>(all: &'a Table<'b>, key: &'static str) -> Read<&'a [Value<'b>]> {
    let Some(value) = all.get(key) else { return Ok(&[]) };
    match value.as_array() {
        Some(list) => Ok(list),
        None => wrong(value, Fault::Kind { key, wanted: "a list of tables" }),
    }
}

fn transport(all: &Table<'_>) -> Read<Transport> {
    Ok(if flag(all, "insecure")? { Transport::Insecure } else { Transport::Verified })
}

/// HOST[:PORT][/PATH]
fn is_place(text: &str) -> bool {
    "a".parse::<Reference>().is_ok_and(|any| any.moved_to(&format!("{text}/a")).is_ok())
}

struct Reader<'a> {
    path: &'a Path,
}

impl Reader<'_> {
    fn file(&self, root: &Value<'_>) -> Read<File> {
        let all = table(root, "the file")?;
        if let Some(old) = all.get("registries") {
            return wrong(old, Fault::Version1);
        }
        let mut file = File::default();
        for value in list(all, "registry")? {
            file.entries.push(self.entry(value)?);
        }
        if let Some(aliases) = all.get("aliases") {
            for (name, value) in table(aliases, "aliases")? {
                let Some(full) = value.as_str() else {
                    return wrong(value, Fault::Kind { key: "an alias", wanted: "a text" });
                };
                let is_bare = !full.contains('@') && !full.rsplit('/').next().is_some_and(|last| last.contains(':'));
                let has_registry = Reference::short_name(full).is_none();
                let is_name = has_registry && is_bare && full.parse::<Reference>().is_ok();
                if !full.is_empty() && !is_name {
                    let (name, full) = (name.name.to_string(), full.to_owned());
                    return wrong(value, Fault::Alias { name, full });
                }
                file.aliases.insert(name.name.to_string(), full.to_owned());
            }
        }
        Ok(file)
    }

    fn entry(&self, value: &Value<'_>) -> Read<Entry> {
        let all = table(value, "registry")?;
        let (prefix, location) = (text(all, "prefix")?, text(all, "location")?);
        let Some(prefix) = prefix.or_else(|| location.clone()) else { return wrong(value, Fault::Nameless) };
        let prefix = prefix.trim_end_matches('/').to_owned();
        let is_prefix = match prefix.strip_prefix("*.") {
            Some(domain) => !domain.contains('/') && is_place(domain),
            None => is_place(&prefix),
        };
        if !is_prefix {
            return wrong(value, Fault::Prefix(prefix));
        }
        let is_old = flag(all, "mirror-by-digest-only")?;
        let mirrors = list(all, "mirror")?.iter().map(|one| mirror(one, is_old)).collect::<Read<Vec<Mirror>>>()?;
        Ok(Entry {
            location: place_of(value, location)?,
            transport: transport(all)?,
            is_blocked: flag(all, "blocked")?,
            path: self.path.to_owned(),
            usual: usual_spelling(&prefix),
            prefix,
            mirrors,
        })
    }
}

/// `is_old`: the registry says for all its mirrors when they are asked.
fn mirror(value: &Value<'_>, is_old: bool) -> Read<Mirror> {
    let all = table(value, "mirror")?;
    let Some(location) = place_of(value, text(all, "location")?)? else { return wrong(value, Fault::Nameless) };
    let when = match text(all, "pull-from-mirror")? {
        Some(_) if is_old => return wrong(value, Fault::TwoTimes),
        None if is_old => When::Digest,
        None => When::Always,
        Some(text) => match text.as_str() {
            "all" => When::Always,
            "digest-only" => When::Digest,
            "tag-only" => When::Tag,
            _ => return wrong(value, Fault::When(text)),
        },
    };
    Ok(Mirror { location, transport: transport(all)?, when })
}

fn place_of(value: &Value<'_>, location: Option<String>) -> Read<Option<String>> {
    let location = location.map(|text| text.trim_end_matches('/').to_owned());
    match location {
        Some(text) if !is_place(&text) => wrong(value, Fault::Location(text)),
        other => Ok(other),
    }
}
