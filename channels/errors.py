"""What can go wrong between the gateway and a provider, as types with a meaning.

Inbound: :class:`Unverified`, :class:`Malformed`, :class:`TooLarge`.
Outbound: :class:`RetryLater`, :class:`Refused`, :class:`Misconfigured`, :class:`Uncertain`.
Each is raised where it is known (a channel's folder) and handled in one place: the intake for the first
three, the delivery for the others.
"""

from __future__ import annotations


class ChannelError(Exception):
    """Base of all; ``reason`` is a short machine word for logs and metrics, the message is for people."""

    reason = "error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class Unverified(ChannelError):
    """The request did not prove that it comes from the provider: HTTP 401, nothing is kept of it."""

    reason = "unverified"


class Malformed(ChannelError):
    """The request is verified but cannot be read as the dialect says: HTTP 400, kept as a dead letter."""

    reason = "malformed"


class TooLarge(ChannelError):
    """The request is over the channel's size limit: HTTP 413."""

    reason = "too_large"


class RetryLater(ChannelError):
    """The provider did not take the message now but may later (connection refused, 5xx, 429).

    ``retry_after`` is the provider's wish in seconds. ``whole_channel`` tells that the wish holds for every
    message of the channel, not for this recipient alone.
    """

    reason = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        retry_after: float | None = None,
        whole_channel: bool = False,
    ) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after
        self.whole_channel = whole_channel


class Uncertain(RetryLater):
    """The request went out and no answer came back: the message may have been sent. It is sent again, and counted."""

    reason = "uncertain"


class Refused(ChannelError):
    """The provider refuses this recipient or this message for good: no retry helps."""

    reason = "refused"


class Misconfigured(ChannelError):
    """Our credentials or settings are refused: the channel is down and its messages wait for an operator."""

    reason = "credentials"
