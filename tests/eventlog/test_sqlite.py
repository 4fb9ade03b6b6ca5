"""What the embedded log promises beyond the contract: group commit, retention, full disks, broken files."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.eventlog import sqlite_consumer, sqlite_writer
from gateway.eventlog.base import LogFull, LogUnavailable
from gateway.eventlog.sqlite import SqliteLog
from tests.eventlog.backends import PATIENCE, fetch, record, until, values

HOUR = 3600.0


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db", retention_seconds=HOUR)
    await opened.start()
    yield opened
    await opened.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def wait_until_ready(log: SqliteLog) -> None:
    await until(lambda: log.ready()[0])


async def test_appends_of_one_moment_share_a_transaction(log: SqliteLog) -> None:
    await asyncio.gather(*(log.append([record("t", n, n)]) for n in range(1000)))
    batches = rows(log.path, "SELECT count FROM batches ORDER BY last")
    assert batches == [(sqlite_writer.BATCH_RECORDS,), (1000 - sqlite_writer.BATCH_RECORDS,)]


async def test_the_file_is_synced_at_every_commit_and_readers_do_not_wait(log: SqliteLog) -> None:
    await log.append([record("t", "k", "v")])
    assert rows(log.path, "PRAGMA journal_mode") == [("wal",)]
    synchronous: list[object] = []
    log._writer._connection.create_function("note", 1, synchronous.append)  # type: ignore[union-attr]
    await log.write(("SELECT note(synchronous) FROM pragma_synchronous", ()))
    assert synchronous == [2]


async def test_who_waits_for_a_topic_is_woken_by_its_records_alone(log: SqliteLog) -> None:
    waiting = asyncio.ensure_future(log.changed(["t", "u"], log.version(["t", "u"]), 600))
    await log.append([record("other", "k", "v")])
    await log.write(("SELECT 1", ()))
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.append([record("other", "k", "v"), record("u", "k", "v")])
    await asyncio.wait_for(waiting, PATIENCE)


async def test_only_one_member_of_a_group_is_active(log: SqliteLog) -> None:
    await log.append([record("t", "k", n) for n in range(3)])
    first, second = log.consumer("g", ["t"]), log.consumer("g", ["t"])
    assert values(await first.fetch(limit=1, timeout=1)) == ["0"]
    assert await second.fetch(limit=1, timeout=0.2) == ()
    await first.commit()
    await first.close()
    assert values(await second.fetch(limit=5, timeout=1)) == ["1", "2"]


async def test_a_commit_of_a_member_that_is_not_active_changes_nothing(log: SqliteLog) -> None:
    await log.append([record("t", "k", "v")])
    first, second = log.consumer("g", ["t"]), log.consumer("g", ["t"])
    await first.fetch(limit=1, timeout=1)
    await second.commit()
    assert await second.lag() == 1


@pytest.mark.parametrize("group", ["", "a/b", "../g", "g h"])
def test_a_group_whose_name_is_no_file_name_is_refused(tmp_path: Path, group: str) -> None:
    with pytest.raises(ValueError, match="group"):
        SqliteLog(tmp_path / "log.db", retention_seconds=1).consumer(group, ["t"])


async def test_topics_of_one_consumer_take_turns(log: SqliteLog) -> None:
    for n in range(40):
        await log.append([record("busy", "k", n)])
    await log.append([record("quiet", "k", "now")])
    taken = await fetch(log.consumer("g", ["busy", "quiet"]), 41, limit=10)
    assert values(taken).index("now") == 10


class Retention:
    """A log whose records grow old at will."""

    def __init__(self, log: SqliteLog) -> None:
        self.log = log

    async def grow_old(self) -> None:
        await self.log.write(("UPDATE batches SET appended_at = appended_at - ?", (2 * HOUR,)))

    async def swept(self) -> list[tuple[object, ...]]:
        """What is left after the writer has looked for expired records once more."""
        writer = self.log._writer
        assert writer is not None
        writer._sweep_at = 0
        await self.log.write(("DELETE FROM batches WHERE 0", ()))
        await until(lambda: writer._sweep_at > time.monotonic())
        return rows(self.log.path, "SELECT topic, last FROM batches ORDER BY topic, last")


async def consume(log: SqliteLog, group: str, count: int) -> None:
    consumer = log.consumer(group, ["t"])
    await fetch(consumer, count, limit=count)
    await consumer.close()


async def test_what_every_group_has_committed_goes_when_it_is_old(log: SqliteLog) -> None:
    retention = Retention(log)
    for n in range(4):
        await log.append([record("t", "k", n)])
    await consume(log, "a", 4)
    await consume(log, "b", 2)
    assert len(await retention.swept()) == 4
    await retention.grow_old()
    assert await retention.swept() == [("t", 2), ("t", 3)]
    await consume(log, "b", 2)
    assert await retention.swept() == []


async def test_what_no_group_has_read_stays(log: SqliteLog) -> None:
    retention = Retention(log)
    await log.append([record("t", "k", "v"), record("unread", "k", "v")])
    await consume(log, "a", 1)
    await retention.grow_old()
    assert await retention.swept() == [("unread", 0)]


async def test_offsets_go_on_after_everything_was_deleted(log: SqliteLog) -> None:
    retention = Retention(log)
    await log.append([record("t", "k", n) for n in range(3)])
    consumer = log.consumer("g", ["t"])
    await fetch(consumer, 3)
    await retention.grow_old()
    assert await retention.swept() == []
    await log.append([record("t", "k", "next")])
    (taken,) = await fetch(consumer, 1)
    assert (taken.offset, taken.record.value) == (3, b"next")
    late = log.consumer("late", ["t"])
    assert values(await fetch(late, 1)) == ["next"]
    assert await late.lag() == 0


async def test_no_room_fails_the_appends_of_that_transaction_and_room_mends_it(log: SqliteLog) -> None:
    """SQLite's own bound stands in for the disk's; the error and its way are the same."""
    await log.append([record("t", "k", "before")])
    await log.write(("PRAGMA max_page_count = 20", ()))
    large = asyncio.gather(*(log.append([record("t", n, "x" * 20_000)]) for n in range(10)), return_exceptions=True)
    assert [type(result) for result in await large] == [LogFull] * 10
    assert log.ready() == (False, "no room left for the log")
    await log.append([record("t", "k", "small")])
    await log.write(("PRAGMA max_page_count = 100000", ()))
    await wait_until_ready(log)
    await log.append([record("t", "k", "x" * 200_000)])
    taken = await fetch(log.consumer("g", ["t"]), 3)
    assert [value[:6] for value in values(taken)] == ["before", "small", "xxxxxx"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root can mount a file system of its own")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_said_and_a_freed_one_is_used(small_disk: Path) -> None:
    log = SqliteLog(small_disk / "log.db", retention_seconds=HOUR)
    await log.start()
    ballast = small_disk / "ballast"
    acknowledged = ["0"]
    await log.append([record("t", "k", "0")])
    ballast.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize - 400_000))

    async def fill() -> None:
        for n in range(1, 1000):
            await log.append([record("t", "k", f"{n}{'.' * 20_000}")])
            acknowledged.append(str(n))

    with pytest.raises(LogFull):
        await fill()
    assert log.ready()[0] is False
    ballast.unlink()
    await wait_until_ready(log)
    await log.append([record("t", "k", "last")])
    taken = await fetch(log.consumer("g", ["t"]), len(acknowledged) + 1)
    assert [value.rstrip(".") for value in values(taken)] == [*acknowledged, "last"]
    await log.close()


async def test_a_file_that_cannot_be_opened_is_waited_for(tmp_path: Path) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("not a folder")
    log = SqliteLog(in_the_way / "log.db", retention_seconds=HOUR)
    await log.start()
    assert log.ready()[0] is False
    with pytest.raises(LogUnavailable):
        await log.append([record("t", "k", "v")])
    in_the_way.unlink()
    await wait_until_ready(log)
    await log.append([record("t", "k", "v")])
    await log.close()


async def test_a_file_held_by_another_writer_is_unavailable_and_then_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "BUSY_SECONDS", 0.05)
    log = SqliteLog(tmp_path / "log.db", retention_seconds=HOUR)
    await log.start()
    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogUnavailable, match="SQLITE_BUSY"):
            await log.append([record("t", "k", "v")])
        other.execute("ROLLBACK")
    await log.append([record("t", "k", "v")])
    await log.close()


async def test_a_batch_that_cannot_be_read_is_passed_over_and_kept(log: SqliteLog) -> None:
    for n in range(3):
        await log.append([record("t", "k", n)])
    await log.write(("UPDATE batches SET body = x'93c4' WHERE last = 1", ()))
    consumer = log.consumer("g", ["t"])
    assert values(await fetch(consumer, 2)) == ["0", "2"]
    assert log.unreadable == 1
    assert rows(log.path, "SELECT topic, last, hex(body) FROM batches WHERE topic != 't'") == [
        ("t.unreadable", 1, "93C4")
    ]
    assert await consumer.lag() == 0
    assert values(await fetch(log.consumer("other", ["t"]), 2)) == ["0", "2"]


async def test_a_page_that_cannot_be_read_is_passed_over(
    tmp_path: Path, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_consumer, "READ_BYTES", 1)
    for n in range(40):
        await log.append([record("t", "k", f"{n}{'.' * 3000}")])
    await log.close()
    damage(log.path)
    again = SqliteLog(log.path, retention_seconds=HOUR)
    await again.start()
    consumer = again.consumer("g", ["t"])
    seen: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while 39 not in seen:
            seen += [int(value.rstrip(".")) for value in values(await consumer.fetch(limit=5, timeout=0.1))]
    await again.close()
    assert seen == sorted(seen)
    assert again.unreadable == 40 - len(seen) > 0


def damage(path: Path) -> None:
    """Overwrite the heads of one leaf page that holds records, in the middle of the file."""
    with closing(sqlite3.connect(path)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        query = "SELECT pageno FROM dbstat WHERE name = 'batches' AND pagetype = 'leaf' ORDER BY path"
        leaves = [page for (page,) in connection.execute(query)]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek((leaves[len(leaves) // 2] - 1) * page_size)
        file.write(b"\xff" * 100)
