-- Skills, the state of agents, rings; and what the queue of a conversation is read by.

ALTER TABLE conversations ADD COLUMN queued_at BIGINT;
ALTER TABLE conversations ADD COLUMN queue_rank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversations ADD COLUMN was_assigned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversations_waiting ON conversations (account_id, skill_id, queue_rank, queued_at)
    WHERE queued_at IS NOT NULL;
CREATE INDEX conversations_held ON conversations (account_id, assigned_agent_id)
    WHERE state = 'OPEN' AND assigned_agent_id <> '';
CREATE INDEX participants_suggested ON conversation_participants (account_id, conversation_id)
    WHERE state = 'SUGGESTED';

CREATE TABLE skills (
    account_id TEXT NOT NULL,
    skill_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, skill_id)
);

CREATE TABLE agent_states (
    account_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    old_id TEXT NOT NULL,
    availability TEXT NOT NULL,
    channels TEXT NOT NULL,
    description TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, agent_id)
);

CREATE TABLE rings (
    account_id TEXT NOT NULL,
    ring_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    consumer_id TEXT NOT NULL,
    skill_id TEXT NOT NULL,
    state TEXT NOT NULL,
    is_transfer INTEGER NOT NULL,
    weight BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    settled_at BIGINT,
    PRIMARY KEY (account_id, ring_id)
);
CREATE INDEX rings_of_conversation ON rings (account_id, conversation_id, created_at);
CREATE INDEX rings_waiting ON rings (account_id, agent_id) WHERE state = 'WAITING';
CREATE INDEX rings_by_age ON rings (created_at) WHERE state <> 'WAITING';

CREATE TABLE routing_passes (
    account_id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
