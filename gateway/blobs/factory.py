"""The blob store that the settings name."""

from __future__ import annotations

from config.settings import Blobs as BlobSettings
from gateway.blobs.base import Blobs
from gateway.blobs.folder import Folder


def make_blobs(settings: BlobSettings) -> Blobs:
    """A bucket where ``url`` is set, else the folder ``path``. Nothing is opened or made before the first use."""
    if settings.url:
        # Imported only where a bucket is used: the gateway starts sooner without it.
        from gateway.blobs.bucket import s3_bucket

        return s3_bucket(settings)
    return Folder(settings.path)
