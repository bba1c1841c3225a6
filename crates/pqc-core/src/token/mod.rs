//! Token values, and the policy that says whether a token admits a call.
//!
//! Everything here is a pure function of (token, time, demand). The policy decides; a store applies
//! [`spend`] atomically, so that no race over-spends. A wrong yes lets a stranger act for an
//! account; a wrong no costs its owner a retry: where in doubt, it is no.

mod policy;
mod scope;
mod value;

pub use policy::{
    Demand, MintPolicy, MintTerms, OutOfScope, Refusal, TokenState, authenticate, authorize,
    authorize_key, spend,
};
pub use scope::{Operation, OperationSet, Scope};
pub use value::{TokenHash, TokenKind, TokenValue};
