"""The secret with which senders are hashed, and the name of this process in leases."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from config.settings import Settings


def sender_secret(settings: Settings) -> bytes:
    """The configured key, or the one kept beside the log, made at the first start.

    Several processes may start at once: the file is written whole and linked into place, and the first link wins.
    Raises :class:`OSError` where the folder cannot be written.
    """
    configured = settings.privacy.key.get_secret_value()
    if configured:
        return configured.encode()
    path = Path(settings.log.path).parent / "sender.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text(encoding="ascii").strip().encode()


def process_name() -> str:
    """A name that no other process bears, now or later: host, process id and chance."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"
