"""Rendering: a template inside the base, in the operator's language and time zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateway.console import words
from gateway.console.moments import MONTHS
from gateway.console.reasons import because
from gateway.console.static import Static

Role = Literal["viewer", "operator"]

NAVIGATION: Final = (
    ("/ops", "nav.overview"),
    ("/ops/cases", "nav.cases"),
    ("/ops/letters", "nav.letters"),
    ("/ops/audit", "nav.audit"),
)
_LOCAL = re.compile(r"/ops(?:[/?][!-\[\]-~]*)?")


class Operator(msgspec.Struct, frozen=True):
    """Who asks: the account's name and role, the language of the pages, and the token that forms of this session bear.

    ``local``: whether the account has a password here, and does not sign in elsewhere.
    """

    name: str
    role: Role
    language: str
    csrf: str
    local: bool = True

    @property
    def acts(self) -> bool:
        """Whether this operator may change something; a viewer may only look."""
        return self.role == "operator"


class Renderer:
    """The templates, compiled once, and the console's own files."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.static = Static()
        self._environment = Environment(
            loader=PackageLoader("gateway.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def render(self, request: web.Request, template: str, context: Mapping[str, Any]) -> str:
        """The text of ``templates/<template>.html``."""
        return self._environment.get_template(f"{template}.html").render({**self._given(request), **context})

    def macros(self, request: web.Request, template: str, context: Mapping[str, Any]) -> Any:
        """The macros of a template, as attributes, to be called many times with one context."""
        return self._environment.get_template(f"{template}.html").make_module({**self._given(request), **context})

    def _given(self, request: web.Request) -> dict[str, Any]:
        language = language_of(request)
        operator = found_operator(request)
        return {
            "_": partial(words.word, language),
            "language": language,
            "languages": words.LANGUAGES,
            "when": partial(when, zone=self.zone, language=language),
            "count": partial(count, language=language),
            "because": partial(because, language),
            "static": self.static.url,
            "operator": operator,
            "csrf": operator.csrf if operator else request.get(_FORM, ""),
            "navigation": NAVIGATION,
            "path": request.path,
            "here": local_path(request.path_qs) if request.method == "GET" else "/ops",
            "said": _said(request, language),
        }


RENDERER: Final = web.AppKey("renderer", Renderer)
_OPERATOR: Final = web.RequestKey("operator", Operator)
_FORM: Final = web.RequestKey("form", str)
_LANGUAGE: Final = web.RequestKey("language", str)


def recognise(request: web.Request, *, operator: Operator | None, form: str, language: str) -> None:
    """Note on the request who asks, for everything below; ``form`` is the token of who has not signed in."""
    request[_FORM], request[_LANGUAGE] = form, language
    if operator is not None:
        request[_OPERATOR] = operator


def found_operator(request: web.Request) -> Operator | None:
    """Who asks; ``None`` for somebody who has not signed in."""
    return request.get(_OPERATOR)


def operator_of(request: web.Request) -> Operator:
    """Who asks, in a handler that :func:`gateway.console.shell.needs` guards."""
    operator = found_operator(request)
    if operator is None:
        raise LookupError("the handler is not guarded")
    return operator


def form_of(request: web.Request) -> str:
    """The token that forms bear before sign-in."""
    form: str = request.get(_FORM, "")
    return form


def language_of(request: web.Request) -> str:
    """The language of the page that answers this request."""
    language: str = request.get(_LANGUAGE, words.DEFAULT)
    return language


def page(request: web.Request, template: str, *, status: int = 200, **context: Any) -> web.Response:
    """``templates/<template>.html`` as an answer.

    Every template may use: ``_(key, **values)``, ``when(ts)``, ``count(n)``, ``because(reason)``, ``static(name)``,
    ``language``, ``operator`` (``None`` before sign-in), ``csrf``, ``path``, ``here`` and ``said``, beside ``context``.
    """
    text = request.app[RENDERER].render(request, template, context)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def fragment(request: web.Request, template: str, **context: Any) -> str:
    """A template's text alone, for a live region: what :func:`page` would give it, it has too."""
    return request.app[RENDERER].render(request, template, context)


def macros(request: web.Request, template: str, **context: Any) -> Any:
    """A template's macros, where a page needs one many times: their context is made once."""
    return request.app[RENDERER].macros(request, template, context)


def redirect(path: str, *, said: str = "", n: int | None = None) -> web.Response:
    """On to a page of the console (303). ``said`` is a key of the table ``[said]``, shown there; ``n`` its number."""
    query = {"said": said} if said else {}
    if n is not None:
        query["n"] = str(n)
    joint = "&" if "?" in path else "?"
    return web.Response(status=303, headers={"Location": f"{path}{joint}{urlencode(query)}" if query else path})


def local_path(text: str, *, otherwise: str = "/ops") -> str:
    """The path where it leads to the console itself, else ``otherwise``: nobody is sent elsewhere by a link to us."""
    return text if _LOCAL.fullmatch(text) and ".." not in text and len(text) <= 2000 else otherwise


@lru_cache(maxsize=4096)
def when(at: float | None, *, zone: ZoneInfo, language: str) -> Markup:
    """Unix seconds as a ``<time>`` in the gateway's zone, ``22 Nov 2026 13:45:10 WIB``; a dash for none."""
    if at is None:
        return Markup("–")
    moment = datetime.fromtimestamp(at, zone)
    shown = f"{moment.day} {MONTHS[language][moment.month - 1]} {moment:%Y %H:%M:%S %Z}"
    return Markup('<time datetime="%s">%s</time>') % (moment.isoformat(timespec="seconds"), shown)


def count(number: int, *, language: str) -> str:
    """A whole number in groups of three, as the language writes them."""
    grouped = f"{number:,}"
    return grouped.replace(",", ".") if language == "id" else grouped


def _said(request: web.Request, language: str) -> str:
    """What was done just before, in words; only what the words have, so that no link puts others in our mouth."""
    key = f"said.{request.query.get('said', '')}"
    if key not in words.words(language):
        return ""
    number = request.query.get("n", "")
    shown = count(int(number), language=language) if re.fullmatch("[0-9]{1,9}", number) else "0"
    return word if "{n}" not in (word := words.words(language)[key]) else word.format(n=shown)
