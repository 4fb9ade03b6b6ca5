"""Where updates arrive, one by one from the API and in batches from the topic: a transaction for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy.exc import IntegrityError

from gateway.metrics import Metrics
from gateway.store.deadletters import bury
from gateway.store.engine import Store
from gateway.store.tables import publications
from gateway.updates.writer import Context, Recorded, Refusal, Written, apply_updates
from normalizer.cloudevents import headers
from normalizer.messages import CaseUpdate, DeadLetter, encode

TRIES = 3

Buried = Callable[[Written], Sequence[DeadLetter]]
"""The dead letters of a batch, once it is known which of its updates were refused."""


class Desk:
    """The desk of one process. It counts what was written once that stands, and wakes who has to act on it."""

    def __init__(
        self,
        *,
        store: Store,
        context: Context,
        metrics: Metrics,
        letters_topic: str,
        on_replies: Callable[[], None] = lambda: None,
        on_publications: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._context = context
        self._metrics = metrics
        self._letters_topic = letters_topic
        self._on_replies = on_replies
        self._on_publications = on_publications

    async def take(self, given: CaseUpdate, *, language: str = "") -> Recorded | Refusal:
        """Take one update. When this returns it is durable, or refused.

        ``language`` is that of what stands round its words; without it, the citizen's.

        Raises :class:`~gateway.store.engine.StoreUnavailable`.
        """
        tries = 0
        while True:
            tries += 1
            try:
                written = await self.take_all([given], language=language)
            except IntegrityError:
                # Another transaction wrote this id for another case: the next look finds it.
                if tries >= TRIES:
                    raise
            else:
                return written.results[0]

    async def take_all(
        self, given: Sequence[CaseUpdate], buried: Buried = lambda _: (), *, language: str = ""
    ) -> Written:
        """Take updates in order, and keep the dead letters of the batch, in one transaction.

        Raises :class:`~gateway.store.engine.StoreUnavailable`, and :class:`~sqlalchemy.exc.IntegrityError` where
        another transaction was faster.
        """
        async with self._store.write() as connection:
            written = await apply_updates(connection, self._store, given, self._context, language=language)
            letters = await bury(connection, self._store, buried(written))
            rows = [
                {
                    "topic": self._letters_topic,
                    "key": letter.id.encode(),
                    "value": encode(letter),
                    "headers": msgspec.json.encode(headers(letter, self._context.source)),
                }
                for letter in letters
            ]
            if rows:
                await connection.execute(publications.insert(), rows)
        self._count(written, letters)
        return written

    def _count(self, written: Written, letters: Sequence[DeadLetter]) -> None:
        for recorded in written.fresh:
            self._metrics.case_updates.labels(recorded.citizen.value).inc()
        for result in written.results:
            if isinstance(result, Refusal):
                self._metrics.case_updates.labels(result.value).inc()
        for letter in letters:
            self._metrics.dead_letters.labels(letter.stage).inc()
        if written.replies:
            self._on_replies()
        if written.publications or letters:
            self._on_publications()
