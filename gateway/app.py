"""The composition of one process: which parts a role has, how they start, are watched over, and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, Protocol

import structlog
from aiohttp import web

from channels.base import Capability, Channel
from channels.http import HttpClient
from config.settings import Settings
from gateway.api import Api
from gateway.attachments.collector import Collector
from gateway.blobs.factory import make_blobs
from gateway.channelset import ChannelConfig
from gateway.delivery.deliverer import Deliverer
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.dispatcher.relay import Relay
from gateway.eventlog.factory import make_log
from gateway.health.parts import UNKNOWN, ChannelHealth, channel_health, receiving_of, sending_of
from gateway.hub import Hub
from gateway.identity import process_name
from gateway.intake.door import Door
from gateway.intake.ports import Ports, Registration
from gateway.intake.puller import Puller, Reading
from gateway.intake.recorder import Recorder
from gateway.metrics import Metrics
from gateway.notices import notice
from gateway.readers import Readers
from gateway.replies import Replies
from gateway.server import BrokenRequests, Pulse, add_doors, add_not_found, add_pulse
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate
from gateway.updates.desk import Desk
from gateway.updates.inbox import Inbox
from gateway.updates.writer import Context

log = structlog.get_logger(__name__)

Role = Literal["all", "intake", "dispatch", "deliver"]
FIRST_REST, LONGEST_REST = 0.5, 15.0
MAX_LINE = 64 * 1024
"""Bytes of a request's first line. A long text in a script of three bytes a letter, each written %XX, takes 9 of
them a letter where a provider calls by GET."""


class Part(Protocol):
    """One supervised part of the program."""

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...


_http_log = logging.getLogger("gateway.http")
_http_log.addFilter(BrokenRequests())


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
        # The CloudEvents source: the gateway as others know it, whichever process speaks.
        self.source = settings.server.base_url
        self.channels: dict[str, Channel] = {}
        self.log = make_log(settings)
        self.store = Store(settings.store.url.get_secret_value(), pool_size=settings.store.pool_size)
        self._hub = Hub(settings.server.base_url, self.store, self.owner)
        self.blobs = make_blobs(settings.blobs)
        self._stop = asyncio.Event()
        self._pullers: dict[str, Puller] = {}
        self._registrations: dict[str, Registration] = {}
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
            for channel in self.channels.values():
                stack.push_async_callback(channel.close)
            await self._work(started)
        log.info("gateway.stopped", role=self.role)

    async def _work(self, started: Callable[[], None]) -> None:
        """Start the role's parts, wait for the stop, and stop them in the order in which messages travel."""
        parts: list[tuple[str, Part]] = []
        if self.role in ("all", "deliver"):
            self._deliverer = Deliverer(
                self.channels,
                settings=self.settings,
                store=self.store,
                metrics=self.metrics,
                owner=self.owner,
                source=self.source,
            )
            parts += [("deliverer", self._deliverer), ("collector", self._collector())]
        desk: Desk | None = None
        if self.role != "deliver":
            relay = Relay(store=self.store, log=self.log, owner=self.owner)
            replies = self._replies()
            desk = self._desk(replies, relay)
            if self.role != "intake":
                inbox = Inbox(settings=self.settings, log=self.log, desk=desk, metrics=self.metrics)
                dispatcher = self._dispatcher(replies, relay)
                parts = [("dispatcher", dispatcher), ("updates", inbox), ("relay", relay), *parts]
        recorders = self._recorders() if self.takes_in else {}
        runner = await self._listen(recorders, desk) if self.listens else None
        ports = Ports({name: self.channels[name] for name in recorders}, recorders)
        await ports.start()
        parts = [*self._intakes(recorders), *parts]
        migrated = asyncio.create_task(self._migrate(), name="migrate")
        tasks = [asyncio.create_task(self._supervise(name, part, migrated), name=name) for name, part in parts]
        try:
            log.info("gateway.started", role=self.role, channels=sorted(self.channels), settings=self.settings.source)
            started()
            await self._stop.wait()
            log.info("gateway.stopping", role=self.role)
            async with asyncio.timeout(self.settings.server.shutdown_grace):
                await ports.stop()
                if runner is not None:
                    await runner.cleanup()
                for _, part in parts:
                    part.stop()
                # A migration under way is not cut off: on SQLite its thread would be waited for in vain.
                await asyncio.gather(migrated, *tasks)
        except TimeoutError:
            log.warning("gateway.grace_over", seconds=self.settings.server.shutdown_grace)
        finally:
            for task in (migrated, *tasks):
                task.cancel()
            await asyncio.gather(migrated, *tasks, return_exceptions=True)

    def _replies(self) -> Replies:
        replies = self.settings.replies
        return Replies(
            override=replies.folder,
            default_language=replies.default_language,
            channel_types=tuple({config.spec.type: None for config in self._configs.values()}),
        )

    def _desk(self, replies: Replies, relay: Relay) -> Desk:
        topics, deliverer = self.settings.topics, self._deliverer
        return Desk(
            store=self.store,
            context=Context(replies, topics.cases, self.source, self.settings.zone),
            metrics=self.metrics,
            letters_topic=topics.dead_letters,
            on_replies=deliverer.wake if deliverer else lambda: None,
            on_publications=relay.wake,
        )

    def _collector(self) -> Collector:
        return Collector(
            self.channels,
            settings=self.settings,
            store=self.store,
            blobs=self.blobs,
            metrics=self.metrics,
            owner=self.owner,
            source=self.source,
        )

    def _dispatcher(self, replies: Replies, relay: Relay) -> Dispatcher:
        settings = self.settings
        specs = {config.spec.type: config.spec for config in self._configs.values()}
        private = (t for t, spec in specs.items() if Capability.PRIVATE_CONVERSATION in spec.capabilities)
        deliverer = self._deliverer
        return Dispatcher(
            settings=settings,
            log=self.log,
            store=self.store,
            replies=replies,
            metrics=self.metrics,
            private_types=frozenset(private),
            normalizer=self._readers,
            source=self.source,
            notice=self._notice,
            on_replies=deliverer.wake if deliverer else lambda: None,
            on_publications=relay.wake,
        )

    def _notice(self, channel: str, language: str) -> str:
        config = self._configs.get(channel)
        return notice(datetime.now(UTC), self.settings, config.settings if config else None, language)

    def _recorders(self) -> dict[str, Recorder]:
        """Where each channel's messages become durable."""
        return {
            name: Recorder(
                channel,
                self._readers(channel.spec.type, name),
                log=self.log,
                metrics=self.metrics,
                settings=self.settings,
                source=self.source,
                blobs=self.blobs,
            )
            for name, channel in self.channels.items()
        }

    def _intakes(self, recorders: Mapping[str, Recorder]) -> list[tuple[str, Part]]:
        """What reads the channels that are read, and registers those that are called."""
        for name, recorder in recorders.items():
            channel = self.channels[name]
            if channel.sources():
                self._pullers[name] = Puller(
                    channel, recorder, store=self.store, owner=self.owner, lease=self.settings.intake.lease
                )
            elif Capability.WEBHOOK in channel.spec.capabilities:
                self._registrations[name] = Registration(channel)
        intakes: list[tuple[str, Part]] = [(f"read {name}", puller) for name, puller in self._pullers.items()]
        return [*intakes, *((f"register {name}", part) for name, part in self._registrations.items())]

    async def _listen(self, recorders: Mapping[str, Recorder], desk: Desk | None) -> web.AppRunner:
        """Open the port, with the webhooks where this role takes messages in."""
        app = web.Application()
        add_pulse(app, self.pulse())
        if self.takes_in:
            add_doors(app, self._doors(recorders))
        if self.takes_in and desk is not None:
            Api(self.settings, self.store, desk).add_to(app)
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

    def _doors(self, recorders: Mapping[str, Recorder]) -> list[Door]:
        return [
            Door(self.channels[name], recorder, metrics=self.metrics, settings=self.settings)
            for name, recorder in recorders.items()
            if Capability.WEBHOOK in self.channels[name].spec.capabilities
        ]

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
        found = {}
        for name, channel in self.channels.items():
            receiving = receiving_of(
                can_append=able, webhook=name in self._registrations, readings=self._readings(name)
            )
            found[name] = channel_health(
                receiving if self.takes_in else UNKNOWN, sending_of(senders.get(name)), channel.quotas()
            )
        return found

    def _readings(self, name: str) -> list[Reading]:
        """How the sources and the registration of a channel stand."""
        puller, registration = self._pullers.get(name), self._registrations.get(name)
        readings = list(puller.reading.values()) if puller else []
        return [*readings, registration.reading] if registration else readings

    def _refresh(self) -> None:
        self.metrics.spool_depth.set(getattr(self.log, "depth", 0))

    async def _migrate(self) -> None:
        """Bring the store's schema up to date, however long the store is away; at a stop no new attempt is made."""
        rest = FIRST_REST
        while not self._stop.is_set():
            try:
                await migrate(self.store)
            except StoreUnavailable as error:
                self._store_state = f"away: {error}"
                log.warning("store.away", reason=str(error), retry_in=rest)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                self._store_state = "ok"
                return

    async def _supervise(self, name: str, part: Part, migrated: asyncio.Task[None]) -> None:
        """Run a part, once the store is ready if it needs it; start it again when it fails, until the stop."""
        if not isinstance(part, Registration):
            await asyncio.wait([migrated])
        rest = FIRST_REST
        while not self._stop.is_set():
            try:
                await part.run()
            except Exception:
                log.exception("gateway.part_failed", part=name, retry_in=rest)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), rest)
                rest = min(rest * 2, LONGEST_REST)
            else:
                return
