//! `pqc usage`: how much an account did.

use pqc_service::Service;
use pqc_service::usage::{Day, UsageBy, UsagePlace, UsageQuery, UsageText};
use serde::Serialize;

use crate::args::UsageArgs;
use crate::config::StoreConfig;
use crate::opened::Opened;
use crate::output::{Output, Row};

/// Does what was asked.
///
/// # Errors
/// Those of the store; the account is unknown.
pub(crate) async fn run(args: UsageArgs, output: Output) -> anyhow::Result<()> {
    let (opened, _) = Opened::open_existing(&StoreConfig::new(args.store.clone())?).await?;
    let done = list(&opened.service, &args, output).await;
    opened.close().await;
    done
}

/// Page by page, for there may be more tokens than fit into memory.
async fn list(service: &Service, args: &UsageArgs, output: Output) -> anyhow::Result<()> {
    let account = &*args.account.name;
    let today = Day::of(service.now().await?);
    let query = UsageQuery {
        account: service.account(account).await?.id,
        from: args.from.unwrap_or_else(|| today.first_of_month()),
        to: args.to.unwrap_or(today),
        by: args.by,
    };
    let head = Head {
        account,
        from: query.from.to_string(),
        to: query.to.to_string(),
        by: query.by.name(),
    };
    let heads = [
        match query.by {
            UsageBy::Day => "DAY",
            UsageBy::Month => "MONTH",
            UsageBy::Token => "TOKEN",
            UsageBy::Label => "LABEL",
        },
        "OPERATION",
        "CALLS",
        "FAILED",
        if query.by == UsageBy::Token { "LABEL" } else { "" },
    ];
    let mut listing = output.listing(&head, "usage", heads)?;
    let mut after = None;
    loop {
        let page = service.usage(&query, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return listing.end() };
        after = Some(UsagePlace::from(last));
        let sums: Vec<_> = page.iter().map(|sum| UsageText::new(query.by, sum)).collect();
        listing.page(&sums)?;
    }
}

#[derive(Serialize)]
struct Head<'a> {
    account: &'a str,
    from: String,
    to: String,
    by: &'static str,
}

impl Row<5> for UsageText<'_> {
    fn cells(&self) -> [String; 5] {
        let Self { day, month, token_id, label, operation, calls, failed } = self;
        let group = token_id.as_deref().or(*day).or(*month).or(*label);
        let label = label.filter(|_| token_id.is_some());
        [
            group.unwrap_or("-").to_owned(),
            (*operation).to_owned(),
            calls.to_string(),
            failed.to_string(),
            label.unwrap_or_default().to_owned(),
        ]
    }
}

const PAGE: u32 = 500;
