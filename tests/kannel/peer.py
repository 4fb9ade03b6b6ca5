"""A real Kannel on free ports: bearerbox, smsbox, and fakesmsc as the telco, run from the shipped settings.

``async with Kannel(webhook="http://127.0.0.1:8080/webhooks/sms", token="…") as kannel:`` gives a Kannel that
hands every text to ``webhook``. ``await kannel.text("+628…", "Jalan rusak")`` is a citizen who texts 1708;
``await kannel.received(1)`` waits for what the citizen's phone gets. ``kannel.sendsms_url``,
``kannel.username`` and ``kannel.password`` are the gateway's way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote_from_bytes

from tests.kannel.box import Box
from tests.kannel.telco import Coding, Reply, Telco

SHIPPED = Path(__file__).parents[2] / "deploy" / "kannel"


class Kannel:
    """See the module. All URLs are known before it is entered, so that each side can be told the other's.

    ``changes`` replaces more values of the shipped file: ``{"http-timeout": "2"}``.
    """

    username = "gateway"
    password = "kannel-test-password"
    admin_password = "kannel-test-admin"
    status_password = "kannel-test-status"

    def __init__(self, *, webhook: str, token: str, changes: Mapping[str, str] | None = None) -> None:
        self._webhook = f"{webhook}?token={token}&"
        self._changes = {"http-queue-delay": "1", "sms-resend-freq": "1", "reconnect-delay": "1", **(changes or {})}
        self._admin_port, self._box_port, self._sendsms_port, self._telco_port = free_ports(4)
        self.sendsms_url = f"http://127.0.0.1:{self._sendsms_port}/cgi-bin/sendsms"
        self.admin_url = f"http://127.0.0.1:{self._admin_port}"
        self.bearerbox: Box
        self.smsbox: Box
        self.telco: Telco

    def _write_settings(self) -> Path:
        shipped = "http://127.0.0.1:8080/webhooks/sms?token=CHANGE-ME-TOKEN&"
        main = {
            "admin-port = 13000": f"admin-port = {self._admin_port}",
            "smsbox-port = 13001": f"smsbox-port = {self._box_port}",
            "sendsms-port = 13013": f"sendsms-port = {self._sendsms_port}",
            "CHANGE-ME-ADMIN": self.admin_password,
            "CHANGE-ME-STATUS": self.status_password,
            "CHANGE-ME-USER": self.username,
            "CHANGE-ME-PASSWORD": self.password,
            f'send-url = "{shipped}': f'send-url = "{self._webhook}',
            f'get-url = "{shipped}': f'get-url = "{self._webhook}',
            "/var/spool/kannel": str(self._directory),
            "/var/log/kannel": str(self._directory),
            "/etc/kannel": str(self._directory),
        }
        carriers = {
            "smsc = smpp\n": "smsc = fake\nconnect-allow-ip = 127.0.0.1\n",
            "host = CHANGE-ME-HOST\n": "host = 127.0.0.1\n",
            "port = 2775\n": f"port = {self._telco_port}\n",
            "smsc-username = CHANGE-ME-SYSTEM-ID\n": "",
            "smsc-password = CHANGE-ME-SMPP-PASSWORD\n": "",
            'system-type = ""\n': "",
            "transceiver-mode = true\n": "",
            # Its log has to come with bearerbox's, for this class to read.
            'log-file = "/var/log/kannel/carrier.log"\nlog-level = 3\n': "",
        }
        (self._directory / "carriers.conf").write_text(render(SHIPPED / "carriers.conf", carriers, {}))
        settings = self._directory / "kannel.conf"
        settings.write_text(render(SHIPPED / "kannel.conf", main, self._changes))
        return settings

    async def __aenter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="kannel-"))
        try:
            for name in ("store", "dlr"):
                (self._directory / name).mkdir()
            settings = str(self._write_settings())
            self.bearerbox = Box("bearerbox", "/usr/sbin/bearerbox", "-v", "0", settings)
            self.smsbox = Box("smsbox", "/usr/sbin/smsbox", "-v", "0", settings)
            self.telco = Telco(self._telco_port)
            await self.start_bearerbox()
            await self.start_smsbox()
            await self.start_telco()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in ("telco", "smsbox", "bearerbox"):
            if (box := getattr(self, name, None)) is not None:
                await box.kill()
        shutil.rmtree(self._directory)

    async def start_bearerbox(self) -> None:
        """Start bearerbox, also after its end; smsbox and the telco have to be started again then."""
        await self.bearerbox.start("Start-up done, entering mainloop")
        # Its log does not tell when it listens for smsbox, which gives up where it does not.
        await listening(self._box_port)

    async def start_smsbox(self) -> None:
        """Start smsbox, also after its end."""
        await self.smsbox.start("Connected to bearerbox")

    async def start_telco(self) -> None:
        """Start fakesmsc, also after its end; what phones got before is forgotten."""
        wanted, before = "Fakesmsc client connected", self.bearerbox.count("Fakesmsc client connected")
        await self.telco.start("fakesmsc starting")
        await self.bearerbox.until(lambda: self.bearerbox.count(wanted) > before, wanted)

    async def text(self, from_: str, text: str, *, to: str = "1708", coding: Coding = "gsm") -> None:
        """A citizen texts ``to``: one message, of any length; Kannel has read it when this returns."""
        match coding:
            case "gsm":
                await self._submit(from_, to, "text", text.encode())
            case "ucs2":
                await self._submit(from_, to, "ucs2", quote_from_bytes(text.encode("utf-16-be")).encode())
            case "binary":
                await self._submit(from_, to, "data", quote_from_bytes(text.encode("latin-1")).encode())

    async def part(self, from_: str, text: str, *, ref: int, index: int, total: int, to: str = "1708") -> None:
        """One part of a long message (GSM alphabet), with the header of 3GPP TS 23.040 section 9.2.3.24.1."""
        header = quote_from_bytes(bytes([5, 0, 3, ref, total, index]), safe="")
        await self._submit(from_, to, "udh-text", f"{header} {text}".encode())

    async def long_text(self, from_: str, text: str, *, ref: int = 1, to: str = "1708") -> int:
        """A long message as a phone sends it, in parts of 153 characters; returns how many."""
        parts = [text[start : start + 153] for start in range(0, len(text), 153)]
        for index, piece in enumerate(parts, 1):
            await self.part(from_, piece, ref=ref, index=index, total=len(parts), to=to)
        return len(parts)

    async def _submit(self, from_: str, to: str, kind: str, octets: bytes) -> None:
        wanted, before = "smsc_fake: new message", self.bearerbox.count("smsc_fake: new message")
        await self.telco.submit(from_, to, kind, octets)
        await self.bearerbox.until(lambda: self.bearerbox.count(wanted) > before, wanted)

    @property
    def stored(self) -> list[str]:
        """The ids of the messages and replies that Kannel still has to hand on."""
        return sorted(path.name for path in (self._directory / "store").rglob("*") if path.is_file())

    async def holds(self, n: int, *, timeout: float = 15.0) -> None:
        """Wait until ``n`` messages and replies are still to be handed on. Raises :class:`TimeoutError`."""
        async with asyncio.timeout(timeout):
            while len(self.stored) != n:
                await asyncio.sleep(0.02)

    @property
    def logs(self) -> str:
        """Everything that the shipped settings let Kannel write into its log files."""
        return "".join(path.read_text() for path in sorted(self._directory.glob("*.log")))

    @property
    def replies(self) -> list[Reply]:
        """Everything that phones show so far, in order."""
        return self.telco.replies

    async def received(self, n: int, *, timeout: float = 15.0) -> list[Reply]:
        """The replies once there are at least ``n``. Raises :class:`TimeoutError`."""
        return await self.telco.received(n, timeout)


def render(shipped: Path, marked: Mapping[str, str], changes: Mapping[str, str]) -> str:
    """The shipped file with the marked values put in and single settings changed.

    Raises :class:`ValueError` where a marked value or a changed setting is not in the file (any more), or where
    something marked is left.
    """
    text = shipped.read_text()
    for mark, value in marked.items():
        if mark not in text:
            raise ValueError(f"{shipped.name} no longer holds {mark!r}")
        text = text.replace(mark, value)
    for name, value in changes.items():
        text, found = re.subn(rf"(?m)^{re.escape(name)} = .*$", f"{name} = {value}", text)
        if not found:
            raise ValueError(f"{shipped.name} no longer sets {name!r}")
    left = [line for line in text.splitlines() if "CHANGE-ME" in line and not line.startswith("#")]
    if left:
        raise ValueError(f"{shipped.name} marks what no test fills in: {left}")
    return text


async def listening(port: int, *, timeout: float = 15.0) -> None:
    """Wait until something on the loopback accepts connections. Raises :class:`TimeoutError`."""
    async with asyncio.timeout(timeout):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                await writer.wait_closed()
                return


def free_ports(n: int) -> list[int]:
    """Ports of the loopback that nothing listens on now, all different.

    They are below the range that systems take for outgoing connections, so that none of those gets in between.
    """
    ports: list[int] = []
    for port in random.sample(range(15000, 32000), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == n:
            return ports
    raise RuntimeError("the machine has no free ports")
