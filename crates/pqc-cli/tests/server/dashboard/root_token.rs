//! The page of the root token: its reset.

use super::secret;
use crate::support::{Person, html, shared};

#[test]
fn a_reset_asks_first_takes_effect_at_once_and_shows_the_new_token_once() {
    let account = shared().account();
    let temporary = account.root.mint_counted(5);
    let mut person = Person::signed_in(shared(), &account.root.token);
    let mut elsewhere = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/");

    let unsure = person.fill_in(&page, "/token/reset", &[]);
    assert_eq!(unsure.status, 422);
    assert!(html(&unsure).contains("Nothing was reset"), "{}", html(&unsure));
    account.root.token_self();

    let answer = person.fill_in(&page, "/token/reset", &[("sure", "yes")]);
    let shown = html(&answer);
    assert_eq!(answer.status, 200, "{shown}");
    let token = secret(&shown);
    assert!(token.starts_with("pqc_r_") && token != account.root.token);
    account.root.get("/api/v1/token/self").problem(401);
    temporary.get("/api/v1/token/self").problem(401);
    shared().holder(&token).token_self();
    // This browser stays signed in, with the new one; others do not.
    let page = person.open("/");
    assert!(page.html().contains("You are signed in") && !page.html().contains(&token));
    assert!(!elsewhere.open("/").html().contains("You are signed in"));

    // The form that was sent is of the session before: sent again, it does nothing, and comes back.
    let again = person.send("/token/reset", &[("form_token", "old"), ("sure", "yes")]);
    assert_eq!((again.status, again.header("location")), (303, Some("/?again=1")));
    assert!(person.open("/?again=1").html().contains("was of an earlier session"));
    shared().holder(&token).token_self();
}

#[test]
fn of_several_resets_at_once_one_is_made() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/");
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = |mut person: Person| {
            let page = &page;
            scope.spawn(move || person.fill_in(page, "/token/reset", &[("sure", "yes")]))
        };
        let sent: Vec<_> = (0..6).map(|_| send(person.clone())).collect();
        sent.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let shown: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(shown.len(), 1, "{:?}", answers.iter().map(|one| one.status).collect::<Vec<_>>());
    shared().holder(&secret(&html(shown[0]))).token_self();
}

#[test]
fn a_reset_can_keep_the_temporary_tokens() {
    let account = shared().account();
    let temporary = account.root.mint_counted(5);
    let mut person = Person::signed_in(shared(), &account.root.token);
    let page = person.open("/");
    let fields = [("sure", "yes"), ("keep_temporary", "yes")];
    assert_eq!(person.fill_in(&page, "/token/reset", &fields).status, 200);
    assert_eq!(temporary.attempts_left(), 5);
    account.root.get("/api/v1/token/self").problem(401);
}
