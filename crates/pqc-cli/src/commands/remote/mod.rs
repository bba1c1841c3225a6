//! `pqc remote`: what a server does for the holder of a token, by [`pqc_client`].
//!
//! All that is wrong with what was typed, with files that are read and with places that are written
//! to, is said before the server is asked: a call that was made in vain has spent its attempt.

mod aes;
mod failure;
mod input;
mod kem;
mod opened;
mod profile;
mod sign;
mod token;

use crate::args::{
    RemoteAesVerb, RemoteArgs, RemoteKemVerb, RemoteOptions, RemoteTokenVerb, RemoteVerb,
};
use crate::output::Output;

use opened::Remote;

/// Does what was asked; `above` are the options before the word `remote`.
///
/// # Errors
/// The server says no or cannot be asked; a file cannot be read, or is there already.
pub(crate) async fn run(
    args: RemoteArgs,
    above: RemoteOptions,
    output: Output,
) -> anyhow::Result<()> {
    let remote = &mut Remote::open(args.options.or(above))?;
    match args.verb {
        RemoteVerb::Token(RemoteTokenVerb::New(args)) => token::new(remote, args, output).await,
        RemoteVerb::Token(RemoteTokenVerb::Itself) => token::itself(remote, output).await,
        RemoteVerb::Kem(RemoteKemVerb::Generate(args)) => kem::generate(remote, args, output).await,
        RemoteVerb::Kem(RemoteKemVerb::Encapsulate(args)) => {
            kem::encapsulate(remote, args, output).await
        }
        RemoteVerb::Kem(RemoteKemVerb::Decapsulate(args)) => {
            kem::decapsulate(remote, args, output).await
        }
        RemoteVerb::Aes(RemoteAesVerb::Encrypt(args)) => aes::encrypt(remote, args, output).await,
        RemoteVerb::Aes(RemoteAesVerb::Decrypt(args)) => aes::decrypt(remote, args, output).await,
        RemoteVerb::Sign(args) => sign::sign(remote, args, output).await,
        RemoteVerb::Verify(args) => sign::verify(remote, args, output).await,
    }
}
