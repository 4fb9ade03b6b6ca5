"""The blob store: one contract over a folder, a bucket of obstore's own and a bucket over S3; and each one's own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore
from pydantic import SecretStr, ValidationError

from channels.base import Attachment, InboundMessage, Sender
from config.settings import Blobs as BlobSettings
from gateway.blobs.base import BLOCK, BlobMissing, Blobs, BlobsUnavailable, BlobTooLarge, checked, key_for
from gateway.blobs.bucket import Bucket
from gateway.blobs.factory import make_blobs
from gateway.blobs.folder import ABANDONED, Folder
from gateway.blobs.raw import LARGEST_IN_EVENT, keep_raw, raw_of
from tests.normalizer.make import NOW, normalizer

KEY = key_for("files", "a message", "0", "1")
OTHER = key_for("files", "another message", "0", "1")
MIB = 1024 * 1024
BUCKET = "lapor-files"


class S3:
    """As much of the S3 REST API as a put, a put in parts, a get and a delete take (Amazon S3 API Reference)."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[int, bytes] = {}
        self.calls: list[str] = []
        self.signed_by: set[str] = set()
        self.status = 200

    async def __aenter__(self) -> S3:
        application = web.Application(client_max_size=64 * MIB)
        application.router.add_route("*", "/{bucket}/{key:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def settings(self, **more: object) -> BlobSettings:
        given: dict[str, object] = {
            "url": f"s3://{BUCKET}/lapor",
            "endpoint": self.url,
            "access_key_id": "AKIA",
            "secret_access_key": SecretStr("s3cr3t"),
            "timeout": 5.0,
        }
        return BlobSettings.model_validate(given | more)

    async def _answer(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        self.calls.append(request.method)
        self.signed_by.add(request.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        if self.status != 200:
            return web.Response(status=self.status)
        if request.match_info["bucket"] != BUCKET:
            return web.Response(status=404, text="<Error><Code>NoSuchBucket</Code></Error>")
        body = await request.read()
        match request.method:
            case "POST" if "uploads" in request.query:
                names = f"<Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>1</UploadId>"
                return _xml(f"<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>")
            case "PUT" if "partNumber" in request.query:
                self.parts[int(request.query["partNumber"])] = body
                return web.Response(headers={"ETag": f'"{len(self.parts)}"'})
            case "POST":
                self.objects[key] = b"".join(self.parts[number] for number in sorted(self.parts))
                return _xml('<CompleteMultipartUploadResult><ETag>"1"</ETag></CompleteMultipartUploadResult>')
            case "PUT":
                self.objects[key] = body
                return web.Response(headers={"ETag": '"1"'})
            case "DELETE":
                self.objects.pop(key, None)
                return web.Response(status=204)
        if key not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        headers = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 05:00:00 GMT"}
        return web.Response(body=self.objects[key], headers=headers)


def _xml(text: str) -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>{text}', content_type="application/xml")


@pytest.fixture
async def s3() -> AsyncIterator[S3]:
    async with S3() as server:
        yield server


@pytest.fixture(params=["folder", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """A blob store of each kind in turn."""
    match request.param:
        case "folder":
            return make_blobs(BlobSettings(path=tmp_path / "blobs"))
        case "memory":
            return Bucket(MemoryStore())
    server: S3 = request.getfixturevalue("s3")
    return make_blobs(server.settings())


async def pieces(*given: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if then is not None:
        raise then


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


# The contract.


@pytest.mark.parametrize(
    "given_",
    [
        (),
        (b"",),
        (b"jalan rusak",),
        (b"", b"jalan ", b"", b"rusak"),
        tuple(bytes([n % 251]) * 1013 for n in range(700)),
        (b"x" * BLOCK, b"y"),
        (b"z" * (6 * MIB),),
    ],
    ids=["nothing", "one empty piece", "one", "some", "many", "a block and a byte", "an upload in parts"],
)
async def test_what_was_put_is_read_back(blobs: Blobs, given_: tuple[bytes, ...]) -> None:
    whole = b"".join(given_)
    stored = await blobs.put(pieces(*given_), key=KEY, limit=8 * MIB)
    assert (stored.key, stored.size, stored.sha256) == (KEY, len(whole), hashlib.sha256(whole).hexdigest())
    assert await blobs.get(KEY) == whole
    assert b"".join([piece async for piece in blobs.read(KEY)]) == whole


async def test_a_second_put_takes_the_place_of_the_first(blobs: Blobs) -> None:
    await blobs.put(pieces(b"the first, which is longer"), key=KEY, limit=100)
    await blobs.put(pieces(b"the second"), key=KEY, limit=100)
    assert await blobs.get(KEY) == b"the second"


async def test_a_blob_is_deleted_without_another_of_the_same_bytes(blobs: Blobs) -> None:
    await blobs.put(pieces(b"the same"), key=KEY, limit=100)
    await blobs.put(pieces(b"the same"), key=OTHER, limit=100)
    await blobs.delete(KEY)
    with pytest.raises(BlobMissing):
        await blobs.get(KEY)
    assert await blobs.get(OTHER) == b"the same"
    await blobs.delete(KEY)


@pytest.mark.parametrize("size", [10, 11, BLOCK * 2], ids=["at the limit", "beyond it", "far beyond it"])
async def test_what_is_too_large_leaves_all_as_it_was(blobs: Blobs, size: int) -> None:
    await blobs.put(pieces(b"before"), key=KEY, limit=10)
    if size == 10:
        await blobs.put(pieces(b"x" * 5, b"x" * 5), key=KEY, limit=10)
        assert await blobs.get(KEY) == b"x" * 10
        return
    with pytest.raises(BlobTooLarge):
        await blobs.put(pieces(b"x" * 5, b"x" * (size - 5)), key=KEY, limit=10)
    assert await blobs.get(KEY) == b"before"


async def test_a_source_that_breaks_off_leaves_all_as_it_was(blobs: Blobs) -> None:
    await blobs.put(pieces(b"before"), key=KEY, limit=MIB)
    with pytest.raises(ZeroDivisionError):
        await blobs.put(pieces(b"x" * BLOCK * 2, then=ZeroDivisionError()), key=KEY, limit=MIB)
    assert await blobs.get(KEY) == b"before"


async def test_puts_under_one_key_at_once_leave_one_of_them_whole(blobs: Blobs) -> None:
    wholes = [bytes([65 + n]) * (BLOCK + n) for n in range(6)]
    await asyncio.gather(*(blobs.put(pieces(whole), key=KEY, limit=MIB) for whole in wholes))
    assert await blobs.get(KEY) in wholes


BAD_KEYS = [
    "",
    "..",
    "../x",
    "/etc/passwd",
    "files/ab/../../x",
    f"{KEY}/x",
    f"{KEY}\n",
    f"/{KEY}",
    "drafts/x",
    KEY[:-1],
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
async def test_a_key_that_is_not_ours_reaches_no_store(blobs: Blobs, key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        await blobs.put(pieces(b"x"), key=key, limit=10)
    with pytest.raises(ValueError, match="no key"):
        await blobs.get(key)
    with pytest.raises(ValueError, match="no key"):
        await blobs.delete(key)


@given(st.text(alphabet="az", max_size=5), st.lists(st.text(alphabet="ab/.", max_size=4), max_size=4))
def test_a_key_is_ours_whatever_it_is_made_of(purpose: str, identity: list[str]) -> None:
    key = key_for(purpose or "files", *identity)
    assert checked(key) == key == key_for(purpose or "files", *identity)
    assert key != key_for(purpose or "files", *identity, "")


def test_no_two_identities_share_a_key() -> None:
    assert len({key_for("files", *i) for i in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ()]}) == 5


# The folder.


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "blobs")


async def test_only_the_owner_reads_a_blob_and_nobody_runs_it(folder: Folder, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        await folder.put(pieces(b"#!/bin/sh"), key=KEY, limit=100)
    finally:
        os.umask(before)
    (file,) = files(tmp_path)
    assert file == tmp_path / "blobs" / KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "blobs").rglob("*") if p.is_dir()} == {0o700}


async def test_a_blob_is_synced_before_it_has_its_name_and_its_folder_after(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)
        steps.append(("sync", "the draft" if path.parent.name == "drafts" else str(path)))
        sync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append(("rename", str(target.relative_to(tmp_path))))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    await folder.put(pieces(b"x"), key=KEY, limit=10)

    purpose, shelf, _ = KEY.split("/")
    assert steps == [
        ("sync", "."),  # the root's entry
        ("sync", "blobs"),  # the entry of drafts
        ("sync", "the draft"),
        ("sync", "blobs"),
        ("sync", f"blobs/{purpose}"),
        ("rename", f"blobs/{KEY}"),
        ("sync", f"blobs/{purpose}/{shelf}"),
    ]


async def test_what_fails_leaves_no_draft(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(BlobTooLarge):
        await folder.put(pieces(b"x" * 100), key=KEY, limit=10)
    with pytest.raises(ZeroDivisionError):
        await folder.put(pieces(b"x" * BLOCK, then=ZeroDivisionError()), key=KEY, limit=MIB)
    assert files(tmp_path) == []


async def test_a_put_that_is_cancelled_leaves_no_draft(folder: Folder, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * BLOCK
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(folder.put(endless(), key=KEY, limit=MIB))
    await begun.wait()
    assert len(files(tmp_path)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []


KILLED = """
import asyncio, sys
from pathlib import Path
from gateway.blobs.folder import Folder

async def pieces():
    yield b"half a file" * 100_000
    print("half", flush=True)
    await asyncio.Event().wait()

asyncio.run(Folder(Path(sys.argv[1])).put(pieces(), key=sys.argv[2], limit=10**9))
"""


async def test_a_process_killed_amid_a_put_leaves_the_blob_as_it_was(folder: Folder, tmp_path: Path) -> None:
    await folder.put(pieces(b"before"), key=KEY, limit=10)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path / "blobs"), KEY, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    await child.wait()

    assert await folder.get(KEY) == b"before"
    left = [file for file in files(tmp_path) if file != tmp_path / "blobs" / KEY]
    assert [file.parent.name for file in left] == ["drafts"]


async def test_what_a_crash_left_is_swept_when_it_is_old(tmp_path: Path) -> None:
    drafts = tmp_path / "blobs" / "drafts"
    drafts.mkdir(parents=True)
    for name, age in (("old", ABANDONED + 60), ("young", 60)):
        (drafts / name).write_bytes(b"half")
        then = (drafts / name).stat().st_mtime - age
        os.utime(drafts / name, (then, then))
    await Folder(tmp_path / "blobs").put(pieces(b"x"), key=KEY, limit=10)
    assert [file.name for file in drafts.iterdir()] == ["young"]


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As on a disk that fills up: a write beyond ``size`` bytes of a file fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_unavailable_and_harms_nothing(folder: Folder, tmp_path: Path) -> None:
    await folder.put(pieces(b"before"), key=KEY, limit=10)
    with no_file_beyond(BLOCK), pytest.raises(BlobsUnavailable):
        await folder.put(pieces(*[b"x" * BLOCK] * 4), key=KEY, limit=MIB)
    assert [await folder.get(KEY), len(files(tmp_path))] == [b"before", 1]


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file")
    folder = Folder(tmp_path / "blobs")
    with pytest.raises(BlobsUnavailable):
        await folder.put(pieces(b"x"), key=KEY, limit=10)
    with pytest.raises(BlobsUnavailable):
        await folder.get(KEY)


async def test_a_folder_that_is_taken_away_is_made_again(folder: Folder, tmp_path: Path) -> None:
    await folder.put(pieces(b"x"), key=KEY, limit=10)
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    await folder.put(pieces(b"y"), key=KEY, limit=10)
    assert await folder.get(KEY) == b"y"


# The bucket.


async def test_a_bucket_is_asked_under_the_prefix_and_with_the_key_of_the_settings(s3: S3) -> None:
    await make_blobs(s3.settings()).put(pieces(b"x"), key=KEY, limit=10)
    assert s3.objects == {f"lapor/{KEY}": b"x"}
    assert s3.signed_by == {"AKIA"}


async def test_what_is_too_large_begins_no_upload(s3: S3) -> None:
    with pytest.raises(BlobTooLarge):
        await make_blobs(s3.settings()).put(pieces(*[b"x" * MIB] * 7), key=KEY, limit=6 * MIB)
    assert s3.calls == []


@pytest.mark.parametrize("status", [403, 503])
async def test_a_bucket_that_refuses_is_unavailable(s3: S3, status: int) -> None:
    s3.status = status
    bucket = make_blobs(s3.settings())
    with pytest.raises(BlobsUnavailable) as refused:
        await bucket.put(pieces(b"x"), key=KEY, limit=10)
    assert "127.0.0.1" not in str(refused.value)
    with pytest.raises(BlobsUnavailable):
        await bucket.get(KEY)
    with pytest.raises(BlobsUnavailable):
        await bucket.delete(KEY)


@pytest.mark.parametrize(
    "wrong", [{"url": "s3://not-there"}, {"endpoint": "http://127.0.0.1:1"}], ids=["no such bucket", "nobody listens"]
)
async def test_a_bucket_that_is_not_there_is_unavailable_and_not_empty(s3: S3, wrong: dict[str, object]) -> None:
    bucket = make_blobs(s3.settings(**wrong))
    with pytest.raises(BlobsUnavailable):
        await bucket.put(pieces(b"x"), key=KEY, limit=10)
    with pytest.raises(BlobsUnavailable):
        await bucket.get(KEY)
    with pytest.raises(BlobsUnavailable):
        await bucket.delete(KEY)


@pytest.mark.parametrize(
    "wrong",
    [{"url": "https://bucket"}, {"url": "s3://"}, {"url": "s3://UPPER"}, {"access_key_id": "AKIA"}],
    ids=lambda wrong: " ".join(map(str, wrong.values())),
)
def test_settings_of_a_bucket_that_cannot_be(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        BlobSettings.model_validate(wrong)


# Raw payloads.


def mail(size: int, *, address: str = "siti@example.com", **more: object) -> InboundMessage:
    fields: dict[str, object] = {"raw": b"m" * size, "raw_type": "message/rfc822", "provider_id": "<1@example.com>"}
    return InboundMessage(sender=Sender(address, "email"), **(fields | more))  # type: ignore[arg-type]


async def test_a_small_payload_never_touches_the_store(folder: Folder, tmp_path: Path) -> None:
    assert await keep_raw(mail(LARGEST_IN_EVENT), folder) == ""
    assert files(tmp_path) == []


async def test_a_large_payload_lies_in_the_store_and_the_event_says_where(blobs: Blobs) -> None:
    message = mail(LARGEST_IN_EVENT + 1)
    place = await keep_raw(message, blobs)
    event = normalizer().event(message, NOW, raw_stored=place)
    assert event.raw is not None
    assert (event.raw.stored, event.raw.data, event.raw.size) == (place, b"", LARGEST_IN_EVENT + 1)
    assert await raw_of(event, blobs) == message.raw


@pytest.mark.parametrize("size", [0, 100], ids=["none", "small"])
async def test_a_payload_in_the_event_is_read_from_it(folder: Folder, tmp_path: Path, size: int) -> None:
    assert await raw_of(normalizer().event(mail(size), NOW), folder) == b"m" * size
    assert files(tmp_path) == []


SIZE = LARGEST_IN_EVENT * 2


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(lambda: mail(SIZE), True, id="delivered again"),
        pytest.param(lambda: mail(SIZE, attachments=(Attachment("a", "b"),)), True, id="parsed otherwise"),
        pytest.param(lambda: mail(SIZE, address="budi@example.com"), False, id="the same bytes of another sender"),
        pytest.param(lambda: mail(SIZE + 1), False, id="other bytes"),
        pytest.param(lambda: mail(SIZE, provider_id=None), False, id="another id"),
        pytest.param(lambda: mail(SIZE, address="\ud83d@example.com"), False, id="an address that is no text"),
    ],
)
async def test_a_redelivery_leaves_one_blob(
    folder: Folder, tmp_path: Path, other: Callable[[], InboundMessage], same: bool
) -> None:
    first = await keep_raw(mail(SIZE), folder)
    second = await keep_raw(other(), folder)
    assert (first == second) is same
    assert len(files(tmp_path)) == (1 if same else 2)
