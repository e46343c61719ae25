-- The keys that sign receipts of erasures. They lie beside the ledger, so that whoever restores older data can still
-- verify its receipts. `sealed` is the secret half, which opens in the vault alone. Rows never go.

CREATE TABLE receipt_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id)
);
