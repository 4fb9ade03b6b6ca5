"""X's API through tweepy's AsyncClient, made safe to run for years.

What tweepy 4.17 does by itself, and what stands against it here:

* the host is fixed to api.twitter.com: a middleware of our own session sends each request to ``api_url``, and calls
  the parameter ``tweet.fields`` by its present name, ``post.fields``;
* the body of an answer is read without a bound, and an error's as JSON whatever it is, so that a 503 with a text
  becomes a ``ContentTypeError``: the middleware reads the answer and carries it past tweepy;
* ``wait_on_rate_limit`` sleeps up to 15 minutes within a call: it stays off;
* its DEBUG log holds the Authorization header and the text of messages: a filter stops those records.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from tweepy.asynchronous import AsyncClient  # type: ignore[import-untyped]
from yarl import URL

from channels.errors import Misconfigured, RetryLater, Uncertain
from channels.http import HttpResponse
from channels.twitter.quota import Quotas
from channels.twitter.tokens import Tokens

MAX_BODY = 8 * 1024 * 1024
"""Bytes of one answer; a page of 100 posts with all they speak of is about one MiB."""

Ask = Callable[[Any], Awaitable[object]]
"""One call of a method of tweepy's client."""


class _NoSecrets(logging.Filter):
    """Stops tweepy's records of requests and answers: their text holds the token and what citizens say."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


logging.getLogger("tweepy.asynchronous.client").addFilter(_NoSecrets())


class _Answered(Exception):
    """Carries X's answer from the middleware past tweepy to :meth:`Api.ask`."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__(response.status)
        self.response = response


class Api:
    """X's API as one account sees it. Its session opens at the first call; close it at the end."""

    def __init__(self, api_url: str, tokens: Tokens, quotas: Quotas, *, timeout: float = 15.0) -> None:
        self._origin = URL(api_url)
        self._tokens = tokens
        self._quotas = quotas
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5.0)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, endpoint: str, ask: Ask, *, writes: bool = False, whole_channel: bool = False) -> HttpResponse:
        """Make one call, whose quota is that of ``endpoint``; a token that X refuses is renewed once.

        Returns X's answer whatever it says; after a renewal, that of the second attempt. Raises
        :class:`RetryLater` where the quota is used up or X is not reached, :class:`Misconfigured` where no token can be
        had and, for a call that ``writes``, :class:`Uncertain` where X may have done it without an answer.
        """
        token = await self._tokens.current()
        response = await self._once(endpoint, ask, token, writes=writes, whole_channel=whole_channel)
        if response.status == 401:
            token = await self._tokens.current(refused=token)
            response = await self._once(endpoint, ask, token, writes=writes, whole_channel=whole_channel)
        return response

    async def close(self) -> None:
        """Close the session; the next call opens a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _once(self, endpoint: str, ask: Ask, token: str, *, writes: bool, whole_channel: bool) -> HttpResponse:
        self._quotas.take(endpoint, whole_channel=whole_channel)
        client = AsyncClient(bearer_token=token, return_type=aiohttp.ClientResponse, wait_on_rate_limit=False)
        client.session = self._opened()
        try:
            await ask(client)
        except _Answered as answered:
            self._quotas.told(endpoint, answered.response.status, answered.response.headers)
            return answered.response
        except aiohttp.InvalidURL as error:
            raise Misconfigured("api_url cannot be used", reason="bad_url") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RetryLater(f"cannot connect to X ({type(error).__name__})", reason="connection") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            said = f"no answer from X ({type(error).__name__})"
            raise Uncertain(said) if writes else RetryLater(said, reason="no_answer") from error
        raise AssertionError("the middleware carries every answer")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), middlewares=(self._carry,)
            )
        return self._session

    async def _carry(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        query = {name.replace("tweet.", "post."): value for name, value in request.url.query.items()}
        request.url = self._origin.with_path(request.url.path).with_query(query)
        request.headers["Host"] = self._origin.authority
        response = await handler(request)
        try:
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_BODY:
                    raise aiohttp.ClientPayloadError("the answer is too large")
        finally:
            response.close() if not response.content.at_eof() else response.release()
        headers = {name.lower(): value for name, value in response.headers.items()}
        raise _Answered(HttpResponse(response.status, headers, bytes(body)))
