//! The page of the temporary tokens: minted, listed, revoked.

use serde_json::json;

use super::secret;
use crate::support::{Person, html, is_signed_in, shared};

#[test]
fn a_token_is_minted_shown_once_listed_and_revoked() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/tokens");
    assert!(page.html().contains("There are none."), "{}", page.html());

    let fields = [("attempts", "3"), ("lifetime", "300"), ("label", "the nightly job")];
    let answer = person.fill_in(&page, "/tokens/mint", &fields);
    let shown = html(&answer);
    assert_eq!(answer.status, 200, "{shown}");
    let token = shared().holder(&secret(&shown));
    assert!(shown.contains(&format!("{}/api/kem/generate_keys", shared().url())), "{shown}");
    let told = token.token_self();
    assert_eq!((&told["attempts"], &told["label"]), (&json!(3), &json!("the nightly job")));
    token.generate();

    let page = person.open("/tokens");
    let list = page.html();
    assert!(list.contains("the nightly job") && list.contains("2 of 3"), "{list}");
    assert!(!list.contains(&token.token));
    let id = told["id"].as_str().unwrap();
    assert!(list.contains(&format!("name=\"id\" value=\"{id}\"")), "{list}");
    let answer = person.fill_in(&page, "/tokens/revoke", &[("id", id)]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/tokens")));
    token.get("/api/v1/token/self").problem(401);
    let list = person.open("/tokens").html();
    assert!(list.contains("revoked") && !list.contains("action=\"/tokens/revoke\""), "{list}");
    // Once more is no fault of the person's.
    assert_eq!(person.fill_in(&page, "/tokens/revoke", &[("id", id)]).status, 303);
}

#[test]
fn all_are_revoked_at_once_when_that_was_confirmed() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    assert!(!person.open("/tokens").html().contains("/tokens/revoke-all"), "there is none");
    let tokens = [1, 2, 3].map(|_| account.root.mint_counted(5));
    let page = person.open("/tokens");
    let unsure = person.fill_in(&page, "/tokens/revoke-all", &[]);
    assert_eq!(unsure.status, 422);
    assert!(html(&unsure).contains("Nothing was revoked."), "{}", html(&unsure));
    assert_eq!(tokens[0].attempts_left(), 5);
    let answer = person.fill_in(&page, "/tokens/revoke-all", &[("sure", "yes")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/tokens")));
    for token in tokens {
        token.get("/api/v1/token/self").problem(401);
    }
    account.root.token_self();
}

#[test]
fn what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/tokens");
    let long = "x".repeat(101);
    for (attempts, lifetime, label, field) in [
        ("0", "300", "a label", "attempts"),
        ("many", "300", "a label", "attempts"),
        ("1", "99999999", "a label", "lifetime"),
        ("1", "300", &*long, "label"),
        ("1", "300", &*account.root.token, "label"),
    ] {
        let fields = [("attempts", attempts), ("lifetime", lifetime), ("label", label)];
        let answer = person.fill_in(&page, "/tokens/mint", &fields);
        let shown = html(&answer);
        assert_eq!(answer.status, 422, "{shown}");
        assert!(shown.contains(&format!("id=\"{field}-error\"")), "{field}: {shown}");
        assert!(shown.contains(&format!("value=\"{attempts}\"")), "{shown}");
        assert!(shown.contains("There are none."), "{shown}");
    }
    let fields = [("attempts", "1"), ("lifetime", "300"), ("label", "a label")];
    assert_eq!(person.fill_in(&page, "/tokens/mint", &fields).status, 200);
}

#[test]
fn a_label_is_text_whatever_is_in_it() {
    let account = shared().account();
    let label = "<script>alert(1)</script>\"'&";
    account.root.mint(&json!({"label": label})).token_self();
    let signs = account.root.mint(&json!({"label": label}));
    signs.post("/api/signature/sign", &json!({"data": "x"})).ok();
    let mut person = Person::signed_in(shared(), &account.root.token);
    for path in ["/tokens", "/usage", "/tokens?label=%3Cscript%3Ealert(1)%3C/script%3E"] {
        // `html` finds no script in it.
        let shown = person.open(path).html();
        assert!(!shown.contains("alert(1)</script>"), "{shown}");
    }
    assert!(person.open("/tokens").html().contains("&#60;script&#62;alert(1)"));
}

#[test]
fn a_session_that_ends_in_mid_form_loses_nothing_that_was_typed() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/tokens");
    let token = shared().verb(&format!("token root-reset --account {}", account.name)).line();

    let fields = [("attempts", "7"), ("lifetime", "3600"), ("label", "für & später")];
    let answer = person.fill_in(&page, "/tokens/mint", &fields);
    let shown = html(&answer);
    assert_eq!(answer.status, 401, "{shown}");
    assert!(shown.contains("Your session has ended, and this form did nothing."), "{shown}");
    let value = |name: &str| {
        let (_, rest) = shown.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
    };
    let (form_token, then) = (value("form_token"), value("then"));
    let fields = [("form_token", &*form_token), ("then", &*then), ("token", &*token)];
    let answer = person.send("/sign-in", &fields);
    // The new token is shown first.
    assert!(is_signed_in(&answer), "{}", answer.start());
    let shown = html(&answer);
    let (_, rest) = shown.split_once("class=\"button\" href=\"").unwrap();
    let place = rest.split_once('"').unwrap().0.replace("&#38;", "&");
    let shown = person.open(&place).html();
    assert!(shown.contains("value=\"7\"") && shown.contains("value=\"3600\" selected"), "{shown}");
    assert!(shown.contains("für &#38; später"), "{shown}");
    assert!(shown.contains("There are none."), "nothing was minted: {shown}");
}

#[test]
fn a_form_of_an_earlier_session_comes_back_with_what_was_typed() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/tokens");
    person.sign_in(&account.root.token);
    let mut again = Person::signed_in(shared(), &account.root.token);
    let pasted = &*account.root.token;
    let fields = [("attempts", pasted), ("lifetime", "300"), ("label", "für & später")];
    let answer = again.fill_in(&page, "/tokens/mint", &fields);
    let place = answer.header("location").unwrap().to_owned();
    assert!(answer.status == 303 && !place.contains("pqc_"), "{place}");
    let shown = again.open(&place).html();
    assert!(shown.contains("was of an earlier session"), "{shown}");
    assert!(shown.contains("value=\"für &#38; später\""), "{shown}");
    assert!(shown.contains("There are none."), "nothing was minted: {shown}");
}

#[test]
fn the_newest_come_first_and_all_are_there_page_by_page() {
    let account = shared().account();
    for n in 1..=60 {
        account.root.mint(&json!({"label": format!("label {n}."), "expiry_time": 3600}));
    }
    let mut person = Person::signed_in(shared(), &account.root.token);
    let (mut place, mut seen) = ("/tokens".to_owned(), String::new());
    for page in 1.. {
        let html = person.open(&place).html();
        seen.push_str(&html);
        let Some((_, rest)) = html.split_once("href=\"/tokens?before=") else {
            assert_eq!(page, 2);
            break;
        };
        assert!(html.contains("label 60.") && !html.contains("label 1."));
        place = format!("/tokens?before={}", rest.split_once('"').unwrap().0);
    }
    for n in 1..=60 {
        assert_eq!(seen.matches(&format!(">label {n}.</span>")).count(), 1, "{n}");
    }
}
