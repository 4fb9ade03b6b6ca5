"""The console's own files, in memory, each under a name that changes with its content."""

from __future__ import annotations

import hashlib
from importlib import resources

import msgspec
from aiohttp import web

ROOT = "/ops/static/"
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "png": "image/png"}
_FOREVER = "public, max-age=31536000, immutable"


class File(msgspec.Struct, frozen=True):
    """One file: its bytes, its media type, and the beginning of its content's hash."""

    body: bytes
    media_type: str
    version: str


class Static:
    """The files of ``static/``. A URL with the right version may be kept for good, any other is asked for again."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        for entry in (resources.files("gateway.console") / "static").iterdir():
            media_type = _TYPES.get(entry.name.rpartition(".")[2])
            if media_type is not None:
                body = entry.read_bytes()
                self._files[entry.name] = File(body, media_type, hashlib.sha256(body).hexdigest()[:12])

    def url(self, name: str) -> str:
        """Where a page finds the file. Raises :class:`KeyError` for a name that there is not."""
        return f"{ROOT}{name}?v={self._files[name].version}"

    async def serve(self, request: web.Request) -> web.Response:
        """``GET /ops/static/{name}``. Raises :class:`aiohttp.web.HTTPNotFound`."""
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        kept = _FOREVER if request.query.get("v") == file.version else "no-cache"
        return web.Response(
            body=file.body,
            content_type=file.media_type,
            charset="utf-8" if file.media_type.startswith("text/") else None,
            headers={"Cache-Control": kept, "X-Content-Type-Options": "nosniff"},
        )
