//! Handshakes over real sockets, with a client of the same library: which group, which certificate.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn read((chain, key): &(String, String)) -> Certificate {
    Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
}

/// What a client that trusts this certificate and knows these groups comes to.
async fn group(
    tls: &Tls,
    trusted: &str,
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> io::Result<Option<NamedGroup>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let tls = tls.clone();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let Some(mut stream) = tls.accept(stream, Duration::from_secs(5)).await else {
            return Ok(());
        };
        stream.write_all(b"x").await?;
        stream.shutdown().await
    });
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let agreed = stream.get_ref().1.negotiated_key_exchange_group().map(|group| group.name());
    stream.read_to_end(&mut Vec::new()).await?;
    served.await.unwrap()?;
    Ok(agreed)
}

#[tokio::test]
async fn a_hybrid_comes_first_and_can_be_required() {
    use kx_group::{SECP256R1, X25519, X25519MLKEM768};
    let pem = certificate();
    let prefers = Tls::new(read(&pem), KeyExchange::PreferPostQuantum).unwrap();
    let requires = Tls::new(read(&pem), KeyExchange::RequirePostQuantum).unwrap();
    let with_hybrid = || vec![X25519, X25519MLKEM768];
    for tls in [&prefers, &requires] {
        // Also for one that would rather not: the server decides.
        let agreed = group(tls, &pem.0, with_hybrid()).await.unwrap();
        assert_eq!(agreed, Some(NamedGroup::X25519MLKEM768));
    }
    for (alone, name) in [(X25519, NamedGroup::X25519), (SECP256R1, NamedGroup::secp256r1)] {
        assert_eq!(group(&prefers, &pem.0, vec![alone]).await.unwrap(), Some(name));
        assert!(group(&requires, &pem.0, vec![alone]).await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_while_it_is_in_use() {
    use kx_group::X25519;
    let (first, second) = (certificate(), certificate());
    let tls = Tls::new(read(&first), KeyExchange::default()).unwrap();
    assert!(group(&tls, &first.0, vec![X25519]).await.is_ok());
    assert!(group(&tls, &second.0, vec![X25519]).await.is_err());
    tls.clone().replace(read(&second));
    assert!(group(&tls, &first.0, vec![X25519]).await.is_err());
    assert!(group(&tls, &second.0, vec![X25519]).await.is_ok());
}

#[test]
fn what_is_no_certificate_is_told_apart() {
    let (chain, key) = certificate();
    let (other, _) = certificate();
    let read = |chain: &str, key: &str| Certificate::from_pem(chain.as_bytes(), key.as_bytes());
    assert!(read(&chain, &key).is_ok());
    // One file may hold both, and a chain may be longer.
    let both = format!("{chain}{other}{key}");
    assert!(read(&both, &both).is_ok());
    for text in ["", "hello", &key, "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(read(text, &key), Err(TlsError::NoCertificate)), "{text}");
    }
    for text in ["", "hello", &chain] {
        assert!(matches!(read(&chain, text), Err(TlsError::NoKey)), "{text}");
    }
    let not_its_own = read(&other, &key);
    assert!(matches!(not_its_own, Err(TlsError::Unusable(_))), "{not_its_own:?}");
    let cut = chain.replacen("M", "A", 1);
    assert!(read(&cut, &key).is_err());
}
