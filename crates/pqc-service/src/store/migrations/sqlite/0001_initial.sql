-- The embedded store. Times are milliseconds since 1970-01-01T00:00:00Z. Secrets stand here sealed,
-- tokens hashed, never otherwise. Ids, hashes and keys are bytes; what is an enumeration in the
-- program stands by its name.

-- "pqcs": tells this store from other programs' databases.
PRAGMA application_id = 1886479219;

CREATE TABLE accounts (
    seq        INTEGER PRIMARY KEY, -- the order of their making
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    custody    TEXT    NOT NULL,
    disabled   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_at INTEGER NOT NULL CHECK (created_at >= 0)
) STRICT;

-- In the order of (account, id), so that tokens minted together are spent in the same few pages.
CREATE TABLE tokens (
    account       BLOB    NOT NULL REFERENCES accounts (id),
    id            BLOB    NOT NULL CHECK (length(id) = 16),
    hash          BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    kind          TEXT    NOT NULL,
    label         TEXT,
    operations    INTEGER NOT NULL CHECK (operations BETWEEN 0 AND 65535), -- a bit for each
    key_id        BLOB,
    created_at    INTEGER NOT NULL CHECK (created_at >= 0),
    expires_at    INTEGER CHECK (expires_at >= 0),    -- NULL: never
    attempts      INTEGER CHECK (attempts >= 0),      -- NULL: without count
    attempts_left INTEGER CHECK (attempts_left >= 0), -- NULL: without count
    revoked_at    INTEGER CHECK (revoked_at >= 0),
    last_used_at  INTEGER CHECK (last_used_at >= 0),
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_root_token ON tokens (account) WHERE kind = 'root' AND revoked_at IS NULL;

-- Issuer keys belong to the server, which is no account: so no reference to accounts.
CREATE TABLE keys (
    seq         INTEGER PRIMARY KEY,
    account     BLOB    NOT NULL CHECK (length(account) = 16),
    id          BLOB    NOT NULL CHECK (length(id) IN (16, 32)),
    kind        TEXT    NOT NULL,
    algorithm   TEXT    NOT NULL,
    version     INTEGER CHECK (version > 0), -- NULL: of such keys an account has any number
    public_key  BLOB    NOT NULL,
    attestation BLOB    NOT NULL,
    sealed      BLOB    NOT NULL,
    created_at  INTEGER NOT NULL CHECK (created_at >= 0),
    retired_at  INTEGER CHECK (retired_at >= 0),
    UNIQUE (account, id)
) STRICT;

CREATE UNIQUE INDEX one_key_a_version ON keys (account, kind, algorithm, version)
    WHERE version IS NOT NULL;

CREATE TABLE master_keys (
    version     INTEGER PRIMARY KEY CHECK (version > 0),
    check_value BLOB    NOT NULL, -- a known text, sealed: tells a wrong key
    created_at  INTEGER NOT NULL CHECK (created_at >= 0)
) STRICT;

CREATE TABLE trusted_issuers (
    seq        INTEGER PRIMARY KEY,
    public_key BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL CHECK (created_at >= 0)
) STRICT;

-- The greatest time that a transaction was evaluated at: a clock set back revives nothing.
CREATE TABLE clock (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    greatest INTEGER NOT NULL CHECK (greatest >= 0)
) STRICT;

INSERT INTO clock (id, greatest) VALUES (1, 0);
