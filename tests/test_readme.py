"""The README is true: its commands run, its files are there, every command of the program is in it."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import app
from tests.process import GatewayProcess

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]
COMMANDS = [shlex.split(line, comments=True) for line in LINES]


def leaves(group: typer.Typer, *front: str) -> list[str]:
    names = [" ".join((*front, c.name or c.callback.__name__)) for c in group.registered_commands if c.callback]
    for sub in group.registered_groups:
        if sub.typer_instance is not None:
            names += leaves(sub.typer_instance, *front, sub.name or "")
    return names


@pytest.mark.parametrize("command", leaves(app))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`gateway {command}" in README


@pytest.mark.parametrize("words", [w for w in COMMANDS if w[0] == "make"], ids=" ".join)
def test_every_make_target_exists(words: list[str]) -> None:
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    for target in (word for word in words[1:] if "=" not in word):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("words", [w for w in COMMANDS if w[0].endswith("gateway")], ids=" ".join)
def test_every_gateway_command_is_understood(words: list[str]) -> None:
    assert words[0] == ".venv/bin/gateway"
    name = next(word for word in words[1:] if not word.startswith("-"))
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert shown.exit_code == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.output


def test_every_command_was_looked_at() -> None:
    assert {words[0] for words in COMMANDS} == {"make", "curl", ".venv/bin/gateway"}


async def test_the_printed_curl_line_is_answered_with_a_number(tmp_path: Path) -> None:
    """What a newcomer does: the sandbox, then the README's own line."""
    (curl,) = [words for words in COMMANDS if words[0] == "curl"]
    embedded = (TOP / "config/embedded.toml").read_text(encoding="utf-8")
    async with GatewayProcess(tmp_path, embedded, arguments=("--sandbox",)) as gateway:
        line = [word.replace("http://127.0.0.1:8080", gateway.url) for word in curl]
        await asyncio.to_thread(subprocess.run, [*line, "--silent", "--fail"], check=True, timeout=30)
        await gateway.said(r"1708 → \+62812•••••90: .*\d{3} \d{3} \d{4}")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:docs|config|channels|deploy|gateway|tests)/[\w./-]*)`", README)))
)
def test_every_path_in_the_readme_is_there(path: str) -> None:
    assert (TOP / path).exists()
