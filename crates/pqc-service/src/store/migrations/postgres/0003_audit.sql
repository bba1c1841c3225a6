-- The audit log: what was done, each row bound by its hash to those before it in its chain, of
-- which every process that writes makes one of its own.
CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of their writing, nearly
    chain   BYTEA  NOT NULL CHECK (length(chain) = 16),
    number  BIGINT NOT NULL CHECK (number > 0), -- in the chain
    account BYTEA  CHECK (length(account) = 16), -- as in the entry, to be found by
    entry   BYTEA  NOT NULL,
    hash    BYTEA  NOT NULL CHECK (length(hash) = 32),
    UNIQUE (chain, number)
);

CREATE INDEX audit_of_account ON audit (account, id) WHERE account IS NOT NULL;

-- Signed statements of how far chains have come, bound to one another.
CREATE TABLE audit_checkpoints (
    number     BIGINT PRIMARY KEY CHECK (number > 0),
    checkpoint BYTEA  NOT NULL
);
