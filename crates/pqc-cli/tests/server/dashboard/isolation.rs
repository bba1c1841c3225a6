//! Another account's identifiers in every address and form of the pages.

use serde_json::json;

use crate::support::{Call, Person, html, shared, text};

/// Pages that take nothing of anyone's: each is the same for all, or the visitor's own.
const NOTHING_TAKEN: [&str; 11] = [
    "/",
    "/assets/{file}",
    "/health",
    "/sign-in",
    "/sign-out",
    "/token/reset",
    "/tokens/mint",
    "/try",
    "/try/token",
    "/usage",
    "/usage.csv",
];

#[test]
fn nothing_of_another_account_is_on_any_page() {
    let (victim, thief) = (shared().account(), shared().account());
    let (pair, _) = (victim.root.generate(), victim.root.generate());
    let token = victim.root.mint(&json!({"label": "the victim's", "expire_after_attempts": 9}));
    let id = text(&token.token_self(), "id");
    let cursor = text(&victim.root.get("/api/v1/keys?limit=1").ok(), "next_cursor");
    let mut person = Person::signed_in(shared(), &thief.root.token);
    let mut covered = NOTHING_TAKEN.to_vec();

    for (path, asked) in [
        ("/keys", format!("/keys?begins={}", &pair.key_id[..8])),
        ("/keys", format!("/keys?before={cursor}")),
        ("/tokens", format!("/tokens?before={}", "f".repeat(32))),
        ("/activity", "/activity?before=999999999".to_owned()),
    ] {
        let page = person.open(&asked);
        assert_eq!(page.0.status, 200);
        for theirs in [&pair.key_id, &id, "the victim"] {
            assert!(!page.html().replace(&asked, "").contains(theirs), "{asked}");
        }
        covered.push(path);
    }
    for path in ["/keys/{key_id}", "/keys/{key_id}/public.pem"] {
        let asked = path.replace("{key_id}", &pair.key_id);
        let (theirs, unknown) = (person.open(&asked), person.open(&path.replace("{key_id}", "00")));
        assert_eq!((theirs.0.status, unknown.0.status), (404, 404));
        assert!(theirs.html().contains("No such key is stored in this account."));
        // The twin: it is there for its owner.
        let mut owner = Person::signed_in(shared(), &victim.root.token);
        assert_eq!(owner.open(&asked).0.status, 200);
        covered.push(path);
    }
    for asked in [format!("key={}", pair.key_id), format!("who={id}")] {
        // What was asked for stands in the form.
        let html = person.open(&format!("/activity?{asked}")).html();
        assert!(
            html.contains("Nothing like this was done.") && !html.contains("<tbody>"),
            "{html}"
        );
    }
    let export = person.sent(&person.with_cookies(Call::get("/activity.jsonl")));
    let export = String::from_utf8(export.body).unwrap();
    assert!(export.contains("session.begin") && !export.contains(&pair.key_id), "{export}");
    covered.push("/activity.jsonl");
    let page = person.open("/tokens");
    assert_eq!(person.fill_in(&page, "/tokens/revoke", &[("id", &id)]).status, 303);
    assert_eq!(person.fill_in(&page, "/tokens/revoke-all", &[("sure", "yes")]).status, 303);
    assert_eq!(token.attempts_left(), 9, "it goes on");
    covered.push("/tokens/revoke-all");
    let wrong = person.fill_in(&page, "/tokens/revoke", &[("id", "x")]);
    assert_eq!(wrong.status, 400, "{}", html(&wrong));
    covered.push("/tokens/revoke");

    covered.sort_unstable();
    covered.dedup();
    let mut paths = pqc_http::pages();
    paths.sort_unstable();
    assert_eq!(covered, paths, "every page is tried, or takes nothing");
}
