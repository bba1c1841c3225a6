//! The tour: the whole flow of a sender and a receiver, with real calls by the page's own script.
//!
//! A cookie opens no call of the API. So the page first mints a temporary token, as a program would,
//! and its script then calls with that.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use pqc_service::Error;
use pqc_service::audit::WrittenDown;
use pqc_service::tokens::{MintRequest, Minted};
use serde::Serialize;
use zeroize::Zeroizing;

use super::visit::{self, Act, Shell};
use crate::app::App;
use crate::operation::{Answer, from_service};

/// The page.
pub(super) const PLACE: &str = "/try";

#[derive(Template)]
#[template(path = "try_it.html")]
struct TryIt {
    shell: Shell,
    steps: [Step; 8],
    attempts: u32,
}

/// A step, as it is told; what its call sends is known to the script.
struct Step {
    number: u8,
    who: &'static str,
    title: &'static str,
    /// What happens, and why.
    told: &'static str,
    path: &'static str,
    /// Why its button is not there yet.
    needs: &'static str,
}

/// What the script calls with.
#[derive(Serialize)]
struct TourToken {
    token: Zeroizing<String>,
    attempts: u32,
    expires_at: u64,
}

/// All steps; nothing is called yet.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "try.show", async |visit| {
        let shell = visit.shell(PLACE);
        visit.page_that_calls(&TryIt { shell, steps: STEPS, attempts: ATTEMPTS })
    })
    .await
}

/// Mints the token of a tour, for the script.
pub(super) async fn token(State(app): State<Arc<App>>, request: Request) -> Response {
    let act = Act {
        operation: "token.mint",
        written_down: WrittenDown::ByEffect,
        place: PLACE,
        // A script sends it, which tells the person itself.
        draft: None,
    };
    visit::act(&app, request, &act, async |deed| {
        // The default lifetime is never longer than the server allows.
        let request = MintRequest {
            attempts: Some(ATTEMPTS.into()),
            label: Some(LABEL.to_owned()),
            ..MintRequest::default()
        };
        let nothing = |_: &Minted| Ok::<_, Error>("");
        let minted = deed.app.service.mint(&deed.by, request, nothing).await;
        let (minted, _) = minted.map_err(from_service)?;
        let answer = Answer::json(&TourToken {
            token: minted.value.expose_text(),
            attempts: minted.attempts,
            expires_at: minted.expires_at.seconds(),
        })?;
        Ok(answer.into_response(deed.app.bodies.room()))
    })
    .await
}

/// Enough for the tour, again from any of its steps, and some copied requests.
const ATTEMPTS: u32 = 20;
/// By which the account's owner knows such tokens again.
const LABEL: &str = "Try it";

const STEPS: [Step; 8] = [
    Step {
        number: 0,
        who: "You",
        title: "mint a token for this tour",
        told: "Every call shows a token. A program that has the root token (here in PQC_ROOT_TOKEN) mints \
            temporary ones by the request below, and finds them as new_token in the answer; your \
            browser does not have it, so this page mints one by your session. To run the copied \
            requests of the other steps, type read -rs PQC_TOKEN; export PQC_TOKEN and paste this token \
            there. Step 1 leaves a key pair in the account.",
        path: "/api/token/new",
        needs: "",
    },
    Step {
        number: 1,
        who: "Receiver",
        title: "make a key pair",
        told: "An ML-KEM-768 key pair (FIPS 203). The public key is for everyone who wants to \
            send; the secret key stays on the server, sealed, unless the account is set to hold \
            its own. The server's issuer key signs the public key (ML-DSA-65, FIPS 204), so that \
            a sender can tell it from a stranger's.",
        path: "/api/kem/generate_keys",
        needs: "Run step 0 first.",
    },
    Step {
        number: 2,
        who: "Sender",
        title: "encapsulate a key",
        told: "First the signature over the public key is checked. Then two things are made at \
            once: a shared key of 32 bytes, which the sender keeps, and a ciphertext, in which \
            the receiver alone finds that key (FIPS 203, Algorithm 20). A real sender compares \
            the verification key with one that it got by another way.",
        path: "/api/kem/encapsulate_key",
        needs: "Run step 0 first.",
    },
    Step {
        number: 3,
        who: "Sender",
        title: "encrypt a text",
        told: "AES-256-GCM, under a key that is derived from the shared key for this text alone. \
            The encrypted text can go by any way: without the shared key nobody can read it, or \
            change it unnoticed.",
        path: "/api/aes/encrypt_text",
        needs: "Run step 0 first.",
    },
    Step {
        number: 4,
        who: "Receiver",
        title: "decapsulate the key",
        told: "The receiver has the ciphertext of step 2, and the server uses the secret key that \
            belongs to the public key (FIPS 203, Algorithm 21). A wrong ciphertext is no error: \
            it gives another key, which opens nothing.",
        path: "/api/kem/decapsulate_key",
        needs: "Run step 0 first.",
    },
    Step {
        number: 5,
        who: "Receiver",
        title: "decrypt the text",
        told: "The encrypted text proves that it is whole. With another key, or after a change of \
            one bit, the answer would be 422, and never a wrong text.",
        path: "/api/aes/decrypt_text",
        needs: "Run step 0 first.",
    },
    Step {
        number: 6,
        who: "Receiver",
        title: "sign a receipt",
        told: "ML-DSA-65 (FIPS 204, Algorithm 2), by the signing key of the account, which is \
            made at its first use and stays on the server. The receipt repeats the text, so it is \
            for no other.",
        path: "/api/signature/sign",
        needs: "Run step 0 first.",
    },
    Step {
        number: 7,
        who: "Sender",
        title: "verify the receipt",
        told: "Whoever has the public key can check who signed the receipt, and that it is whole \
            (FIPS 204, Algorithm 3). After a change of one letter the same signature is none: the \
            answer is false, which is no error.",
        path: "/api/signature/verify",
        needs: "Run step 0 first.",
    },
];
