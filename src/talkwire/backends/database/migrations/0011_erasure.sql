-- Requests to forget somebody, what each of them took in hand, and the receipts of what was done.

CREATE TABLE erasure_requests (
    account_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subjects TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    cancelled_by TEXT NOT NULL,
    cancelled_at BIGINT,
    next_try_at BIGINT NOT NULL,
    left_open BIGINT NOT NULL,
    PRIMARY KEY (account_id, request_id)
);
CREATE INDEX erasure_requests_by_turn ON erasure_requests (state, next_try_at);

CREATE TABLE erasure_items (
    account_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    detail TEXT NOT NULL,
    done_at BIGINT,
    PRIMARY KEY (account_id, request_id, kind, ref)
);

CREATE TABLE erasure_receipts (
    account_id TEXT NOT NULL,
    request_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    receipt TEXT NOT NULL,
    PRIMARY KEY (account_id, request_id)
);

CREATE TABLE receipt_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id)
);

-- Which entries of the ledger, kept with the keys, this database has carried out. A restored one lacks the last.
CREATE TABLE erasure_ledger_seen (
    account_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, entry_id)
);
