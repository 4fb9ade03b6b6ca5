"""Who may ask the stand-in, for what, and how often: X's tokens, parameters, refusals and rate limits."""

from __future__ import annotations

import base64
import itertools
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from channels.twitter.length import weight
from channels.twitter.settings import TwitterSettings, secret
from channels.twitter.standins.platform import Direct, Platform, Post, User

Entry = TypeVar("Entry", Post, Direct)

LIMITS = {
    "GET /2/users/{id}/mentions": 300,
    "GET /2/users/me": 75,
    "GET /2/dm_events": 300,
    "POST /2/tweets": 100,
    "POST /2/dm_conversations/with/{participant_id}/messages": 15,
}
"""Requests in a window, for one user (X's docs, "Rate limits")."""
WINDOW = 900.0
PARAMETERS = {
    "GET /2/users/{id}/mentions": {
        *("max_results", "pagination_token", "start_time", "end_time", "since_id", "until_id", "expansions"),
        *("post.fields", "user.fields", "media.fields", "place.fields", "poll.fields"),
    },
    "GET /2/dm_events": {
        *("max_results", "pagination_token", "event_types", "dm_event.fields", "expansions"),
        *("post.fields", "user.fields", "media.fields"),
    },
    "GET /2/users/me": {"user.fields", "expansions", "post.fields"},
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class _Window(msgspec.Struct):
    left: int
    resets_at: int


class Door:
    """What X lets in. A test may lower ``limits`` and fill ``refused``.

    ``refused`` holds X's words by a citizen's id, and under ``""`` those about our own account. ``tokens`` are the
    access tokens that are good now; ``renewals`` counts how often they changed.
    """

    def __init__(self, accounts: Sequence[TwitterSettings]) -> None:
        self.limits = dict(LIMITS)
        self.window = WINDOW
        self.clock = time.time
        self.refused: dict[str, str] = {}
        self.renewals = 0
        fixed = {secret(one.bearer_token) for one in accounts if one.bearer_token is not None}
        self.tokens: set[str] = fixed
        self.refresh_tokens = {secret(one.refresh_token) for one in accounts if one.refresh_token is not None}
        self._clients = {one.client_id: secret(one.client_secret) for one in accounts if one.client_id}
        self._windows: dict[str, _Window] = {}
        self._number = itertools.count(1)

    def problem(self, status: int, kind: str, detail: str, **more: Any) -> web.Response:
        """One of the problems of X's OpenAPI document (RFC 9457)."""
        document = {
            "title": kind.replace("-", " ").title(),
            "type": f"https://api.x.com/2/problems/{kind}",
            "detail": detail,
            "status": status,
        }
        return web.json_response(document | more, status=status, content_type="application/problem+json")

    def error(self, status: int, code: int, message: str) -> web.Response:
        """The document's plain Error."""
        return web.json_response({"code": code, "message": message}, status=status)

    def forbidden(self, detail: str) -> web.Response:
        """A 403 in X's words."""
        return self.problem(403, "disallowed-resource", detail)

    def refuse(self, endpoint: str, request: web.Request) -> web.Response | None:
        """What X says to a request that it does not even look into."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return self.error(401, 89, "Invalid or expired token.")
        if "" in self.refused:
            return self.forbidden(self.refused[""])
        if endpoint in self.limits:
            window = self._of(endpoint)
            if window.left <= 0:
                return self.error(429, 88, "Rate limit exceeded")
            window.left -= 1
        known = PARAMETERS.get(endpoint, set())
        for name, value in request.query.items():
            if name not in known:
                return self.invalid(name, value)
        if (start := request.query.get("start_time")) and not _TIME.fullmatch(start):
            return self.invalid("start_time", start)
        return None

    def invalid(self, name: str, value: str) -> web.Response:
        """A parameter that X does not take."""
        detail = f"The `{name}` query parameter value is not valid"
        return self.problem(400, "invalid-request", detail, parameter=name, value=value)

    def headers(self, endpoint: str) -> Mapping[str, str]:
        """The rate limit headers of an answer."""
        if endpoint not in self.limits:
            return {}
        window = self._of(endpoint)
        return {
            "x-rate-limit-limit": str(self.limits[endpoint]),
            "x-rate-limit-remaining": str(max(window.left, 0)),
            "x-rate-limit-reset": str(window.resets_at),
        }

    def _of(self, endpoint: str) -> _Window:
        window = self._windows.get(endpoint)
        if window is None or window.resets_at <= self.clock():
            window = self._windows[endpoint] = _Window(self.limits[endpoint], int(self.clock() + self.window))
        window.left = min(window.left, self.limits[endpoint])
        return window

    def page(self, entries: Sequence[Entry], request: web.Request) -> tuple[Sequence[Entry], dict[str, Any]]:
        """One page of a list, newest first, and its ``meta``. A token names the last entry of the page before."""
        size = min(max(int(request.query.get("max_results", "100")), 5), 100)
        if token := request.query.get("pagination_token"):
            entries = [one for one in entries if int(one.id) < int(token.removeprefix("page-"))]
        page = entries[:size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page and isinstance(page[0], Post):
            meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if len(entries) > size:
            meta["next_token"] = f"page-{page[-1].id:0>20}"
        return page, meta

    async def body(self, request: web.Request, fields: Mapping[str, type]) -> dict[str, Any] | web.Response:
        """The JSON object of a request, with these fields and no other, or X's refusal of it."""
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        if request.content_type != "application/json" or not isinstance(asked, dict):
            return self.problem(400, "invalid-request", "The body is not a JSON object")
        for name, value in asked.items():
            if name not in fields or not isinstance(value, fields[name]):
                return self.invalid(name, "")
        if not asked.get("text", "").strip():
            return self.invalid("text", "")
        return asked

    def no_post(self, text: str, parent: Post | None, platform: Platform) -> web.Response | None:
        """X's refusal of a reply, if it refuses it."""
        if weight(text) > 280:
            return self.forbidden("Your Tweet text is too long.")
        if parent is None or parent.deleted:
            return self.forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
        if parent.author in self.refused:
            return self.forbidden(self.refused[parent.author])
        if not platform.concerns_us(parent):
            detail = "Reply to this conversation is not allowed because you have not been mentioned by the author."
            return self.forbidden(detail)
        ours = (post for post in platform.posts.values() if post.author == platform.us.id)
        if any(post.text == text and post.replied_to == parent.id for post in ours):
            return self.forbidden("You are not allowed to create a Tweet with duplicate content.")
        return None

    def no_message(self, citizen: User) -> web.Response | None:
        """X's refusal of a direct message, if it refuses it."""
        return self.forbidden(self.refused[citizen.id]) if citizen.id in self.refused else None

    async def token(self, request: web.Request) -> web.Response:
        """X's token endpoint: a refresh token works once, and the access token before ends with it."""
        form = await request.post()
        given = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        client_id, _, client_secret = given.partition(":") if given else (str(form.get("client_id", "")), "", "")
        if form.get("grant_type") != "refresh_token" or self._clients.get(client_id) != client_secret:
            return web.json_response({"error": "unauthorized_client"}, status=401)
        if (refresh := str(form.get("refresh_token", ""))) not in self.refresh_tokens:
            said = {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
            return web.json_response(said, status=400)
        number = next(self._number)
        self.renewals += 1
        self.refresh_tokens = {*self.refresh_tokens - {refresh}, f"refresh-{number}"}
        self.tokens = {f"access-{number}"}
        answer = {
            "token_type": "bearer",
            "expires_in": 7200,
            "scope": "tweet.write dm.write offline.access",
        }
        return web.json_response(answer | {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}"})
