//! Signing in and out: who may, and what a cookie is good for.

use super::secret;
use crate::support::{Call, Folder, Person, Scrape, html, is_signed_in, shared, wait_until};

const SIGNED_IN: &str = "You are signed in with the root token";

fn shows_the_form(html: &str) -> bool {
    html.contains("<form method=\"post\" action=\"/sign-in\">")
}

#[test]
fn who_has_the_root_token_signs_in_and_out() {
    let account = shared().account();
    let mut person = Person::new(shared());
    let page = person.open("/");
    assert!(page.0.status == 200 && shows_the_form(&page.html()));
    assert_eq!(person.cookies.keys().collect::<Vec<_>>(), ["pqc_visitor"]);

    Person::signed_in(shared(), &account.root.token);
    let answer = person.sign_in(&account.root.token);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    let line = set.iter().map(|line| line.to_str().unwrap());
    let line = line.into_iter().find(|line| line.starts_with("pqc_session=")).unwrap();
    assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200"), "{line}");
    assert_eq!(person.cookies.keys().collect::<Vec<_>>(), ["pqc_session"]);

    let page = person.open("/");
    assert!(page.html().contains(SIGNED_IN), "{}", page.html());
    assert!(!page.html().contains(&account.root.token));
    let stolen = person.clone();
    let answer = person.fill_in(&page, "/sign-out", &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    assert!(!person.cookies.contains_key("pqc_session"));

    // The cookie is good for nothing any more.
    let mut thief = stolen;
    assert!(shows_the_form(&thief.open("/").html()));
    assert!(!thief.cookies.contains_key("pqc_session"), "it is taken away");
}

#[test]
fn the_first_time_the_token_is_shown_once_more_to_who_has_it() {
    let account = shared().account();
    let mut person = Person::new(shared());
    let answer = person.sign_in(&account.root.token);
    let page = html(&answer);
    assert_eq!((answer.status, secret(&page)), (200, account.root.token.clone()));
    assert!(page.contains("the server has only its hash"), "{page}");
    assert!(person.open("/").html().contains(SIGNED_IN));
    let again = Person::new(shared()).sign_in(&account.root.token);
    assert_eq!(again.status, 303);

    // The one that took its place was shown when it was made.
    let page = person.open("/");
    let reset = html(&person.fill_in(&page, "/token/reset", &[("sure", "yes")]));
    assert_eq!(Person::new(shared()).sign_in(&secret(&reset)).status, 303);
}

#[test]
fn each_page_leads_to_the_form_and_back_and_a_file_is_refused() {
    let account = shared().account();
    Person::signed_in(shared(), &account.root.token);
    for path in ["/tokens", "/usage?month=2020-02", "/keys/00ff", "/activity?act=sign&failed=yes"] {
        let mut person = Person::new(shared());
        let answer = person.open(path).0;
        let place = answer.header("location").unwrap().to_owned();
        assert!(answer.status == 303 && place.starts_with("/?then="), "{path}: {place}");
        let page = person.open(&place);
        assert!(page.0.status == 200 && shows_the_form(&page.html()), "{path}");
        let (_, then) = page
            .html()
            .split_once("name=\"then\" value=\"")
            .map(|(_, rest)| ((), rest.to_owned()))
            .unwrap();
        let then = then.split_once('"').unwrap().0.replace("&#38;", "&");
        assert_eq!(then, path);
        let fields = [("then", &*then), ("token", &*account.root.token)];
        let answer = person.fill_in(&page, "/sign-in", &fields);
        assert_eq!((answer.status, answer.header("location")), (303, Some(path)));
    }
    let place = Person::new(shared()).open("/tokens?label=x&again=1").0;
    assert_eq!(place.header("location"), Some("/?then=%2Ftokens%3Flabel%3Dx"));
    for path in ["/?x=1", "/?then=%2F%3Fthen%3D%252F"] {
        assert!(shows_the_form(&Person::new(shared()).open(path).html()), "{path}");
    }
    for path in ["/usage.csv", "/activity.jsonl", "/keys/00/public.pem"] {
        assert_eq!(Person::new(shared()).open(path).0.status, 401, "{path}");
    }
}

#[test]
fn who_signs_in_again_leaves_no_session_behind_and_no_form_is_too_old() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let before = person.clone();
    // A page that was left open, in the same browser.
    let mut other = Person::new(shared());
    let page = other.open("/");
    person.cookies.extend(other.cookies.clone());
    let answer = person.fill_in(&page, "/sign-in", &[("token", &account.root.token)]);
    assert_eq!(answer.status, 303);
    assert!(person.open("/").html().contains(SIGNED_IN));
    assert!(shows_the_form(&before.clone().open("/").html()), "its cookie is good for nothing");
    person.cookies.remove("pqc_visitor");
    let answer = person.fill_in(&page, "/sign-in", &[("token", "x"), ("then", "/keys")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/keys?again=1")));
}

#[test]
fn a_failed_sign_in_is_counted_as_any_refused_token() {
    let server = Folder::new().serve_with("--admin-listen 127.0.0.1:0");
    let refusals = || {
        let name = "pqc_token_refusals_total{reason=\"unknown\"}";
        Scrape::of(&server.operator()).value(name)
    };
    assert_eq!(refusals(), 0.0);
    assert_eq!(Person::new(&server).sign_in("pqc_r_wrong").status, 401);
    assert_eq!(refusals(), 1.0);
}

#[test]
fn other_tokens_sign_nobody_in_and_are_not_shown_again() {
    let account = shared().account();
    let temporary = account.root.mint_counted(5);
    let unknown = "pqc_r_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (token, status, said) in [
        (unknown, 401, "not accepted"),
        ("", 401, "not accepted"),
        ("<script>alert(1)</script>", 401, "not accepted"),
        (&temporary.token, 403, "This is a temporary token"),
    ] {
        let mut person = Person::new(shared());
        let answer = person.sign_in(token);
        let html = html(&answer);
        assert_eq!(answer.status, status, "{html}");
        assert!(html.contains(said) && shows_the_form(&html), "{html}");
        assert!(token.is_empty() || !html.contains(token), "{html}");
        assert!(!person.cookies.contains_key("pqc_session"));
        // The twin: what the form is there for.
        assert!(is_signed_in(&person.sign_in(&account.root.token)));
    }
    assert_eq!(temporary.attempts_left(), 5);
}

#[test]
fn a_forged_form_is_refused() {
    let account = shared().account();
    let token = account.root.token.as_str();
    let mut person = Person::new(shared());
    let page = person.open("/").html();
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
    let right = rest.split_once('"').unwrap().0;
    let form = |person: &Person, form_token: &str| {
        person.form("/sign-in", &[("form_token", form_token), ("token", token)])
    };

    for (name, value) in [
        ("origin", "null"),
        ("origin", "http://elsewhere.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("content-type", "text/plain"),
    ] {
        let call = form(&person, right).header(name, value);
        assert_eq!(person.sent(&call).status, 400, "{name}: {value}");
    }
    for wrong in ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let call = form(&person, wrong);
        assert_eq!(person.sent(&call).status, 400, "{wrong:?}");
    }
    // Without the cookie of who was given the form.
    let mut other = Person::new(shared());
    let call = form(&other, right);
    assert_eq!(other.sent(&call).status, 400);
    assert!(!person.cookies.contains_key("pqc_session"));
    let call = form(&person, right);
    assert!(is_signed_in(&person.sent(&call)));

    // Of somebody who is signed in, too.
    let page = person.open("/");
    let call = person.form("/sign-out", &[("form_token", "forged")]);
    let answer = person.sent(&call);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/?again=1")));
    assert!(person.open("/").html().contains(SIGNED_IN));
    assert_eq!(person.fill_in(&page, "/sign-out", &[]).status, 303);
}

#[test]
fn a_cookie_authorizes_nothing_of_the_api_and_a_token_no_page() {
    let account = shared().account();
    let person = Person::signed_in(shared(), &account.root.token);
    for path in ["/api/v1/token/self", "/api/v1/keys", "/api/token/new"] {
        let call = person.with_cookies(Call::get(path));
        shared().anyone().send(&call).problem(401);
    }
    let value = person.cookies["pqc_session"].clone();
    shared().holder(&value).get("/api/v1/token/self").problem(401);
    assert!(shows_the_form(&html(&account.root.get("/"))));
}

#[test]
fn a_session_ends_with_its_token_and_its_account() {
    let server = Folder::new().serve_with("--log warn");
    let mut person = Person::signed_in(&server, &server.folder.root_token());
    assert!(person.open("/").html().contains(SIGNED_IN));
    let token = server.verb("token root-reset").line();
    assert!(shows_the_form(&person.open("/").html()));

    let mut person = Person::signed_in(&server, &token);
    assert!(person.open("/").html().contains(SIGNED_IN));
    server.verb("account disable default").ended(0);
    assert!(shows_the_form(&person.open("/").html()));
}

#[test]
fn a_session_outlives_its_server() {
    let server = Folder::new().serve_with("--log warn");
    let person = Person::signed_in(&server, &server.folder.root_token());
    let server = server.kill().serve_with("--log warn");
    let mut again = Person::new(&server);
    again.cookies = person.cookies;
    assert!(again.open("/").html().contains(SIGNED_IN));
}

#[test]
fn beyond_loopback_without_tls_nobody_signs_in() {
    let server = Folder::new().serve_with("--log error --listen 0.0.0.0:0 --insecure-no-tls");
    let mut person = Person::new(&server);
    let page = person.open("/");
    assert_eq!(page.0.status, 403);
    assert!(!shows_the_form(&page.html()) && page.html().contains("not encrypted"));
    assert!(person.cookies.is_empty());
    let fields = [("form_token", "x"), ("token", &*server.folder.root_token())];
    assert_eq!(person.send("/sign-in", &fields).status, 403);
}

#[test]
fn without_the_dashboard_there_are_no_pages() {
    let server = Folder::new().serve_with("--log warn --no-dashboard");
    for path in ["/", "/sign-in", "/assets/page.css"] {
        server.anyone().get(path).problem(404);
    }
    assert_eq!(server.anyone().get("/docs").status, 200);
}

#[test]
fn an_address_that_fails_to_sign_in_too_often_is_not_listened_to() {
    let server = Folder::new()
        .serve_with("--log warn --trusted-proxies 127.0.0.1 --failed-authorizations 3");
    let token = server.folder.root_token();
    let from = |address: &'static str, person: &mut Person, token: &str| {
        let page = person.sent(&Call::get("/").header("x-forwarded-for", address));
        let html = String::from_utf8(page.body).unwrap();
        let form_token = html.split_once("name=\"form_token\" value=\"").map(|(_, rest)| rest);
        let form_token = form_token.and_then(|rest| rest.split_once('"')).map_or("", |it| it.0);
        let call = person.form("/sign-in", &[("form_token", form_token), ("token", token)]);
        person.sent(&call.header("x-forwarded-for", address)).status
    };
    let (mut guesser, mut other) = (Person::new(&server), Person::new(&server));
    for _ in 0..4 {
        assert_eq!(from("192.0.2.1", &mut guesser, "pqc_r_guess"), 401);
    }
    assert_eq!(from("192.0.2.1", &mut guesser, &token), 429);
    let refused = server.anyone().send(&Call::get("/").header("x-forwarded-for", "192.0.2.1"));
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some() && html(&refused).contains("Too many tokens"));
    assert_eq!(from("192.0.2.2", &mut other, &token), 200);
    // Behind a proxy the browser is told to send it over TLS alone.
    assert!(other.cookies.contains_key("__Host-pqc_session"), "{:?}", other.cookies.keys());
}

#[test]
fn neither_tokens_nor_cookies_are_logged() {
    let server = Folder::new().serve_with("--log trace");
    let token = server.folder.root_token();
    let mut person = Person::signed_in(&server, &token);
    let page = person.open("/");
    let cookie = person.cookies["pqc_session"].clone();
    person.fill_in(&page, "/sign-out", &[]);
    let signs = ["route=\"/sign-in\"", "route=\"/sign-out\""];
    wait_until("the log", || {
        let log = server.stderr.so_far();
        signs.iter().all(|sign| log.contains(sign) || log.contains(&sign.replace('"', "")))
    });
    let log = server.stop().stderr;
    // The first start shows the token once.
    let (_, after) = log.split_once(&token).unwrap();
    assert!(!after.contains(&token) && !log.contains(&cookie) && !log.contains(&cookie[6..]));
}
