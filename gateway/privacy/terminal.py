"""What ``gateway forget`` and ``gateway retention run`` ask and print. Nothing printed tells more than was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from sqlalchemy.exc import DBAPIError

from channels.redaction import mask_address
from config.settings import Settings
from gateway.blobs.base import BlobsUnavailable
from gateway.blobs.factory import make_blobs
from gateway.channelset import ChannelConfig
from gateway.eventlog.base import LogUnavailable
from gateway.identity import process_name, sender_secret
from gateway.privacy.expiry import expiries
from gateway.privacy.find import NotAnAddressError, Who, behind_handle, candidates, is_handle, known
from gateway.privacy.forget import Forgetting, Forgotten, Told
from gateway.privacy.keeper import LEASE, LEASE_SECONDS, Keeper
from gateway.store import leases
from gateway.store.engine import Store, StoreUnavailable
from gateway.store.migrate import migrate

AGAIN = "what is left is erased when the command is given again"


async def forget_sender(
    settings: Settings, channels: Mapping[str, ChannelConfig], text: str, kind: str | None, *, yes: bool, by: str
) -> int:
    """Find the sender, ask, forget, tell; ``by`` is who asks. Returns the exit status."""
    err = Console(stderr=True, highlight=False)
    store = Store(settings.store.url.get_secret_value(), pool_size=2)
    forgetting = Forgetting(settings, store, make_blobs(settings.blobs))
    try:
        await migrate(store)
        found = await _whom(settings, channels, store, forgetting, text, kind)
        if isinstance(found, str):
            err.print(f"gateway: {escape(found)}")
            return 1 if found.startswith("nobody") else 2
        held = await forgetting.holding(found)
        said = f"{found.type} {mask_address(found.kind, found.address)}"
        Console().print(f"{said}: {held.cases} cases, {held.messages} messages, {held.files} attachments")
        if not yes and not typer.confirm("Erase who this is and what they wrote, for good?", err=True):
            return 1
        with _progress(err) as told:
            done = await forgetting.forget(found, by=by, told=told)
    except (BlobsUnavailable, LogUnavailable, StoreUnavailable) as error:
        err.print(f"gateway: not all was erased: {escape(str(error))}; {AGAIN}")
        return 1
    except (DBAPIError, OSError) as error:
        err.print(f"gateway: not all was erased: {type(error).__name__}; {AGAIN}")
        return 1
    finally:
        await store.close()
    await _tell(settings, store, done)
    return 0


async def run_retention(settings: Settings) -> int:
    """One run of the keeper, in the foreground; returns the exit status."""
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    store, owner = Store(settings.store.url.get_secret_value(), pool_size=2), process_name()
    try:
        await migrate(store)
        if not await leases.acquire(store, LEASE, owner, LEASE_SECONDS):
            err.print("gateway: another process is at it")
            return 1
        try:
            swept, retained = await Keeper(settings, store, make_blobs(settings.blobs), owner=owner).once()
        finally:
            await leases.release(store, LEASE, owner)
    except (BlobsUnavailable, LogUnavailable) as error:
        err.print(f"gateway: not all was erased: {escape(str(error))}")
        return 1
    finally:
        await store.close()
    if not settings.retention.after:
        out.print("[retention] after is not set: cases are kept", markup=False)
    out.print(f"by age: {retained.said()}")
    out.print(f"of citizens forgotten before: {swept.said()}")
    return 0


async def _whom(
    settings: Settings,
    channels: Mapping[str, ChannelConfig],
    store: Store,
    forgetting: Forgetting,
    text: str,
    kind: str | None,
) -> Who | str:
    """The one sender who is meant, or why there is none."""
    secret = sender_secret(settings)
    try:
        whom = candidates(text, kind, secret, channels)
    except NotAnAddressError as error:
        return f"{text} is {error}: a phone, a mail address, an id or a @handle"
    if is_handle(text, kind):
        whom += await behind_handle(store, text, secret)
    there = await known(store, whom) or [who for who in whom if await forgetting.on_the_log(who)]
    if not there:
        return f"nobody of the address {text} is known" + (f" on {kind}" if kind else "")
    if len(there) > 1 and len({who.type for who in there}) == len(there):
        types = " and ".join(sorted(who.type for who in there))
        return f"{text} is somebody on {types}: say which with --type"
    if len(there) > 1:
        return f"{text} is several senders: {', '.join(sorted(who.address for who in there))}; name one by its address"
    return there[0]


async def _tell(settings: Settings, store: Store, done: Forgotten) -> None:
    """Print what was erased, and where copies linger."""
    out = Console(highlight=False)
    out.print(f"erased: {done.counts.said()}")
    if done.counts.dropped:
        out.print(f"{done.counts.dropped} of the replies were waiting, and are not sent")
    if done.waiting:
        out.print(f"{done.waiting} messages are still to be dispatched: they are blank, open no case and get no answer")
    if not store.sqlite:
        out.print("PostgreSQL: the tables were vacuumed; its write-ahead log and backups keep copies of their own")
    for expiry in await expiries(settings):
        out.print(f"Kafka, {escape(expiry.said(settings))}")


@contextmanager
def _progress(err: Console) -> Iterator[Told]:
    """Bars for long work, on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done, total=total)

        yield told
