-- How often each token did what, by day. Each process that counts has rows of its own, so that no
-- server waits for another's.
CREATE TABLE usage (
    seq       INTEGER PRIMARY KEY,
    account   BLOB    NOT NULL CHECK (length(account) = 16),
    day       TEXT    NOT NULL, -- 2026-11-29, in UTC
    token     BLOB    NOT NULL CHECK (length(token) = 16),
    operation TEXT    NOT NULL,
    counter   BLOB    NOT NULL CHECK (length(counter) = 16), -- the process
    label     TEXT,             -- the token's, which may be gone
    calls     INTEGER NOT NULL CHECK (calls >= 0),
    failed    INTEGER NOT NULL CHECK (failed >= 0), -- of them
    -- In this order it is added up by token, page by page.
    UNIQUE (account, token, operation, day, counter)
) STRICT;

-- The same without tokens: a year of it is few rows, however many tokens there were.
CREATE TABLE usage_days (
    account   BLOB    NOT NULL CHECK (length(account) = 16),
    day       TEXT    NOT NULL,
    operation TEXT    NOT NULL,
    label     TEXT    NOT NULL, -- empty: none
    counter   BLOB    NOT NULL CHECK (length(counter) = 16),
    calls     INTEGER NOT NULL CHECK (calls >= 0),
    failed    INTEGER NOT NULL CHECK (failed >= 0),
    PRIMARY KEY (account, day, operation, label, counter)
) STRICT, WITHOUT ROWID;
