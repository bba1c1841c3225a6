-- How often stored keys were used, and when last. Counted beside the calls, as usage is.
CREATE TABLE key_uses (
    seq          INTEGER PRIMARY KEY,
    account      BLOB    NOT NULL CHECK (length(account) = 16),
    key          BLOB    NOT NULL CHECK (length(key) IN (16, 32)),
    uses         INTEGER NOT NULL CHECK (uses >= 0),
    last_used_at INTEGER NOT NULL CHECK (last_used_at >= 0),
    UNIQUE (account, key)
) STRICT;

-- When the last backup was made that was whole.
CREATE TABLE last_backup (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    made_at INTEGER NOT NULL CHECK (made_at >= 0)
) STRICT;
