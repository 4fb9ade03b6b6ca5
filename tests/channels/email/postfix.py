"""A real Postfix as its own instance: its settings, queue and log in one folder, a free port.

It needs root, as Postfix gives its processes users of their own; it does not touch the system's service. Mail for
``example.go.id`` goes on by LMTP, mail for ``example.org`` by SMTP to the citizens' own server.
"""

from __future__ import annotations

import asyncio
import shutil

from tests.channels.email.dovecot import ATTEMPTS, PASSWORD, USER, folder_for, free_ports, until_open

MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = mx.example.go.id
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
virtual_mailbox_domains = example.go.id
virtual_mailbox_maps = inline:{{ lapor@example.go.id=x }}
relay_domains =
transport_maps = inline:{{ {{ example.go.id = lmtp:inet:127.0.0.1:{lmtp} }}, {{ example.org = smtp:[127.0.0.1]:{citizens} }} }}
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtp_tls_security_level = none
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
default_destination_rate_delay = 0s
destination_concurrency_failed_cohort_limit = 0
lmtp_destination_concurrency_failed_cohort_limit = 0
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """``async with Postfix(lmtp=…, citizens=…) as postfix``: it takes mail at ``port``.

    ``lmtp`` and ``citizens`` are the ports that mail goes on to, ``auth`` is Dovecot's for SASL. It relays for whoever
    logs in, as ``url`` does.
    """

    def __init__(self, *, lmtp: int, citizens: int, auth: int) -> None:
        self.root = folder_for("postfix")
        self._lmtp, self._citizens, self._auth = lmtp, citizens, auth
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where our mails are handed over."""
        return f"smtp://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    async def __aenter__(self) -> Postfix:
        conf = self.root / "conf"
        for path in (self.root / "queue", self.root / "data", conf):
            path.mkdir()
        main = MAIN.format(root=self.root, lmtp=self._lmtp, citizens=self._citizens, auth=self._auth)
        (conf / "main.cf").write_text(main)
        await self._run("chown", "postfix", str(self.root / "data"))
        for _ in range(ATTEMPTS):
            (self.port,) = free_ports(1)
            (conf / "master.cf").write_text(MASTER.format(port=self.port))
            await self._run("/usr/sbin/postfix", "-c", str(conf), "check")
            # In a process group of its own: at its end it ends its group.
            self._process = await asyncio.create_subprocess_exec(
                "/usr/lib/postfix/sbin/master",
                "-c",
                str(conf),
                "-d",
                start_new_session=True,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            if await until_open(self.port, self._process):
                return self
        raise OSError("no free port for Postfix")

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        shutil.rmtree(self.root)

    async def _run(self, *command: str) -> None:
        done = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
        assert await done.wait() == 0, command
