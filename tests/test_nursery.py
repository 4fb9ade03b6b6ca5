"""What is born in the nursery is what the command would be; and where the nursery is gone, that is told."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

import tests.nursery
from tests.fixtures.migrated import copy_to
from tests.nursery import Child, Nursery, NurseryDied
from tests.process import GatewayProcess


def settings(folder: Path) -> dict[str, dict[str, str]]:
    return {"log": {"path": str(folder / "log.db")}, "store": {"url": copy_to(folder)}}


async def spawn(nursery: Nursery, folder: Path, *arguments: str, **environment: str) -> Child:
    return await nursery.spawn(arguments, folder=folder, output=folder / "said.log", environment=environment)


def said(folder: Path) -> str:
    return (folder / "said.log").read_text(encoding="utf-8")


@pytest.fixture
async def both(tmp_path: Path, nursery: Nursery) -> AsyncIterator[tuple[GatewayProcess, GatewayProcess]]:
    """The same gateway, born and started as a command."""
    (tmp_path / "born").mkdir()
    (tmp_path / "started").mkdir()
    async with (
        GatewayProcess(tmp_path / "born", settings(tmp_path / "born"), nursery=nursery) as born,
        GatewayProcess(tmp_path / "started", settings(tmp_path / "started")) as started,
    ):
        yield born, started


def stands(gateway: GatewayProcess) -> dict[str, object]:
    """How the system sees a process: what it does with signals, its group, its folder, its open streams and threads."""
    process = Path("/proc") / str(gateway.pid)
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    return {
        "signals": [status[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
        "group": (os.getpgid(gateway.pid), os.getsid(gateway.pid)),
        "umask": status["Umask"],
        "folder": Path(os.readlink(process / "cwd")).name,
        "streams": [Path(os.readlink(process / "fd" / str(n))).suffix or "/dev/null" for n in range(3)],
        "pipes": sum(os.readlink(one).startswith("pipe:") for one in (process / "fd").iterdir()),
    }


async def test_the_born_stands_as_the_command_does(both: tuple[GatewayProcess, GatewayProcess]) -> None:
    born, started = both
    assert stands(born) | {"folder": ""} == stands(started) | {"folder": ""}
    assert [stands(one)["folder"] for one in both] == ["born", "started"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_it_leaves_as_the_command_does(both: tuple[GatewayProcess, GatewayProcess], number: int) -> None:
    for one in both:
        one.send_signal(number)
    assert [await one.ended() for one in both] == [0, 0]
    for one in both:
        assert '"event":"gateway.stopped"' in one.log.splitlines()[-1]


async def test_a_signal_that_kills_is_its_status(tmp_path: Path, nursery: Nursery) -> None:
    gateway = GatewayProcess(tmp_path, settings(tmp_path), nursery=nursery)
    await gateway.start()
    await gateway.kill()
    assert await gateway.ended() == -signal.SIGKILL
    assert not gateway.running


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--help",), 0, "Usage: python -m gateway "),
        (("fly",), 2, "No such command 'fly'"),
        (("run", "--config", "wrong.toml"), 2, "wrong.toml"),
        (("track", "1"), 2, "not a tracking number"),
    ],
    ids=["help", "no such command", "wrong settings", "a command's own"],
)
async def test_its_arguments_and_its_status_are_the_commands(
    tmp_path: Path, nursery: Nursery, arguments: tuple[str, ...], status: int, words: str
) -> None:
    (tmp_path / "wrong.toml").write_text("[server]\nport = 'none'\n", encoding="utf-8")
    child = await spawn(nursery, tmp_path, *arguments)
    assert await child.wait() == status
    assert words in said(tmp_path)


async def test_its_environment_is_the_one_it_is_given(tmp_path: Path, nursery: Nursery) -> None:
    child = await spawn(nursery, tmp_path, "check", GATEWAY_CONFIG=str(tmp_path / "named-by-environment.toml"))
    assert await child.wait() == 2
    assert "named-by-environment.toml" in said(tmp_path)


async def test_what_breaks_is_told_as_python_does(tmp_path: Path, nursery: Nursery) -> None:
    child = await nursery.spawn(
        ["run"], folder=tmp_path, output=tmp_path / "said.log", environment={}, crash="no-such-step"
    )
    assert await child.wait() == 1
    assert said(tmp_path).startswith("Traceback")
    assert "ValueError" in said(tmp_path)


async def test_a_nursery_that_was_killed_is_told(tmp_path: Path) -> None:
    with closing(Nursery()) as own:
        os.kill(own.pid, signal.SIGKILL)
        with pytest.raises(NurseryDied, match="exit status -9"):
            await spawn(own, tmp_path, "--help")


async def test_a_program_that_cannot_be_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('half an edit')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        closing(Nursery()) as own,
        pytest.raises(NurseryDied, match=r"(?s)exit status 1\nTraceback.*half an edit"),
    ):
        await spawn(own, tmp_path, "--help")


async def test_the_end_of_a_nursery_is_the_end_of_what_it_bore(tmp_path: Path) -> None:
    with closing(Nursery()) as own:
        gateway = GatewayProcess(tmp_path, settings(tmp_path), nursery=own)
        await gateway.start()
    assert await gateway.ended() == -signal.SIGKILL
    own.close()
    with pytest.raises(NurseryDied, match="closed"):
        await spawn(own, tmp_path, "--help")


def test_every_package_of_the_program_is_imported() -> None:
    root = tests.nursery.ROOT
    found = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert found == set(tests.nursery.PACKAGES)
