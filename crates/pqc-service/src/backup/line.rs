//! A line of a backup: one JSON object with one member, which says what it is.

use std::io::{self, BufRead};

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::json_lines;
use crate::store::copy::{Holds, Row, Table, Value};

/// What a line can be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The first.
    Backup(Head),
    /// One row.
    Row(RowText),
    /// The last.
    End(End),
}

/// What kind of backup it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version of this form.
    pub(super) format: u32,
    /// The store's time, in milliseconds.
    pub(super) made_at: u64,
}

/// A row by the names of its table and columns; bytes in base64 (RFC 4648, section 4).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RowText {
    table: String,
    values: Map<String, Json>,
}

/// What proves that all is there and nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct End {
    /// How many rows came before.
    pub(super) rows: u64,
    /// SHA-256 of all lines before, in hex.
    pub(super) sha256: String,
    /// The checksum, sealed under the master key, in base64.
    pub(super) sealed: String,
}

impl Line {
    /// With the line's end.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        json_lines::write(self)
    }

    /// The line with its end; why not, without a quote.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(bytes).map_err(|_| "a line is not in the form of a backup")
    }
}

impl From<&Row> for RowText {
    fn from(row: &Row) -> Self {
        let named = row.table.columns().iter().zip(&row.values);
        let values = named.map(|(column, value)| {
            let text = match value {
                Value::Null => Json::Null,
                Value::Integer(number) => (*number).into(),
                Value::Text(text) => text.as_str().into(),
                Value::Bytes(bytes) => Base64::encode_string(bytes).into(),
            };
            (column.name.to_owned(), text)
        });
        Self { table: row.table.name().to_owned(), values: values.collect() }
    }
}

impl TryFrom<RowText> for Row {
    type Error = &'static str;

    fn try_from(mut text: RowText) -> Result<Self, &'static str> {
        let table = Table::from_name(&text.table).ok_or("it has a table that is not known here")?;
        let mut values = Vec::with_capacity(table.columns().len());
        for column in table.columns() {
            let value = match (text.values.remove(column.name), column.holds) {
                (Some(Json::Null), _) => Some(Value::Null),
                (Some(Json::Number(number)), Holds::Integers) => {
                    number.as_i64().map(Value::Integer)
                }
                (Some(Json::String(text)), Holds::Texts) => Some(Value::Text(text)),
                (Some(Json::String(text)), Holds::Bytes) => {
                    Base64::decode_vec(&text).ok().map(Value::Bytes)
                }
                _ => None,
            };
            values.push(value.ok_or("a row does not fit its table")?);
        }
        if text.values.is_empty() {
            Ok(Self { table, values })
        } else {
            Err("a row has more columns than are known here")
        }
    }
}

/// Reads a line with its end; an empty one is the end of the file.
pub(super) fn read(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    json_lines::read(from, MAX_LINE_BYTES)
}

/// Several times what the largest key needs.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// The form of today.
pub(super) const FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let text = |text: &str| Value::Text(text.to_owned());
        Row {
            table: Table::Accounts,
            values: vec![
                Value::Bytes(vec![7; 16]),
                text("a \"quoted\" name\n"),
                text("server"),
                Value::Integer(0),
                Value::Integer(i64::MAX),
            ],
        }
    }

    #[test]
    fn a_row_comes_back_from_its_line() {
        for mut row in [row(), row()] {
            let line = Line::Row(RowText::from(&row)).to_bytes().unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let Line::Row(text) = Line::parse(&line).unwrap() else { panic!("no row") };
            assert_eq!(Row::try_from(text), Ok(row.clone()));
            row.values[1] = Value::Null;
        }
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let change = |from: &str, to: &str| {
            let line = String::from_utf8(Line::Row(RowText::from(&row())).to_bytes().unwrap());
            let changed = line.unwrap().replace(from, to);
            match Line::parse(changed.as_bytes()) {
                Ok(Line::Row(text)) => Row::try_from(text).map(drop),
                other => panic!("{changed}: {other:?}"),
            }
        };
        assert_eq!(change("x", "x"), Ok(()));
        for (from, to) in [
            ("accounts", "photos"),
            ("\"custody\"", "\"kustody\""),
            ("\"custody\"", "\"more\":1,\"custody\""),
            ("\"disabled\":0", "\"disabled\":\"0\""),
            ("\"disabled\":0", "\"disabled\":0.5"),
            ("BwcH", "B*cH"),
            ("9223372036854775807", "9223372036854775808"),
        ] {
            assert!(change(from, to).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn a_line_has_an_end_and_a_most() {
        assert_eq!(read(&mut &b"{}\nmore"[..]).unwrap(), b"{}\n");
        assert!(read(&mut &b"{}"[..]).is_err());
        assert!(read(&mut &vec![b' '; 70_000][..]).is_err());
        assert!(read(&mut &b""[..]).unwrap().is_empty());
    }
}
