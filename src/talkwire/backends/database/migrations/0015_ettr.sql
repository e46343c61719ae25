-- By which moment an answer is owed is listed by: the promised time, and the manual moment that stands instead of it.
-- Since when one is owed is in dialogs, which every event writes; these change with the record alone.

ALTER TABLE conversations ADD COLUMN ttr_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN manual_ettr BIGINT;

-- What people wrote may hold U+0000, over which PostgreSQL stumbles in JSON. A time of ten digits is one of no use.
UPDATE conversations SET
    ttr_ms = CASE WHEN LENGTH(json(REPLACE(record, '\u0000', '\ufffd')) -> 'ttr' ->> 'seconds') < 10
        THEN CAST(json(REPLACE(record, '\u0000', '\ufffd')) -> 'ttr' ->> 'seconds' AS BIGINT) * 1000
        ELSE 31536000000 END,
    manual_ettr = CAST(json(REPLACE(record, '\u0000', '\ufffd')) ->> 'manual_ettr_ms' AS BIGINT)
WHERE state = 'OPEN';
