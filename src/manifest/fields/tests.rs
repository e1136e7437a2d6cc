#![allow(clippy::unwrap_used)]
//! Proves the tables against the types, and keeps docs/fields.md equal to the tables. To write the page anew:
//! `BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1;
use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Fate, TABLES, fate};

/// Fields of each type, and the type each leads to, if that is a struct.
type Types = BTreeMap<&'static str, BTreeMap<&'static str, Option<&'static str>>>;

/// Asks a type what it consists of: every struct says its name and fields when it is deserialized.
struct Asker<'a> {
    types: &'a mut Types,
    /// The type and field that led here.
    from: Option<(&'static str, &'static str)>,
}

macro_rules! numbers {
    ($($method:ident $visit:ident),*) => {$(
        fn $method<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(0)
        }
    )*};
}

impl Deserializer<'static> for Asker<'_> {
    type Error = Error;

    numbers!(deserialize_i32 visit_i32, deserialize_i64 visit_i64, deserialize_any visit_i32);

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_str<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(match self.from {
            Some(("Pod", "apiVersion")) => "v1",
            Some(("Pod", "kind")) => "Pod",
            // A time must be one; every other text may be.
            _ => "2026-11-23T12:00:00Z",
        })
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            "Quantity" => visitor.visit_str("0"),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(One(Some(self)))
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(One(Some(self)))
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Some((parent, field)) = self.from {
            self.types.get_mut(parent).unwrap().insert(field, Some(name));
        }
        if self.types.contains_key(name) {
            return visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &str)>()));
        }
        self.types.insert(name, fields.iter().map(|field| (*field, None)).collect());
        visitor.visit_map(Fields { name, fields: fields.iter(), current: "", types: self.types })
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'static>>
        i8 i16 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// A list of one item, or a map of one entry.
struct One<'a>(Option<Asker<'a>>);

impl SeqAccess<'static> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|asker| seed.deserialize(asker)).transpose()
    }
}

impl MapAccess<'static> for One<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.0.as_ref().map(|_| seed.deserialize(StrDeserializer::new("key"))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.0.take().unwrap())
    }
}

/// All fields of a struct, one after the other.
struct Fields<'a> {
    name: &'static str,
    fields: std::slice::Iter<'static, &'static str>,
    current: &'static str,
    types: &'a mut Types,
}

impl MapAccess<'static> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next() else {
            return Ok(None);
        };
        self.current = field;
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Asker { types: self.types, from: Some((self.name, self.current)) })
    }
}

/// Every struct that a Pod can hold.
fn types() -> Types {
    let mut types = Types::new();
    v1::Pod::deserialize(Asker { types: &mut types, from: None }).unwrap();
    types
}

#[test]
fn every_field_of_the_pod_api_has_a_fate() {
    let types = types();
    assert!(types.len() > 100, "the walk must see the whole type: {}", types.len());
    let mut pending = vec!["Pod"];
    let mut seen = BTreeSet::new();
    while let Some(name) = pending.pop() {
        if !seen.insert(name) {
            continue;
        }
        for (field, inner) in &types[name] {
            let fate = fate(name, field).unwrap_or_else(|| panic!("{name}.{field} has no fate"));
            if matches!(fate, Fate::Honoured | Fate::Partly(_)) {
                pending.extend(inner);
            }
        }
    }
}

#[test]
fn every_row_is_a_field_and_every_table_is_whole() {
    let types = types();
    let mut tables = BTreeSet::new();
    for (name, rows) in TABLES.iter().copied().flatten() {
        assert!(tables.insert(name), "{name} has two tables");
        let rows: Vec<&str> = rows.iter().map(|(field, _)| *field).collect();
        let fields: Vec<&str> =
            types.get(name).unwrap_or_else(|| panic!("{name} is no type")).keys().copied().collect();
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, fields, "{name}");
    }
}

/// docs/fields.md.
fn page() -> String {
    let mut page = String::from(
        "# The fate of every field of the Pod API\n\n\
         Made from the tables in `src/manifest/fields/` (k8s-openapi's v1, Kubernetes 1.37): change them, then run\n\
         `BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields`. A test walks the whole type and fails for a field\n\
         that isn't here.\n\n\
         - **honoured**: does what Kubernetes says it does, by the rules in the project's lifecycle document.\n\
         - **in part**: honoured but for the values named.\n\
         - **refused**: an error, because the pod would silently behave otherwise than it says.\n\
         - **warning**: accepted with a warning, because it has no meaning on one box.\n\n\
         A refused field whose value asks for nothing (`false`, an empty list or text) is accepted. Fields of a type that\n\
         is in no table share the fate of the field that holds it. A field that isn't of the Pod API is an error.\n",
    );
    for (name, rows) in TABLES.iter().copied().flatten() {
        page.push_str(&format!("\n## {name}\n\n| field | fate | |\n|---|---|---|\n"));
        for (field, fate) in *rows {
            let (word, why) = match fate {
                Fate::Honoured => ("honoured", String::new()),
                Fate::Partly(note) => ("in part", (*note).to_owned()),
                Fate::Refused { why, help } => ("refused", format!("{why}; {help}")),
                Fate::Warned(why) | Fate::Skipped(why) => ("warning", (*why).to_owned()),
            };
            page.push_str(&format!("| `{field}` | {word} | {why} |\n"));
        }
    }
    page
}

#[test]
fn the_page_says_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fields.md");
    if std::env::var_os("BAREPOD_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, page()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == page(), "docs/fields.md is out of date: BAREPOD_WRITE_DOCS=1 cargo test --lib manifest::fields");
}
