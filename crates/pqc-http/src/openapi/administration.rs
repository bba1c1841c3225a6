//! Family C: what the account has.

use http::StatusCode;
use pqc_core::token::Operation;
use pqc_service::usage::UsageBy;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::HttpMethod::{self, Delete, Get, Head, Post};
use utoipa::openapi::schema::Schema;

use super::field::{
    self, Field, Form, always, input, nullable, optional, output, sometimes, text, time,
};
use super::row::{Access, Row};
use super::{ADMINISTRATION, example, values};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (method, id) in [(Get, "token_self"), (Head, "token_self_head")] {
        rows.push(token_self(method, id));
    }
    for (method, id) in [(Get, "keys"), (Head, "keys_head")] {
        rows.push(keys(method, id));
    }
    for (method, id) in [(Get, "audit"), (Head, "audit_head")] {
        rows.push(audit(method, id));
    }
    for (method, id) in [(Get, "usage"), (Head, "usage_head")] {
        rows.push(usage(method, id));
    }
    for (method, id, what) in [
        (Get, "key", "Look at a stored key"),
        (Head, "key_head", "Look whether a key is stored"),
        (Delete, "destroy_key", "Destroy a stored key"),
    ] {
        let about = "Its public key, attestation, algorithm and dates; never a secret. A destroyed \
                     key can be brought back until `purge_after`.";
        rows.push(one_key(row(method, "/api/v1/keys/{key_id}", id).says(what, about)));
    }
    let about = "Until its `purge_after`; later there is nothing to bring back (404).";
    let undelete = row(Post, "/api/v1/keys/{key_id}/undelete", "undelete_key");
    rows.push(one_key(undelete.says("Bring a destroyed key back", about)));
    rows
}

fn row(method: HttpMethod, path: &'static str, id: &'static str) -> Row {
    Row::new(method, path, id, ADMINISTRATION, Access::Token)
}

fn token_self(method: HttpMethod, id: &'static str) -> Row {
    let operations = Form::AnyOf(Operation::ALL.map(Operation::name).to_vec());
    let answer = [
        always(
            "id",
            Form::Text { min: None, max: None, pattern: Some("^[0-9a-f]{32}$") },
            "The token's id.",
        ),
        always("kind", Form::OneOf(vec!["root", "temporary"]), "Its kind."),
        always("account", output(values::ACCOUNT_ID), "Its account."),
        nullable("label", text(), "What its owner calls it."),
        nullable("operations", operations, "The operations it is narrowed to."),
        nullable("key_id", output(values::KEY_ID), "The key it is narrowed to."),
        always("created_at", time(), "When it was made, in seconds since 1970."),
        nullable("expires_at", time(), "The first second at which it is over."),
        nullable("attempts", time(), "How many calls it was made for."),
        nullable("attempts_left", time(), "How many of them are left."),
    ];
    Row::new(method, "/api/v1/token/self", id, ADMINISTRATION, Access::AnyToken)
        .says("What this token is", "Spends nothing.")
        .answers(&answer, Some(example("/token_self/answer")))
}

fn keys(method: HttpMethod, id: &'static str) -> Row {
    let fields = [
        limit("How many keys a page has at most."),
        optional(
            "cursor",
            Form::Text { min: Some(34), max: Some(54), pattern: Some("^[A-Za-z0-9_-]*$") },
            "The `next_cursor` of the page before.",
        ),
    ];
    let key: RefOr<Schema> = field::object(&key_fields()).into();
    let answer = [
        always("keys", Form::List(Box::new(key)), "The keys, in the order of their making."),
        nullable("next_cursor", text(), "Where the next page begins; null on the last."),
    ];
    row(method, "/api/v1/keys", id)
        .says("List the stored keys", "For root tokens. A page at a time.")
        .asks(&fields)
        .answers(&answer, Some(example("/keys/answer")))
}

fn audit(method: HttpMethod, id: &'static str) -> Row {
    let number = Form::Text { min: Some(1), max: Some(19), pattern: Some("^[0-9]*$") };
    let fields = [
        limit("How many entries a page has at most."),
        optional("cursor", number, "The `next_cursor` of the page before."),
    ];
    let entry = [
        always("time_ms", time(), "When, in milliseconds since 1970."),
        always("actor", text(), "Who: `server`, `operator`, or a token's id."),
        always("act", text(), "What was done."),
        always("outcome", text(), "What came of it."),
        sometimes("account", output(values::ACCOUNT_ID), "The account."),
        sometimes("key_id", output(values::KEY_ID), "The key that it was done to, or by."),
        sometimes("token_id", text(), "The token that it was done to."),
        sometimes("detail", text(), "What else there is to say."),
        sometimes("request_id", text(), "The request by which it was done."),
    ];
    let entry: RefOr<Schema> = field::object(&entry).into();
    let answer = [
        always("entries", Form::List(Box::new(entry)), "What was done, newest first."),
        nullable("next_cursor", text(), "Where the next page begins; null on the last."),
    ];
    row(method, "/api/v1/audit", id)
        .says("Read the account's part of the audit log", "For root tokens. A page at a time.")
        .asks(&fields)
        .answers(&answer, Some(example("/audit/answer")))
}

fn usage(method: HttpMethod, id: &'static str) -> Row {
    let by = Form::OneOf(UsageBy::ALL.map(UsageBy::name).to_vec());
    let fields = [
        optional(
            "from",
            Form::Date,
            "From this day on, in UTC; by default the first of this month.",
        )
        .example("2026-11-01"),
        optional("to", Form::Date, "To the end of this day; by default today.")
            .example("2026-11-29"),
        optional("by", by.clone(), "What is added up, beside the operation.").default("day"),
        limit("How many sums a page has at most."),
        optional(
            "cursor",
            Form::Text { min: Some(2), max: Some(1000), pattern: Some("^[A-Za-z0-9_-]*$") },
            "The `next_cursor` of the page before.",
        ),
    ];
    let sum = [
        sometimes("day", Form::Date, "The day, if they are added up by day."),
        sometimes("month", text(), "The month, as `2026-11`, if by month."),
        sometimes("token_id", text(), "The token, if by token."),
        sometimes("label", text(), "Its label; or that of the tokens that have one, if by label."),
        always("operation", text(), "What was done, as the audit log calls it."),
        always("calls", time(), "How often it was begun: calls that a token admitted."),
        always("failed", time(), "How many of these failed."),
    ];
    let sum: RefOr<Schema> = field::object(&sum).into();
    let answer = [
        always("from", Form::Date, "The first day."),
        always("to", Form::Date, "The last day."),
        always("by", by, "What is added up."),
        always("usage", Form::List(Box::new(sum)), "The sums, in the order of what is added up."),
        nullable("next_cursor", text(), "Where the next page begins; null on the last."),
    ];
    row(method, "/api/v1/usage", id)
        .says(
            "Read how much the account did",
            "For root tokens. A page at a time. Calls are counted in memory and added every second: \
             those of the last one may be missing, and are lost if the server is killed.",
        )
        .asks(&fields)
        .answers(&answer, Some(example("/usage/answer")))
}

fn limit(about: &'static str) -> Field {
    optional("limit", Form::Count { min: 1, max: Some(1000) }, about).default(100).example(10)
}

fn one_key(row: Row) -> Row {
    let id = always("key_id", input(values::KEY_ID), "The key's id.").example(json!(UNKNOWN));
    let mut fields = key_fields();
    fields.extend([
        nullable(
            "pk",
            Form::Text { min: None, max: None, pattern: Some("^[0-9a-f]+$") },
            "The public key; null of an AES key.",
        ),
        nullable(
            "verification_signature",
            output(values::ATTESTATION),
            "The issuer's word, of a KEM key.",
        ),
        nullable(
            "verification_key",
            output(values::VERIFYING_KEY),
            "Whose word it is, if it is one of this server's issuers.",
        ),
    ]);
    row.at(&id)
        .answers(&fields, Some(example("/key/answer")))
        .fails(&[StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY])
        .example_is(StatusCode::NOT_FOUND)
}

fn key_fields() -> Vec<Field> {
    vec![
        always("key_id", output(values::KEY_ID), "The key's id."),
        always("kind", Form::OneOf(vec!["kem", "signing", "aes"]), "What it is for."),
        always("algorithm", text(), "Its algorithm."),
        nullable(
            "version",
            Form::Count { min: 1, max: None },
            "Of a key that is rotated: its version.",
        ),
        always("created_at", time(), "When it was made, in seconds since 1970."),
        nullable("retired_at", time(), "When another took its place."),
        nullable("destroyed_at", time(), "When it was destroyed."),
        nullable("purge_after", time(), "Until when it can be brought back."),
    ]
}

/// No key has this id.
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
