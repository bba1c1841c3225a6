-- Calls with an idempotency key: who is at one, and what was answered, for who comes again with the
-- same token. All of a row is derived from that token's value, of which the store has but the hash:
-- the id, the hash of the request, and the key that seals the answer. A row stands by itself, for
-- it outlives the row of a token that is spent.
CREATE TABLE replays (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    account    BLOB    NOT NULL CHECK (length(account) = 16),
    token      BLOB    NOT NULL CHECK (length(token) = 16),
    request    BLOB    NOT NULL CHECK (length(request) = 32),
    claim      BLOB    CHECK (length(claim) = 16), -- who is at it; NULL: nobody
    claimed_at INTEGER NOT NULL CHECK (claimed_at >= 0),
    answer     BLOB, -- sealed; NULL: there is none yet
    repeated   INTEGER NOT NULL DEFAULT 0 CHECK (repeated IN (0, 1)), -- whether somebody came again
    expires_at INTEGER NOT NULL CHECK (expires_at >= 0)
) STRICT;

CREATE INDEX replays_of_token ON replays (account, token, expires_at);
CREATE INDEX replays_by_end ON replays (expires_at);
