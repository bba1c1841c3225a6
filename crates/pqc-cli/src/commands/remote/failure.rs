//! What a person is told when a server cannot be asked or says no, with what there is to do, and which
//! of the two it is.

use pqc_client::{Attempt, Error, Refusal};

use crate::exit::Told;

/// The same of a call that only looks, and can have done nothing.
pub(super) fn told_of_look(error: Error) -> anyhow::Error {
    told_with(error, false)
}

/// The error of a call as that of a verb: status 1 if the server or the check of its answer says no,
/// 2 if there is nobody who could say anything, or what is asked for cannot be.
pub(super) fn told(error: Error) -> anyhow::Error {
    let may_be_done = error.attempt() == Attempt::Unknown && !matches!(error, Error::Tls { .. });
    told_with(error, may_be_done)
}

fn told_with(error: Error, may_be_done: bool) -> anyhow::Error {
    let is_no = match &error {
        Error::Attestation(_) => true,
        // Of a pqc server: others say 404 too.
        Error::Refused(refusal) => {
            let is_ours = !matches!(refusal.slug(), None | Some("no-route"));
            is_ours && matches!(refusal.status, 401 | 403 | 404 | 409 | 422)
        }
        _ => false,
    };
    let next = next_step(&error);
    let error = anyhow::Error::new(error);
    let mut line = format!("{error:#}");
    if may_be_done {
        line += "; it may have been carried out, and its attempt spent";
    }
    if let Some(next) = next {
        line += ": ";
        line += next;
    }
    error.context(Told { line, is_no })
}

fn next_step(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Refused(refusal) => return after_refusal(refusal),
        Error::Connection { .. } => "is the server running, and --server right?",
        Error::Tls { .. } => {
            "name the server's own certificate authority with --ca-file, if it has one"
        }
        Error::NotUnderstood { .. } => "is --server the URL of a pqc server?",
        Error::Attestation(pqc_core::Error::UntrustedIssuer) => {
            "the key or its attestation was altered, or --issuer is not what `pqc issuer show --json` \
             prints beside the server that made the key"
        }
        Error::PlainHttp { .. } => "give an https:// URL",
        _ => return None,
    })
}

fn after_refusal(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal.slug() {
        None | Some("no-route") => "is --server the URL of a pqc server?",
        Some("unauthorized") => {
            "the token is unknown, expired, spent or revoked; mint another with `pqc remote token new`"
        }
        Some("out-of-scope") => "`pqc remote token self` says what the token may do",
        Some("untrusted-issuer") => {
            "the server's operator makes it trust another's issuer with `pqc issuer trust`"
        }
        Some("unknown-key") => {
            "the key is another account's, destroyed, or kept by the client itself"
        }
        Some("body-too-large") => "give less at once",
        Some("rate-limit" | "overload" | "store-unavailable" | "slow" | "in-flight") => {
            "try again later"
        }
        Some("internal") => "give the request's id to the server's operator",
        Some(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_no(error: &anyhow::Error) -> bool {
        error.downcast_ref::<Told>().unwrap().is_no
    }

    #[test]
    fn a_no_is_told_from_nobody_answering() {
        let no = told(Error::Attestation(pqc_core::Error::UntrustedIssuer));
        assert!(is_no(&no) && no.to_string().contains("--issuer is not"), "{no}");
        let plain = told(Error::PlainHttp { host: "pqc.example".to_owned() });
        assert!(!is_no(&plain) && plain.to_string().ends_with("give an https:// URL"));
        let gone = Error::Connection { attempt: Attempt::Unknown, cause: "reset".into() };
        let gone = told(gone).to_string();
        assert!(gone.contains("reset; it may have been carried out"), "{gone}");
        let nobody = Error::Connection { attempt: Attempt::Kept, cause: "refused".into() };
        assert!(!told(nobody).to_string().contains("may have been"));
    }
}
