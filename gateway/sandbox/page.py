"""The page at ``/sandbox``: every channel as its citizens see it, in Indonesian or English, and its files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.standin import TROUBLES
from config.settings import Settings
from gateway.answers import problem
from gateway.sandbox.guard import Guard
from gateway.sandbox.stage import Stage

LANGUAGES = ("id", "en")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Page:
    """The page and its files."""

    def __init__(self, stage: Stage, guard: Guard, settings: Settings) -> None:
        self._stage = stage
        self._guard = guard
        self._zone = settings.timezone
        folder = resources.files("gateway.sandbox")
        environment = Environment(
            loader=FileSystemLoader(str(folder / "templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("page.html")
        self._words = {language: _words(language) for language in LANGUAGES}
        self._files = {
            file.name: file.read_bytes()
            for file in (folder / "static").iterdir()
            if file.name.rpartition(".")[2] in MEDIA_TYPES
        }

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        here = self._guard.here
        app.router.add_get("/", here(self._root))
        app.router.add_get("/sandbox", here(self._show))
        app.router.add_get("/sandbox/static/{name}", here(self._file))
        app.router.add_get("/sandbox/photos/{name}", here(self._photo))

    async def _root(self, _request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/sandbox"})

    async def _show(self, request: web.Request) -> web.Response:
        language = request.query.get("lang", LANGUAGES[0])
        words = self._words[language if language in LANGUAGES else LANGUAGES[0]]
        html = self._template.render(
            words=words,
            language=words["language"],
            players=list(self._stage.players.values()),
            citizens=self._stage.status().citizens,
            troubles=tuple(TROUBLES),
            zone=self._zone,
            token=self._guard.token,
        )
        return web.Response(text=html, content_type="text/html", headers=HEADERS)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            return problem(404, "not_found", "there is no such file")
        kind = MEDIA_TYPES[name.rpartition(".")[2]]
        return web.Response(body=self._files[name], content_type=kind, charset="utf-8", headers=HEADERS)

    async def _photo(self, request: web.Request) -> web.Response:
        found = self._stage.photos.get(request.match_info["name"])
        if found is None:
            return problem(404, "not_found", "there is no such photo")
        data, kind = found
        return web.Response(body=data, content_type=kind, headers=HEADERS)


def _words(language: str) -> Mapping[str, Any]:
    text = (resources.files("gateway.sandbox") / "words" / f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
