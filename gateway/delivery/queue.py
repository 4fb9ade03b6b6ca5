"""The outbox as a queue: leasing replies, and settling them.

A lease is nothing but an owner and a due time in the future. When the owner dies, the time passes and the row is
due again, with its owner still on it: whoever takes it then knows that the citizen may have been answered already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import OutboundMessage, Thread
from gateway.dispatcher.outgoing import reply_told
from gateway.store.bulk import execute_each
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.sql import among, clock, each, texts
from gateway.store.tables import cases, deliveries, outbox, publications
from normalizer.cloudevents import headers
from normalizer.messages import DeadLetter, encode

_SETTLE = (
    update(outbox)
    .where(among(outbox.c.id, texts("ids")), outbox.c.state == "waiting")
    .values(state=bindparam("to_state"), settled_at=bindparam("to_at"), owner=null())
)
_STEP = deliveries.insert()
_SAY = publications.insert()
# The writer's own clock set the first due time, and may be ahead: what nobody has tried is due in any case.
_UNTRIED = and_(outbox.c.attempts == 0, outbox.c.owner.is_(None))
_DUE = (
    select(outbox.c.id, outbox.c.owner)
    .where(
        outbox.c.channel == bindparam("channel"),
        outbox.c.state == "waiting",
        or_(outbox.c.due_at <= clock(), _UNTRIED),
    )
    .order_by(outbox.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(outbox)
    .where(among(outbox.c.id, texts("ids")))
    .values(owner=bindparam("to_owner"), due_at=clock() + bindparam("seconds"), attempts=outbox.c.attempts + 1)
    .returning(outbox)
)
_AGAIN = (
    update(outbox)
    .where(outbox.c.id == bindparam("at_id"), outbox.c.state == "waiting", outbox.c.owner == bindparam("at_owner"))
    .values(
        owner=case((bindparam("to_doubt") == 1, outbox.c.owner), else_=null()),
        due_at=clock() + bindparam("to_wait"),
        attempts=outbox.c.attempts - bindparam("to_back"),
    )
)
_RECALL = (
    update(outbox)
    .where(
        outbox.c.channel == bindparam("at_channel"),
        outbox.c.state == "waiting",
        outbox.c.owner.is_(None),
        outbox.c.due_at > clock(),
    )
    .values(due_at=clock())
)
_CHANNEL = each(texts("channels"))
DUE_CHANNELS = select(_CHANNEL).where(
    exists().where(outbox.c.channel == _CHANNEL, outbox.c.state == "waiting", outbox.c.due_at <= clock())
)
"""Which of ``channels`` have a reply that is due, by the first row of each in the index."""
_WAITING = (
    select(outbox.c.channel, func.count().label("waiting"))
    .where(outbox.c.state == "waiting")
    .group_by(outbox.c.channel)
)
_OLDEST = (
    select(outbox.c.channel, func.min(outbox.c.created_at).label("since"))
    .where(outbox.c.state == "waiting")
    .group_by(outbox.c.channel)
)
_FINAL = {"sent": "sent", "refused": "failed", "gave_up": "dead"}

Outcome = Literal["sent", "retry", "refused", "gave_up", "held"]


class Leased(msgspec.Struct, frozen=True):
    """One reply under lease. Times are Unix seconds; ``doubtful`` tells that an earlier owner may have sent it."""

    message: OutboundMessage
    case_number: str | None
    received_at: float
    created_at: float
    attempts: int
    doubtful: bool


class Settlement(msgspec.Struct, frozen=True):
    """What one attempt came to. ``due_in`` is in seconds, for ``retry`` and ``held``.

    ``held`` gives the reply back without counting an attempt: nothing was sent.
    """

    leased: Leased
    outcome: Outcome
    at: float
    provider_ids: tuple[str, ...] = ()
    detail: str = ""
    due_in: float = 0.0
    uncertain: bool = False


class Publication(msgspec.Struct, frozen=True):
    """One record for the log, to be relayed after the settlement stands."""

    topic: str
    key: bytes
    value: bytes
    headers: bytes


class Queue:
    """The outbox of one channel, for one owner."""

    def __init__(self, store: Store, channel: str, owner: str, *, cases_topic: str, source: str) -> None:
        self._store = store
        self._channel = channel
        self._owner = owner
        self._cases_topic = cases_topic
        self._source = source

    async def lease(self, limit: int, seconds: float) -> list[Leased]:
        """Take up to ``limit`` due replies for ``seconds``, the longest due first.

        Rows that another deliverer is taking at this moment are skipped. Raises
        :class:`~gateway.store.engine.StoreUnavailable`.
        """
        async with self._store.write() as connection:
            due = await connection.execute(_DUE, {"channel": self._channel, "most": limit})
            found = {row.id: row.owner for row in due}
            if not found:
                return []
            taken = await connection.execute(_TAKE, {"ids": list(found), "to_owner": self._owner, "seconds": seconds})
            rows = taken.all()
        return [_leased(row, doubtful=found[row.id] is not None) for row in sorted(rows, key=_age)]

    async def settle(
        self,
        settlements: Sequence[Settlement],
        publish: Sequence[Publication],
        letters: Sequence[DeadLetter],
    ) -> None:
        """Write down what attempts came to, all in one transaction, with what is to be said of them on the log.

        Only a row that still waits is settled, so a late word never takes back a receipt. A retry or a hold is
        written only while the lease is ours. A doubt stays until the reply is settled: a later attempt that failed, or
        was never made, tells nothing of the earlier one.
        """
        done = [s for s in settlements if s.outcome in _FINAL]
        again = [s for s in settlements if s.outcome not in _FINAL]
        async with self._store.write() as connection:
            for state in sorted({_FINAL[s.outcome] for s in done}):
                alike = [s for s in done if _FINAL[s.outcome] == state]
                ids, last = [s.leased.message.delivery for s in alike], max(s.at for s in alike)
                await connection.execute(_SETTLE, {"ids": ids, "to_state": state, "to_at": last})
            await execute_each(connection, _AGAIN, [self._again(s) for s in again])
            steps = [step for s in settlements if s.outcome != "held" for step in _steps(s, self._channel)]
            await execute_each(connection, _STEP, steps)
            said = [*publish, *await self._failures(connection, done)]
            rows = [{"topic": p.topic, "key": p.key, "value": p.value, "headers": p.headers} for p in said]
            await execute_each(connection, _SAY, rows)
            await bury(connection, self._store, letters)

    def _again(self, settlement: Settlement) -> dict[str, Any]:
        return {
            "at_id": settlement.leased.message.delivery,
            "at_owner": self._owner,
            "to_doubt": int(settlement.uncertain or settlement.leased.doubtful),
            "to_wait": float(settlement.due_in),
            "to_back": int(settlement.outcome == "held"),
        }

    async def _failures(self, connection: AsyncConnection, done: Sequence[Settlement]) -> list[Publication]:
        """What downstream hears of replies about a case that will not come."""
        failed = [s for s in done if s.outcome != "sent" and s.leased.case_number]
        if not failed:
            return []
        numbers = {s.leased.case_number or "" for s in failed}
        found = await connection.execute(select(cases).where(among(cases.c.number, numbers)))
        rows = {row.number: row for row in found}
        return [self._failure(s, rows[s.leased.case_number]) for s in failed if s.leased.case_number in rows]

    def _failure(self, settlement: Settlement, row: Any) -> Publication:
        reason = settlement.detail.partition(":")[0]
        told = reply_told(row, settlement.leased.message.delivery, "reply_failed", settlement.at, reason)
        head = msgspec.json.encode(headers(told, self._source))
        return Publication(self._cases_topic, told.number.encode(), encode(told), head)

    async def recall(self) -> None:
        """The provider is back: what waits for its next attempt is due now."""
        async with self._store.write() as connection:
            await connection.execute(_RECALL, {"at_channel": self._channel})


async def pending(store: Store) -> dict[str, int]:
    """How many replies wait, or are in delivery, by channel."""
    async with store.read() as connection:
        return {row.channel: row.waiting for row in await connection.execute(_WAITING)}


async def oldest(store: Store) -> dict[str, float]:
    """When the oldest reply that waits, or is in delivery, was written (Unix seconds), by channel."""
    async with store.read() as connection:
        return {row.channel: row.since for row in await connection.execute(_OLDEST)}


def _leased(row: Any, *, doubtful: bool) -> Leased:
    thread = msgspec.json.decode(row.thread, type=Thread) if row.thread else Thread()
    message = OutboundMessage(
        delivery=row.id,
        to=row.address,
        text=row.text,
        subject=row.subject,
        thread=thread,
        number=row.case_number or "",
        purpose=row.template,
        repeated=doubtful,
    )
    return Leased(message, row.case_number, row.received_at, row.created_at, row.attempts, doubtful)


def _age(row: Any) -> tuple[float, str]:
    return (row.created_at, row.id)


def _steps(settlement: Settlement, channel: str) -> list[dict[str, Any]]:
    """The steps of an attempt: one a provider id, at least one."""
    return [
        {
            "outbox_id": settlement.leased.message.delivery,
            "channel": channel,
            "step": "attempt",
            "at": settlement.at,
            "outcome": settlement.outcome,
            "provider_id": provider_id,
            "detail": settlement.detail[:500],
        }
        for provider_id in settlement.provider_ids or ("",)
    ]
