//! The pictures of the documentation: `cargo xtask screenshots` keeps them in `docs/screenshots`.

use jiff::tz::TimeZone;
use serde_json::json;

use super::{pictures, sign_in};
use crate::support::{Browser, Server, Theme, in_use_for_a_year};

/// Name, theme, width, height at the most, and place; `{month}` is the last one.
const PICTURES: [(&str, Theme, u32, u32, &str); 8] = [
    ("overview-light", Theme::Light, 1280, 800, "/"),
    ("tokens-light", Theme::Light, 1280, 1000, "/tokens"),
    ("tokens-narrow-dark", Theme::Dark, 360, 800, "/tokens"),
    ("usage-light", Theme::Light, 1280, 800, "/usage?month={month}"),
    ("usage-dark", Theme::Dark, 1280, 800, "/usage?month={month}"),
    ("usage-narrow-light", Theme::Light, 360, 800, "/usage?month={month}"),
    ("keys-dark", Theme::Dark, 1280, 800, "/keys"),
    ("activity-light", Theme::Light, 1280, 900, "/activity"),
];

/// What an account has that is in use.
fn make_use_of(server: &Server) {
    let root = server.root();
    root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    for (label, attempts, lifetime, calls) in [
        ("nightly backup", 30, 3_600, 4),
        ("partner gateway", 1_000, 86_400, 9),
        ("mobile app", 500, 86_400, 3),
        ("checkout service", 5_000, 86_400, 12),
        ("a colleague", 1, 300, 0),
    ] {
        let label = Some(label).filter(|label| !label.is_empty());
        let token = root.mint(&json!({
            "label": label, "expire_after_attempts": attempts, "expiry_time": lifetime,
        }));
        for _ in 0..calls {
            token.post("/api/signature/sign", &json!({"data": "x"})).ok();
        }
    }
}

#[test]
fn pictures_for_the_documentation_are_taken() {
    let Some(browser) = Browser::start() else { return };
    let server = in_use_for_a_year(24).0.serve_with("--log warn");
    make_use_of(&server);
    let today = jiff::Timestamp::now().to_zoned(TimeZone::UTC).date();
    let month = today.first_of_month().yesterday().unwrap().strftime("%Y-%m").to_string();
    let take = |name: &str, height| {
        let file = pictures().join(format!("{name}.png"));
        browser.screenshot(&file, height);
        assert!(std::fs::metadata(&file).unwrap().len() > 1000, "{}", file.display());
    };
    browser.look(Theme::Light, 1280, 800);
    browser.open(&server.url());
    take("sign-in-light", 800);
    sign_in(&browser, &server);
    for (name, theme, width, height, place) in PICTURES {
        browser.look(theme, width, height);
        browser.open(&format!("{}{}", server.url(), place.replace("{month}", &month)));
        browser.first_paint_millis();
        take(name, height);
    }
}
