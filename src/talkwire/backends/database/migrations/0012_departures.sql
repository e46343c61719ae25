-- Agents who were deleted or disabled: 0 is there, 1 gone, 2 gone and taken out of all conversations.

ALTER TABLE agents ADD COLUMN departure INTEGER NOT NULL DEFAULT 0;
UPDATE agents SET departure = 1 WHERE is_deleted = 1 OR record LIKE '%"enabled":false%';
CREATE INDEX agents_departed ON agents (account_id, agent_id) WHERE departure <> 0;
