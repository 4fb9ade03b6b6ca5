"""Where events are durable and in order: SQLite when embedded, Kafka in production, a spool between them."""
