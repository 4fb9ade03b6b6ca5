"""A real Apache Kafka broker for tests: one node (KRaft), on free ports, in a folder of its own."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.services import KAFKA, KAFKA_JARS

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
# Tests are over before the second compiler or a concurrent collector would pay.
JAVA = ("java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")

SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=2000
controlled.shutdown.enable=false
num.network.threads=2
num.io.threads=2
"""


class Broker:
    """The broker and its process. All methods block; :attr:`bootstrap_servers` stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "broker.log"
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self.port, controller = _free_ports(2)
        self.bootstrap_servers = f"127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.format(port=self.port, controller=controller, data=folder / "data")
        self._settings.write_text(settings, encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the broker, or start it again, and wait until it takes connections."""
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._settings)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
                return
            time.sleep(POLL_SECONDS)
        self.kill()
        raise AssertionError(f"the broker did not start:\n{self.said()}")

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers, from the return on."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_SECONDS
        # On a busy machine a thread that runs still serves for a moment after the signal.
        while not all(state in ("T", "t") for state in self._states()) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _states(self) -> list[str]:
        """The state of each thread of the process, as proc(5) has it; none where there is no such folder."""
        states = []
        for stat in Path(f"/proc/{self._process.pid if self._process else 0}/task").glob("*/stat"):
            # A thread that ends meanwhile is none.
            with contextlib.suppress(OSError):
                states.append(stat.read_text().rpartition(")")[2].split()[0])
        return states

    def wait_until_serving(self) -> None:
        """Wait until the broker has its place in the cluster; a long pause costs it that for a moment."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaException):
                if admin.list_topics(timeout=1.0).brokers:
                    return
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"the broker does not serve:\n{self.said()}")

    def said(self) -> str:
        """What the broker has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def _java(self) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={KAFKA / 'log4j2.properties'}"
        return [*JAVA, logging, "-cp", f"{KAFKA_JARS}/*"]

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        arguments = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._settings)]
        done = subprocess.run([*self._java(), *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"the broker's folder cannot be formatted:\n{done.stdout}{done.stderr}")

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Broker]:
    """A broker for the time of the block."""
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
