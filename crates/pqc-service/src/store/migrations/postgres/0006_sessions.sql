-- Who is signed in to the pages in a browser: of each session the hash of what its cookie holds, and
-- the root token that began it. No session outlives that token, whatever stands here.
CREATE TABLE sessions (
    hash       BYTEA  NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    account    BYTEA  NOT NULL CHECK (length(account) = 16),
    token      BYTEA  NOT NULL CHECK (length(token) = 16),
    created_at BIGINT NOT NULL CHECK (created_at >= 0),
    expires_at BIGINT NOT NULL CHECK (expires_at >= 0)
);

CREATE INDEX sessions_of_account ON sessions (account, created_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);
