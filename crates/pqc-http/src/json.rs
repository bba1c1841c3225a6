//! JSON as far as a call can use it: an object of texts, counts and lists of texts.
//!
//! All of it is read for its form, so that a lone surrogate is refused wherever it stands; what no
//! call takes is not kept. A text is not copied out of its source, unless it has escapes: then it is
//! written anew (what the parser wrote it into is the parser's own), and wiped on drop.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use pqc_core::secret::Wiped;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value, as far as a call can use it.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Count(u64),
    Text(Text),
    /// Of values that are no lists.
    List(Vec<Json>),
    Other,
}

/// A text: where it stands in its source, or by itself.
#[derive(Debug)]
pub(crate) enum Text {
    Within(Range<usize>),
    Own(Wiped<String>),
}

impl Text {
    /// The text, if this is its source.
    pub(crate) fn read<'a>(&'a self, source: &'a str) -> Option<&'a str> {
        match self {
            Self::Within(range) => source.get(range.clone()),
            Self::Own(text) => Some(text),
        }
    }
}

/// Where a part of a text stands within it, by where both lie in memory.
fn place_of(part: &str, whole: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let range = start..start.checked_add(part.len())?;
    whole.get(range.clone()).is_some().then_some(range)
}

/// Reads the members of a JSON object; a name that stands twice is refused, since two readers could
/// differ on it.
pub(crate) fn members(source: &str) -> Result<Vec<(String, Json)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(source);
    let members = deserializer.deserialize_map(Object { source })?;
    deserializer.end()?;
    Ok(members)
}

struct Object<'de> {
    source: &'de str,
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Vec<(String, Json)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::new();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            if members.len() >= MAX_MEMBERS || members.iter().any(|(n, _)| *n == name) {
                return Err(de::Error::custom("a name twice, or too many"));
            }
            let value = map.next_value_seed(Reader { source: self.source, nested: false })?;
            members.push((name.into_owned(), value));
        }
        Ok(members)
    }
}

/// Reads one value.
struct Reader<'de> {
    source: &'de str,
    /// Whether it stands within another. No call takes lists in lists, so such a one is read for
    /// its form and not kept: a small body must not grow into a large tree.
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for Reader<'de> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'de> {
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

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json, E> {
        match place_of(text, self.source) {
            Some(range) => Ok(Json::Text(Text::Within(range))),
            None => self.visit_str(text),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Text::Own(Wiped::new(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self { nested: true, ..self })? {
            // No call takes a longer list; the rest is read only for its form.
            if !self.nested && list.len() <= MAX_ITEMS {
                list.push(item);
            }
        }
        Ok(if self.nested { Json::Other } else { Json::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        while map.next_key::<Cow<'_, str>>()?.is_some() {
            map.next_value_seed(Self { nested: true, ..self })?;
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
        let members = members(r#"{"l":["a",["b"],{"c":["d"]}]}"#).unwrap();
        let [(_, Json::List(items))] = members.as_slice() else { panic!("one list") };
        assert!(matches!(items.as_slice(), [Json::Text(_), Json::Other, Json::Other]));
        assert!(
            super::members(r#"{"l":["a",["\ud800"]]}"#).is_err(),
            "its form counts all the same"
        );
    }

    #[test]
    fn a_text_stays_in_its_source_and_one_with_escapes_is_its_own() {
        let source = r#" {"a": "plain é","b":"","c":"two\nlines","l":["x","\u0041"]} "#;
        let members = members(source).unwrap();
        let [(_, Json::Text(a)), (_, Json::Text(b)), (_, Json::Text(c)), (_, Json::List(l))] =
            members.as_slice()
        else {
            panic!("{members:?}")
        };
        assert!(matches!((a, b, c), (Text::Within(_), Text::Within(_), Text::Own(_))));
        let [Json::Text(x), Json::Text(y)] = l.as_slice() else { panic!("{l:?}") };
        let read = [a, b, c, x, y].map(|text| text.read(source).unwrap());
        assert_eq!(read, ["plain é", "", "two\nlines", "x", "A"]);
        assert_eq!(a.read(""), None, "of another source it is nothing");
    }
}
