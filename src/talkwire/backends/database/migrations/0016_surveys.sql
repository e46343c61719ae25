-- Conversations that are in their survey, to be ended in time: few, among all that are open.

CREATE INDEX conversations_in_survey ON conversations (account_id, created_at)
    WHERE stage = 'OPEN' AND state = 'CLOSE';
