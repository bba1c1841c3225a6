-- The audit log: what was done, each row bound by its hash to those before it in its chain, of
-- which every process that writes makes one of its own.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY, -- the order of their writing, over all chains
    chain   BLOB    NOT NULL CHECK (length(chain) = 16),
    number  INTEGER NOT NULL CHECK (number > 0), -- in the chain
    account BLOB    CHECK (length(account) = 16), -- as in the entry, to be found by
    entry   BLOB    NOT NULL,
    hash    BLOB    NOT NULL CHECK (length(hash) = 32),
    UNIQUE (chain, number)
) STRICT;

CREATE INDEX audit_of_account ON audit (account, id) WHERE account IS NOT NULL;

-- Signed statements of how far chains have come, bound to one another.
CREATE TABLE audit_checkpoints (
    number     INTEGER PRIMARY KEY CHECK (number > 0),
    checkpoint BLOB    NOT NULL
) STRICT;
