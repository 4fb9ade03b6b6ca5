"""The tables, as SQLAlchemy Core knows them; :mod:`gateway.store.migrations` builds them, a test holds the two equal.

Times are Unix seconds (double precision, UTC) in both databases, so that they compare and index alike. Of a partial
index ``info`` has the condition: as an option for the databases it would load the code for both at every start.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

# SQLite counts a primary key up only when it is INTEGER; PostgreSQL wants 64 bits.
Serial = BigInteger().with_variant(Integer, "sqlite")

senders = Table(
    "senders",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("address", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("language", String(8), nullable=False, server_default=""),
    # News is held back from a sender who said stop, until they write again.
    Column("stopped_at", Double),
    Column("helped_at", Double),
    Column("flood_answered_at", Double),
    Column("latest_case", String(10)),
    Column("wrote_in_case", String(10)),
    Column("wrote_in_case_at", Double),
)

cases = Table(
    "cases",
    metadata,
    Column("number", String(10), primary_key=True),
    Column("sender_key", String(64), nullable=False),
    Column("channel_type", String(32), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("anonymous", Boolean, nullable=False),
    Column("confidential", Boolean, nullable=False),
    Column("language", String(8), nullable=False),
    Column("region", Text, nullable=False, server_default=""),
    # When the update that the state comes from was written, by the agency's clock; none: as it was opened.
    Column("state_at", Double),
    Column("opened_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # When a joining message was last answered, and whether a repeated text was: each is bounded (rows 9-13).
    Column("join_answered_at", Double),
    Column("repeat_answered", Boolean, nullable=False, server_default=text("false")),
    Index(None, "sender_key", "opened_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("event_id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("channel_type", String(32), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("provider_id", Text, nullable=False, server_default=""),
    Column("sender_key", String(64), nullable=False),
    Column("received_at", Double, nullable=False),
    Column("case_number", String(10)),
    # Which row of the dispatcher's table decided (DESIGN section 6).
    Column("disposition", String(24), nullable=False),
    # A hash of sender and words; only the first version of a person's message bears one (row 11).
    Column("words", String(64)),
    Column("gathering", BigInteger),
    Column("document", Text, nullable=False),
    Index(None, "channel", "provider_id", info={"where": "provider_id <> ''"}),
    Index(None, "sender_key", "received_at"),
    Index(None, "words", info={"where": "words IS NOT NULL"}),
    Index(None, "case_number", "received_at", info={"where": "case_number IS NOT NULL"}),
    Index(None, "gathering", info={"where": "gathering IS NOT NULL"}),
)

# Parts of one long message, waiting for the rest until the deadline.
gatherings = Table(
    "gatherings",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("sender_key", String(64), nullable=False),
    Column("ref", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),
    Column("joined", Boolean, nullable=False, server_default=text("false")),
    Column("case_number", String(10)),
    Index(None, "sender_key", "ref", "opened_at"),
    Index("ix_gatherings_waiting", "deadline", info={"where": "NOT joined"}),
)

# Replies waiting for, or in, delivery, and what became of them. A row that is waiting and bears an owner is leased
# until due_at; when that time passes, whoever asks next takes it.
outbox = Table(
    "outbox",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("channel_type", String(32), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("sender_key", String(64), nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False),
    Column("thread", Text, nullable=False, server_default=""),
    Column("template", String(32), nullable=False),
    Column("case_number", String(10)),
    Column("event_id", String(64), nullable=False),
    # The citizen's message came in at received_at; the reply was written at created_at.
    Column("received_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("owner", String(64)),
    Column("settled_at", Double),
    Index("ix_outbox_waiting", "channel", "due_at", info={"where": "state = 'waiting'"}),
    Index(None, "case_number", info={"where": "case_number IS NOT NULL"}),
    Index(None, "event_id"),
)

# One row a step of a reply's way: an attempt or a receipt.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("outbox_id", String(32), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("step", String(16), nullable=False),
    Column("at", Double, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("provider_id", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Index(None, "outbox_id"),
    Index(None, "channel", "provider_id", info={"where": "provider_id <> ''"}),
)

# A file that came with a message, by its place among the message's files (from 0): waiting, then stored in the blob
# store, refused by our rules or the provider, or failed after a day of attempts.
attachments = Table(
    "attachments",
    metadata,
    Column("event_id", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("channel_type", String(32), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("case_number", String(10)),
    # Made safe; the event has the name as it came.
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, server_default=""),
    Column("reference", Text, nullable=False),
    Column("stored", Text, nullable=False, server_default=""),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("owner", String(64)),
    Column("settled_at", Double),
    Index("ix_attachments_waiting", "channel", "due_at", info={"where": "state = 'waiting'"}),
    Index(None, "case_number", info={"where": "case_number IS NOT NULL"}),
)

# What agencies said of cases, and what was done with it. An id is here once, so that it is done once.
updates = Table(
    "updates",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("number", String(10), nullable=False),
    Column("status", String(16)),
    Column("text", Text, nullable=False, server_default=""),
    Column("agency", Text, nullable=False, server_default=""),
    # When the agency wrote it, by its own clock; when it came to us.
    Column("at", Double, nullable=False),
    Column("received_at", Double, nullable=False),
    # Whether it changed the case's state, and what the citizen heard.
    Column("state_changed", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Index(None, "number", "received_at"),
)

# What the dispatcher has to say on the log, written in the case's transaction and relayed after it.
publications = Table(
    "publications",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("stage", String(16), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("at", Double, nullable=False),
    Column("reference", String(64), nullable=False, server_default=""),
    Column("raw", LargeBinary, nullable=False),
    Column("raw_type", Text, nullable=False),
    Column("replayed_at", Double),
    # An operator decided that nothing is to be done; why stands in the outcome.
    Column("discarded_at", Double),
    Column("outcome", Text, nullable=False, server_default=""),
    Index(None, "at"),
    Index(
        "ix_dead_letters_waiting",
        "stage",
        "reason",
        "at",
        "channel",
        info={"where": "replayed_at IS NULL AND discarded_at IS NULL"},
    ),
)

# How far a pulled channel has read.
cursors = Table(
    "cursors",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Double, nullable=False),
)

# Work that one process does at a time, each until it lapses.
leases = Table(
    "leases",
    metadata,
    Column("name", String(96), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("until", Double, nullable=False),
)
