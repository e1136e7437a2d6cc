//! The fate of every field of an OCI runtime config (docs/oci.md), proven against the types. To write the table anew:
//! `BAREPOD_WRITE_DOCS=1 cargo test --lib oci_fields`.

use std::collections::BTreeMap;

use oci_spec::runtime::Spec;
use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Fields of each type, in the order of the type.
type Types = BTreeMap<&'static str, &'static [&'static str]>;

/// Asks a type what it consists of: every struct says its name and fields when it is deserialized.
struct Asker<'a> {
    types: &'a mut Types,
    field: &'static str,
}

macro_rules! numbers {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_u8(0)
        }
    )*};
}

impl Deserializer<'static> for Asker<'_> {
    type Error = Error;

    numbers!(deserialize_any, deserialize_u16, deserialize_u32, deserialize_u64, deserialize_i32, deserialize_i64);

    fn deserialize_bool<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_str<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        let sets = ["bounding", "effective", "inheritable", "permitted", "ambient"];
        visitor.visit_str(if sets.contains(&self.field) { "CAP_CHOWN" } else { "0" })
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(One(Some(self)))
    }

    fn deserialize_map<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(One(Some(self)))
    }

    fn deserialize_enum<V: Visitor<'static>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(StrDeserializer::new(variants[0]))
    }

    fn deserialize_struct<V: Visitor<'static>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.types.insert(name, fields);
        visitor.visit_map(Fields { fields: fields.iter(), current: "", types: self.types })
    }

    fn deserialize_ignored_any<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'static>>
        i8 i16 u8 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
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
    fields: std::slice::Iter<'static, &'static str>,
    current: &'static str,
    types: &'a mut Types,
}

impl MapAccess<'static> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.current = field;
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Asker { types: self.types, field: self.current })
    }
}

fn types() -> Types {
    let mut types = Types::new();
    Spec::deserialize(Asker { types: &mut types, field: "" }).unwrap();
    types
}

const BEGIN: &str = "<!-- fields -->\n";
const END: &str = "<!-- end of fields -->\n";

#[test]
fn every_field_of_a_config_has_a_row() {
    let page = include_str!("../../../docs/oci.md");
    let (_, rest) = page.split_once(BEGIN).unwrap();
    let (table, _) = rest.split_once(END).unwrap();
    let mut rows: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut whole: Vec<&str> = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (name, fate) = (cells[0].trim_matches('`'), cells[1]);
        assert!(["honoured", "in part", "the pod's", "refused", "ignored"].contains(&fate), "{line}");
        match name.split_once('.') {
            Some((owner, field)) => assert!(rows.insert((owner, field), fate).is_none(), "{name} twice"),
            None => whole.push(name),
        }
    }
    let types = types();
    assert!(types.len() > 50, "the walk must see the whole type: {}", types.len());
    let missing: Vec<String> = types
        .iter()
        .filter(|(name, _)| !whole.contains(name))
        .flat_map(|(name, fields)| fields.iter().map(move |field| (*name, *field)))
        .filter(|row| !rows.contains_key(row))
        .map(|(name, field)| format!("{name}.{field}"))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    let known = |(name, field): &(&str, &str)| types.get(name).is_some_and(|fields| fields.contains(field));
    let extra: Vec<_> = rows.keys().filter(|row| !known(row)).collect();
    assert!(extra.is_empty(), "rows of nothing: {extra:?}");
    assert!(whole.iter().all(|name| types.contains_key(name)), "{whole:?}");
}

/// What would be left out in silence is refused by its field; docs/oci.md says the same.
#[test]
fn what_would_be_left_out_is_refused() {
    use crate::plan::types::CgroupVersion::{V1, V2};
    use serde_json::json;
    let hook = |more: serde_json::Value| json!({"hooks": {"poststop": [{"path": "/bin/true"}, more]}});
    let resources = |more: serde_json::Value| json!({"linux": {"resources": more}});
    let all = [
        (hook(json!({"path": "true"})), V2, "hooks.poststop[1].path"),
        (hook(json!({"path": "/true", "timeout": 0})), V2, "hooks.poststop[1].timeout"),
        (hook(json!({"path": "/true", "timeout": 1})), V2, ""),
        (
            json!({"process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "execCPUAffinity": {"initial": "0"}}}),
            V2,
            "process.execCPUAffinity",
        ),
        (json!({"linux": {"intelRdt": {"closID": "a"}}}), V1, "linux.intelRdt"),
        (json!({"linux": {"personality": {"domain": "LINUX", "flags": ["x"]}}}), V1, "linux.personality.flags"),
        (json!({"linux": {"personality": {"domain": "LINUX"}}}), V1, ""),
        (
            json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s"}}}),
            V1,
            "linux.seccomp.listenerPath",
        ),
        (resources(json!({"rdma": {"mlx": {"hcaHandles": 1}}})), V2, "linux.resources.rdma"),
        (resources(json!({"memory": {"disableOOMKiller": true}})), V1, "linux.resources.memory.disableOOMKiller"),
        (resources(json!({"memory": {"disableOOMKiller": false, "useHierarchy": true}})), V1, ""),
        (resources(json!({"memory": {"checkBeforeUpdate": true}})), V2, "linux.resources.memory.checkBeforeUpdate"),
        (resources(json!({"memory": {"kernel": 1}})), V2, "linux.resources.memory.kernel"),
        (resources(json!({"memory": {"kernelTCP": 1}})), V2, "linux.resources.memory.kernelTCP"),
        (resources(json!({"memory": {"swappiness": 1}})), V2, "linux.resources.memory.swappiness"),
        (resources(json!({"memory": {"swappiness": 1}})), V1, ""),
        (resources(json!({"blockIO": {"leafWeight": 10}})), V1, "linux.resources.blockIO.leafWeight"),
        (
            resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})),
            V1,
            "linux.resources.blockIO.weightDevice",
        ),
        (resources(json!({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}})), V2, ""),
        (resources(json!({"network": {"classID": 1}})), V2, "linux.resources.network"),
        (resources(json!({"network": {"classID": 1}})), V1, ""),
    ];
    for (mut config, cgroups, field) in all {
        config["ociVersion"] = json!("1.2.0");
        let spec: Spec = serde_json::from_value(config.clone()).unwrap();
        let refused = crate::plan::unsupported::first(&spec, cgroups).map(|(field, _, _)| field).unwrap_or_default();
        assert_eq!(refused, field, "{config}");
    }
}
