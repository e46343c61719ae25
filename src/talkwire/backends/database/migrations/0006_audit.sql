-- The audit trail: one chain of records per account, where each ends, and under which name consumers stand in it.

CREATE TABLE audit_records (
    account_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT NOT NULL,
    person TEXT NOT NULL,
    box BYTEA NOT NULL,
    detail TEXT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (account_id, number)
) {clustered};

CREATE TABLE audit_heads (
    account_id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    code BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL
);

CREATE TABLE audit_persons (
    account_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    person TEXT NOT NULL,
    PRIMARY KEY (account_id, consumer_id)
);
CREATE INDEX audit_persons_by_name ON audit_persons (account_id, person);
