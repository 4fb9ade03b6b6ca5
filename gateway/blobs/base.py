"""What a blob store is: bytes under a key, durable before a put returns, never seen half written.

Keys are ours: a purpose and a hash of what the bytes belong to (a message and its sender, a file's place and the
attempt that fetched it), never of the bytes alone. So two citizens' equal files are two blobs, and one can be
erased without the other; and a message that is delivered again overwrites its own blob instead of leaving another.
"""

from __future__ import annotations

import abc
import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from typing import IO, TypeVar

import msgspec

BLOCK = 256 * 1024
"""Bytes that are written, and read, at once."""

_KEY = re.compile(r"[a-z]+/[0-9a-f]{2}/[0-9a-f]{30}")
_encoder = msgspec.json.Encoder()
T = TypeVar("T")


class BlobsUnavailable(Exception):
    """The blob store cannot be reached or cannot write now (disk full, bucket away or refused): try again later."""


class BlobTooLarge(Exception):
    """The bytes go beyond the limit; nothing of them is kept."""


class BlobMissing(Exception):
    """No blob has this key: it was deleted, or is in another store."""


class Stored(msgspec.Struct, frozen=True):
    """A blob that stands: ``size`` in bytes, ``sha256`` in hexadecimal."""

    key: str
    size: int
    sha256: str


class Blobs(abc.ABC):
    """A blob store. Every method raises :class:`BlobsUnavailable`; a key that is not ours is a :class:`ValueError`."""

    @abc.abstractmethod
    async def put(self, pieces: AsyncIterator[bytes], *, key: str, limit: int) -> Stored:
        """Keep the bytes under ``key`` in place of what is there, and return once they are durable.

        Raises :class:`BlobTooLarge` beyond ``limit`` bytes, and whatever ``pieces`` raises; then all is as before.
        """

    @abc.abstractmethod
    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces. Raises, at the first, :class:`BlobMissing`."""

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Erase the blob; that there is none is no error."""

    async def get(self, key: str) -> bytes:
        """All the bytes. Raises :class:`BlobMissing`."""
        return b"".join([piece async for piece in self.read(key)])


def key_for(purpose: str, *identity: str) -> str:
    """The key of what belongs to ``identity``: ``purpose/ab/…``, the same at every call. A purpose is a-z."""
    digest = hashlib.blake2b(_encoder.encode(identity), digest_size=16, person=b"lapor.blob.v1").hexdigest()
    return f"{purpose}/{digest[:2]}/{digest[2:]}"


def checked(key: str) -> str:
    """The key itself. Raises :class:`ValueError` where :func:`key_for` cannot have made it: no path gets past here."""
    if not _KEY.fullmatch(key):
        raise ValueError("no key of a blob")
    return key


class Draft:
    """A blob on its way: its bytes in a ``file`` that nobody else sees, counted and hashed."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self.file = file
        self.size = 0
        self._limit = limit
        self._hash = hashlib.sha256()

    async def fill(self, pieces: AsyncIterator[bytes]) -> None:
        """Take all the bytes, a block at a time. Raises :class:`BlobTooLarge` and :class:`BlobsUnavailable`."""
        block = bytearray()
        async for piece in pieces:
            self.size += len(piece)
            if self.size > self._limit:
                raise BlobTooLarge(f"more than {self._limit} bytes")
            block += piece
            if len(block) >= BLOCK:
                await on_disk(self._write, block)
                block = bytearray()
        await on_disk(self._write, block)

    def stored(self, key: str) -> Stored:
        """What was taken, once it stands under ``key``."""
        return Stored(key, self.size, self._hash.hexdigest())

    def _write(self, block: bytearray) -> None:
        self._hash.update(block)
        self.file.write(block)


async def on_disk(do: Callable[..., T], *arguments: object) -> T:
    """Call ``do`` in a thread; what the disk refuses is :class:`BlobsUnavailable`."""
    try:
        return await asyncio.to_thread(do, *arguments)
    except OSError as error:
        raise BlobsUnavailable(error.strerror or type(error).__name__) from error
