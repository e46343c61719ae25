-- Conversations, their dialogs, and the log of events. {identity} is the adapter's word for a growing key.

CREATE TABLE conversations (
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    consumer_id TEXT NOT NULL,
    state TEXT NOT NULL,
    stage TEXT NOT NULL,
    skill_id TEXT NOT NULL,
    assigned_agent_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    closed_at BIGINT,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, conversation_id)
);
CREATE INDEX conversations_by_consumer ON conversations (account_id, consumer_id, created_at);
CREATE INDEX conversations_by_stage ON conversations (account_id, stage, created_at);

CREATE TABLE conversation_participants (
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    participant_id TEXT NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (account_id, conversation_id, participant_id, role)
);
CREATE INDEX participants_by_id ON conversation_participants (account_id, participant_id);

CREATE TABLE dialogs (
    number {identity},
    account_id TEXT NOT NULL,
    dialog_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_sequence BIGINT NOT NULL,
    last_event_at BIGINT NOT NULL,
    last_content_sequence BIGINT NOT NULL,
    owed_since BIGINT NOT NULL,
    UNIQUE (account_id, dialog_id)
);
CREATE INDEX dialogs_by_conversation ON dialogs (account_id, conversation_id);

-- Read through the view `events`; written by the port's `append` alone. Keyed by the dialog's number, because
-- an index over two short integers costs each commit half of what one over two texts does.
CREATE TABLE logged_events (
    account_id TEXT NOT NULL,
    dialog_number BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    originator_id TEXT NOT NULL,
    originator_role TEXT NOT NULL,
    audience TEXT NOT NULL,
    read_up_to BIGINT,
    event BYTEA NOT NULL,
    metadata BYTEA,
    client_properties BYTEA,
    PRIMARY KEY (dialog_number, sequence)
);
CREATE INDEX logged_events_read ON logged_events (dialog_number, originator_id, read_up_to)
    WHERE read_up_to IS NOT NULL;

CREATE VIEW events AS
SELECT d.account_id, d.dialog_id, e.sequence, e.event_id, d.conversation_id, e.at, e.kind, e.originator_id,
    e.originator_role, e.audience, e.read_up_to, e.event, e.metadata, e.client_properties
FROM dialogs d JOIN logged_events e ON e.dialog_number = d.number;

CREATE TABLE idempotency_keys (
    account_id TEXT NOT NULL,
    participant_id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    at BIGINT NOT NULL,
    ref TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, participant_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

CREATE TABLE changes (
    position {identity},
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX changes_by_age ON changes (at);
