"""The record of what was done: who, from where, to what. Nothing in it can be changed or dropped unseen.

Words: an *entry* is what a room reports; a *record* is an entry as stored, numbered in its account and
chained to the one before by its hash; the *head* is the last one's number and hash, sealed with a code
that needs the account's key; a *person* is the random name under which a consumer's records stand, and
a *box* holds what is personal in one, locked under the consumer's key, so that erasing blanks it and the
chain still verifies. See docs/security.md, "Audit".
"""
