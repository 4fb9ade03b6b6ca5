"""How many processes do the same work at this moment, so that a provider's limit is one limit for all of them."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.operations import instances
from gateway.store.sql import clock

SENDING_ROLES = ("all", "deliver")


class Others:
    """``deliverers`` is how many processes send, this one among them, as this process last heard with a heartbeat."""

    def __init__(self, deliverers: int = 1) -> None:
        self.deliverers = deliverers

    async def learn(self, connection: AsyncConnection, missing_after: float) -> None:
        """Count those whose last heartbeat is at most ``missing_after`` seconds old."""
        sending = select(func.count()).where(
            instances.c.role.in_(SENDING_ROLES),
            instances.c.left_at.is_(None),
            instances.c.beat_at >= clock() - missing_after,
        )
        self.deliverers = max(1, await connection.scalar(sending) or 0)
