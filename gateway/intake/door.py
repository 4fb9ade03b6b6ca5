"""The webhook of one channel: calls are verified and parsed, and answered yes only when their events are durable.

It needs nothing but the log. This is the hot path of the gateway: no middleware, nothing computed twice, nothing
logged for a message that is well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import aiohttp
import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from channels.base import Capability, Channel, InboundMessage, Request
from channels.errors import ChannelError, Malformed, TooLarge, Unverified
from channels.forms import parse_fields
from channels.peers import client, shown, within
from channels.redaction import scrub
from config.settings import Settings
from gateway.answers import Rendered, plain, problem
from gateway.eventlog.base import LogUnavailable
from gateway.evidence import letter_of_request, secrets_of
from gateway.health.journal import Journal, outline
from gateway.health.pauses import RETRY_AFTER as PAUSED_SECONDS
from gateway.health.pauses import Pauses
from gateway.intake.recorder import Recorder
from gateway.metrics import Metrics
from gateway.seams import Seam, reached
from gateway.strangers import Strangers

log = structlog.get_logger(__name__)

RETRY_AFTER = "5"
_STATUS = {Unverified: 401, Malformed: 400, TooLarge: 413}


class Door:
    """The webhook of one channel: ``POST|GET /webhooks/<channel>`` and ``…/status``."""

    def __init__(
        self,
        channel: Channel,
        recorder: Recorder,
        *,
        metrics: Metrics,
        settings: Settings,
        pauses: Pauses | None = None,
        journal: Journal | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        self.name = channel.name
        self.takes_receipts = Capability.RECEIPTS in channel.spec.capabilities
        self._channel = channel
        self._recorder = recorder
        self._metrics = metrics
        self._pauses = pauses or Pauses(known=True)
        self._journal = journal or Journal()
        self._strangers = strangers or Strangers(0)
        self._timeout = settings.server.request_timeout
        own = channel.settings.max_body or channel.spec.limits.max_body
        self._max_body = min(own, settings.server.max_body)
        self._allowed = channel.settings.allow_from
        self._proxies = settings.server.trusted_proxies
        self._secrets = secrets_of(channel.settings)
        self._answer = channel.answer()
        self._yes = Rendered(self._answer)

    async def messages(self, http: web.Request) -> web.StreamResponse:
        """Take inbound messages."""
        return await self._take(http, receipts=False)

    async def receipts(self, http: web.Request) -> web.StreamResponse:
        """Take delivery receipts."""
        return await self._take(http, receipts=True)

    async def _take(self, http: web.Request, *, receipts: bool) -> web.StreamResponse:
        began = time.monotonic()
        source = self._strangers.source(http)
        if (slowed := self._strangers.slowed(source)) is not None:
            self._metrics.requests_refused.labels(self.name, "too_many_refusals").inc()
            return self._noted(slowed, http, None, began)
        if self._allowed and (refusal := self._elsewhere(http)) is not None:
            self._strangers.refused(source)
            return self._noted(refusal, http, None, began)
        try:
            request = _request(http, await self._body(http))
            if request.method == "GET" and (handshake := self._channel.challenge(request)) is not None:
                return plain(handshake)
        except ChannelError as error:
            self._strangers.refused(source)
            return self._noted(self._refused(error), http, None, began)
        if not receipts and self._pauses.paused(self.name, "in"):
            return self._noted(self._paused(), http, request, began)
        try:
            messages = await self._recorder.call(partial(self._read, request, receipts))
        except Malformed as error:
            if request.verified:
                self._strangers.proved(source)
                return self._noted(await self._malformed(request, error, receipts=receipts), http, request, began)
            self._strangers.refused(source)
            return self._noted(self._refused(error), http, request, began)
        except ChannelError as error:
            if not request.verified:
                self._strangers.refused(source)
            return self._noted(self._refused(error), http, request, began)
        except LogUnavailable as error:
            return self._noted(self._unavailable(error), http, request, began)
        self._strangers.proved(source)
        if messages and not receipts:
            self._recorder.count(messages)
        answer = self._yes if self._yes.fits(http) else plain(self._answer)
        return self._noted(answer, http, request, began) if self._journal.wants(self.name, "in") else answer

    def _noted(
        self, answer: web.StreamResponse, http: web.Request, request: Request | None, began: float
    ) -> web.StreamResponse:
        """The answer, with the call in the journal."""
        said = scrub(answer.text or "") if isinstance(answer, web.Response) and answer.status >= 400 else ""
        shape = outline(request) if request is not None else ""
        seconds = time.monotonic() - began
        self._journal.note(self.name, "in", f"{http.method} {http.path}", answer.status, seconds, shape, said)
        return answer

    def _paused(self) -> web.Response:
        """An operator has paused the channel: the provider keeps the message and offers it again."""
        self._metrics.requests_refused.labels(self.name, "paused").inc()
        return problem(
            503,
            "paused",
            "this channel is paused, send the message again later",
            headers={"Retry-After": str(PAUSED_SECONDS)},
        )

    def _elsewhere(self, http: web.Request) -> web.Response | None:
        """The refusal of a call from an address that may not call this channel; its body is not read."""
        found = client(http.remote or "", http.headers.getall("X-Forwarded-For", ()), self._proxies)
        if within(found, self._allowed):
            return None
        self._metrics.requests_refused.labels(self.name, "bad_address").inc()
        log.warning("intake.refused", channel=self.name, code="bad_address", network=shown(found))
        return problem(403, "bad_address", "calls of this channel are not taken from this address")

    def _read(self, request: Request, receipts: bool) -> Sequence[InboundMessage]:
        """Verify one call, then parse it. Raises :class:`ChannelError`."""
        self._channel.verify(request)
        request.verified = True
        reached(Seam.VERIFIED)
        return self._channel.parse_status(request) if receipts else self._channel.parse(request)

    async def _body(self, http: web.Request) -> bytes:
        """The whole body, within the bounds of size and time."""
        content = http.content
        try:
            if content.is_eof():
                # It came with the headers, as a short message's does: nothing to wait for.
                body = content.read_nowait()
            elif (http.content_length or 0) > self._max_body:
                raise TooLarge(f"the body is over {self._max_body} bytes")
            else:
                async with asyncio.timeout(self._timeout):
                    body = await self._chunks(content)
        except TimeoutError as error:
            raise Malformed("the body did not come in time", reason="slow_body") from error
        except (HttpProcessingError, aiohttp.ClientPayloadError, web.RequestPayloadError) as error:
            raise Malformed("the body is not what its headers say", reason="bad_body") from error
        # Counted after any decompression: no header is believed.
        if len(body) > self._max_body:
            raise TooLarge(f"the body is over {self._max_body} bytes")
        return body

    async def _chunks(self, content: StreamReader) -> bytes:
        """The body as it comes, not much further than its bound."""
        body = await content.readany()
        while not content.at_eof() and len(body) <= self._max_body:
            body += await content.readany()
        return body

    async def _malformed(self, request: Request, error: Malformed, *, receipts: bool) -> web.Response:
        """Keep what a verified provider sent and we cannot read; then say so."""
        letter = letter_of_request(self._channel, request, error, receipts=receipts, secrets=self._secrets)
        try:
            await self._recorder.letter(letter)
        except LogUnavailable as unavailable:
            return self._unavailable(unavailable)
        return self._refused(error, dead_letter=letter.id)

    def _refused(self, error: ChannelError, *, dead_letter: str = "") -> web.Response:
        name = self._channel.name
        self._metrics.requests_refused.labels(name, error.reason).inc()
        log.warning("intake.refused", channel=name, code=error.reason, detail=str(error))
        return problem(_STATUS[type(error)], error.reason, str(error), dead_letter=dead_letter)

    def _unavailable(self, error: LogUnavailable) -> web.Response:
        name = self._channel.name
        self._metrics.requests_refused.labels(name, "unavailable").inc()
        log.error("intake.unavailable", channel=name, reason=type(error).__name__, detail=str(error))
        return problem(
            503,
            "unavailable",
            "the message cannot be made durable now, send it again",
            headers={"Retry-After": RETRY_AFTER},
        )


def _request(http: web.Request, body: bytes) -> Request:
    """The request as channels see it."""
    target = http.raw_path
    query = target.partition("?")[2]
    return Request(
        method=http.method,
        target=target,
        query=parse_fields(query) if query else {},
        headers=http.headers,
        body=body,
        content_type=http.content_type if body else "",
        remote=http.remote or "",
    )
