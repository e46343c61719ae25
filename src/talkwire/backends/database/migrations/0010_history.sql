-- Reading the past: who took part when, under which skill; and what accounts declare about new conversations.

-- Holds all that a search filters by, so that neither a page nor a count reads the records passed over.
CREATE INDEX conversations_by_start
    ON conversations (account_id, created_at, conversation_id, stage, skill_id, assigned_agent_id, closed_at);

-- Written in the unit that changes a conversation, by its version: what the record alone no longer tells.
CREATE TABLE conversation_steps (
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    participant_id TEXT NOT NULL,
    role TEXT NOT NULL,
    skill_id TEXT NOT NULL,
    PRIMARY KEY (account_id, conversation_id, version, number)
);
CREATE INDEX conversation_steps_of_agent ON conversation_steps (account_id, participant_id, conversation_id)
    WHERE kind = 'JOINED';
CREATE INDEX conversation_steps_by_skill ON conversation_steps (account_id, skill_id, conversation_id)
    WHERE kind = 'SKILL';

-- Those who take part already when this table comes.
INSERT INTO conversation_steps
    (account_id, conversation_id, version, number, kind, at, participant_id, role, skill_id)
SELECT c.account_id, c.conversation_id, 0,
    ROW_NUMBER() OVER (PARTITION BY c.account_id, c.conversation_id ORDER BY p.participant_id, p.role),
    'JOINED', c.created_at, p.participant_id, p.role, c.skill_id
FROM conversation_participants p JOIN conversations c
    ON c.account_id = p.account_id AND c.conversation_id = p.conversation_id
WHERE p.role <> 'CONSUMER' AND p.state = 'ACTIVE';

CREATE TABLE routing_rules (
    account_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, position)
);

CREATE TABLE automatic_messages (
    account_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (account_id, position)
);

-- A conversation that may still get automatic messages, written when it is opened; gone once that is settled.
CREATE TABLE automatic_messages_due (
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, conversation_id)
);
CREATE INDEX automatic_messages_due_by_age ON automatic_messages_due (created_at);
