"""The database port (one FIFO of writes, reads beside it), its SQLite and PostgreSQL adapters, and migrations."""
