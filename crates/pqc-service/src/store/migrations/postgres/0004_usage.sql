-- How often each token did what, by day. Each process that counts has rows of its own, so that no
-- server waits for another's.
CREATE TABLE usage (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account   BYTEA  NOT NULL CHECK (length(account) = 16),
    day       TEXT   COLLATE "C" NOT NULL, -- 2026-11-29, in UTC
    token     BYTEA  NOT NULL CHECK (length(token) = 16),
    operation TEXT   COLLATE "C" NOT NULL,
    counter   BYTEA  NOT NULL CHECK (length(counter) = 16), -- the process
    label     TEXT   COLLATE "C",          -- the token's, which may be gone
    calls     BIGINT NOT NULL CHECK (calls >= 0),
    failed    BIGINT NOT NULL CHECK (failed >= 0), -- of them
    -- In this order it is added up by token, page by page.
    UNIQUE (account, token, operation, day, counter)
);

-- The same without tokens: a year of it is few rows, however many tokens there were.
CREATE TABLE usage_days (
    account   BYTEA  NOT NULL CHECK (length(account) = 16),
    day       TEXT   COLLATE "C" NOT NULL,
    operation TEXT   COLLATE "C" NOT NULL,
    label     TEXT   COLLATE "C" NOT NULL, -- empty: none
    counter   BYTEA  NOT NULL CHECK (length(counter) = 16),
    calls     BIGINT NOT NULL CHECK (calls >= 0),
    failed    BIGINT NOT NULL CHECK (failed >= 0),
    PRIMARY KEY (account, day, operation, label, counter)
);
