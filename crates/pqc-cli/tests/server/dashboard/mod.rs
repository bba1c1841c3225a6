//! The dashboard, as a browser is answered.

mod activity;
mod health;
mod in_browser;
mod isolation;
mod keys;
mod looks;
mod root_token;
mod sign_in;
mod temporary_tokens;
mod try_it;
mod usage;

/// The value of the field that a page shows a secret in.
fn secret(html: &str) -> String {
    let (_, rest) = html.split_once("<input id=\"secret\"").unwrap_or_else(|| panic!("{html}"));
    let (field, _) = rest.split_once('>').unwrap();
    assert!(field.contains("type=\"password\""), "it stands behind dots: {field}");
    let (_, value) = field.split_once("value=\"").unwrap();
    value.split_once('"').unwrap().0.to_owned()
}
