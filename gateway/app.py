"""The composition of one process: which parts a role has, how they start, are watched over, and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import structlog
from aiohttp import web

from channels.base import Capability, Channel
from channels.http import HttpClient
from config.settings import Settings
from gateway.api import Api
from gateway.channelset import ChannelConfig
from gateway.delivery.deliverer import Deliverer
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.dispatcher.relay import Relay
from gateway.eventlog.factory import make_log
from gateway.health import ChannelHealth, channel_health
from gateway.identity import process_name, sender_secret
from gateway.intake import Door
from gateway.metrics import Metrics
from gateway.replies import Replies
from gateway.server import BrokenRequests, Pulse, add_doors, add_not_found, add_pulse
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate
from normalizer.normalize import Normalizer
from normalizer.words import IntentWords

log = structlog.get_logger(__name__)

Role = Literal["all", "intake", "dispatch", "deliver"]
FIRST_REST, LONGEST_REST = 0.5, 15.0
MAX_LINE = 64 * 1024
"""Bytes of a request's first line. A long text in a script of three bytes a letter, each written %XX, takes 9 of
them a letter where a provider calls by GET."""

_http_log = logging.getLogger("gateway.http")
_http_log.addFilter(BrokenRequests())


class Hub:
    """What channels are handed (:class:`channels.base.Host`)."""

    def __init__(self, base_url: str, http: HttpClient | None = None) -> None:
        self.base_url = base_url
        self._http = http

    @property
    def http(self) -> HttpClient:
        """The client that the channels of this process share."""
        if self._http is None:
            raise RuntimeError("the HTTP client is not open")
        return self._http

    def open(self, http: HttpClient) -> None:
        """The program runs: channels may call their providers from now on."""
        self._http = http

    def webhook_url(self, channel: str) -> str:
        """Where this channel's messages come in."""
        return f"{self.base_url}/webhooks/{channel}"

    def status_url(self, channel: str) -> str:
        """Where this channel's receipts come in."""
        return f"{self.base_url}/webhooks/{channel}/status"


class Gateway:
    """One process of the gateway. Make it, then :meth:`run` it once."""

    def __init__(
        self,
        settings: Settings,
        channels: Mapping[str, ChannelConfig],
        *,
        role: Role = "all",
        port: int | None = None,
        extend: Callable[[web.Application], None] | None = None,
    ) -> None:
        self.settings = settings
        self.role = role
        self._configs = channels
        self._readers = Readers(settings, channels)
        self._port = port
        self._extend = extend
        self.metrics = Metrics()
        self.owner = process_name()
        self._hub = Hub(settings.server.base_url)
        # The CloudEvents source: the gateway as others know it, whichever process speaks.
        self.source = settings.server.base_url
        self.channels: dict[str, Channel] = {}
        self.log = make_log(settings)
        self.store = Store(settings.store.url.get_secret_value(), pool_size=settings.store.pool_size)
        self._stop = asyncio.Event()
        self._doors: dict[str, Door] = {}
        self._deliverer: Deliverer | None = None
        self._store_state = "not asked yet"

    @property
    def base_url(self) -> str:
        """Where providers and people reach the gateway; with a free port, right once it listens."""
        return self._hub.base_url

    def webhook_url(self, channel: str) -> str:
        """Where this channel's messages come in."""
        return self._hub.webhook_url(channel)

    @property
    def takes_in(self) -> bool:
        """Whether this role has webhooks."""
        return self.role in ("all", "intake")

    @property
    def listens(self) -> bool:
        """Whether this process opens a port."""
        return self.takes_in or self._port is not None

    def stop(self) -> None:
        """Stop taking, finish what was taken, leave."""
        self._stop.set()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Run until SIGTERM, SIGINT or :meth:`stop`; ``started`` is called once the port is open.

        Raises :class:`OSError` where the port, or a folder it writes to, cannot be used.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(HttpClient(timeout=self.settings.delivery.timeout))
            stack.push_async_callback(self.store.close)
            await self.log.start()
            stack.push_async_callback(self.log.close)
            self._hub.open(http)
            self.channels = {n: c.spec.make(n, c.settings, self._hub) for n, c in self._configs.items()}
            await self._work(started)
        log.info("gateway.stopped", role=self.role)

    async def _work(self, started: Callable[[], None]) -> None:
        """Start the role's parts, wait for the stop, and stop them in the order in which messages travel."""
        parts: list[tuple[str, Dispatcher | Relay | Deliverer]] = []
        if self.role in ("all", "deliver"):
            self._deliverer = Deliverer(
                self.channels,
                settings=self.settings,
                store=self.store,
                metrics=self.metrics,
                owner=self.owner,
                source=self.source,
            )
            parts.append(("deliverer", self._deliverer))
        if self.role in ("all", "dispatch"):
            relay = Relay(store=self.store, log=self.log, owner=self.owner)
            parts = [("dispatcher", self._dispatcher(relay)), ("relay", relay), *parts]
        runner = await self._listen() if self.listens else None
        migrated = asyncio.create_task(self._migrate(), name="migrate")
        tasks = [asyncio.create_task(self._supervise(name, part.run, migrated), name=name) for name, part in parts]
        try:
            log.info("gateway.started", role=self.role, channels=sorted(self.channels), settings=self.settings.source)
            started()
            await self._stop.wait()
            log.info("gateway.stopping", role=self.role)
            async with asyncio.timeout(self.settings.server.shutdown_grace):
                if runner is not None:
                    await runner.cleanup()
                for _, part in parts:
                    part.stop()
                migrated.cancel()
                await asyncio.gather(*tasks)
        except TimeoutError:
            log.warning("gateway.grace_over", seconds=self.settings.server.shutdown_grace)
        finally:
            for task in (migrated, *tasks):
                task.cancel()
            await asyncio.gather(migrated, *tasks, return_exceptions=True)

    def _dispatcher(self, relay: Relay) -> Dispatcher:
        settings = self.settings
        specs = {config.spec.type: config.spec for config in self._configs.values()}
        private = (t for t, spec in specs.items() if Capability.PRIVATE_CONVERSATION in spec.capabilities)
        deliverer = self._deliverer
        return Dispatcher(
            settings=settings,
            log=self.log,
            store=self.store,
            replies=Replies(
                override=settings.replies.folder,
                default_language=settings.replies.default_language,
                channel_types=tuple(specs),
            ),
            metrics=self.metrics,
            private_types=frozenset(private),
            normalizer=self._readers,
            source=self.source,
            on_replies=deliverer.wake if deliverer else lambda: None,
            on_publications=relay.wake,
        )

    async def _listen(self) -> web.AppRunner:
        """Open the port, with the webhooks where this role takes messages in."""
        app = web.Application()
        add_pulse(app, self.pulse())
        if self.takes_in:
            self._doors = self._make_doors()
            add_doors(app, self._doors.items())
            Api(self.settings, self.store).add_to(app)
        if self._extend is not None:
            self._extend(app)
        add_not_found(app)
        server = self.settings.server
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_http_log,
            handle_signals=False,
            shutdown_timeout=server.shutdown_grace / 2,
            max_line_size=MAX_LINE,
        )
        await runner.setup()
        port = server.port if self._port is None else self._port
        site = web.TCPSite(runner, server.host, port, backlog=1024)
        await site.start()
        host, bound, *_ = runner.addresses[0]
        if not server.public_url and self.takes_in:
            self._hub.base_url = server.model_copy(update={"port": bound}).base_url
        log.info("gateway.listening", address=f"http://{host}:{bound}")
        return runner

    def _make_doors(self) -> dict[str, Door]:
        return {
            name: Door(
                channel,
                self._readers(channel.spec.type, name),
                log=self.log,
                metrics=self.metrics,
                settings=self.settings,
                source=self.source,
            )
            for name, channel in self.channels.items()
        }

    def pulse(self) -> Pulse:
        """What the health and metrics endpoints show."""
        return Pulse(
            metrics=self.metrics,
            channels=self.health,
            dependencies=lambda: {"log": self.log.ready()[1] or "ok", "store": self._store_state},
            ready=self.log.ready,
            refresh=self._refresh,
        )

    def health(self) -> dict[str, ChannelHealth]:
        """Every channel's health, as far as this process works on it."""
        able = self.log.ready()
        senders = self._deliverer.senders if self._deliverer else {}
        return {
            name: channel_health(receives=self.takes_in, can_append=able, sender=senders.get(name))
            for name in self.channels
        }

    def _refresh(self) -> None:
        self.metrics.spool_depth.set(getattr(self.log, "depth", 0))

    async def _migrate(self) -> None:
        """Bring the store's schema up to date, however long the store is away."""
        rest = FIRST_REST
        while True:
            try:
                await migrate(self.store)
            except StoreUnavailable as error:
                self._store_state = f"away: {error}"
                log.warning("store.away", reason=str(error), retry_in=rest)
                await asyncio.sleep(rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                self._store_state = "ok"
                return

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]], ready: asyncio.Task[None]) -> None:
        """Run a part once the store is ready; start it again when it fails, until the gateway stops."""
        await asyncio.wait([ready])
        rest = FIRST_REST
        while not self._stop.is_set():
            try:
                await run()
            except Exception:
                log.exception("gateway.part_failed", part=name, retry_in=rest)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                return


class Readers:
    """The normalizers of one process, a channel each. Raises :class:`OSError` where the senders' key cannot be kept."""

    def __init__(self, settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
        rules = settings.rules
        self._secret = sender_secret(settings)
        self._words = IntentWords(
            stop=rules.stop_words,
            help=rules.help_words,
            status=rules.status_words,
            new_case=rules.new_case_words,
            meaningless=rules.meaningless_words,
            asking=rules.asking_words,
            report=rules.report_words,
            state=rules.state_words,
            filler=rules.filler_words,
        )
        self._made = {name: self._make(config.spec.type, name, config) for name, config in channels.items()}

    def __call__(self, channel_type: str, instance: str) -> Normalizer:
        """The normalizer of a channel; also of one that is not in the settings any more."""
        found = self._made.get(instance)
        if found is None:
            found = self._made[instance] = self._make(channel_type, instance, None)
        return found

    def _make(self, channel_type: str, instance: str, config: ChannelConfig | None) -> Normalizer:
        regions = getattr(config.settings, "regions", ()) if config else ()
        return Normalizer(channel_type, instance, secret=self._secret, regions=regions, words=self._words)
