"""Signing in at an identity provider: to it, and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import msgspec
import structlog
from aiohttp import web

from config.settings import Settings
from gateway.console import accounts
from gateway.console.accounts import AccountError
from gateway.console.guard import SIGN_IN, Gate, anyone
from gateway.console.oidc import NotAllowed, Pending, Provider, ProviderAway, SignInRejected
from gateway.console.page import language_of, local_path, page, redirect
from gateway.console.words import word
from gateway.store import audit
from gateway.store.engine import Store

log = structlog.get_logger(__name__)

BACK = f"{SIGN_IN}/back"
PATIENCE = 600
"""Seconds that an operator may take to sign in at the provider."""


class Trip(msgspec.Struct, frozen=True):
    """What the browser carries in a cookie until it is back: the provider's secrets of this trip, and where to go."""

    pending: Pending
    target: str
    until: float


class Elsewhere:
    """The two routes of the trip."""

    def __init__(self, settings: Settings, store: Store, gate: Gate, *, now: Callable[[], float]) -> None:
        self._store = store
        self._gate = gate
        self._now = now
        self._title = settings.console.oidc_title
        self._provider = Provider(settings.console, settings.server.base_url + BACK, now=now)
        self._cookie = "__Host-lapor_elsewhere" if gate.secure else "lapor_elsewhere"

    def routes(self) -> list[web.RouteDef]:
        """To the provider, and back."""
        return [web.get(f"{SIGN_IN}/elsewhere", self._go), web.get(BACK, self._back)]

    @anyone
    async def _go(self, request: web.Request) -> web.StreamResponse:
        target = local_path(request.query.get("next", ""))
        try:
            address, pending = await self._provider.begin()
        except ProviderAway as error:
            return self._failed(request, target, "signin.elsewhere_away", error, 503)
        trip = msgspec.json.encode(Trip(pending, target, self._now() + PATIENCE))
        response = web.Response(status=303, headers={"Location": address})
        self._gate.set_cookie(response, self._cookie, base64.urlsafe_b64encode(trip).decode(), max_age=PATIENCE)
        return response

    @anyone
    async def _back(self, request: web.Request) -> web.StreamResponse:
        target = "/ops"
        try:
            trip = self._trip(request)
            target = local_path(trip.target)
            identity = await self._provider.finish(trip.pending, request.query)
            account = await accounts.from_elsewhere(self._store, identity.name, identity.role)
        except ProviderAway as error:
            return self._failed(request, target, "signin.elsewhere_away", error, 503)
        except SignInRejected as error:
            return self._failed(request, target, "signin.elsewhere_failed", error, 403)
        except (NotAllowed, AccountError) as error:
            return self._failed(request, target, "signin.elsewhere_refused", error, 403)
        async with self._store.write() as connection:
            instead_of = self._gate.token(request)
            token = await self._gate.sessions.open(connection, account.name, instead_of=instead_of)
            await audit.record(connection, account.name, "sign_in", detail="openid")
        response = redirect(target)
        self._gate.sign_in(response, token)
        return self._over(response)

    def _trip(self, request: web.Request) -> Trip:
        """The trip that this browser began. Raises :class:`SignInRejected` where it began none, or long ago."""
        try:
            carried = base64.urlsafe_b64decode(request.cookies.get(self._cookie, ""))
            trip = msgspec.json.decode(carried, type=Trip)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise SignInRejected("this browser did not begin a sign-in") from error
        if trip.until < self._now():
            raise SignInRejected("the sign-in took too long")
        return trip

    def _failed(self, request: web.Request, target: str, key: str, error: Exception, status: int) -> web.Response:
        log.warning("console.sign_in_elsewhere_failed", reason=str(error))
        problem = word(language_of(request), key, title=self._title)
        context = {"next": target, "name": "", "problem": problem, "elsewhere": self._title}
        return self._over(page(request, "signin", status=status, **context))

    def _over(self, response: web.Response) -> web.Response:
        """A trip is made once: its cookie goes."""
        response.del_cookie(self._cookie, path="/", secure=self._gate.secure, httponly=True, samesite="Lax")
        return response
