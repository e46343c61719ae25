-- Wrapped keys, each by the one above it: master key (not here), account key, holder's key, file key.
--
-- A destroyed key's row stays, `live` 0 and its bytes overwritten by as many zeros, until the next start.
-- For SQLite leaves copies of rows behind when it moves them between pages, which `secure_delete` does not
-- reach. It moves none in these tables: rows are only added at the end, and every change keeps their size
-- (ids have fixed lengths, moments six bytes). Indexes hold no keys, and may be moved as SQLite likes.

CREATE TABLE master_keys (
    account_id TEXT NOT NULL,
    master_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE account_keys (
    number {identity},
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    master_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    live INTEGER NOT NULL,
    wrapped BYTEA NOT NULL
);

CREATE UNIQUE INDEX account_keys_by_id ON account_keys (account_id, key_id);

CREATE TABLE holder_keys (
    number {identity},
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    account_key_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    live INTEGER NOT NULL,
    wrapped BYTEA NOT NULL
);

CREATE UNIQUE INDEX holder_keys_by_holder ON holder_keys (account_id, kind, consumer_id) WHERE live = 1;

CREATE UNIQUE INDEX holder_keys_by_id ON holder_keys (account_id, key_id);

CREATE INDEX holder_keys_by_account_key ON holder_keys (account_id, account_key_id) WHERE live = 1;

CREATE TABLE file_keys (
    number {identity},
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    holder_key_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    live INTEGER NOT NULL,
    wrapped BYTEA NOT NULL
);

CREATE UNIQUE INDEX file_keys_by_id ON file_keys (account_id, key_id, holder_key_id) WHERE live = 1;

CREATE INDEX file_keys_by_holder ON file_keys (account_id, holder_key_id) WHERE live = 1;
