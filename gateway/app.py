"""The composition of one process: which parts a role has, how they start, are watched over, and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

import structlog
from aiohttp import web

from channels.base import Capability, Channel
from channels.http import HttpClient
from config.settings import Settings
from gateway.alerts.alerts import Alerts, make_sinks
from gateway.alerts.deadman import DeadMan
from gateway.api import Api
from gateway.attachments.collector import Collector
from gateway.blobs.factory import make_blobs
from gateway.channelset import ChannelConfig
from gateway.connections import BrokenRequests, Runner
from gateway.delivery.deliverer import Deliverer
from gateway.dispatcher.dispatcher import Dispatcher
from gateway.dispatcher.relay import Relay
from gateway.eventlog.factory import make_log
from gateway.health.heart import Heart
from gateway.health.journal import Journal
from gateway.health.others import Others
from gateway.health.parts import ChannelHealth
from gateway.health.pauses import Pauses
from gateway.health.probes import Probes
from gateway.health.watch import Watch
from gateway.hub import Hub
from gateway.identity import process_name
from gateway.intake.door import Door
from gateway.intake.ports import Ports, Registration
from gateway.intake.puller import Puller
from gateway.intake.recorder import Recorder
from gateway.metrics import Metrics
from gateway.notices import notice
from gateway.privacy.keeper import Keeper
from gateway.readers import Readers
from gateway.replay import Replayer
from gateway.replies import Replies
from gateway.server import Pulse, add_doors, add_not_found, add_pulse
from gateway.standing import Standing, Works
from gateway.store.engine import Store
from gateway.strangers import Strangers
from gateway.supervisor import Part, Supervisor
from gateway.updates.desk import Desk
from gateway.updates.inbox import Inbox
from gateway.updates.writer import Context

log = structlog.get_logger(__name__)

Role = Literal["all", "intake", "dispatch", "deliver"]
MAX_LINE = 64 * 1024
"""Bytes of a request's first line. A long text in a script of three bytes a letter, each written %XX, takes 9 of
them a letter where a provider calls by GET."""


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
        self.log = make_log(settings)
        self.store = Store(settings.store.url.get_secret_value(), pool_size=settings.store.pool_size)
        self._hub = Hub(settings.server.base_url, self.store, self.owner)
        self.blobs = make_blobs(settings.blobs)
        self._works = Works()
        self._standing = Standing(self._works, log=lambda: self.log, metrics=self.metrics, settings=settings, role=role)
        self.pauses = Pauses()
        self.journal = Journal(settings.health.interactions)
        self._others = Others()
        self._strangers = Strangers(settings.server.refusals_per_minute, settings.server.trusted_proxies)
        self._heart = Heart(
            store=self.store,
            settings=settings.health,
            metrics=self.metrics,
            owner=self.owner,
            role=role,
            tell=self._standing.told,
            pauses=self.pauses,
            journal=self.journal,
            others=self._others,
        )
        self._stop = asyncio.Event()
        self._supervisor = Supervisor(self.store, self.pauses, self._stop)

    @property
    def channels(self) -> dict[str, Channel]:
        """The channels by name; none before the start."""
        return self._works.channels

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
            self._works.channels = {n: c.spec.make(n, c.settings, self._hub) for n, c in self._configs.items()}
            for channel in self.channels.values():
                stack.push_async_callback(channel.close)
            await self._work(started)
        log.info("gateway.stopped", role=self.role)

    async def _work(self, started: Callable[[], None]) -> None:
        """Start the role's parts, wait for the stop, and stop them in the order in which messages travel."""
        parts: list[tuple[str, Part]] = []
        if self.role in ("all", "deliver"):
            self._works.deliverer = Deliverer(
                self.channels,
                settings=self.settings,
                store=self.store,
                metrics=self.metrics,
                owner=self.owner,
                source=self.source,
                pauses=self.pauses,
                journal=self.journal,
                others=self._others,
            )
            parts += [("deliverer", self._works.deliverer), ("collector", self._collector())]
        desk: Desk | None = None
        if self.role != "deliver":
            relay = Relay(store=self.store, log=self.log, owner=self.owner)
            replies = self._replies()
            desk = self._desk(replies, relay)
            if self.role != "intake":
                inbox = Inbox(settings=self.settings, log=self.log, desk=desk, metrics=self.metrics)
                dispatcher = self._dispatcher(replies, relay)
                parts = [("dispatcher", dispatcher), ("updates", inbox), ("relay", relay), *parts]
                parts.append(("keeper", Keeper(self.settings, self.store, self.blobs, owner=self.owner)))
        recorders = self._works.recorders = self._recorders() if self.takes_in else {}
        for name in recorders:
            if self._configs[name].spec.proof(self._configs[name].settings) == "":
                log.warning("intake.takes_whatever_comes", channel=name)
        runner = await self._listen(desk) if self.listens else None
        ports = self._works.ports = Ports({name: self.channels[name] for name in recorders}, recorders, self.pauses)
        await ports.start()
        self._supervisor.start([*self._health_parts(), *self._intakes(), *parts, *self._alarms()])
        try:
            log.info("gateway.started", role=self.role, channels=sorted(self.channels), settings=self.settings.source)
            started()
            await self._stop.wait()
            log.info("gateway.stopping", role=self.role)
            async with asyncio.timeout(self.settings.server.shutdown_grace):
                await ports.stop()
                if runner is not None:
                    await runner.cleanup()
                await self._supervisor.finish()
        except TimeoutError:
            log.warning("gateway.grace_over", seconds=self.settings.server.shutdown_grace)
        finally:
            await self._supervisor.end()
            await self._heart.leave()

    def _health_parts(self) -> list[tuple[str, Part]]:
        """What tells how this process stands and judges how all of them do; every role has the first and last."""
        settings, store, owner = self.settings, self.store, self.owner
        watch = Watch(store=store, settings=settings, metrics=self.metrics, owner=owner, channels=self.channels)
        found: list[tuple[str, Part]] = [("heart", self._heart), ("watch", watch)]
        if self._works.deliverer is not None:
            self._works.probes = Probes(
                self.channels,
                store=store,
                owner=owner,
                every=settings.health.probe_every,
                timeout=settings.delivery.timeout,
                journal=self.journal,
            )
            found.append(("probes", self._works.probes))
        return found

    def _alarms(self) -> list[tuple[str, Part]]:
        """What tells people outside of trouble. Every role has them; leases in the store say whose turn it is."""
        settings, store, metrics, owner = self.settings, self.store, self.metrics, self.owner
        switch = DeadMan(
            settings.alerts.heartbeat_url.get_secret_value(),
            http=self._hub.http,
            store=store,
            metrics=metrics,
            owner=owner,
            fresh=settings.health.missing_after,
        )
        found: list[tuple[str, Part]] = [("dead man's switch", switch)]
        sinks = make_sinks(settings, self._hub.http, lambda: self.base_url)
        if sinks:
            found.append(("alerts", Alerts(sinks, settings=settings, store=store, metrics=metrics, owner=owner)))
        return found

    def _replies(self) -> Replies:
        replies = self.settings.replies
        return Replies(
            override=replies.folder,
            default_language=replies.default_language,
            channel_types=tuple({config.spec.type: None for config in self._configs.values()}),
        )

    def _desk(self, replies: Replies, relay: Relay) -> Desk:
        topics, deliverer = self.settings.topics, self._works.deliverer
        return Desk(
            store=self.store,
            context=Context(replies, topics.cases, self.source, self.settings.zone, self._private_types()),
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
        deliverer = self._works.deliverer
        return Dispatcher(
            settings=settings,
            log=self.log,
            store=self.store,
            replies=replies,
            metrics=self.metrics,
            private_types=self._private_types(),
            normalizer=self._readers,
            source=self.source,
            notice=self._notice,
            on_replies=deliverer.wake if deliverer else lambda: None,
            on_publications=relay.wake,
        )

    def _private_types(self) -> frozenset[str]:
        specs = {config.spec.type: config.spec for config in self._configs.values()}
        return frozenset(t for t, spec in specs.items() if Capability.PRIVATE_CONVERSATION in spec.capabilities)

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

    def _intakes(self) -> list[tuple[str, Part]]:
        """What reads the channels that are read, and registers those that are called."""
        works = self._works
        for name, recorder in works.recorders.items():
            channel = works.channels[name]
            if channel.sources():
                works.pullers[name] = Puller(
                    channel,
                    recorder,
                    store=self.store,
                    owner=self.owner,
                    lease=self.settings.intake.lease,
                    pauses=self.pauses,
                )
            elif Capability.WEBHOOK in channel.spec.capabilities:
                works.registrations[name] = Registration(channel)
        intakes: list[tuple[str, Part]] = [(f"read {name}", puller) for name, puller in works.pullers.items()]
        return [*intakes, *((f"register {name}", part) for name, part in works.registrations.items())]

    async def _listen(self, desk: Desk | None) -> Runner:
        """Open the port, with the webhooks where this role takes messages in."""
        app = web.Application()
        add_pulse(app, self.pulse())
        doors = self._doors() if self.takes_in else []
        if self.takes_in:
            add_doors(app, doors)
        if self.takes_in and desk is not None:
            Api(self.settings, self.store, desk, self._strangers).add_to(app)
            self._add_console(app, desk)
        if self._extend is not None:
            self._extend(app)
        add_not_found(app)
        server = self.settings.server
        runner = Runner(
            app,
            access_log=None,
            logger=_http_log,
            handle_signals=False,
            shutdown_timeout=server.shutdown_grace / 2,
            max_line_size=MAX_LINE,
            max_connections=server.max_connections,
            request_timeout=server.request_timeout,
            lanes={path: taker for door in doors for path, taker in door.lanes().items()},
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

    def _add_console(self, app: web.Application, desk: Desk) -> None:
        """The operators' console, with what it needs to act."""
        # Only where it is shown: its templates and ciphers are a good part of a start.
        from gateway.console.pages import add_pages
        from gateway.console.shell import Console

        settings, deliverer = self.settings, self._works.deliverer
        replayer = Replayer(
            store=self.store,
            log=self.log,
            topic=settings.topics.complaints,
            updates_topic=settings.topics.case_updates,
            source=self.source,
            doors={name: (channel, self._readers(channel.spec.type, name)) for name, channel in self.channels.items()},
        )
        console = Console(
            settings,
            self._configs,
            self.store,
            blobs=self.blobs,
            desk=desk,
            replay=replayer.replay,
            on_replies=deliverer.wake if deliverer else lambda: None,
        )
        add_pages(console, app)

    def _doors(self) -> list[Door]:
        return [
            Door(
                self.channels[name],
                recorder,
                metrics=self.metrics,
                settings=self.settings,
                pauses=self.pauses,
                journal=self.journal,
                strangers=self._strangers,
            )
            for name, recorder in self._works.recorders.items()
            if Capability.WEBHOOK in self.channels[name].spec.capabilities
        ]

    def pulse(self) -> Pulse:
        """What the health and metrics endpoints show."""
        return Pulse(
            metrics=self.metrics,
            channels=self.health,
            dependencies=lambda: {"log": self.log.ready()[1] or "ok", "store": self._store_state()},
            ready=self.log.ready,
            refresh=self._standing.refresh,
        )

    def _store_state(self) -> str:
        """How the store was when it was last written to, at the start or by the heart."""
        return f"away: {self._heart.trouble}" if self._heart.trouble else self._supervisor.store_state

    def health(self) -> dict[str, ChannelHealth]:
        """Every channel's health, see :meth:`gateway.standing.Standing.health`."""
        return self._standing.health(self._heart.view.state)
