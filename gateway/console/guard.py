"""The guard before every handler: who asks, whether they may, whether the form is ours; and errors as pages."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Final, ParamSpec, cast
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from config.settings import Settings
from gateway.console import words
from gateway.console.page import Operator, Role, form_of, found_operator, local_path, page, recognise
from gateway.console.sessions import Sessions
from gateway.store.engine import StoreUnavailable

log = structlog.get_logger(__name__)

P = ParamSpec("P")

SIGN_IN: Final = "/ops/sign-in"
LANGUAGE_COOKIE: Final = "lapor_language"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LARGEST_FORM: Final = 128 * 1024
"""Bytes of a form: many times 2,000 characters of any script, each written %XX. Browsers tell the length."""
_BAD_BODY: Final = (HttpProcessingError, ClientPayloadError, web.RequestPayloadError, ConnectionError)
_SAFE: Final = frozenset({"GET", "HEAD"})
_FORM_BYTES: Final = 256


class Gate:
    """Recognises requests by their cookies, and tells our own forms from those of other sites."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.sessions = sessions
        self.secure = settings.server.base_url.startswith("https://")
        self._timeout = settings.server.request_timeout
        self._public = urlsplit(settings.server.public_url).netloc.lower()
        # RFC 6265bis section 4.1.3.2: a browser takes a __Host- cookie from this very host only, and only over TLS.
        prefix = "__Host-" if self.secure else ""
        self._session_cookie, self._form_cookie = f"{prefix}lapor_session", f"{prefix}lapor_form"

    def token(self, request: web.Request) -> str:
        """The session's token as the browser has it; ``""`` for none."""
        return request.cookies.get(self._session_cookie, "")

    async def recognise(self, request: web.Request) -> None:
        """Note who asks. Raises :class:`StoreUnavailable`."""
        form = request.cookies.get(self._form_cookie, "")
        form = form if 20 <= len(form) <= _FORM_BYTES and form.isascii() else secrets.token_urlsafe(32)
        language = request.cookies.get(LANGUAGE_COOKIE, "")
        if language not in words.LANGUAGES:
            language = words.preferred(request.headers.get("Accept-Language", ""))
        # Before the store is asked: where it is away, the page that says so is already in the right language.
        recognise(request, operator=None, form=form, language=language)
        token = self.token(request)
        session = await self.sessions.find(token) if token else None
        if session is not None:
            shown = session.language if session.language in words.LANGUAGES else language
            operator = Operator(session.operator, session.role, shown, session.csrf, session.local)
            recognise(request, operator=operator, form=form, language=shown)

    async def check_form(self, request: web.Request) -> None:
        """Whether a request that changes something came from a page of ours, of this very session.

        Raises :class:`aiohttp.web.HTTPForbidden` where it did not, :class:`aiohttp.web.HTTPBadRequest` for a body
        that cannot be read, :class:`aiohttp.web.HTTPRequestEntityTooLarge` for one that no form of ours has.
        """
        if not self._from_here(request):
            raise web.HTTPForbidden
        # Read in any case: what the handler finds there has been bounded here.
        form = await self._form(request) if request.can_read_body else {}
        given = request.headers.get("X-CSRF-Token") or str(form.get("csrf", ""))
        operator = found_operator(request)
        expected = operator.csrf if operator is not None else request.cookies.get(self._form_cookie, "")
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            raise web.HTTPForbidden

    def remember_form(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give a browser without a session the token that its forms bear."""
        form = form_of(request)
        if found_operator(request) is None and form and request.cookies.get(self._form_cookie) != form:
            self._set(response, self._form_cookie, form)

    def sign_in(self, response: web.StreamResponse, token: str) -> None:
        """Have the browser hold a session, until it is closed."""
        self._set(response, self._session_cookie, token)

    def sign_out(self, response: web.StreamResponse) -> None:
        """Have the browser forget its session."""
        response.del_cookie(self._session_cookie, path="/", secure=self.secure, httponly=True, samesite="Lax")

    def set_cookie(self, response: web.StreamResponse, name: str, value: str, max_age: int | None = None) -> None:
        """A cookie that scripts and other sites do not see."""
        self._set(response, name, value, max_age)

    def _set(self, response: web.StreamResponse, name: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(name, value, path="/", secure=self.secure, httponly=True, samesite="Lax", max_age=max_age)

    def _from_here(self, request: web.Request) -> bool:
        """By the Origin header (RFC 6454), else by Sec-Fetch-Site; a client without both is no browser."""
        origin = request.headers.get("Origin")
        if origin is None:
            return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
        host = urlsplit(origin).netloc.lower()
        # The host alone: behind a proxy that ends TLS we see http where the browser saw https.
        return bool(host) and host in (request.host.lower(), self._public)

    async def _form(self, request: web.Request) -> Any:
        # Of a multipart form each file would be a file of ours, and there may be thousands in a megabyte.
        if request.content_type != "application/x-www-form-urlencoded" or "Content-Encoding" in request.headers:
            raise web.HTTPBadRequest
        if request.content_length is None or request.content_length > LARGEST_FORM:
            raise web.HTTPRequestEntityTooLarge(LARGEST_FORM, request.content_length or 0)
        try:
            async with asyncio.timeout(self._timeout):
                return await request.post()
        except (TimeoutError, LookupError, ValueError, *_BAD_BODY) as error:
            raise web.HTTPBadRequest from error


GATE: Final = web.AppKey("gate", Gate)


def needs(
    role: Role,
) -> Callable[[Callable[P, Awaitable[web.StreamResponse]]], Callable[P, Awaitable[web.StreamResponse]]]:
    """Guards a handler: for who has signed in, with this role (an operator may all that a viewer may).

    What changes something (any method but GET and HEAD) needs the session's token, as the form field ``csrf`` or the
    header ``X-CSRF-Token``. The handler is a function of the request, or a method whose last argument it is.
    """
    return _guarded(role)


def anyone(handler: Callable[P, Awaitable[web.StreamResponse]]) -> Callable[P, Awaitable[web.StreamResponse]]:
    """Guards a handler that needs no sign-in: forms are checked and errors are pages all the same."""
    return _guarded(None)(handler)


def is_guarded(handler: object) -> bool:
    """Whether :func:`needs` or :func:`anyone` stands before a handler."""
    return getattr(handler, "guarded", False) is True


async def still(request: web.Request) -> bool:
    """Whether the session holds on: to be asked now and then while a stream of events is open.

    Raises :class:`StoreUnavailable`.
    """
    gate = request.app[GATE]
    return await gate.sessions.find(gate.token(request), seen=False) is not None


def protect(response: web.StreamResponse) -> None:
    """Set the security headers; a handler that prepares its own stream does it before."""
    response.headers.update(HEADERS)


def _guarded(
    role: Role | None,
) -> Callable[[Callable[P, Awaitable[web.StreamResponse]]], Callable[P, Awaitable[web.StreamResponse]]]:
    def guard(handler: Callable[P, Awaitable[web.StreamResponse]]) -> Callable[P, Awaitable[web.StreamResponse]]:
        @wraps(handler)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> web.StreamResponse:
            request = cast("web.Request", args[-1])
            response = await _answer(request, role, lambda: handler(*args, **kwargs))
            if not response.prepared:
                protect(response)
                request.app[GATE].remember_form(request, response)
            return response

        guarded.guarded = True  # type: ignore[attr-defined]
        return guarded

    return guard


async def _answer(
    request: web.Request, role: Role | None, handle: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    gate = request.app[GATE]
    try:
        await gate.recognise(request)
        operator = found_operator(request)
        if role is not None and operator is None:
            return _signed_out(request)
        if request.method not in _SAFE:
            await gate.check_form(request)
        if role == "operator" and operator is not None and not operator.acts:
            return error_page(request, 403)
        return await handle()
    except StoreUnavailable as error:
        log.warning("console.store_away", path=request.path, reason=str(error))
        answer = error_page(request, 503)
        answer.headers["Retry-After"] = "5"
        return answer
    except web.HTTPException as error:
        if 300 <= error.status < 400:
            return web.Response(status=error.status, headers={"Location": error.headers["Location"]})
        return error_page(request, error.status)
    except Exception:
        log.exception("console.failed", path=request.path)
        return error_page(request, 500)


def _signed_out(request: web.Request) -> web.Response:
    """To the sign-in and back for a page; 401 for a form, and for a script that would make nothing of a page."""
    if request.method not in _SAFE or "text/event-stream" in request.headers.get("Accept", ""):
        return error_page(request, 401)
    path = local_path(request.path_qs)
    return web.Response(status=303, headers={"Location": SIGN_IN + (f"?next={quote(path)}" if path != "/ops" else "")})


def error_page(request: web.Request, status: int) -> web.Response:
    """An error in words, with a way back."""
    known = status if f"error.{status}.title" in words.words(words.DEFAULT) else 400 if status < 500 else 500
    return page(request, "error", status=status, code=known)
