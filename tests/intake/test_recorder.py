"""Recording: many calls together, and each hears of its own outcome alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from channels.base import InboundMessage, Sender
from channels.errors import Malformed
from channels.receiving import Unreadable
from config.settings import Blobs, Settings
from gateway.blobs.factory import make_blobs
from gateway.blobs.raw import LARGEST_IN_EVENT, raw_of
from gateway.eventlog.base import LogFull, LogUnavailable, Record, RecordRefused
from gateway.intake.recorder import Recorder
from gateway.metrics import Metrics
from normalizer.event import ComplaintEvent, decode
from normalizer.normalize import Normalizer


class Log:
    """A log that keeps what it is handed; it refuses ``never``, and raises ``error`` while that is set."""

    def __init__(self) -> None:
        self.appends: list[list[Record]] = []
        self.error: LogUnavailable | None = None
        self.never = b"never"

    async def append(self, records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if any(self.never in record.value for record in records):
            raise RecordRefused("too large")
        self.appends.append(list(records))

    @property
    def texts(self) -> list[str]:
        return [decode(r.value).text for records in self.appends for r in records if b"complaint" in r.topic.encode()]


def said(text: str, raw: bytes = b"raw") -> InboundMessage:
    return InboundMessage(sender=Sender("+6281234567890", "phone"), provider_id=text, text=text, raw=raw)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def recorder(log: Log, tmp_path: Path) -> Recorder:
    channel: Any = SimpleNamespace(name="sms")
    return Recorder(
        channel,
        Normalizer("sms", "sms", secret=b"key"),
        log=log,  # type: ignore[arg-type]
        metrics=Metrics(),
        settings=Settings(),
        source="http://gateway.test",
        blobs=make_blobs(Blobs(path=tmp_path / "blobs")),
    )


async def outcome(recorder: Recorder, *texts: str) -> Any:
    """What a call with these messages hears: its messages' texts, or its error."""

    def read() -> list[InboundMessage]:
        if "?" in texts:
            raise Malformed("cannot be read")
        return [said(text) for text in texts]

    try:
        return [message.text for message in await recorder.call(read)]
    except (Malformed, LogUnavailable) as error:
        return type(error).__name__


async def test_calls_that_come_together_are_one_append_in_their_order(recorder: Recorder, log: Log) -> None:
    heard = await asyncio.gather(*(outcome(recorder, f"{n}") for n in range(20)))
    assert heard == [[f"{n}"] for n in range(20)]
    assert len(log.appends) == 1
    assert log.texts == [f"{n}" for n in range(20)]


async def test_each_call_hears_of_itself_alone(recorder: Recorder, log: Log) -> None:
    heard: Any = await asyncio.gather(
        outcome(recorder, "a", "b"),
        outcome(recorder, "?"),
        outcome(recorder, "never"),
        outcome(recorder),
        outcome(recorder, "c"),
    )
    assert heard == [["a", "b"], "Malformed", "RecordRefused", [], ["c"]]
    assert log.texts == ["a", "b", "c"]


async def test_a_log_that_takes_nothing_fails_them_all(recorder: Recorder, log: Log) -> None:
    log.error = LogFull("no room")
    heard: Any = await asyncio.gather(outcome(recorder, "a"), outcome(recorder, "b"))
    assert heard == ["LogFull", "LogFull"]
    log.error = None
    assert await outcome(recorder, "a") == ["a"]


async def test_a_call_that_is_given_up_holds_up_no_other(recorder: Recorder, log: Log) -> None:
    first = asyncio.create_task(outcome(recorder, "a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await outcome(recorder, "b") == ["b"]
    assert log.texts == ["a", "b"]


async def test_a_large_payload_is_stored_before_its_event(recorder: Recorder, log: Log, tmp_path: Path) -> None:
    raw = b"x" * (LARGEST_IN_EVENT + 1)
    await asyncio.gather(recorder.call(lambda: [said("large", raw)]), recorder.call(lambda: [said("small")]))
    events: dict[str, ComplaintEvent] = {e.text: e for a in log.appends for e in (decode(r.value) for r in a)}
    assert events["large"].raw is not None
    assert events["large"].raw.data == b""
    assert await raw_of(events["large"], make_blobs(Blobs(path=tmp_path / "blobs"))) == raw
    assert events["small"].raw is not None
    assert events["small"].raw.data == b"raw"


async def test_what_cannot_be_read_is_one_dead_letter_however_often_it_comes(recorder: Recorder, log: Log) -> None:
    odd = Unreadable(b"\x00", "application/json", "not_json")
    await recorder.take([odd, said("well")])
    await recorder.take([odd])
    letters = [r for a in log.appends for r in a if "dead-letters" in r.topic]
    assert len(letters) == 2
    assert len({letter.key for letter in letters}) == 1
    assert log.texts == ["well"]
