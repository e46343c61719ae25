-- Whether somebody was erased is asked whenever a name or a key would be made for the audit trail.

CREATE INDEX erasure_items_by_ref ON erasure_items (account_id, kind, ref);
