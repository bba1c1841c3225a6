//! The documentation as a page: what a real browser makes of it.

use crate::support::{Browser, Folder};

#[test]
fn a_browser_shows_every_operation_tries_one_out_and_asks_nobody_else() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    let document = server.anyone().get("/openapi.json").json();
    let operations: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|it| it.as_object().unwrap().len())
        .sum();

    browser.open(&format!("{}/docs", server.url()));
    browser.text("#operations-Around-healthz");
    assert_eq!(browser.count(".opblock"), operations, "operations on the page");

    // Somebody shows his token, and signs.
    browser.click(".auth-wrapper .authorize");
    browser.type_into("#auth-bearer-value", &server.folder.root_token());
    browser.click(".auth-container:last-child button[type=submit]");
    browser.click(".btn-done");
    browser.click("#operations-Stored_keys-sign .opblock-summary-control");
    browser.click("#operations-Stored_keys-sign .try-out__btn");
    browser.click("#operations-Stored_keys-sign .execute");
    let answer = ".live-responses-table .response";
    let status = browser.text(&format!("{answer} .response-col_status"));
    let text = browser.text(&format!("{answer} .response-col_description"));
    assert!(status.starts_with("200"), "{status}: {text}");
    assert!(text.contains("\"signature\""), "{text}");

    // What the policy of the page forbids would be here, in either list.
    assert_eq!(browser.console(), [] as [&str; 0]);
    let requests = browser.requests();
    for path in ["/docs", "/docs/swagger-ui-bundle.js", "/openapi.json", "/api/signature/sign"] {
        assert!(requests.contains(&format!("{}{path}", server.url())), "{path}: {requests:?}");
    }
    let ours = format!("{}/", server.url());
    let elsewhere: Vec<_> = requests.iter().filter(|url| !url.starts_with(&ours)).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
