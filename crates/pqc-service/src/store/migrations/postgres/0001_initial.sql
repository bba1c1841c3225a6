-- The store of many servers. Times are milliseconds since 1970-01-01T00:00:00Z. Secrets stand here
-- sealed, tokens hashed, never otherwise. Names and types are those of the embedded store, so that
-- the same statements serve both: whole numbers are BIGINT, a flag is 0 or 1.

CREATE TABLE accounts (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of their making
    id         BYTEA  NOT NULL UNIQUE CHECK (length(id) = 16),
    name       TEXT   NOT NULL UNIQUE,
    custody    TEXT   NOT NULL,
    disabled   BIGINT NOT NULL CHECK (disabled IN (0, 1)),
    created_at BIGINT NOT NULL CHECK (created_at >= 0)
);

-- With room on each page for the new version of a row that is spent, so that no index changes.
CREATE TABLE tokens (
    account       BYTEA  NOT NULL REFERENCES accounts (id),
    id            BYTEA  NOT NULL CHECK (length(id) = 16),
    hash          BYTEA  NOT NULL UNIQUE CHECK (length(hash) = 32),
    kind          TEXT   NOT NULL,
    label         TEXT,
    operations    BIGINT NOT NULL CHECK (operations BETWEEN 0 AND 65535), -- a bit for each
    key_id        BYTEA,
    created_at    BIGINT NOT NULL CHECK (created_at >= 0),
    expires_at    BIGINT CHECK (expires_at >= 0),    -- NULL: never
    attempts      BIGINT CHECK (attempts >= 0),      -- NULL: without count
    attempts_left BIGINT CHECK (attempts_left >= 0), -- NULL: without count
    revoked_at    BIGINT CHECK (revoked_at >= 0),
    last_used_at  BIGINT CHECK (last_used_at >= 0),
    PRIMARY KEY (account, id)
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX one_root_token ON tokens (account) WHERE kind = 'root' AND revoked_at IS NULL;

-- Issuer keys belong to the server, which is no account: so no reference to accounts.
CREATE TABLE keys (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     BYTEA  NOT NULL CHECK (length(account) = 16),
    id          BYTEA  NOT NULL CHECK (length(id) IN (16, 32)),
    kind        TEXT   NOT NULL,
    algorithm   TEXT   NOT NULL,
    version     BIGINT CHECK (version > 0), -- NULL: of such keys an account has any number
    public_key  BYTEA  NOT NULL,
    attestation BYTEA  NOT NULL,
    sealed      BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL CHECK (created_at >= 0),
    retired_at  BIGINT CHECK (retired_at >= 0),
    UNIQUE (account, id)
);

CREATE UNIQUE INDEX one_key_a_version ON keys (account, kind, algorithm, version)
    WHERE version IS NOT NULL;

CREATE TABLE master_keys (
    version     BIGINT PRIMARY KEY CHECK (version > 0),
    check_value BYTEA  NOT NULL, -- a known text, sealed: tells a wrong key
    created_at  BIGINT NOT NULL CHECK (created_at >= 0)
);

CREATE TABLE trusted_issuers (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_key BYTEA  NOT NULL UNIQUE,
    created_at BIGINT NOT NULL CHECK (created_at >= 0)
);

-- What the embedded store keeps in a table: here it is the database's own clock, which is one for
-- all servers, and costs them no row that each would have to write.
CREATE VIEW clock AS
    SELECT 1 AS id, floor(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AS greatest;
