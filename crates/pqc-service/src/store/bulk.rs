//! Many rows by one statement.

use super::sql::{Arg, Writes};
use super::writer::Failure;

/// A statement that inserts rows, for a few counts of them only, so that the database parses each
/// once; the greatest first.
pub(super) struct Insert {
    columns: usize,
    sizes: [(usize, &'static str); 4],
}

impl Insert {
    /// Of `INSERT INTO …` up to the values, the count of the columns, and what follows the values.
    pub(super) fn new(into: &str, columns: usize, otherwise: &str) -> Self {
        let sizes = [64, 16, 4, 1].map(|count| {
            let places = |row: usize| {
                let place = |column| format!("${}", row * columns + column + 1);
                format!("({})", (0..columns).map(place).collect::<Vec<_>>().join(", "))
            };
            let values = (0..count).map(places).collect::<Vec<_>>().join(", ");
            (count, &*format!("{into} VALUES {values} {otherwise}").leak())
        });
        Self { columns, sizes }
    }

    /// Inserts them all; `values` gives one row's, in the order of the columns.
    pub(super) async fn rows<'a, T>(
        &self,
        db: &mut impl Writes,
        rows: &'a [T],
        values: impl Fn(&'a T) -> Vec<Arg<'a>> + Send,
    ) -> Result<u64, Failure>
    where
        T: Sync,
    {
        let (mut rest, mut changed) = (rows, 0_u64);
        while !rest.is_empty() {
            let fitting = self.sizes.iter().find(|(count, _)| *count <= rest.len());
            let Some((count, sql)) = fitting else { break };
            let (some, after) = rest.split_at(*count);
            rest = after;
            let mut args = Vec::with_capacity(count * self.columns);
            some.iter().for_each(|row| args.extend(values(row)));
            changed = changed.saturating_add(db.execute(sql, &args).await?);
        }
        Ok(changed)
    }
}
