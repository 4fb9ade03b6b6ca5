"""The API under ``/api/v1``, for programs that hold a bearer token, and its OpenAPI document."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from aiohttp import web

from config.settings import Settings
from gateway.answers import json_answer, problem
from gateway.store.casebook import CaseStory, story
from gateway.store.engine import Store, StoreUnavailable
from normalizer.tracking import read_number

VERSION = "1.0.0"
RETRY_AFTER = {"Retry-After": "5"}


class Api:
    """The routes of the API over one store. Without a token in the settings every call is refused."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store = store
        self._tokens = [token.get_secret_value().encode() for token in settings.api.tokens]
        self._document = msgspec.json.encode(openapi(settings.server.base_url))

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/api/openapi.json", self._describe)
        app.router.add_get("/api/v1/cases/{number}", self._case)

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    async def _case(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return problem(401, "unauthorized", "a bearer token is needed here", headers={"WWW-Authenticate": "Bearer"})
        number = read_number(request.match_info["number"])
        if number is None:
            return problem(400, "bad_number", "a tracking number has ten digits, the last a check digit")
        try:
            found = await story(self._store, number)
        except StoreUnavailable:
            return problem(503, "unavailable", "the store cannot be reached now", headers=RETRY_AFTER)
        if found is None:
            return problem(404, "not_found", "no case bears this number")
        return json_answer(found)

    def _allowed(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        # All of them, whichever matches: how long it takes tells nothing.
        matches = [hmac.compare_digest(given, known) for known in self._tokens]
        return scheme.lower() == "bearer" and any(matches)


def openapi(base_url: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    (schema,), components = msgspec.json.schema_components([CaseStory], ref_template="#/components/schemas/{name}")
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
    refused = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
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
                    "parameters": [
                        {
                            "name": "number",
                            "in": "path",
                            "required": True,
                            "description": "the tracking number; spaces, dots and hyphens do not matter",
                            "schema": {"type": "string"},
                        }
                    ],
                    "responses": {
                        "200": {"description": "the case", "content": {"application/json": {"schema": schema}}},
                        "400": {"description": "not a tracking number", **refused},
                        "401": {"description": "no token, or a wrong one", **refused},
                        "404": {"description": "no case bears this number", **refused},
                        "503": {"description": "the store cannot be reached now", **refused},
                    },
                }
            }
        },
        "components": {
            "schemas": {**components, "Error": error},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
