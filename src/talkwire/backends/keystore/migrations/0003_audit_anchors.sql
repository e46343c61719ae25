-- Where each account's audit trail ended when it was last looked at. No key, but kept with them: whoever has
-- the data alone cannot shorten a trail to a state it had before.

CREATE TABLE audit_anchors (
    account_id TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL
);
