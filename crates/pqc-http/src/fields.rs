//! The fields of a call, from its query and its JSON object, each with the place it came from.
//!
//! Unknown fields are ignored, null is absent, and a secret is read from a body only. Texts are
//! wiped on drop; an error names the place and the form that would do, never the value.

use pqc_core::secret::Wiped;
use pqc_core::{Context, SecretVec};

use crate::api::wire::{self, Undecodable};
use crate::json::{self, Json, MAX_ITEMS, Text};
use crate::problem::{FieldError, Problem};

/// The fields of a call.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    query: Vec<(String, Json)>,
    body: Vec<(String, Json)>,
    /// The body's text, in which its values stand.
    source: Wiped<String>,
}

impl Fields {
    /// Reads the query. What is secret must not stand there, so finding it is an error of the
    /// call, told when its fields are asked for.
    pub(crate) fn from_query(query: Option<&str>) -> Result<Self, Problem> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(Problem::BadRequest("A name stands twice in the query."));
            }
            let value = Text::Own(Wiped::new(value.into_owned()));
            fields.push((name.into_owned(), Json::Text(value)));
        }
        Ok(Self { query: fields, ..Self::default() })
    }

    /// Adds the members of a JSON object in UTF-8.
    pub(crate) fn with_body(mut self, mut bytes: Wiped<Vec<u8>>) -> Result<Self, Problem> {
        const NOT_JSON: Problem = Problem::BadRequest("The body is not a JSON object in UTF-8.");
        self.source = match String::from_utf8(std::mem::take(&mut bytes)) {
            Ok(text) => Wiped::new(text),
            Err(error) => {
                *bytes = error.into_bytes();
                return Err(NOT_JSON);
            }
        };
        self.body = json::members(&self.source).map_err(|_| NOT_JSON)?;
        Ok(self)
    }

    /// Refuses secrets in the query. Each call starts with this.
    pub(crate) fn refuse_secrets_in_query(&self) -> Result<(), Problem> {
        let errors: Vec<_> = SECRETS
            .iter()
            .filter(|secret| self.query.iter().any(|(name, _)| name == *secret))
            .map(|secret| FieldError {
                loc: ["query", secret],
                msg: "a secret is read from a JSON body only".to_owned(),
                kind: "secret_in_query",
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(Problem::Invalid(errors)) }
    }

    /// A text that may be absent.
    pub(crate) fn optional_text(&self, name: &'static str) -> Result<Option<&str>, FieldError> {
        let Some((place, value)) = self.find(name) else { return Ok(None) };
        self.as_text(value).map(Some).ok_or_else(|| wrong_type(place, name, "a string"))
    }

    /// A text.
    pub(crate) fn text(&self, name: &'static str) -> Result<&str, FieldError> {
        self.optional_text(name)?.ok_or_else(|| self.missing(name))
    }

    /// A text that is secret, moved out of the fields. It is taken last: its body's other texts leave
    /// with it, so that one that stands there need not be copied and one that does not is not held twice.
    /// Takes as long as to move or wipe the body.
    pub(crate) fn take_secret_text(&mut self, name: &'static str) -> Result<SecretVec, FieldError> {
        self.text(name)?;
        let text = self.body.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value);
        let text = match text {
            Some(Json::Text(Text::Own(text))) => {
                self.source = Wiped::default();
                std::mem::take(text)
            }
            Some(Json::Text(Text::Within(range))) => {
                let mut text = std::mem::take(&mut self.source);
                text.truncate(range.end);
                text.drain(..range.start);
                text
            }
            _ => return Err(self.missing(name)),
        };
        Ok(SecretVec::from(text))
    }

    /// Wipes the body's texts, once they are read: one of them may be long.
    pub(crate) fn wipe_texts(&mut self) {
        self.source = Wiped::default();
        for (_, value) in &mut self.body {
            if let Json::Text(text) = value {
                *text = Text::Own(Wiped::default());
            }
        }
    }

    /// A count that may be absent: a JSON integer, or decimal digits in a query.
    pub(crate) fn optional_count(&self, name: &'static str) -> Result<Option<u64>, FieldError> {
        let wrong = |place| wrong_type(place, name, "a whole number that is not negative");
        match self.find(name) {
            None => Ok(None),
            Some((_, Json::Count(count))) => Ok(Some(*count)),
            Some(("query", digits)) => {
                let count = self.as_text(digits).and_then(|digits| digits.parse().ok());
                count.map(Some).ok_or_else(|| wrong("query"))
            }
            Some((place, _)) => Err(wrong(place)),
        }
    }

    /// A list of texts that may be absent: a JSON array, or a list with commas in a query.
    pub(crate) fn optional_list(
        &self,
        name: &'static str,
    ) -> Result<Option<Vec<&str>>, FieldError> {
        let wrong = |place| wrong_type(place, name, "a list of strings");
        let texts: Vec<_> = match self.find(name) {
            None => return Ok(None),
            Some(("query", list)) => {
                self.as_text(list).ok_or_else(|| wrong("query"))?.split(',').collect()
            }
            Some((place, Json::List(items))) => {
                let texts = items.iter().map(|item| self.as_text(item).ok_or_else(|| wrong(place)));
                texts.collect::<Result<_, _>>()?
            }
            Some((place, _)) => return Err(wrong(place)),
        };
        if texts.len() > MAX_ITEMS {
            let msg = format!("must have at most {MAX_ITEMS} items");
            return Err(self.error(name, msg, "too_long"));
        }
        Ok(Some(texts))
    }

    /// A secret value of one of these lengths in bytes.
    pub(crate) fn secret_bytes(
        &self,
        name: &'static str,
        lengths: &[usize],
    ) -> Result<Wiped<Vec<u8>>, FieldError> {
        let text = self.text(name)?;
        wire::decode_fixed(text, lengths).map_err(|wrong| self.undecodable(name, wrong, lengths))
    }

    /// A value of one of these lengths in bytes, for the key or signature that it is to become.
    pub(crate) fn bytes(
        &self,
        name: &'static str,
        lengths: &[usize],
    ) -> Result<Vec<u8>, FieldError> {
        self.secret_bytes(name, lengths).map(|mut bytes| std::mem::take(&mut *bytes))
    }

    /// A value of one of these lengths in bytes, secret or not, that may be absent.
    pub(crate) fn optional_bytes(
        &self,
        name: &'static str,
        lengths: &[usize],
    ) -> Result<Option<Wiped<Vec<u8>>>, FieldError> {
        match self.optional_text(name)? {
            None => Ok(None),
            Some(_) => self.secret_bytes(name, lengths).map(Some),
        }
    }

    /// A value of any length.
    pub(crate) fn any_bytes(&self, name: &'static str) -> Result<Vec<u8>, FieldError> {
        let text = self.text(name)?;
        let bytes = wire::decode_any(text).map_err(|wrong| self.undecodable(name, wrong, &[]));
        bytes.map(|mut bytes| std::mem::take(&mut *bytes))
    }

    /// The message to sign or verify: UTF-8 text, or bytes as `encoding` says.
    pub(crate) fn take_message(&mut self, name: &'static str) -> Result<SecretVec, FieldError> {
        let decode = match self.optional_text("encoding")? {
            None | Some("utf-8" | "utf8" | "text") => return self.take_secret_text(name),
            Some("hex") => wire::decode_hex,
            Some("base64") => wire::decode_base64,
            Some(_) => {
                return Err(self.error("encoding", "must be utf-8, hex or base64", "value_error"));
            }
        };
        let bytes = decode(self.text(name)?);
        bytes.map(SecretVec::from).ok_or_else(|| {
            self.error(name, "is not in the encoding that `encoding` says", "encoding")
        })
    }

    /// The context of a signature: at most 255 bytes of UTF-8, none by default.
    pub(crate) fn context(&self) -> Result<Vec<u8>, FieldError> {
        let context = self.optional_text("context")?.unwrap_or_default().as_bytes();
        Context::new(context).map_err(|error| self.refused("context", &error))?;
        Ok(context.to_vec())
    }

    /// Which of several names of one field the call uses; the first if none.
    pub(crate) fn name_used(&self, names: &[&'static str; 2]) -> &'static str {
        let [first, second] = *names;
        if self.find(first).is_none() && self.find(second).is_some() { second } else { first }
    }

    /// An error of the core about this field.
    pub(crate) fn refused(&self, name: &'static str, error: &pqc_core::Error) -> FieldError {
        let kind = match error {
            pqc_core::Error::Length { .. } | pqc_core::Error::ContextTooLong { .. } => "length",
            pqc_core::Error::UnknownAlgorithm { .. } => "algorithm",
            pqc_core::Error::AlgorithmMismatch { .. } => "algorithm_mismatch",
            pqc_core::Error::OutOfRange { .. } => "range",
            _ => "value_error",
        };
        self.error(name, error.to_string(), kind)
    }

    /// An error about this field.
    pub(crate) fn error(
        &self,
        name: &'static str,
        msg: impl Into<String>,
        kind: &'static str,
    ) -> FieldError {
        let place = self.find(name).map_or("body", |(place, _)| place);
        FieldError { loc: [place, name], msg: msg.into(), kind }
    }

    fn missing(&self, name: &'static str) -> FieldError {
        self.error(name, "is missing", "missing")
    }

    fn undecodable(&self, name: &'static str, wrong: Undecodable, lengths: &[usize]) -> FieldError {
        match wrong {
            Undecodable::Encoding => self.error(name, "is neither hex nor base64", "encoding"),
            Undecodable::Length(actual) => {
                let expected: Vec<_> = lengths.iter().map(ToString::to_string).collect();
                let msg = format!("must be {} bytes, not {actual}", expected.join(" or "));
                self.error(name, msg, "length")
            }
        }
    }

    fn as_text<'a>(&'a self, value: &'a Json) -> Option<&'a str> {
        let Json::Text(text) = value else { return None };
        text.read(&self.source)
    }

    /// The body's word counts before the query's.
    fn find(&self, name: &str) -> Option<(&'static str, &Json)> {
        let places = [("body", &self.body), ("query", &self.query)];
        places.into_iter().find_map(|(place, fields)| {
            let (_, value) = fields.iter().find(|(key, _)| key == name)?;
            (!matches!(value, Json::Null)).then_some((place, value))
        })
    }
}

/// Several fields at once: all of them, or every error.
pub(crate) trait All {
    /// The values.
    type Values;

    /// All values, or the problem with every error.
    fn all(self) -> Result<Self::Values, Problem>;
}

macro_rules! all {
    ($($name:ident),+) => {
        impl<$($name),+> All for ($(Result<$name, FieldError>,)+) {
            type Values = ($($name,)+);

            #[expect(non_snake_case, reason = "a value is called as its type")]
            fn all(self) -> Result<Self::Values, Problem> {
                match self {
                    ($(Ok($name),)+) => Ok(($($name,)+)),
                    ($($name,)+) => {
                        let errors = [$($name.err(),)+];
                        Err(Problem::Invalid(errors.into_iter().flatten().collect()))
                    }
                }
            }
        }
    };
}

all!(A, B);
all!(A, B, C);
all!(A, B, C, D);
all!(A, B, C, D, E);

fn wrong_type(place: &'static str, name: &'static str, expected: &str) -> FieldError {
    FieldError { loc: [place, name], msg: format!("must be {expected}"), kind: "type" }
}

/// The names that carry secrets, in any family.
const SECRETS: [&str; 7] =
    ["sk", "key", "unencrypted", "data", "decapsulation_key", "secret_key", "message"];

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> Result<Fields, Problem> {
        Fields::default().with_body(Wiped::new(json.as_bytes().to_vec()))
    }

    fn from_query(query: &str) -> Fields {
        Fields::from_query(Some(query)).unwrap()
    }

    #[test]
    fn a_name_stands_once_in_a_query_too() {
        assert!(Fields::from_query(Some("pk=1&account=2&pk=1")).is_err());
        assert!(Fields::from_query(Some("pk=1&PK=1")).is_ok());
        assert!(Fields::from_query(None).is_ok());
    }

    #[test]
    fn what_is_not_a_json_object_is_refused() {
        for json in
            ["", "[]", "1", "\"a\"", "null", "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{a:1}"]
        {
            assert!(matches!(body(json), Err(Problem::BadRequest(_))), "{json}");
        }
        assert!(body("{}").is_ok());
        let latin = Wiped::new(b"{\"a\":\"\xff\"}".to_vec());
        assert!(Fields::default().with_body(latin).is_err());
    }

    #[test]
    fn a_lone_surrogate_is_refused_and_a_pair_is_one_character() {
        assert!(body(r#"{"unknown":"\ud83d"}"#).is_err());
        assert!(body(r#"{"x":{"deep":["\udc00"]}}"#).is_err());
        let fields = body(r#"{"a":"\ud83d\ude00\u0000"}"#).unwrap();
        assert_eq!(fields.text("a").unwrap(), "😀\0");
    }

    #[test]
    fn null_is_absent_and_the_body_goes_before_the_query() {
        let with = |query, body: &str| {
            from_query(query).with_body(Wiped::new(body.as_bytes().to_vec())).unwrap()
        };
        let fields = with("a=q&n=5&l=x,y", r#"{"a":null}"#);
        assert_eq!(fields.text("a").unwrap(), "q");
        assert_eq!(fields.optional_count("n").unwrap(), Some(5));
        assert_eq!(fields.optional_list("l").unwrap().unwrap(), ["x", "y"]);
        let fields = with("a=q", r#"{"a":"b"}"#);
        assert_eq!(fields.text("a").unwrap(), "b");
    }

    #[test]
    fn a_secret_text_leaves_with_its_body_and_what_was_in_it() {
        let mut fields = body(r#"{"b":"other","a":"text é"}"#).unwrap();
        assert_eq!(fields.take_secret_text("a").unwrap().expose_bytes(), "text é".as_bytes());
        assert!(fields.take_secret_text("a").is_err());
        assert_eq!(fields.text("b").unwrap_err().loc, ["body", "b"]);
        // One with escapes was by itself.
        let mut fields = body(r#"{"b":"other","a":"two\nlines"}"#).unwrap();
        assert_eq!(fields.take_secret_text("a").unwrap().expose_bytes(), b"two\nlines");
        assert_eq!(fields.text("b").unwrap_err().loc, ["body", "b"]);
        let mut fields = from_query("a=q");
        assert!(fields.take_secret_text("a").is_err(), "no secret comes from a query");
    }

    #[test]
    fn wrong_types_name_their_place() {
        let fields = body(r#"{"a":1,"n":"5","m":-1,"f":1.0,"l":[1]}"#).unwrap();
        assert_eq!(fields.text("a").unwrap_err().loc, ["body", "a"]);
        for name in ["n", "m", "f"] {
            assert_eq!(fields.optional_count(name).unwrap_err().kind, "type", "{name}");
        }
        assert!(fields.optional_list("l").is_err());
        assert_eq!(fields.text("zz").unwrap_err().kind, "missing");
    }

    #[test]
    fn secrets_in_a_query_are_named() {
        let fields = from_query("pk=1&sk=2&data=3");
        let Err(Problem::Invalid(errors)) = fields.refuse_secrets_in_query() else { panic!() };
        assert_eq!(errors.len(), 2);
        assert!(from_query("pk=1").refuse_secrets_in_query().is_ok());
    }
}
