//! Calls that can be repeated: the holder of a token gives a call a name, and who comes again with
//! the same token, name and request gets the first answer, at no cost.
//!
//! [`Service::authenticate_again`] takes the place of [`Service::authenticate`] and finds also who
//! comes back with a token that was spent since; [`Service::claim`] takes that of
//! [`Service::spend`]. What then acts keeps its answer in the step that makes the thing, so no call
//! makes a second one, whenever a process dies. What an answer is kept under, and sealed with, is
//! derived from the token's value, which no store has.

use pqc_core::replay::{IdempotencyKey, Replay, ReplayId, RequestHash};
use pqc_core::secret::Wiped;
use pqc_core::token::{Demand, Refusal, TokenHash, TokenValue};
use pqc_core::{AccountId, SecretVec, Timestamp, TokenId};

use crate::audit::{By, Use};
use crate::authorize::{Admitted, Authorized, Caller};
use crate::error::Error;
use crate::service::Service;
use crate::store::AccountRecord;
use crate::store::replay::{Claimed, Effect, KeptAnswer, NONCE_BYTES, NewClaim, Payment};

/// Who comes with a token, and an idempotency key.
#[derive(Debug)]
pub enum Comer {
    /// The holder of a living token.
    Living(Caller),
    /// One whose token is spent, and who was here before.
    Returning(Returning),
}

/// The same, once the token is known to permit what the call demands.
#[derive(Debug)]
pub enum Holder {
    /// The holder of a living token.
    Living(Authorized),
    /// One who was permitted the call before.
    Returning(Returning),
}

/// One who began a call by a token that is spent.
#[derive(Debug)]
pub struct Returning {
    hash: TokenHash,
    token: TokenId,
    account: AccountRecord,
}

/// What a call is, and what it asks for.
#[derive(Debug)]
pub struct Repeatable {
    /// Of its token and its idempotency key.
    pub replay: Replay,
    /// Its request.
    pub request: RequestHash,
}

/// What a call gets to do.
#[derive(Debug)]
pub enum Admission {
    /// It may act now, once.
    First(Box<Admitted>),
    /// It was done before, with this answer; nothing was spent. It may hold secrets.
    Again(SecretVec),
    /// It was refused before, in these words; nothing was spent.
    RefusedAgain(SecretVec),
}

/// A call that is ours to carry out.
#[derive(Debug)]
pub(crate) struct Claim {
    call: Repeatable,
    nonce: [u8; NONCE_BYTES],
}

impl Service {
    /// As [`Self::authenticate`], for a call that can be repeated: one who was here before is found
    /// although the token is spent. It takes as long whatever the reason of a refusal.
    ///
    /// # Errors
    /// As there.
    pub async fn authenticate_again(
        &self,
        text: &str,
        key: &IdempotencyKey,
    ) -> Result<(Comer, Replay), Error> {
        let value = TokenValue::parse(text).map_err(|_| self.refused(Refusal::Unknown))?;
        let replay = Replay::of(&value, key);
        let (_, comer) = self.look(&value.hash(), &replay.id()).await?;
        Ok((comer, replay))
    }

    /// As [`Self::spend`], of a call that can be repeated: one attempt is spent for all that are
    /// the same, in the step that claims the call; or the first answer is given again, which is
    /// written down when it happens first.
    ///
    /// # Errors
    /// As there. [`Error::InFlight`]; [`Error::OtherRequest`]; [`Error::QuotaFull`]: nothing was
    /// spent. [`Error::Corrupt`]: the answer does not open.
    pub async fn claim(
        &self,
        holder: Holder,
        call: Repeatable,
        usage: Use,
    ) -> Result<Admission, Error> {
        // What cannot be done costs no attempt.
        self.masters.ready()?;
        let id = call.replay.id();
        let (now, comer) = self.look(holder.hash(), &id).await?;
        let (token, label, account, payment, ends, is_written_down) = match comer {
            Comer::Living(Caller { token, account, .. }) => {
                let is_counted = token.state.attempts_left.is_some();
                let is_written_down = self.is_written_down(&usage, is_counted);
                let payment = match is_counted {
                    true => Payment::Attempt(token.hash),
                    false => Payment::Free,
                };
                let ends = token.state.expires_at;
                (token.id, token.label, account, payment, ends, is_written_down)
            }
            // Only a counted token can be spent.
            Comer::Returning(Returning { token, account, .. }) => {
                (token, None, account, Payment::Before(Refusal::Spent), None, true)
            }
        };
        let mut nonce = [0; NONCE_BYTES];
        self.host.fill_random(&mut nonce).map_err(|_| pqc_core::Error::Randomness)?;
        let kept_until = now.plus_seconds(KEPT_SECONDS);
        let claim = NewClaim {
            id,
            request: call.request,
            account: account.id,
            token,
            nonce,
            expires_at: ends.map_or(kept_until, |ends| ends.min(kept_until)),
            payment,
            admitted: is_written_down.then(|| usage.event(account.id, "admitted")),
            again: usage.event(account.id, "answered again"),
        };
        let by = By::token(token, usage.request_id.clone());
        match self.claim_a_place(&by, claim, now).await? {
            Claimed::Ours { before } => {
                let admitted = Admitted {
                    account,
                    by,
                    token,
                    label,
                    now,
                    usage,
                    is_written_down,
                    claim: Some(Claim { call, nonce }),
                    is_taken_over: before,
                };
                self.counter.call(&admitted);
                Ok(Admission::First(Box::new(admitted)))
            }
            Claimed::Answered { sealed, .. } => {
                let opened = call.replay.open(&call.request, &sealed).ok();
                let again = opened.as_ref().and_then(|opened| match opened.expose_bytes() {
                    [DONE, answer @ ..] => Some(Admission::Again(SecretVec::copy_of(answer))),
                    [REFUSED, answer @ ..] => {
                        Some(Admission::RefusedAgain(SecretVec::copy_of(answer)))
                    }
                    _ => None,
                });
                again.ok_or(Error::Corrupt { what: "a kept answer" })
            }
            Claimed::OtherRequest => Err(Error::OtherRequest),
            Claimed::InFlight => Err(Error::InFlight),
            Claimed::Refused(why) => Err(self.refused(why).into()),
        }
    }

    /// Who comes again needs no room for one more answer.
    async fn claim_a_place(
        &self,
        by: &By,
        claim: NewClaim,
        now: Timestamp,
    ) -> Result<Claimed, Error> {
        let (id, nonce) = (claim.id, claim.nonce);
        // Who returns with a spent token was found by the call's row.
        let is_new = !matches!(claim.payment, Payment::Before(_))
            && self.store.begun_call(&id, now).await?.is_none();
        let place = match is_new {
            true => Some(self.reserve_answer(claim.account).await?),
            false => None,
        };
        let claimed = self.store.claim(by, claim).await;
        if let Some(place) = place {
            let is_made = |claimed: &Claimed| matches!(claimed, Claimed::Ours { before: false });
            place.settle(claimed.as_ref().map(is_made));
        }
        if let Err(Error::OutcomeUnknown(_)) = &claimed {
            // If it is there, it need not be in the way of who comes again.
            let _ = self.store.release_claim(by, &id, &nonce).await;
        }
        claimed
    }

    /// Does what the call asks for, if it can be repeated in the step that keeps its answer;
    /// `false`: as the effect says.
    pub(crate) async fn carry_out(
        &self,
        admitted: &Admitted,
        effect: Effect,
        answer: &[u8],
    ) -> Result<bool, Error> {
        let by = admitted.by();
        match (self.answer_to_keep(admitted, answer)?, effect) {
            (Some(answer), effect) => self.store.keep_answer(by, answer, effect).await,
            (None, Effect::MintToken { token, root }) => {
                self.store.mint_token(by, token, root).await
            }
            (None, Effect::InsertKey(key)) => self.store.insert_key(by, key).await,
            (None, Effect::Record(event)) => self.store.record(by, event).await.map(|()| true),
            (None, Effect::Nothing) => Ok(true),
        }
    }

    /// The answer as the store is to keep it; `None`: the call cannot be repeated.
    pub(crate) fn answer_to_keep(
        &self,
        admitted: &Admitted,
        answer: &[u8],
    ) -> Result<Option<KeptAnswer>, Error> {
        self.to_keep(admitted, DONE, answer)
    }

    fn to_keep(
        &self,
        admitted: &Admitted,
        kind: u8,
        answer: &[u8],
    ) -> Result<Option<KeptAnswer>, Error> {
        let Some(Claim { call, nonce }) = &admitted.claim else { return Ok(None) };
        // In its room from the beginning: one that grows leaves a part of it behind.
        let mut whole = Wiped::new(Vec::with_capacity(answer.len().saturating_add(1)));
        whole.push(kind);
        whole.extend_from_slice(answer);
        let sealed = call.replay.seal(&call.request, &whole, &mut self.rng())?;
        Ok(Some(KeptAnswer {
            id: call.replay.id(),
            nonce: *nonce,
            custody: admitted.custody(),
            sealed,
        }))
    }

    /// Keeps the words in which a call was refused for good. Without them it is left to who comes
    /// again, for whom it is paid.
    pub(crate) async fn keep_refusal(&self, admitted: &Admitted, refusal: Option<&[u8]>) {
        let Some(Claim { call, nonce }) = &admitted.claim else { return };
        let kept = refusal.map(|refusal| self.to_keep(admitted, REFUSED, refusal));
        if let Some(Ok(Some(kept))) = kept {
            match self.store.keep_answer(admitted.by(), kept, Effect::Nothing).await {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, "a refusal could not be kept"),
            }
        }
        let released = self.store.release_claim(admitted.by(), &call.replay.id(), nonce).await;
        if let Err(error) = released {
            tracing::warn!(%error, "a call that failed can be repeated in a minute only");
        }
    }

    /// Leaves the calls of an ended server to who comes again: for the only server on a store, before
    /// it serves.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn take_over_calls(&self) -> Result<(), Error> {
        self.store.release_all_claims().await.map(drop)
    }

    async fn look(&self, hash: &TokenHash, id: &ReplayId) -> Result<(Timestamp, Comer), Error> {
        let (now, found) = self.find_living(hash).await?;
        let why = match found {
            Ok(caller) => return Ok((now, Comer::Living(caller))),
            Err(why) => why,
        };
        let begun = self.store.begun_call(id, now).await?;
        match begun.filter(|(_, account)| is_over_by_use(why) && !account.disabled) {
            Some((token, account)) => {
                Ok((now, Comer::Returning(Returning { hash: *hash, token, account })))
            }
            None => Err(self.refused(why).into()),
        }
    }
}

/// A token that is spent is forgotten a minute later. One that was revoked is too, but what was
/// begun by it ended with it.
fn is_over_by_use(why: Refusal) -> bool {
    matches!(why, Refusal::Spent | Refusal::Unknown)
}

impl Comer {
    /// Whether the token may do what the call demands. Who returns was asked before: what was begun
    /// for one request is found by no other.
    ///
    /// # Errors
    /// [`Error::OutOfScope`].
    pub fn authorize(self, demand: Demand) -> Result<Holder, Error> {
        match self {
            Self::Living(caller) => caller.authorize(demand).map(Holder::Living),
            Self::Returning(returning) => Ok(Holder::Returning(returning)),
        }
    }

    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        match self {
            Self::Living(caller) => caller.account_id(),
            Self::Returning(returning) => returning.account.id,
        }
    }

    /// Its token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        match self {
            Self::Living(caller) => caller.token_id(),
            Self::Returning(returning) => returning.token,
        }
    }
}

impl Holder {
    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        match self {
            Self::Living(authorized) => authorized.account_id(),
            Self::Returning(returning) => returning.account.id,
        }
    }

    /// Whether it is a root token.
    #[must_use]
    pub fn is_root(&self) -> bool {
        match self {
            Self::Living(authorized) => authorized.is_root(),
            Self::Returning(_) => false,
        }
    }

    fn hash(&self) -> &TokenHash {
        match self {
            Self::Living(authorized) => &authorized.token().hash,
            Self::Returning(returning) => &returning.hash,
        }
    }
}

/// What a kept answer begins with.
const DONE: u8 = 0;
const REFUSED: u8 = 1;
/// How long an answer is kept: a day. The answer to a token that ends before ends with it.
pub const KEPT_SECONDS: u64 = 24 * 60 * 60;
