"""A blob store in a local folder.

Written here and not through obstore, whose LocalStore syncs nothing: a blob is written under a name of its own in
``drafts/``, synced, renamed into place, and its folder synced. Files are 0600 and their folders 0700.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from gateway.blobs.base import BLOCK, BlobMissing, Blobs, Draft, Stored, checked, on_disk

ABANDONED = 24 * 3600.0
"""Seconds after which a draft is what a crash left behind."""


class Folder(Blobs):
    """A blob store under ``root``, which is made at the first put; several processes may share it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._drafts = root / "drafts"
        # Folders whose own entry this process knows to be on disk. Another may have made one and not yet synced it.
        self._known: set[Path] = set()
        self._swept = False

    async def put(self, pieces: AsyncIterator[bytes], *, key: str, limit: int) -> Stored:
        """See :meth:`Blobs.put`."""
        place = self._root / checked(key)
        name, file = await on_disk(self._begin)
        try:
            draft = Draft(file, limit)
            await draft.fill(pieces)
            await on_disk(self._settle, file, name, place)
        finally:
            # Buffered files lock: a write that a cancelled put left in its thread ends before the close.
            await on_disk(_discard, file, name)
        return draft.stored(key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See :meth:`Blobs.read`."""
        file = await on_disk(_open, self._root / checked(key))
        try:
            while block := await on_disk(file.read, BLOCK):
                yield block
        finally:
            file.close()

    async def delete(self, key: str) -> None:
        """See :meth:`Blobs.delete`."""
        await on_disk(self._erase, self._root / checked(key))

    def _begin(self) -> tuple[Path, IO[bytes]]:
        self._make(self._drafts)
        if not self._swept:
            self._sweep()
            self._swept = True
        name = self._drafts / secrets.token_hex(16)
        return name, os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", BLOCK)

    def _settle(self, file: IO[bytes], name: Path, place: Path) -> None:
        file.flush()
        os.fsync(file.fileno())
        self._make(place.parent)
        name.rename(place)
        _sync(place.parent)

    def _erase(self, place: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
            _sync(place.parent)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, and sync each one's entry in the one above."""
        if folder in self._known and folder.exists():
            return
        if folder != self._root:
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
        else:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(folder.parent)
        self._known.add(folder)

    def _sweep(self) -> None:
        """Remove the drafts of processes that died; one that is being written is younger."""
        for name in self._drafts.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - name.stat().st_mtime > ABANDONED:
                    name.unlink()


def _open(place: Path) -> IO[bytes]:
    try:
        return place.open("rb")
    except FileNotFoundError as error:
        raise BlobMissing("no such blob") from error


def _discard(file: IO[bytes], name: Path) -> None:
    """Close a draft and remove its name, where it still has one."""
    # What could not be written (disk full) cannot be flushed now either, and is not wanted any more.
    with contextlib.suppress(OSError):
        file.close()
    name.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
