//! Signing by μ, by digest and by a prepared key; issuers.

use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::{
    Context, DecapsulationKey, Issuer, KemAlgorithm, Secret, SignatureAlgorithm, SigningKey,
    Timestamp,
};

use super::{ACCOUNT, Given, masters, nothing, nothing_but, random, signing_secrets};

const CONTEXT: Context<'static> = Context::EMPTY;

#[test]
fn each_way_of_signing_leaves_no_secret() {
    for set in SignatureAlgorithm::ALL {
        let (seed, hedge) = (random::<32>(), random::<32>());
        let key = SigningKey::from_seed(set, Secret::from(seed));
        let secrets = signing_secrets(&key, &seed, &hedge);
        let mut hasher = key.verifying_key().mu_hasher(CONTEXT);
        hasher.update(b"mess");
        hasher.update(b"age");
        let mu = hasher.finish();
        let digest = PreHash::of(PreHashAlgorithm::Sha512, b"message");
        let rng = || Given(&hedge);
        let read = SigningKey::from_expanded(key.expose_expanded().expose_bytes()).unwrap();
        for key in [&key, &read] {
            nothing("sign_mu", &secrets, || key.sign_mu(&mu, &mut rng()).unwrap());
            nothing("sign_prehash", &secrets, || {
                key.sign_prehash(&digest, CONTEXT, &mut rng()).unwrap()
            });
            nothing("sign_deterministic", &secrets, || {
                key.sign_deterministic(b"message", CONTEXT).unwrap()
            });
            nothing("prepared", &secrets, || {
                let prepared = key.prepare().unwrap();
                prepared.sign(b"message", CONTEXT, &mut rng()).unwrap();
                prepared.sign_prehash(&digest, CONTEXT, &mut rng()).unwrap();
                prepared.sign_mu(&mu, &mut rng()).unwrap();
                prepared
            });
        }
    }
}

#[test]
fn issuers_leave_no_secret() {
    let (seed, hedge, master) = (random::<32>(), random::<32>(), random::<32>());
    let set = SignatureAlgorithm::MlDsa65;
    let secrets = signing_secrets(&SigningKey::from_seed(set, Secret::from(seed)), &seed, &hedge)
        .with("master key", &master);
    let issuer = || Issuer::generate(set, &mut Given(&seed)).unwrap();
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut Given(&random::<64>()));
    let key = key.unwrap();
    nothing("attest", &secrets, || {
        let (now, public) = (Timestamp::from_seconds(1), key.encapsulation_key());
        issuer().attest(ACCOUNT, public, now, None, &mut Given(&hedge)).unwrap()
    });
    let sealed = nothing_but("seal", &secrets, || {
        issuer().seal(&masters(&master), &mut Given(&random::<24>())).unwrap()
    });
    let public = issuer().verifying_key().clone();
    nothing("open", &secrets, || {
        Issuer::open(&masters(&master), public.as_bytes(), &sealed).unwrap()
    });
}
