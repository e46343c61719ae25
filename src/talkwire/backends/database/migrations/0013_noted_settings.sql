-- Settings of the node that an account's audit trail was last told of: when they differ at a start, it is told.

CREATE TABLE noted_settings (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
);
