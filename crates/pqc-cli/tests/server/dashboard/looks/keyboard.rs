//! The pages without a mouse: all is reached by the tabulator, and where one is can be seen.

use serde_json::Value;

use super::{HEIGHT, pages};
use crate::support::{Browser, Folder, Theme};

/// More than any page has.
const MOST_STOPS: usize = 200;

/// Goes on to what comes next.
fn tab(browser: &Browser) -> Value {
    browser.press(Browser::TAB);
    browser.focused()
}

/// Goes on until there is what this member says.
fn tab_to(browser: &Browser, member: &str, wanted: &str) {
    let is_there = (0..MOST_STOPS).any(|_| tab(browser)[member] == wanted);
    assert!(is_there, "no {wanted:?}");
}

/// All that one comes to on the page, one after the other.
fn stops(browser: &Browser) -> Vec<Value> {
    let mut stops = Vec::new();
    loop {
        let stop = tab(browser);
        // Past the last.
        if stop["tag"] == "body" {
            return stops;
        }
        assert!(stops.len() < MOST_STOPS, "one does not get beyond {stop}");
        stops.push(stop);
    }
}

#[test]
fn a_person_signs_in_and_goes_anywhere_by_the_keyboard() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    browser.look(Theme::Light, 1280, HEIGHT);
    browser.open(&server.url());
    assert_eq!(browser.focused()["id"], "token", "one types at once");
    browser.press(&server.folder.root_token());
    browser.press(Browser::ENTER);
    browser.text("header .account");

    browser.open(&server.url());
    let skip = tab(&browser);
    assert_eq!(skip["text"], "Skip to the content");
    assert!(skip["is_in_view"] == true && skip["is_outlined"] == true, "{skip}");
    // It leads past the navigation.
    browser.press(Browser::ENTER);
    assert_eq!(browser.focused()["id"], "main");
    let next = tab(&browser);
    let is_in_main = browser.run("return document.activeElement.closest('main') !== null", &[]);
    assert_eq!(is_in_main, true, "{next}");

    browser.open(&server.url());
    tab_to(&browser, "href", "/usage");
    browser.press(Browser::ENTER);
    browser.text("nav a[href='/usage'][aria-current='page']");
    browser.open(&server.url());
    tab_to(&browser, "text", "Sign out");
    browser.press(Browser::ENTER);
    browser.text("#token");
}

#[test]
fn where_one_is_is_seen_on_every_page() {
    let Some(browser) = Browser::start() else { return };
    let server = Folder::new().serve_with("--log warn");
    let key_id = server.root().generate().key_id;
    server.root().mint_counted(3);
    let mut unseen = Vec::new();
    let mut look_for_focus = |page: &str| {
        let stops = stops(&browser);
        assert!(!stops.is_empty(), "{page}: there is nothing");
        for stop in stops {
            if stop["is_outlined"] != true || stop["is_in_view"] != true {
                unseen.push(format!("{page}: {stop}"));
            }
        }
    };
    for theme in Theme::BOTH {
        browser.look(theme, 360, HEIGHT);
        browser.open(&server.url());
        browser.forget_cookies();
        browser.open(&server.url());
        look_for_focus("the sign-in");
        super::sign_in(&browser, &server);
        for path in pages() {
            browser.open(&format!("{}{}", server.url(), path.replace("{key_id}", &key_id)));
            look_for_focus(path);
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}
