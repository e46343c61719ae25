-- Installed apps (connectors). Their secrets, and the webhooks with the headers that open doors at receivers,
-- are sealed by the vault, so that this database alone reveals none.

CREATE TABLE apps (
    account_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    sealed_secret BYTEA NOT NULL,
    sealed_webhooks BYTEA NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, client_id)
);

CREATE TABLE consumer_token_secrets (
    account_id TEXT NOT NULL PRIMARY KEY,
    sealed_secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
