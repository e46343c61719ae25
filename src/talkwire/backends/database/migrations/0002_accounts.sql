-- Brands, what they configure about themselves, and one revision per configured collection.

CREATE TABLE accounts (
    account_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE revisions (
    account_id TEXT NOT NULL,
    collection TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (account_id, collection)
);

CREATE TABLE properties (
    account_id TEXT NOT NULL,
    property_id TEXT NOT NULL,
    type INTEGER NOT NULL,
    value TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, property_id)
);

CREATE TABLE feature_grants (
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
);

CREATE TABLE campaigns (
    account_id TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    engagement_id TEXT NOT NULL,
    skill_id TEXT NOT NULL,
    PRIMARY KEY (account_id, campaign_id, engagement_id)
);
