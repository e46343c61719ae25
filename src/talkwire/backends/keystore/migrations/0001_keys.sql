-- Wrapped keys, each by the one above it: master key (not here), account key, holder's key, file key.
-- The references are PostgreSQL's guard against a key that goes while another node wraps with it; SQLite,
-- which has one writer, does not look at them.

CREATE TABLE master_keys (
    account_id TEXT NOT NULL,
    master_id TEXT NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL
);

CREATE TABLE account_keys (
    account_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    master_id TEXT NOT NULL REFERENCES master_keys (master_id),
    wrapped BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, version)
);

CREATE TABLE holder_keys (
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    account_key_version BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, kind, consumer_id),
    UNIQUE (account_id, key_id),
    FOREIGN KEY (account_id, account_key_version) REFERENCES account_keys (account_id, version)
);

CREATE INDEX holder_keys_by_account_key ON holder_keys (account_id, account_key_version);

CREATE TABLE file_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    holder_key_id TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id, holder_key_id),
    FOREIGN KEY (account_id, holder_key_id) REFERENCES holder_keys (account_id, key_id)
);

CREATE INDEX file_keys_by_holder ON file_keys (account_id, holder_key_id);
