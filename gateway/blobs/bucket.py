"""A blob store in a bucket that speaks S3, through obstore.

Bytes are gathered in a temporary file first. So what is too large, or breaks off on its way to us, never begins an
upload, and the bucket sees one whole put (in parts above 5 MiB, which S3 shows only once all are there). A crash
amid such an upload leaves its parts behind: give the bucket a lifecycle rule that ends unfinished uploads.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from config.settings import Blobs as BlobSettings
from gateway.blobs.base import BLOCK, BlobMissing, Blobs, BlobsUnavailable, Draft, Stored, checked, on_disk

if TYPE_CHECKING:
    from obstore.store import S3Config

IN_MEMORY = 1024 * 1024
"""Bytes of one blob that are held in memory on their way; more go through a temporary file."""
UPLOADS = 2
"""Parts of one blob that are sent at once."""

T = TypeVar("T")


class Bucket(Blobs):
    """A blob store over any store of obstore's."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, pieces: AsyncIterator[bytes], *, key: str, limit: int) -> Stored:
        """See :meth:`Blobs.put`."""
        checked(key)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            draft = Draft(file, limit)
            await draft.fill(pieces)
            await on_disk(file.seek, 0)
            await _told(obstore.put_async(self._store, key, file, max_concurrency=UPLOADS))
        return draft.stored(key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See :meth:`Blobs.read`."""
        found = await _told(obstore.get_async(self._store, checked(key)))
        stream = found.stream(min_chunk_size=BLOCK)
        try:
            async for piece in stream:
                yield bytes(piece)
        except (BaseError, OSError) as error:
            raise BlobsUnavailable(type(error).__name__) from error

    async def delete(self, key: str) -> None:
        """See :meth:`Blobs.delete`."""
        try:
            await _told(obstore.delete_async(self._store, checked(key)))
        except BlobMissing:
            return


def s3_bucket(settings: BlobSettings) -> Bucket:
    """The bucket that the settings name. Without an access key, obstore asks the machine's own role for one."""
    name, _, prefix = settings.url.removeprefix("s3://").partition("/")
    # A plain DELETE: not every service that speaks S3 knows the delete of many, which obstore would use for one too.
    config: S3Config = {"region": settings.region, "disable_bulk_delete": True}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.access_key_id:
        config["access_key_id"] = settings.access_key_id
        config["secret_access_key"] = settings.secret_access_key.get_secret_value()
    allowed = timedelta(seconds=settings.timeout)
    store = S3Store(
        name,
        prefix=prefix or None,
        config=config,
        client_options={
            "allow_http": settings.endpoint.startswith("http://"),
            "connect_timeout": min(allowed, timedelta(seconds=5)),
            "timeout": allowed,
        },
        retry_config={"max_retries": 2, "retry_timeout": allowed},
    )
    return Bucket(store)


async def _told(call: Awaitable[T]) -> T:
    """What the call gives, its errors in our words; obstore's hold addresses and whole answers of the server."""
    try:
        return await call
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise BlobsUnavailable("the bucket does not exist") from error
        raise BlobMissing("no such blob") from error
    except (BaseError, OSError) as error:
        raise BlobsUnavailable(type(error).__name__) from error
