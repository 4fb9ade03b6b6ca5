"""What one attempt means for its reply: pure functions from an error to a settlement."""

from __future__ import annotations

import random
import re

from channels.errors import Misconfigured, Refused, RetryLater, Uncertain
from config.settings import Delivery
from gateway.delivery.queue import Leased, Settlement


def backoff(attempts: int, delivery: Delivery, *, chance: float | None = None) -> float:
    """Seconds until the next attempt: doubled after each, between half and the whole of it by chance.

    The jitter keeps replies that failed together from coming back together.
    """
    longest = min(delivery.longest_retry, delivery.first_retry * 2.0 ** min(attempts - 1, 30))
    share = random.random() if chance is None else chance  # noqa: S311 - no secret hangs on it
    return longest * (0.5 + 0.5 * share)


def status_of(detail: str) -> int:
    """The HTTP status that a failed attempt's detail (``http_500: …``) tells, 0 where it tells none."""
    found = re.match(r"http_([0-9]{3})\b", detail)
    return int(found[1]) if found else 0


def settlement_of(error: Exception, leased: Leased, now: float, delivery: Delivery) -> Settlement:
    """How a failed attempt is settled; ``now`` in Unix seconds.

    A refusal is final. Credentials that are refused are not this reply's fault: it is held. Anything else is tried
    again until ``give_up_after`` has passed since the reply was written.
    """
    if isinstance(error, Refused):
        return Settlement(leased, "refused", now, detail=f"{error.reason}: {error}")
    if isinstance(error, Misconfigured):
        return Settlement(leased, "held", now, detail=f"{error.reason}: {error}", due_in=delivery.breaker_probe)
    if not isinstance(error, RetryLater):
        raise error
    detail = f"{error.reason}: {error}"
    if now - leased.created_at >= delivery.give_up_after:
        return Settlement(leased, "gave_up", now, detail=detail)
    due_in = max(backoff(leased.attempts, delivery), error.retry_after or 0.0)
    return Settlement(leased, "retry", now, detail=detail, due_in=due_in, uncertain=isinstance(error, Uncertain))
