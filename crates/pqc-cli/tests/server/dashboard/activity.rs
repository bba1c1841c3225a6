//! The page of the activity: found, filtered, exported; and what it says of the log.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::{Call, Folder, Person, block_on, shared};

#[test]
fn what_was_done_is_found_by_what_who_key_outcome_and_day() {
    let account = shared().account();
    let token = account.root.mint(&json!({"label": "job", "expire_after_attempts": 5}));
    let pair = token.generate();
    token.post("/api/kem/decapsulate_key", &json!({"pk": pair.pk, "cipher": "00".repeat(1568)}));
    let mut person = Person::signed_in(shared(), &account.root.token);
    let id = token.token_self()["id"].as_str().unwrap().to_owned();
    let rows = |html: &str| {
        let body = html.split_once("<tbody").map_or("", |(_, rest)| rest);
        body.matches("<tr").count()
    };
    let all = person.open("/activity").html();
    for told in
        ["token.mint", "key.generate", "kem.decapsulate", "session.begin", &pair.key_id, &id]
    {
        assert!(all.contains(told), "{told}: {all}");
    }
    for (asked, has, has_not) in [
        ("act=key.", ">key.generate</td>", ">token.mint</td>"),
        ("act=KEM.decap", ">kem.decapsulate</td>", ">key.generate</td>"),
        (&*format!("who={}", &id[..20]), ">key.generate</td>", ">session.begin</td>"),
        (&*format!("key={}", &pair.key_id[..9]), ">key.generate</td>", ">token.mint</td>"),
        ("failed=yes", "failed, 422", ">key.generate</td>"),
        ("from=2020-01-01&to=2099-12-31", ">key.generate</td>", "no such thing"),
        ("to=2020-01-01", "Nothing like this was done.", ">key.generate</td>"),
        ("act=%3Cscript%3Ealert(1)", "Nothing like this was done.", "<script>alert(1)"),
    ] {
        let html = person.open(&format!("/activity?{asked}")).html();
        assert!(html.contains(has) && !html.contains(has_not), "{asked}: {html}");
    }
    let found = rows(&person.open(&format!("/activity?key={}", pair.key_id)).html());
    let path = format!("/activity.jsonl?key={}", pair.key_id);
    let file = person.sent(&person.with_cookies(Call::get(path)));
    assert_eq!(file.header("content-type"), Some("application/x-ndjson"));
    let name = "attachment; filename=\"pqc-activity.jsonl\"";
    assert_eq!(file.header("content-disposition"), Some(name));
    let text = String::from_utf8(file.body).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), found, "{text}");
    assert!(lines.iter().all(|line| line["key_id"] == *pair.key_id), "{text}");
}

#[test]
fn all_entries_are_on_the_pages_and_in_the_export_and_they_are_the_apis() {
    let account = shared().account();
    for _ in 0..120 {
        account.root.mint(&json!({"expiry_time": 600}));
    }
    let mut person = Person::signed_in(shared(), &account.root.token);
    let (mut place, mut seen, mut pages) = ("/activity?act=token.mint".to_owned(), 0, 0);
    loop {
        let html = person.open(&place).html();
        pages += 1;
        seen += html.matches(">token.mint</td>").count();
        let Some((_, rest)) = html.split_once("href=\"/activity?act=token.mint&#38;before=") else {
            break;
        };
        let before = rest.split_once('"').unwrap().0;
        place = format!("/activity?act=token.mint&before={before}");
    }
    assert_eq!((seen, pages), (120, 3));
    let export = person.sent(&person.with_cookies(Call::get("/activity.jsonl")));
    let text = String::from_utf8(export.body).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let api = account.root.get("/api/v1/audit?limit=1000").ok();
    assert_eq!(Value::from(lines), api["entries"]);
}

#[test]
fn the_page_says_that_the_log_is_whole_and_when_it_is_not() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = server.folder.root_token();
    let html = Person::signed_in(&server, &token).open("/activity").html();
    assert!(html.contains("<strong>Verified</strong>"), "{html}");
    server.stop();
    block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.file("pqc.db"));
        let mut store = options.connect().await.unwrap();
        let sql = "UPDATE audit SET entry = (SELECT entry FROM audit WHERE number = 1) \
             WHERE number = 2";
        store.execute(sql).await.unwrap();
        store.close().await.unwrap();
    });
    let server = folder.serve();
    let html = Person::signed_in(&server, &token).open("/activity").html();
    assert!(html.contains("The log is not what was written"), "{html}");
    assert!(!html.contains("<strong>Verified</strong>"), "{html}");
}
