"""Consumes events, opens cases, assigns tracking numbers, writes replies to the outbox."""
