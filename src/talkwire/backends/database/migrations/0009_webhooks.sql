-- Webhooks: where they go and how that fares, how far each conversation was told, what is tried again, what was
-- given up. The events themselves stay in the log: a cursor is a version of the record and, for each dialog, the
-- next sequence (`positions`, JSON; `told_events` is their sum, to be compared with the log's).

CREATE TABLE webhook_endpoints (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    url TEXT NOT NULL,
    event_keys TEXT NOT NULL,
    since BIGINT NOT NULL,
    looked_until BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_at BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    lease_holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id)
);
CREATE INDEX webhook_endpoints_of_app ON webhook_endpoints (account_id, client_id);

CREATE TABLE webhook_cursors (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    told_version BIGINT NOT NULL,
    told_events BIGINT NOT NULL,
    positions TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    is_done INTEGER NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, conversation_id)
);
CREATE INDEX webhook_cursors_open ON webhook_cursors (account_id, endpoint_id, conversation_id)
    WHERE is_done = 0;

CREATE TABLE webhook_retries (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    event_key TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    dialog_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, delivery_id)
);
CREATE INDEX webhook_retries_due ON webhook_retries (account_id, endpoint_id, retry_at);

CREATE TABLE webhook_dead_letters (
    account_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    url TEXT NOT NULL,
    event_key TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    dialog_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    died_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, endpoint_id, delivery_id)
);
CREATE INDEX webhook_dead_letters_by_age ON webhook_dead_letters (died_at);

CREATE INDEX conversations_of_app ON conversations (account_id, app_id, updated_at) WHERE app_id <> '';
