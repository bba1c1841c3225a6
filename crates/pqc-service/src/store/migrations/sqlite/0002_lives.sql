-- What ends: tokens are removed some time after their end, keys some time after their destruction,
-- master keys after a rotation.

-- From when on a token is of no use: it expires, it was revoked, or its last attempt was spent.
-- NULL: a root token in force.
ALTER TABLE tokens ADD COLUMN over_at INTEGER GENERATED ALWAYS AS (
    nullif(
        min(
            coalesce(expires_at, 9223372036854775807),
            coalesce(revoked_at, 9223372036854775807),
            CASE attempts_left WHEN 0 THEN coalesce(last_used_at, created_at)
                ELSE 9223372036854775807 END
        ),
        9223372036854775807
    )
) VIRTUAL;

CREATE INDEX tokens_by_end ON tokens (account, over_at);

-- A destroyed key is of no use from then on; it can be brought back until it is removed.
ALTER TABLE keys ADD COLUMN destroyed_at INTEGER CHECK (destroyed_at >= 0);

CREATE INDEX keys_destroyed ON keys (destroyed_at) WHERE destroyed_at IS NOT NULL;
CREATE INDEX keys_in_order ON keys (account, created_at, id);
-- Bytes 3 to 6 of a sealed record are the version of its master key.
CREATE INDEX keys_by_master_key ON keys (substr(sealed, 3, 4));

-- While a rotation runs, each of the two keys stands here sealed under the other, so that a server
-- with either has both.
ALTER TABLE master_keys ADD COLUMN wrapped BLOB;
ALTER TABLE master_keys ADD COLUMN superseded_at INTEGER CHECK (superseded_at >= 0);
-- How a passphrase becomes the key; NULL: the key is kept as it is.
ALTER TABLE master_keys ADD COLUMN derivation TEXT;
