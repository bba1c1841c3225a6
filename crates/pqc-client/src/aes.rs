//! AES-256 for texts, by the account's own key or one that the caller brings.

use pqc_core::secret::Wiped;
use pqc_core::{MessageBox, Secret, message};

use crate::call::{Call, Client};
use crate::error::Error;
use crate::wire::{self, DECRYPT_TEXT, ENCRYPT_TEXT, Hex, Read, Text};

impl Client {
    /// Encrypts a text: 58 bytes more. Without a `key` by the account's own, which the server keeps;
    /// the associated data are not in the box, and have to be given again.
    ///
    /// ```no_run
    /// # async fn f(client: pqc_client::Client) -> Result<(), pqc_client::Error> {
    /// let sealed = client.encrypt_text("Meet me at noon.", None, "").await?;
    /// assert_eq!(client.decrypt_text(&sealed, None, "").await?.as_str(), "Meet me at noon.");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error`]; refused are texts that are longer than the server takes (413, 422).
    pub async fn encrypt_text(
        &self,
        text: &str,
        key: Option<&Secret<32>>,
        associated_data: &str,
    ) -> Result<MessageBox, Error> {
        let key = key.map(|key| Hex(key.expose_bytes()));
        let body = wire::EncryptText { text, key, associated_data };
        let sealed = text.len().saturating_add(message::OVERHEAD_BYTES);
        let call = Call::post(ENCRYPT_TEXT, &body)?.with_longer_answer(sealed.saturating_mul(2));
        let mut sealed: Read = self.ask(call).await?;
        MessageBox::from_bytes(std::mem::take(&mut *sealed.0))
            .map_err(|_| Error::NotUnderstood { path: ENCRYPT_TEXT, why: "it is no box" })
    }

    /// Decrypts a text that [`Self::encrypt_text`] encrypted with the same key and associated data.
    ///
    /// # Errors
    /// [`Error`]; refused is what does not authenticate (422).
    pub async fn decrypt_text(
        &self,
        sealed: &MessageBox,
        key: Option<&Secret<32>>,
        associated_data: &str,
    ) -> Result<Wiped<String>, Error> {
        let key = key.map(|key| Hex(key.expose_bytes()));
        let body = wire::DecryptText { sealed: Hex(sealed.as_bytes()), key, associated_data };
        let longest = sealed.as_bytes().len().saturating_mul(LONGEST_ESCAPE);
        let call = Call::post(DECRYPT_TEXT, &body)?.with_longer_answer(longest);
        let text: Text = self.ask(call).await?;
        Ok(text.0)
    }
}

/// What a byte of a text can become in JSON, as in `\u0000`.
const LONGEST_ESCAPE: usize = 6;
