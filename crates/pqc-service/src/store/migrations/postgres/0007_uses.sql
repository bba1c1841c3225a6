-- How often stored keys were used, and when last. Counted beside the calls, as usage is.
CREATE TABLE key_uses (
    seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account      BYTEA  NOT NULL CHECK (length(account) = 16),
    key          BYTEA  NOT NULL CHECK (length(key) IN (16, 32)),
    uses         BIGINT NOT NULL CHECK (uses >= 0),
    last_used_at BIGINT NOT NULL CHECK (last_used_at >= 0),
    UNIQUE (account, key)
);

-- When the last backup was made that was whole.
CREATE TABLE last_backup (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    made_at BIGINT NOT NULL CHECK (made_at >= 0)
);
