//! The pages of the keys: listed, found, looked at, downloaded.

use pqc_core::keyfile::PublicKey;
use serde_json::json;

use crate::support::{Call, Person, shared, wait_until};

#[test]
fn keys_are_listed_found_and_downloaded() {
    let account = shared().account();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let empty = person.open("/keys").html();
    assert!(empty.contains("There are none yet."), "{empty}");

    let (one, other) = (account.root.generate(), account.root.generate());
    account.root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    let list = person.open("/keys").html();
    for id in [&one.key_id, &other.key_id] {
        assert!(list.contains(&format!("href=\"/keys/{id}\"")), "{list}");
    }
    assert!(list.contains("AES key"), "{list}");
    let found = person.open(&format!("/keys?begins={}", one.key_id[..9].to_uppercase())).html();
    assert!(found.contains(&one.key_id) && !found.contains(&other.key_id), "{found}");
    let none = person.open("/keys?begins=zz%3Cb%3E").html();
    assert!(none.contains("There are none.") && none.contains("&#60;b&#62;"), "{none}");

    let (cipher, _) = one.encapsulated_by(&account.root);
    let fields = json!({"pk": one.pk, "cipher": cipher});
    account.root.post("/api/kem/decapsulate_key", &fields).ok();
    wait_until("that its use is counted", || {
        let page = person.open(&format!("/keys/{}", one.key_id)).html();
        page.contains("1 use in all")
    });
    let list = person.open(&format!("/keys?begins={}", one.key_id)).html();
    assert!(list.contains("data-name=\"Uses\" class=\"number\">1</td>"), "{list}");
    let page = person.open(&format!("/keys/{}", one.key_id)).html();
    assert!(page.contains(&one.pk) && page.contains(&one.attestation), "{page}");
    assert!(page.contains("by an issuer key of this server"), "{page}");
    let file = person.with_cookies(Call::get(format!("/keys/{}/public.pem", one.key_id)));
    let file = person.sent(&file);
    let name = format!("attachment; filename=\"{}.pub.pem\"", one.key_id);
    assert_eq!(file.header("content-disposition"), Some(&*name));
    let public = PublicKey::from_pem(std::str::from_utf8(&file.body).unwrap()).unwrap();
    assert_eq!(hex::encode(public.as_bytes()), one.pk);
}

#[test]
fn the_issuer_key_is_there_to_compare() {
    let account = shared().account();
    let issuer = account.root.generate().issuer;
    let issuer = pqc_core::VerifyingKey::from_bytes(&hex::decode(issuer).unwrap()).unwrap();
    let page = Person::signed_in(shared(), &account.root.token).open("/keys").html();
    for told in [
        hex::encode(issuer.fingerprint()),
        hex::encode(issuer.as_bytes()),
        issuer.key_id().to_string(),
        "-----BEGIN PUBLIC KEY-----".to_owned(),
        "&#34;kty&#34;: &#34;AKP&#34;".to_owned(),
    ] {
        assert!(page.contains(&told), "{told}");
    }
}

#[test]
fn all_keys_are_there_page_by_page() {
    let account = shared().account();
    let ids: Vec<_> = (0..55).map(|_| account.root.generate().key_id).collect();
    let mut person = Person::signed_in(shared(), &account.root.token);
    let (mut place, mut seen, mut pages) = ("/keys".to_owned(), String::new(), 0);
    loop {
        let html = person.open(&place).html();
        pages += 1;
        seen.push_str(&html);
        let Some((_, rest)) = html.split_once("href=\"/keys?before=") else { break };
        place = format!("/keys?before={}", rest.split_once('"').unwrap().0);
    }
    assert_eq!(pages, 2);
    for id in ids {
        assert_eq!(seen.matches(&format!("href=\"/keys/{id}\"")).count(), 1, "{id}");
    }
}
