"""``gateway check``: what an operator wants to know before the start, each thing asked of the real part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from channels.errors import ChannelError
from channels.http import HttpClient
from config.fields import secrets
from config.settings import Settings
from gateway.blobs.base import BlobsUnavailable, key_for
from gateway.blobs.factory import make_blobs
from gateway.channelset import ChannelConfig
from gateway.eventlog.base import LogUnavailable
from gateway.eventlog.factory import make_log
from gateway.hub import Hub
from gateway.identity import process_name
from gateway.replies import Replies, ReplyTemplateError
from gateway.store.engine import Store, StoreUnavailable

EXAMPLE_SECRETS = frozenset({"sandbox", "1708:sandbox"})
"""The secrets of config/embedded.toml, which everybody can read."""


class Checkup:
    """Prints one line a check and remembers whether any said no."""

    def __init__(self) -> None:
        self._out = Console(highlight=False)
        self.passed = True

    def well(self, what: str, said: str) -> None:
        """A check that passed."""
        self._out.print(f"[green]ok[/]    {what}: {escape(said)}")

    def note(self, what: str, said: str) -> None:
        """Something an operator should know, that is no failure."""
        self._out.print(f"[yellow]note[/]  {what}: {escape(said)}")

    def failed(self, what: str, said: str) -> None:
        """A check that failed."""
        self.passed = False
        self._out.print(f"[red]fail[/]  {what}: {escape(said)}")


async def checkup(settings: Settings, channels: Mapping[str, ChannelConfig]) -> bool:
    """Check the settings' consequences, the log, the store and every channel; true when all passed."""
    checks = Checkup()
    checks.well("settings", settings.source or "defaults")
    _check_settings(checks, settings, channels)
    await _check_log(checks, settings)
    await _check_store(checks, settings)
    await _check_blobs(checks, settings)
    await _check_channels(checks, settings, channels)
    return checks.passed


def _check_settings(checks: Checkup, settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
    if not channels:
        checks.failed("channels", "none is configured, so no citizen can be heard; add a table [channels.<name>]")
    if settings.log.backend == "kafka" and not settings.privacy.key.get_secret_value():
        checks.note("privacy.key", "not set: processes on other machines would hash senders differently; set one key")
    if not settings.server.public_url:
        checks.note("server.public_url", f"not set: providers are told {settings.server.base_url}")
    _check_secrets(checks, settings, channels)
    try:
        Replies(
            override=settings.replies.folder,
            default_language=settings.replies.default_language,
            channel_types=tuple({c.spec.type for c in channels.values()}),
        )
    except ReplyTemplateError as error:
        checks.failed("replies", str(error))
    else:
        checks.well("replies", "every template renders")


def _check_secrets(checks: Checkup, settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
    """Nobody outside this machine may find a door that opens to a secret of the examples, or to none at all."""
    server = settings.server
    within = not server.public_url and server.host in ("127.0.0.1", "::1", "localhost")
    say = checks.note if within else checks.failed
    if any(token.get_secret_value() in EXAMPLE_SECRETS for token in settings.api.tokens):
        say("api.tokens", "is the one of the examples: whoever reads them can write to citizens")
    for name, config in channels.items():
        values = ((field, getattr(config.settings, field)) for field in sorted(secrets(type(config.settings))))
        for field, value in values:
            if isinstance(value, SecretStr) and value.get_secret_value() in EXAMPLE_SECRETS:
                say(f"channels.{name}.{field}", "is the one of the examples, no secret")
        _check_proof(checks, name, config)


def _check_proof(checks: Checkup, name: str, config: ChannelConfig) -> None:
    """By what a channel knows its provider; one that is to know it and cannot has not come so far."""
    proof, networks = config.spec.proof(config.settings), config.settings.allow_from
    within = f", and only from {', '.join(map(str, networks))}" if networks else ""
    if proof:
        checks.well(f"channels.{name}", f"whoever writes to it is known by {proof}{within}")
    elif proof == "":
        checks.note(f"channels.{name}", f'takes whatever comes: verification = "none"{within}')


async def _check_channels(checks: Checkup, settings: Settings, channels: Mapping[str, ChannelConfig]) -> None:
    store = Store(settings.store.url.get_secret_value(), pool_size=1)
    try:
        async with HttpClient(timeout=settings.delivery.timeout) as http:
            hub = Hub(settings.server.base_url, store, process_name(), http)
            for name, config in channels.items():
                channel = config.spec.make(name, config.settings, hub)
                try:
                    checks.well(f"channel {name}", await channel.probe())
                except ChannelError as error:
                    checks.failed(f"channel {name}", f"{error.reason}: {error}")
                finally:
                    await channel.close()
    finally:
        await store.close()


async def _check_log(checks: Checkup, settings: Settings) -> None:
    log = make_log(settings)
    try:
        await log.start()
        ready, why = log.ready()
    except (LogUnavailable, OSError) as error:
        ready, why = False, str(error)
    finally:
        await log.close()
    where = settings.log.path if settings.log.backend == "sqlite" else settings.log.bootstrap_servers
    if ready and not why:
        checks.well("log", f"{settings.log.backend} at {where}")
    else:
        checks.failed("log", f"{settings.log.backend} at {where}: {why or 'not ready'}")


async def _check_store(checks: Checkup, settings: Settings) -> None:
    store = Store(settings.store.url.get_secret_value(), pool_size=1)
    try:
        async with store.read():
            pass
    except (StoreUnavailable, OSError) as error:
        checks.failed("store", f"{settings.store.shown_url}: {error}")
    else:
        checks.well("store", settings.store.shown_url)
    finally:
        await store.close()


async def _check_blobs(checks: Checkup, settings: Settings) -> None:
    """Keep a few bytes and erase them again: a bucket that cannot be written shows only then."""
    blobs = make_blobs(settings.blobs)
    key = key_for("check", process_name())

    async def few() -> AsyncIterator[bytes]:
        yield b"gateway check"

    where = settings.blobs.url or str(settings.blobs.path)
    try:
        await blobs.put(few(), key=key, limit=100)
        await blobs.delete(key)
    except BlobsUnavailable as error:
        checks.failed("blobs", f"{where}: {error}")
    else:
        checks.well("blobs", where)
