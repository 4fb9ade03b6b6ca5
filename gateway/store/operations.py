"""The operators' tables: who they are, what they did, and what the processes tell them of the channels.

On the metadata of :mod:`gateway.store.tables`; times are Unix seconds there and here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, String, Table, Text, text

from gateway.store.tables import Serial, metadata

# Senders whose messages are recorded but open no case and get no answer, by decision of an operator.
blocks = Table(
    "blocks",
    metadata,
    Column("sender_key", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    # Masked: enough for an operator to know the row again.
    Column("shown", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("blocked_by", String(64), nullable=False),
    Column("at", Double, nullable=False),
)

# Senders that asked to be forgotten: what had been received by `until` is erased wherever it turns up again.
forgotten = Table(
    "forgotten",
    metadata,
    Column("sender_key", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("until", Double, nullable=False),
    Column("by", String(64), nullable=False),
)

# One row a running process, rewritten with every heartbeat; `told` is what it knows of its parts, as JSON.
instances = Table(
    "instances",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(32), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("beat_at", Double, nullable=False),
    # Set by a process that ended as it was asked to: it is not missing.
    Column("left_at", Double),
    Column("told", Text, nullable=False),
)

# How each part of a channel stands, by the watch; part "" is the channel itself, its worst part.
health = Table(
    "health",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("part", String(16), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("since", Double, nullable=False),
)

health_changes = Table(
    "health_changes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Double, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("part", String(16), nullable=False),
    Column("was", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    # When the alert sinks have been told; none: not yet.
    Column("alerted_at", Double),
    Index(None, "at"),
    Index("ix_health_changes_unalerted", "id", info={"where": "alerted_at IS NULL"}),
)

# What each process counted in each minute (Unix seconds, whole minutes); summed over the processes when read.
traffic = Table(
    "traffic",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("instance", String(64), primary_key=True),
    Column("received", Integer, nullable=False, server_default=text("0")),
    Column("sent", Integer, nullable=False, server_default=text("0")),
    Column("failed", Integer, nullable=False, server_default=text("0")),
    # Replies by the time they took, a JSON list of counts, one a bucket of `reply_latency_seconds`.
    Column("latencies", Text, nullable=False, server_default=""),
    Index(None, "minute"),
)

# The latest calls between a channel and its provider, redacted; older ones are cut away.
interactions = Table(
    "interactions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("at", Double, nullable=False),
    # "in": the provider called us; "out": we called the provider.
    Column("direction", String(8), nullable=False),
    Column("call", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("request", Text, nullable=False, server_default=""),
    Column("answer", Text, nullable=False, server_default=""),
    Index(None, "channel", "id"),
)

# A channel's directions ("in", "out") that an operator has paused; a row is a pause.
pauses = Table(
    "pauses",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("direction", String(8), primary_key=True),
    Column("by", String(64), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("at", Double, nullable=False),
)

operators = Table(
    "operators",
    metadata,
    Column("name", String(64), primary_key=True),
    # "viewer" or "operator".
    Column("role", String(16), nullable=False),
    # Argon2's own notation; empty for those who sign in elsewhere.
    Column("password", Text, nullable=False, server_default=""),
    Column("language", String(8), nullable=False, server_default=""),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Double, nullable=False),
)

# Sign-ins that hold. The id is a hash of what the browser has.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("operator", String(64), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("until", Double, nullable=False),
    Index(None, "operator"),
)

# Failed sign-ins, by account and by address, each as a hash.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("first_at", Double, nullable=False),
    Column("blocked_until", Double, nullable=False),
)

# Everything an operator did, and whose address they asked to see. Rows are only ever added.
audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", Double, nullable=False),
    Column("operator", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    # A case's number, a channel, a dead letter's id…; never an address.
    Column("subject", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Index(None, "at"),
)
