"""The webhook of one channel: calls are verified and parsed, and answered yes only when their events are durable.

It needs nothing but the log. This is the hot path of the gateway: no middleware, nothing computed twice, nothing
logged for a message that is well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

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
from gateway.answers import NAME, Rendered, plain, problem, whole
from gateway.eventlog.base import LogUnavailable
from gateway.evidence import letter_of_request, secrets_of
from gateway.health.journal import Journal, outline
from gateway.health.pauses import RETRY_AFTER as PAUSED_SECONDS
from gateway.health.pauses import Pauses
from gateway.intake.recorder import Recorder
from gateway.lane import Answered, Call, Lanes, Taker
from gateway.metrics import Metrics
from gateway.seams import Seam, reached
from gateway.strangers import Strangers

log = structlog.get_logger(__name__)

RETRY_AFTER = "5"
_STATUS = {Unverified: 401, Malformed: 400, TooLarge: 413}


class _Short(NamedTuple):
    """A call on the short way; ``began`` is monotonic seconds."""

    call: Call
    request: Request
    source: str
    receipts: bool
    answered: Answered
    began: float


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
        self._refusing: set[asyncio.Task[None]] = set()

    async def messages(self, http: web.Request) -> web.Response:
        """Take inbound messages."""
        return await self._take(http, receipts=False)

    async def receipts(self, http: web.Request) -> web.Response:
        """Take delivery receipts."""
        return await self._take(http, receipts=True)

    async def _take(self, http: web.Request, *, receipts: bool) -> web.Response:
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
        except (ChannelError, LogUnavailable) as error:
            return self._noted(await self._failed(error, request, source, receipts=receipts), http, request, began)
        self._taken(messages, source, receipts=receipts)
        # The framework writes the answer before the loop comes to this.
        asyncio.get_running_loop().call_soon(reached, Seam.ANSWERED)
        return self._noted(plain(self._answer), http, request, began)

    def lanes(self) -> Lanes:
        """The short ways in, by their paths."""
        lanes: dict[str, Taker] = {f"/webhooks/{self.name}": partial(self._take_short, False)}
        if self.takes_receipts:
            lanes[f"/webhooks/{self.name}/status"] = partial(self._take_short, True)
        return lanes

    def _take_short(self, receipts: bool, call: Call, answered: Answered) -> bool:
        """Take a call on the short way, where nothing is to be said of it but yes or no."""
        source = self._strangers.source(call)
        if (
            self._allowed
            or self._strangers.slowed(source) is not None
            or (not receipts and self._pauses.paused(self.name, "in"))
            or (call.method == "GET" and self._is_challenge(call))
        ):
            return False
        request = _request(call, call.body())
        short = _Short(call, request, source, receipts, answered, time.monotonic())
        done = self._recorder.submit(partial(self._read_bounded, request, receipts))
        done.add_done_callback(partial(self._answer_short, short))
        return True

    def _is_challenge(self, call: Call) -> bool:
        """Whether a GET is one by which a provider makes sure of us, or one that cannot be read."""
        try:
            return self._channel.challenge(_request(call, b"")) is not None
        except ChannelError:
            return True

    def _read_bounded(self, request: Request, receipts: bool) -> Sequence[InboundMessage]:
        if len(request.body) > self._max_body:
            raise TooLarge(f"the body is over {self._max_body} bytes")
        return self._read(request, receipts)

    def _answer_short(self, short: _Short, done: asyncio.Future[Sequence[InboundMessage]]) -> None:
        """Say yes to a call, or have it refused."""
        error = done.exception()
        if error is not None:
            refusing = asyncio.create_task(self._refuse_short(short, error))
            self._refusing.add(refusing)
            refusing.add_done_callback(self._refusing.discard)
            return
        self._taken(done.result(), short.source, receipts=short.receipts)
        if self._journal.wants(self.name, "in"):
            self._note(short.call, short.request, short.began, self._answer.status)
        short.answered(self._yes.whole())
        reached(Seam.ANSWERED)

    async def _refuse_short(self, short: _Short, error: BaseException) -> None:
        answer = problem(500, "internal", "the request could not be answered; the log says why")
        try:
            if isinstance(error, ChannelError | LogUnavailable):
                answer = await self._failed(error, short.request, short.source, receipts=short.receipts)
            else:
                log.error("intake.failed", channel=self.name, exc_info=error)
        except Exception:
            # Without an answer the connection would wait for ever, and the end of the program for it.
            log.exception("intake.failed", channel=self.name)
        if answer.status == 500:
            self._metrics.requests_refused.labels(self.name, "internal").inc()
        answer.headers["Server"] = NAME
        short.answered(whole(self._noted(answer, short.call, short.request, short.began)))

    def _taken(self, messages: Sequence[InboundMessage], source: str, *, receipts: bool) -> None:
        """The messages of one call are durable."""
        self._strangers.proved(source)
        if messages and not receipts:
            self._recorder.count(messages)

    async def _failed(
        self, error: ChannelError | LogUnavailable, request: Request, source: str, *, receipts: bool
    ) -> web.Response:
        """What a call hears whose messages were not made durable."""
        if isinstance(error, LogUnavailable):
            return self._unavailable(error)
        if request.verified:
            self._strangers.proved(source)
            if isinstance(error, Malformed):
                return await self._malformed(request, error, receipts=receipts)
        else:
            self._strangers.refused(source)
        return self._refused(error)

    def _noted(
        self, answer: web.Response, http: web.Request | Call, request: Request | None, began: float
    ) -> web.Response:
        """The answer, with the call in the journal."""
        said = scrub(answer.text or "") if answer.status >= 400 else ""
        if answer.status >= 400 or self._journal.wants(self.name, "in"):
            self._note(http, request, began, answer.status, said)
        return answer

    def _note(
        self, http: web.Request | Call, request: Request | None, began: float, status: int, said: str = ""
    ) -> None:
        shape = outline(request) if request is not None else ""
        seconds = time.monotonic() - began
        self._journal.note(self.name, "in", f"{http.method} {http.path}", status, seconds, shape, said)

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


def _request(http: web.Request | Call, body: bytes) -> Request:
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
