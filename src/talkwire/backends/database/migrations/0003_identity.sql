-- Who is who: agents, what profiles allow, sessions, keys, consumers.

CREATE TABLE agents (
    account_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    login_name TEXT NOT NULL,
    login_key TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, agent_id)
);
CREATE UNIQUE INDEX agents_by_login ON agents (account_id, login_key);
CREATE UNIQUE INDEX agents_by_user_id ON agents (account_id, user_id);

CREATE TABLE profiles (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    privileges TEXT NOT NULL,
    max_conversations INTEGER NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE api_keys (
    account_id TEXT NOT NULL,
    app_key TEXT NOT NULL,
    secret TEXT NOT NULL,
    access_token TEXT NOT NULL,
    access_token_secret TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, app_key)
);

CREATE TABLE sessions (
    account_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    cookie_digest TEXT NOT NULL,
    csrf_digest TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, session_id)
);
CREATE INDEX sessions_by_agent ON sessions (account_id, agent_id);
CREATE INDEX sessions_by_cookie ON sessions (account_id, cookie_digest);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE signing_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    private_pem TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (account_id, key_id)
);

CREATE TABLE brand_keys (
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    public_pem TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id)
);

CREATE TABLE consumers (
    account_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    profile TEXT NOT NULL,
    claims TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, consumer_id)
);
