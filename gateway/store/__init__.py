"""Cases, messages, the outbox and what else must outlive a process: SQLite when embedded, PostgreSQL in production."""
