//! JSON as far as a call can use it: an object of texts, counts and lists of texts.
//!
//! All of it is read for its form, so that a lone surrogate is refused wherever it stands; what no
//! call takes is not kept, and texts are wiped on drop.

use std::borrow::Cow;
use std::fmt;

use pqc_core::secret::Wiped;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value, as far as a call can use it. Texts are wiped.
pub(crate) enum Json {
    Null,
    Count(u64),
    Text(Wiped<String>),
    /// Of values that are no lists.
    List(Vec<Json>),
    Other,
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A JSON object; a name that stands twice is refused, since two readers could differ on it.
pub(crate) struct Object(pub(crate) Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, Json)> = Vec::new();
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    if members.len() >= MAX_MEMBERS || members.iter().any(|(n, _)| *n == name) {
                        return Err(de::Error::custom("a name twice, or too many"));
                    }
                    let value = map.next_value_seed(Reader { nested: false })?;
                    members.push((name.into_owned(), value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Reads one value.
struct Reader {
    /// Whether it stands within another. No call takes lists in lists, so such a one is read for
    /// its form and not kept: a small body must not grow into a large tree.
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, count: u64) -> Result<Json, E> {
        Ok(Json::Count(count))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Wiped::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self { nested: true })? {
            // No call takes a longer list; the rest is read only for its form.
            if !self.nested && list.len() <= MAX_ITEMS {
                list.push(item);
            }
        }
        Ok(if self.nested { Json::Other } else { Json::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        while map.next_key::<Cow<'_, str>>()?.is_some() {
            map.next_value_seed(Self { nested: true })?;
        }
        Ok(Json::Other)
    }
}

/// More than any call has, so that looking a name up stays cheap.
const MAX_MEMBERS: usize = 64;
/// Of a list.
pub(crate) const MAX_ITEMS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_within_a_list_is_read_and_not_kept() {
        let read = |json: &str| serde_json::from_str::<Object>(json).map(|object| object.0);
        let members = read(r#"{"l":["a",["b"],{"c":["d"]}]}"#).unwrap();
        let [(_, Json::List(items))] = members.as_slice() else { panic!("one list") };
        assert!(matches!(items.as_slice(), [Json::Text(_), Json::Other, Json::Other]));
        assert!(read(r#"{"l":["a",["\ud800"]]}"#).is_err(), "its form counts all the same");
    }
}
