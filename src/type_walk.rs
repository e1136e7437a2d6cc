//! For tests: what a type consists of that can be deserialized. Tables that tell the fate of every field are held
//! against it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde::de::value::{Error, MapDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Fields of each struct, and the struct each leads to, if it leads to one.
pub type Types = BTreeMap<&'static str, BTreeMap<&'static str, Option<&'static str>>>;

/// `[]Container`, `map[string]string` and the like.
pub type Shapes = BTreeMap<Place, String>;

/// A struct and one of its fields.
pub type Place = (&'static str, &'static str);

/// Every struct that a `T` can hold. `text` gives a text that the innermost field around it accepts.
pub fn types<T: Deserialize<'static>>(text: fn(Place) -> &'static str) -> Types {
    let (mut types, mut shapes) = (Types::new(), Shapes::new());
    T::deserialize(Purpose { types: &mut types, shapes: &mut shapes, from: None, text }).unwrap();
    types
}

/// The types of all fields of every struct that a `T` can hold, as `kubectl explain` writes them.
pub fn shapes<T: Deserialize<'static>>(text: fn(Place) -> &'static str) -> Shapes {
    let (mut types, mut shapes) = (Types::new(), Shapes::new());
    T::deserialize(Purpose { types: &mut types, shapes: &mut shapes, from: None, text }).unwrap();
    shapes
}

/// Asks a type what it consists of: every struct says its name and fields when it is deserialized.
struct Purpose<'a> {
    types: &'a mut Types,
    shapes: &'a mut Shapes,
    /// What led here.
    from: Option<Place>,
    text: fn(Place) -> &'static str,
}

macro_rules! numbers {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
            self.is("integer");
            visitor.visit_i64(0)
        }
    )*};
}

impl Purpose<'_> {
    /// Notes a part of what the field is.
    fn is(&mut self, part: &str) {
        if let Some(place) = self.from {
            self.shapes.entry(place).or_default().push_str(part);
        }
    }
}

impl Deserializer<'static> for Purpose<'_> {
    type Error = Error;

    numbers!(deserialize_u16, deserialize_u32, deserialize_u64, deserialize_i32, deserialize_i64);

    /// Whatever it may be, a number is.
    fn deserialize_any<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.is("IntOrString");
        visitor.visit_i64(0)
    }

    fn deserialize_bool<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.is("boolean");
        visitor.visit_bool(false)
    }

    fn deserialize_str<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.is("string");
        visitor.visit_str((self.text)(self.from.unwrap()))
    }

    fn deserialize_string<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'static>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'static>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            "Quantity" => {
                self.is("Quantity");
                visitor.visit_str("0")
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.is("[]");
        visitor.visit_seq(One(Some(self)))
    }

    fn deserialize_map<V: Visitor<'static>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.is("map[string]");
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
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.is(name);
        if let Some((parent, field)) = self.from {
            self.types.get_mut(parent).unwrap().insert(field, Some(name));
        }
        self.types.entry(name).or_insert_with(|| fields.iter().map(|field| (*field, None)).collect());
        let Self { types, shapes, text, .. } = self;
        visitor.visit_map(Fields { name, fields: fields.iter(), current: "", types, shapes, text })
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
struct One<'a>(Option<Purpose<'a>>);

impl SeqAccess<'static> for One<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'static>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|purpose| seed.deserialize(purpose)).transpose()
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
    shapes: &'a mut Shapes,
    text: fn(Place) -> &'static str,
}

impl MapAccess<'static> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'static>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.current = field;
        seed.deserialize(StrDeserializer::new(field)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'static>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let place = (self.name, self.current);
        // Another one may have led here before.
        self.shapes.remove(&place);
        let (types, shapes) = (&mut *self.types, &mut *self.shapes);
        seed.deserialize(Purpose { types, shapes, from: Some(place), text: self.text })
    }
}
