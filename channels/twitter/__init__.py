"""X (Twitter): mentions of an account and direct messages to it, and replies in the thread."""

from __future__ import annotations

from channels.base import Capability, ChannelSpec, Limits
from channels.twitter.channel import TwitterChannel
from channels.twitter.settings import SECRET_FIELDS, TwitterSettings

SPEC = ChannelSpec(
    type="twitter",
    title="X (Twitter)",
    settings=TwitterSettings,
    channel=TwitterChannel,
    proof=lambda settings: settings.proof,
    # X's own quotas bound how fast replies go; a webhook's event with its users and media is some ten KiB.
    limits=Limits(max_body=1024 * 1024, max_in_flight=8),
    # X charges for each look at users/me, and reading mentions finds out at once about a token that is refused.
    probe_every=3600.0,
    capabilities=frozenset(
        {
            Capability.WEBHOOK,
            Capability.POLLING,
            Capability.EDITS,
            Capability.ATTACHMENTS,
            Capability.THREADS,
            Capability.PUBLIC,
            Capability.PRIVATE_CONVERSATION,
        }
    ),
    secret_fields=SECRET_FIELDS,
)

__all__ = ["SPEC", "TwitterChannel", "TwitterSettings"]
