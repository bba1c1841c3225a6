//! What was done is added up: by day, month, token and label, over processes and pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use pqc_service::Store;
use pqc_service::usage::{CounterId, UsageBy, UsageCount, UsagePlace, UsageQuery, UsageSum};

use crate::support::{account_id, on_every_store, token_id};

const ONE: CounterId = CounterId([1; 16]);
const OTHER: CounterId = CounterId([2; 16]);

fn count(account: u8, day: &str, token: u64, operation: &'static str, calls: u64) -> UsageCount {
    UsageCount {
        account: account_id(account),
        day: day.parse().unwrap(),
        token: token_id(token),
        label: (token > 1).then(|| format!("label {}", token / 2)),
        operation,
        calls,
        failed: calls / 3,
    }
}

fn query(account: u8, from: &str, to: &str, by: UsageBy) -> UsageQuery {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    UsageQuery { account: account_id(account), from, to, by }
}

/// All pages.
async fn all(store: &dyn Store, query: UsageQuery, limit: u32) -> Vec<UsageSum> {
    let (mut all, mut after) = (Vec::new(), None::<UsagePlace>);
    loop {
        let page = store.usage(&query, after.as_ref(), limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        let Some(last) = page.last() else { return all };
        after = Some(last.into());
        all.extend(page);
    }
}

fn told(sums: &[UsageSum]) -> Vec<(String, &str, u64, u64)> {
    let group = |sum: &UsageSum| sum.token.map_or(sum.group.clone(), |token| token.to_string());
    sums.iter().map(|sum| (group(sum), &*sum.operation, sum.calls, sum.failed)).collect()
}

#[tokio::test]
async fn counts_are_added_to_what_is_there() {
    on_every_store(async |store: Arc<dyn Store>| {
        let nothing = query(1, "2026-01-01", "2026-12-31", UsageBy::Day);
        assert_eq!(store.usage(&nothing, None, 10).await.unwrap(), []);

        let first = [
            count(1, "2026-10-31", 1, "sign", 10),
            count(1, "2026-11-01", 1, "sign", 1),
            count(1, "2026-11-01", 1, "kem.encapsulate", 7),
            count(1, "2026-11-01", 2, "sign", 3),
            count(2, "2026-11-01", 5, "sign", 1000),
        ];
        store.add_usage(ONE, &first).await.unwrap();
        // Another process counts for itself, and the first one counts on.
        store.add_usage(OTHER, &[count(1, "2026-11-01", 1, "sign", 100)]).await.unwrap();
        let more = [count(1, "2026-11-01", 3, "sign", 5), count(1, "2026-11-01", 1, "sign", 20)];
        store.add_usage(ONE, &more).await.unwrap();

        let sums = async |from, to, by| all(&*store, query(1, from, to, by), 2).await;
        let by_day = sums("2026-10-01", "2026-11-01", UsageBy::Day).await;
        assert_eq!(
            told(&by_day),
            [
                ("2026-10-31".to_owned(), "sign", 10, 3),
                ("2026-11-01".to_owned(), "kem.encapsulate", 7, 2),
                ("2026-11-01".to_owned(), "sign", 129, 33 + 6 + 1 + 1),
            ]
        );
        let november = sums("2026-11-01", "2026-11-30", UsageBy::Day).await;
        assert_eq!(november[..], by_day[1..]);
        assert_eq!(sums("2026-11-02", "2026-10-01", UsageBy::Day).await, []);

        let by_month = sums("2026-10-01", "2026-11-30", UsageBy::Month).await;
        let months: Vec<_> = by_month.iter().map(|sum| (&*sum.group, sum.calls)).collect();
        assert_eq!(months, [("2026-10", 10), ("2026-11", 7), ("2026-11", 129)]);

        let by_token = sums("2026-11-01", "2026-11-30", UsageBy::Token).await;
        let tokens: Vec<_> =
            by_token.iter().map(|sum| (sum.token, sum.label.as_deref(), sum.calls)).collect();
        let token = |n| Some(token_id(n));
        assert_eq!(
            tokens,
            [
                (token(1), None, 7),
                (token(1), None, 121),
                (token(2), Some("label 1"), 3),
                (token(3), Some("label 1"), 5)
            ]
        );
        let by_label = sums("2026-11-01", "2026-11-30", UsageBy::Label).await;
        let labels: Vec<_> = by_label.iter().map(|sum| (&*sum.group, sum.calls)).collect();
        assert_eq!(labels, [("", 7), ("", 121), ("label 1", 8)]);
    })
    .await;
}

#[tokio::test]
async fn many_counts_come_out_as_they_went_in() {
    on_every_store(async |store: Arc<dyn Store>| {
        let counts: Vec<_> =
            (0..333).map(|n| count(1, "2026-11-29", n, "aes.encrypt", n + 1)).collect();
        store.add_usage(ONE, &counts).await.unwrap();
        store.add_usage(ONE, &counts).await.unwrap();
        let of_all = query(1, "2026-11-29", "2026-11-29", UsageBy::Token);
        for limit in [1000, 50] {
            let sums = all(&*store, of_all, limit).await;
            let by_token: BTreeMap<_, _> =
                sums.iter().map(|sum| (sum.token.unwrap(), (sum.calls, sum.failed))).collect();
            assert_eq!((sums.len(), by_token.len()), (333, 333));
            for count in &counts {
                assert_eq!(by_token[&count.token], (2 * count.calls, 2 * count.failed));
            }
        }
    })
    .await;
}
