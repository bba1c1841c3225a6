//! The page of the usage: the numbers are the API's.

use serde_json::json;

use crate::support::{Call, Person, shared, wait_until};

#[test]
fn the_numbers_are_those_of_the_api_on_the_page_and_as_csv() {
    let account = shared().account();
    let job = account.root.mint(&json!({"label": "job", "expire_after_attempts": 10}));
    for _ in 0..3 {
        job.post("/api/signature/sign", &json!({"data": "x"})).ok();
    }
    let mut person = Person::signed_in(shared(), &account.root.token);
    wait_until("that it is counted", || {
        let sums = account.root.get("/api/v1/usage?by=label").ok();
        let sums = sums["usage"].as_array().unwrap();
        sums.iter().any(|sum| sum["label"] == "job" && sum["calls"] == 3)
    });
    // Asking for the usage is counted itself, a little later: what is looked at is the signing.
    let sums = account.root.get("/api/v1/usage").ok();
    let signed = sums["usage"].as_array().unwrap().iter().find(|sum| sum["operation"] == "sign");
    let (day, calls) = (signed.unwrap()["day"].as_str().unwrap(), &signed.unwrap()["calls"]);
    assert_eq!(calls, 3);

    let html = person.open("/usage").html();
    let row = format!("<tr><td>{day}</td><td>sign</td><td class=\"number\">3</td>");
    assert!(html.contains(&row), "{html}");
    assert!(html.contains(">job</td><td>sign</td><td class=\"number\">3</td>"), "{html}");
    assert!(html.contains(&format!("<title>{day}: sign, 3 calls</title>")), "{html}");
    let csv = person.sent(&person.with_cookies(Call::get("/usage.csv")));
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let month = &day[..7];
    let name = format!("attachment; filename=\"pqc-usage-{month}.csv\"");
    assert_eq!(csv.header("content-disposition"), Some(&*name));
    let text = String::from_utf8(csv.body).unwrap();
    assert!(text.starts_with("day,operation,calls,failed\r\n"), "{text}");
    assert!(text.contains(&format!("\r\n{day},sign,3,0\r\n")), "{text}");
}

#[test]
fn a_month_without_calls_says_what_to_do_and_no_month_is_this_one() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let html = person.open("/usage?month=2020-02").html();
    assert!(html.contains("<h1>Usage, February 2020</h1>"), "{html}");
    assert!(html.contains("Nothing was called in this month."), "{html}");
    assert!(
        html.contains("/usage?month=2020-01") && html.contains("/usage?month=2020-03"),
        "{html}"
    );
    let this = person.open("/usage").html();
    let heading = |html: &str| html.split_once("<h1>").unwrap().1[..20].to_owned();
    for none in ["x", "2020-13", "%3Cb%3E"] {
        let html = person.open(&format!("/usage?month={none}")).html();
        assert_eq!(heading(&html), heading(&this), "{none}");
    }
    // To look at pages counts for nothing.
    assert!(!this.contains("<td>usage.list</td>"), "{this}");
}
