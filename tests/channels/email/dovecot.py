"""A real Dovecot (IMAP with IDLE, LMTP) as its own instance: its settings and mails in one folder, free ports.

It needs root, as Dovecot gives its processes users of their own; it does not touch the system's service.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import os
import pwd
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

USER = "lapor"
PASSWORD = "0ther-pa55"
MAIL_USER = "nobody"
ATTEMPTS = 5
"""A free port may be somebody else's a moment later."""

SETTINGS = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{root}/mail/%n
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  # No waiting for whoever mistook the password before.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""


def free_ports(count: int) -> list[int]:
    """Different ports of the loopback that nobody listens at now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


async def until_open(port: int, process: asyncio.subprocess.Process, *, timeout: float = 60.0) -> bool:
    """Wait until a process listens at a port of the loopback; false where it ended: somebody else took the port."""
    async with asyncio.timeout(timeout):
        while process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            await asyncio.sleep(0.02)
    return False


def folder_for(name: str) -> Path:
    """A new folder that the users of a server's processes may pass through.

    Not one of pytest's: each run of it shuts the folder above those of all runs to everyone else.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    folder.chmod(0o711)
    return folder


class Dovecot:
    """``async with Dovecot() as dovecot``: one mailbox at ``url``, LMTP at ``lmtp_port``, SASL for Postfix at ``auth_port``."""

    def __init__(self) -> None:
        self.root = folder_for("dovecot")
        self.maildir = self.root / "mail" / USER
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where the mailbox is read."""
        return f"imap://{USER}:{PASSWORD}@127.0.0.1:{self.imap_port}"

    async def __aenter__(self) -> Dovecot:
        user = pwd.getpwnam(MAIL_USER)
        for path in (self.root / "mail", self.root / "run", self.root / "state"):
            path.mkdir()
        os.chown(self.root / "mail", user.pw_uid, user.pw_gid)
        for _ in range(ATTEMPTS):
            self.imap_port, self.lmtp_port, self.auth_port = free_ports(3)
            settings = SETTINGS.format(
                root=self.root,
                uid=user.pw_uid,
                gid=user.pw_gid,
                password=PASSWORD,
                imap=self.imap_port,
                lmtp=self.lmtp_port,
                auth=self.auth_port,
            )
            (self.root / "dovecot.conf").write_text(settings)
            if await self.start():
                return self
        raise OSError("no free ports for Dovecot")

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self.root)

    async def start(self) -> bool:
        """Start it and wait until it listens; false where it cannot."""
        self._process = await asyncio.create_subprocess_exec(
            "/usr/sbin/dovecot", "-F", "-c", str(self.root / "dovecot.conf"), stderr=asyncio.subprocess.DEVNULL
        )
        return all([await until_open(port, self._process) for port in (self.imap_port, self.lmtp_port)])

    async def stop(self) -> None:
        """End it, with every connection."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def add(self, raw: bytes, at: datetime | None = None) -> None:
        """A mail arrives, by IMAP's own APPEND."""

        def append(client: imaplib.IMAP4) -> None:
            said, why = client.append("INBOX", "", at or imaplib.Time2Internaldate(time.time()), raw)
            assert said == "OK", why

        await asyncio.to_thread(self._do, append)

    async def fill(self, count: int) -> None:
        """Mails arrive as files, faster than by any protocol."""
        folder = self.maildir / "cur"
        user = pwd.getpwnam(MAIL_USER)

        def write() -> None:
            for name in (self.maildir, folder, self.maildir / "new", self.maildir / "tmp"):
                name.mkdir(exist_ok=True)
                os.chown(name, user.pw_uid, user.pw_gid)
            for number in range(count):
                file = folder / f"{1_700_000_000 + number}.M{number}.host:2,"
                file.write_bytes(numbered(number))
                os.chown(file, user.pw_uid, user.pw_gid)

        await asyncio.to_thread(write)

    async def expunge(self, number: int) -> None:
        """The mail at this place (from 1) is deleted by somebody else."""

        def delete(client: imaplib.IMAP4) -> None:
            client.select("INBOX")
            client.store(str(number), "+FLAGS", "\\Deleted")
            client.expunge()

        await asyncio.to_thread(self._do, delete)

    async def renew(self) -> None:
        """The folder gets a new UIDVALIDITY and its mails new UIDs, as after a restored backup."""
        await self.stop()
        for path in self.maildir.glob("dovecot*"):
            if path.name != "dovecot-uidvalidity" and not path.name.startswith("dovecot-uidvalidity."):
                path.unlink()
        assert await self.start()

    async def seen(self) -> list[bool]:
        """Of every mail, whether somebody read it."""

        def ask(client: imaplib.IMAP4) -> list[bool]:
            client.select("INBOX", readonly=True)
            _, data = client.fetch("1:*", "(FLAGS)")
            return [b"\\Seen" in one for one in data if isinstance(one, bytes)]

        return await asyncio.to_thread(self._do, ask)

    def _do(self, what: Callable[[imaplib.IMAP4], T]) -> T:
        with imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=20) as client:
            client.login(USER, PASSWORD)
            return what(client)


def numbered(number: int) -> bytes:
    """The mail with this number."""
    return (
        f"From: ana@example.org\r\nTo: lapor@example.go.id\r\nSubject: Laporan {number}\r\n"
        f"Message-ID: <m-{number}@example.org>\r\nDate: Fri, 20 Nov 2026 10:04:05 +0700\r\n\r\nJalan {number} rusak\r\n"
    ).encode()
