"""Signing in and out, the account's own page, and the choice of a language."""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog
from aiohttp import web

from config.settings import Settings
from gateway.console import accounts
from gateway.console.accounts import SHORTEST_PASSWORD, AccountError, Passwords
from gateway.console.elsewhere import Elsewhere
from gateway.console.guard import LANGUAGE_COOKIE, SIGN_IN, Gate, anyone, needs
from gateway.console.page import found_operator, language_of, local_path, operator_of, page, redirect
from gateway.console.sessions import identifier
from gateway.console.throttle import Throttle, address_of
from gateway.console.words import LANGUAGES, word
from gateway.store import audit
from gateway.store.engine import Store

log = structlog.get_logger(__name__)

YEAR = 365 * 86400


class SignIn:
    """The routes of the sign-in. A wrong account and a wrong password take the same work and the same words."""

    def __init__(self, settings: Settings, store: Store, gate: Gate, *, now: Callable[[], float]) -> None:
        self._store = store
        self._gate = gate
        self._proxies = settings.server.trusted_proxies
        self._throttle = Throttle(store, now=now)
        self._passwords = Passwords()
        self._title = settings.console.oidc_title if settings.console.oidc_issuer else ""
        self._elsewhere = Elsewhere(settings, store, gate, now=now) if self._title else None

    def routes(self) -> list[web.RouteDef]:
        """Every route of the sign-in; all of them are guarded."""
        return [
            web.get(SIGN_IN, self._form),
            web.post(SIGN_IN, self._sign_in),
            web.post("/ops/sign-out", self._sign_out),
            web.get("/ops/session", self._session),
            web.post("/ops/language", self._language),
            web.get("/ops/account", self._account),
            web.post("/ops/account/password", self._password),
            *(self._elsewhere.routes() if self._elsewhere else ()),
        ]

    @anyone
    async def _form(self, request: web.Request) -> web.StreamResponse:
        target = local_path(request.query.get("next", ""))
        if found_operator(request) is not None:
            return redirect(target)
        return self._page(request, target)

    @anyone
    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        name, password = str(form.get("name", "")).strip().lower(), str(form.get("password", ""))
        target = local_path(str(form.get("next", "")))
        address = address_of(request, self._proxies)
        wait = await self._throttle.take(name, address)
        if wait > 0:
            log.warning("console.sign_in_throttled", peer=address, wait=wait)
            return _later(wait, self._page(request, target, name, self._waiting(request, wait), 429))
        account = await accounts.find(self._store, name)
        if not await self._passwords.verify(account, password) or account is None:
            log.warning("console.sign_in_failed", peer=address)
            return self._page(request, target, name, word(language_of(request), "signin.wrong"), 403)
        await self._throttle.succeeded(name, address)
        async with self._store.write() as connection:
            instead_of = self._gate.token(request)
            token = await self._gate.sessions.open(connection, account.name, instead_of=instead_of)
            await audit.record(connection, account.name, "sign_in")
        response = redirect(target)
        self._gate.sign_in(response, token)
        return response

    @needs("viewer")
    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        async with self._store.write() as connection:
            await self._gate.sessions.close(connection, self._gate.token(request))
            await audit.record(connection, operator_of(request).name, "sign_out")
        response = redirect(SIGN_IN, said="signed_out")
        self._gate.sign_out(response)
        return response

    @needs("viewer")
    async def _session(self, _request: web.Request) -> web.StreamResponse:
        """204 while the session holds, 401 when it is over: what a script asks whose stream has ended."""
        return web.Response(status=204)

    @anyone
    async def _language(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        language = str(form.get("language", ""))
        if language not in LANGUAGES:
            raise web.HTTPBadRequest
        operator = found_operator(request)
        if operator is not None:
            await accounts.set_language(self._store, operator.name, language)
        response = redirect(local_path(str(form.get("next", ""))))
        self._gate.set_cookie(response, LANGUAGE_COOKIE, language, max_age=YEAR)
        return response

    @needs("viewer")
    async def _account(self, request: web.Request) -> web.StreamResponse:
        return await self._own_page(request)

    @needs("viewer")
    async def _password(self, request: web.Request) -> web.StreamResponse:
        operator, language = operator_of(request), language_of(request)
        if not operator.local:
            raise web.HTTPForbidden
        form = await request.post()
        current, fresh, again = (str(form.get(field, "")) for field in ("current", "fresh", "again"))
        address = address_of(request, self._proxies)
        # Who found a browser left open must not guess the password here either.
        wait = await self._throttle.take(operator.name, address)
        if wait > 0:
            return _later(wait, await self._own_page(request, self._waiting(request, wait), 429))
        account = await accounts.find(self._store, operator.name)
        if not await self._passwords.verify(account, current):
            return await self._own_page(request, word(language, "account.wrong"), 403)
        await self._throttle.succeeded(operator.name, address)
        if fresh != again:
            return await self._own_page(request, word(language, "account.differ"), 400)
        try:
            kept = identifier(self._gate.token(request))
            await accounts.set_password(self._store, operator.name, fresh, keep_session=kept)
        except AccountError:
            return await self._own_page(request, word(language, "account.weak", n=SHORTEST_PASSWORD), 400)
        await audit.record(self._store, operator.name, "password")
        return redirect("/ops/account", said="password")

    def _page(
        self, request: web.Request, target: str, name: str = "", problem: str = "", status: int = 200
    ) -> web.Response:
        context = {"next": target, "name": name[:64], "problem": problem, "elsewhere": self._title}
        return page(request, "signin", status=status, **context)

    async def _own_page(self, request: web.Request, problem: str = "", status: int = 200) -> web.Response:
        held = await self._gate.sessions.count(operator_of(request).name)
        context = {"problem": problem, "sessions": held, "shortest": SHORTEST_PASSWORD}
        return page(request, "account", status=status, **context)

    def _waiting(self, request: web.Request, wait: float) -> str:
        return word(language_of(request), "signin.wait", seconds=math.ceil(wait))


def _later(wait: float, response: web.Response) -> web.Response:
    response.headers["Retry-After"] = str(math.ceil(wait))
    return response
