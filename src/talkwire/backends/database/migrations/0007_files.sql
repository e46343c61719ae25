-- Files are rebuilt and encrypted now. What was received before is neither, so it is not kept: nothing was released.
DROP TABLE file_previews;
DROP TABLE file_publications;
DROP TABLE files;

-- `size_bytes` and `sha256` are of what was uploaded (a repeated PUT, quotas), `served_…` of what is served.
-- `object_key` is '' once a file is rejected: nothing of it is left. `claimed_…`: which node judges or erases it.
CREATE TABLE files (
    account_id TEXT NOT NULL,
    relative_path TEXT NOT NULL,
    object_key TEXT NOT NULL,
    key_id TEXT NOT NULL,
    uploader_id TEXT NOT NULL,
    uploader TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    served_bytes BIGINT NOT NULL,
    served_sha256 TEXT NOT NULL,
    image_type TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    published_at BIGINT,
    claimed_by TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    PRIMARY KEY (account_id, relative_path)
);
CREATE INDEX files_by_uploader ON files (account_id, uploader_id, received_at);
CREATE INDEX files_by_object ON files (object_key);
CREATE INDEX files_by_key ON files (key_id);
CREATE INDEX files_unpublished ON files (state, received_at) WHERE state <> 'published';
CREATE INDEX files_published ON files (account_id, published_at) WHERE state = 'published';

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
) {clustered};

CREATE INDEX file_publications_by_conversation ON file_publications (account_id, conversation_id);

-- `sealed` is the picture, encrypted under the key of its file.
CREATE TABLE file_previews (
    account_id TEXT NOT NULL,
    relative_path TEXT NOT NULL,
    image_type TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (account_id, relative_path)
);
