"""The JSON answers of the HTTP side, errors in the one form of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
from aiohttp import web


def problem(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, dead_letter: str = ""
) -> web.Response:
    """The contract's error answer: ``{"error": {"code", "message"}}``, with the id of a dead letter where one was kept.

    It is never empty: Kannel takes an empty answer for a yes, whatever its status.
    """
    error = {"code": code, "message": message}
    if dead_letter:
        error["dead_letter"] = dead_letter
    body = json.dumps({"error": error}).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def json_answer(value: object, status: int = 200) -> web.Response:
    """A JSON answer of anything msgspec can encode."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
