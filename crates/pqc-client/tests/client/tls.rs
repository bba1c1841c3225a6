//! TLS: whom the client trusts, and what it says where it does not.

use std::error::Error as _;

use pqc_client::{Client, Error};
use pqc_http::{Certificate, KeyExchange, Tls};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use crate::lab::Lab;

fn certificate() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost", "127.0.0.1"].map(str::to_owned)).unwrap()
}

fn client(lab: &Lab, trusted: &CertifiedKey<KeyPair>) -> Client {
    let builder = Client::builder(&lab.url).ca_pem(trusted.cert.pem().as_bytes()).unwrap();
    builder.build(&lab.root_token).unwrap()
}

#[tokio::test]
async fn the_servers_certificate_is_trusted_or_the_token_stays_here() {
    let (own, other) = (certificate(), certificate());
    let key = own.signing_key.serialize_pem();
    let served = Certificate::from_pem(own.cert.pem().as_bytes(), key.as_bytes()).unwrap();
    // Only a client that can do the hybrid key exchange gets in.
    let tls = Tls::new(served, KeyExchange::RequirePostQuantum).unwrap();
    let lab = Lab::with_tls(Some(tls)).await;
    assert!(client(&lab, &own).token_self().await.is_ok());

    let error = client(&lab, &other).token_self().await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    let mut chain = String::new();
    let mut next = error.source();
    while let Some(error) = next {
        chain += &error.to_string();
        next = error.source();
    }
    assert!(chain.contains("certificate"), "{chain}");
    assert!(!format!("{error:?}").contains(&*lab.root_token.expose_text()));
}

#[tokio::test]
async fn what_speaks_no_tls_is_no_secure_connection() {
    let lab = Lab::new().await;
    let url = lab.url.replace("http://", "https://");
    let trusted = certificate();
    let builder = Client::builder(&url).ca_pem(trusted.cert.pem().as_bytes()).unwrap();
    let error = builder.build(&lab.root_token).unwrap().token_self().await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
}
