"""The API under ``/api/v1``, for programs that hold a bearer token, and its OpenAPI document."""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated, Any

import msgspec
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from config.settings import Settings
from gateway.answers import json_answer, problem
from gateway.server import expected
from gateway.store.casebook import CaseStory, story
from gateway.store.engine import Store, StoreUnavailable
from gateway.strangers import Strangers
from gateway.updates.desk import Desk
from gateway.updates.rules import UpdateInvalid, cleaned
from gateway.updates.writer import Recorded, Refusal
from normalizer.event import Time
from normalizer.messages import CaseState, CaseUpdate, Id, UpdateAgency, UpdateText
from normalizer.tracking import read_number

VERSION = "1.1.0"
RETRY_AFTER = {"Retry-After": "5"}


class NewUpdate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agency says about the case: a new ``status``, a ``text`` for the citizen, or both.

    ``id`` is the agency's own; the same id again does nothing. ``number`` may be left out: the path has it.
    """

    id: Id
    at: Time
    number: Annotated[str, msgspec.Meta(max_length=40)] = ""
    status: CaseState | None = None
    text: UpdateText = ""
    agency: UpdateAgency = ""


class Rejected(Exception):
    """A call that is answered with an error: ``answer`` is that answer."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Api:
    """The routes of the API over one store. Without a token in the settings every call is refused."""

    def __init__(self, settings: Settings, store: Store, desk: Desk, strangers: Strangers | None = None) -> None:
        self._store = store
        self._strangers = strangers or Strangers(0)
        self._desk = desk
        self._timeout = settings.server.request_timeout
        self._tokens = [token.get_secret_value().encode() for token in settings.api.tokens]
        self._document = msgspec.json.encode(openapi(settings.server.base_url))

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/openapi.json", self._describe, expect_handler=expected)
        app.router.add_get("/api/v1/cases/{number}", self._case, expect_handler=expected)
        app.router.add_post("/api/v1/cases/{number}/updates", self._update, expect_handler=expected)

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    async def _case(self, request: web.Request) -> web.Response:
        try:
            found = await story(self._store, self._number(request))
        except Rejected as rejected:
            return rejected.answer
        except StoreUnavailable:
            return _away()
        if found is None:
            return problem(404, "not_found", "no case bears this number")
        return json_answer(found)

    async def _update(self, request: web.Request) -> web.Response:
        """Take an agency's update: a yes means that it is in the store, with its news in the outbox."""
        try:
            number = self._number(request)
            taken = await self._desk.take(_update_of(await self._body(request), number))
        except Rejected as rejected:
            return rejected.answer
        except StoreUnavailable:
            return _away()
        match taken:
            case Recorded():
                return json_answer(taken)
            case Refusal.UNKNOWN_NUMBER:
                return problem(404, "not_found", "no case bears this number")
            case Refusal.ID_REUSED:
                return problem(409, "id_reused", "an update of another case has this id")

    def _number(self, request: web.Request) -> str:
        """The tracking number in the path of a call that is allowed. Raises :class:`Rejected`."""
        source = self._strangers.source(request)
        if (slowed := self._strangers.slowed(source)) is not None:
            raise Rejected(slowed)
        if not self._allowed(request):
            self._strangers.refused(source)
            needed = {"WWW-Authenticate": "Bearer"}
            raise Rejected(problem(401, "unauthorized", "a bearer token is needed here", headers=needed))
        self._strangers.proved(source)
        number = read_number(request.match_info["number"])
        if number is None:
            raise Rejected(problem(400, "bad_number", "a tracking number has ten digits, the last a check digit"))
        return number

    async def _body(self, request: web.Request) -> bytes:
        """The whole body, within the bounds of size and time. Raises :class:`Rejected`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise Rejected(problem(413, "too_large", "the body is too large")) from error
        except TimeoutError as error:
            raise Rejected(problem(400, "slow_body", "the body did not come in time")) from error
        except (HttpProcessingError, ClientPayloadError, web.RequestPayloadError) as error:
            raise Rejected(problem(400, "bad_body", "the body is not what its headers say")) from error

    def _allowed(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        # All of them, whichever matches: how long it takes tells nothing.
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        return scheme.lower() == "bearer" and any(matches)


def _away() -> web.Response:
    return problem(503, "unavailable", "the store cannot be reached now", headers=RETRY_AFTER)


def _update_of(body: bytes, number: str) -> CaseUpdate:
    """The update in a body, for the case of the path. Raises :class:`Rejected`."""
    try:
        given = msgspec.json.decode(body, type=NewUpdate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(problem(400, "malformed", f"the body is no update: {error}")) from error
    if given.number and read_number(given.number) != number:
        raise Rejected(problem(400, "number_mismatch", "the number in the body is not the one in the path"))
    try:
        return cleaned(
            CaseUpdate(
                id=given.id, number=number, status=given.status, text=given.text, agency=given.agency, at=given.at
            )
        )
    except UpdateInvalid as error:
        raise Rejected(problem(400, "malformed", f"the body is no update: {error}")) from error


def openapi(base_url: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    shapes, components = msgspec.json.schema_components(
        [CaseStory, NewUpdate, Recorded], ref_template="#/components/schemas/{name}"
    )
    story_shape, update_shape, recorded_shape = (_json(shape) for shape in shapes)
    error = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            }
        },
    }
    number = {
        "name": "number",
        "in": "path",
        "required": True,
        "description": "the tracking number; spaces, dots and hyphens do not matter",
        "schema": {"type": "string"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "LAPOR gateway", "version": VERSION, "description": "Cases by their tracking numbers."},
        "servers": [{"url": base_url}],
        "security": [{"token": []}],
        "paths": {
            "/api/v1/cases/{number}": {
                "get": {
                    "operationId": "getCase",
                    "summary": "A case and everything that happened on it, oldest first",
                    "parameters": [number],
                    "responses": {
                        "200": {"description": "the case", **story_shape},
                        "400": _refused("not a tracking number"),
                        **_REFUSALS,
                    },
                }
            },
            "/api/v1/cases/{number}/updates": {
                "post": {
                    "operationId": "updateCase",
                    "summary": "What an agency says about a case; the same id again does nothing and is answered alike",
                    "parameters": [number],
                    "requestBody": {"required": True, **update_shape},
                    "responses": {
                        "200": {"description": "the update is recorded", **recorded_shape},
                        "400": _refused("not a tracking number, or the body is no update of this case"),
                        "409": _refused("an update of another case has this id"),
                        "413": _refused("the body is too large"),
                        **_REFUSALS,
                    },
                }
            },
        },
        "components": {
            "schemas": {**components, "Error": error},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _json(schema: object) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _refused(description: str) -> dict[str, Any]:
    return {"description": description, **_json({"$ref": "#/components/schemas/Error"})}


_REFUSALS = {
    "401": _refused("no token, or a wrong one"),
    "404": _refused("no case bears this number"),
    "503": _refused("the store cannot be reached now"),
}
