-- What was erased from the data, so that older data which is restored cannot bring it back. Entries never go.

CREATE TABLE erasure_ledger (
    account_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (account_id, entry_id)
);
