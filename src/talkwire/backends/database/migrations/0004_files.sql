-- Hosted files, where they were shown, their previews, and the keys that sign their URLs.
-- A slot has no row: the first complete PUT makes it, and the primary key decides who was first.

CREATE TABLE files (
    account_id TEXT NOT NULL,
    relative_path TEXT NOT NULL,
    object_key TEXT NOT NULL,
    uploader_id TEXT NOT NULL,
    uploader TEXT NOT NULL,
    state TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    image_type TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    published_at BIGINT,
    PRIMARY KEY (account_id, relative_path)
);

CREATE TABLE file_publications (
    account_id TEXT NOT NULL,
    relative_path TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    dialog_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    conversation_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    publisher_id TEXT NOT NULL,
    PRIMARY KEY (account_id, relative_path, published_at, dialog_id, sequence)
);

CREATE TABLE file_previews (
    account_id TEXT NOT NULL,
    relative_path TEXT NOT NULL,
    image_type TEXT NOT NULL,
    preview BYTEA NOT NULL,
    PRIMARY KEY (account_id, relative_path)
);

CREATE TABLE temp_url_keys (
    account_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    secret TEXT NOT NULL,
    signs_from BIGINT NOT NULL,
    PRIMARY KEY (account_id, number)
);
