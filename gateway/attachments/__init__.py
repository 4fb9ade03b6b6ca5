"""Fetches the files that came with messages, once the messages are durable, into the blob store."""
