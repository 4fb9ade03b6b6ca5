"""A new channel type, made as docs/adding-a-channel.md tells: every command of the guide is run, in its order."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.scaffold.make import ScaffoldError, scaffold
from tests.test_imports import ORDER, ROOT

GUIDE = (ROOT / "docs" / "adding-a-channel.md").read_text(encoding="utf-8")
ENOUGH = 15
TOOLS = {".venv/bin/gateway": ["-m", "gateway"], ".venv/bin/python": [], ".venv/bin/ruff": ["-m", "ruff"]}


def steps() -> list[list[str]]:
    """The commands of each of the guide's blocks."""
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project to write in, with the SMS channel as its only type."""
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "target", "results")
    for name in (*ORDER, "tests", "docs", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for kind in ("channels", "tests/channels"):
        for folder in (tmp_path / kind).iterdir():
            if folder.is_dir() and folder.name != "sms":
                shutil.rmtree(folder)
    return tmp_path


def run(checkout: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run one line of the guide in the copy."""
    program, *arguments = shlex.split(command)
    return subprocess.run(
        [sys.executable, *TOOLS[program], *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def failed(report: str) -> list[str]:
    """The tests that a report of pytest names as failed."""
    return re.findall(r"^FAILED \S+::(\w+)", report, re.MULTILINE)


def test_the_guide_leads_to_a_channel_that_keeps_the_contract(checkout: Path) -> None:
    [make], [look], checks = steps()
    made = run(checkout, make)
    assert made.returncode == 0, made.stderr
    assert all((checkout / line).is_file() for line in made.stdout.splitlines()[:-1])
    assert {
        line for line in re.findall(r"`((?:channels|tests)/\S+?)`", GUIDE) if "/line/" in line and "*" not in line
    } <= {*made.stdout.splitlines()}

    looked = run(checkout, look)
    assert failed(looked.stdout) == ["test_there_are_enough_golden_fixtures"], looked.stdout

    path = checkout / "tests" / "channels" / "line" / "fixtures" / "messages.json"
    fixtures = json.loads(path.read_text(encoding="utf-8"))
    for kind in ("inbound", "outbound"):
        fixtures[kind] += [fixtures[kind][0] | {"name": f"another {n}"} for n in range(ENOUGH)]
    path.write_text(json.dumps(fixtures), encoding="utf-8")
    for check in checks:
        checked = run(checkout, check)
        assert checked.returncode == 0, f"{check}\n{checked.stdout}{checked.stderr}"
    assert 'type = "line"' in (checkout / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["Line", "1line", "l", "li-ne", "class", "", "li/ne", "../line", "x" * 32])
def test_a_name_that_cannot_be_a_types_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScaffoldError):
        scaffold(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "said"), [("sms", "there is a type sms"), ("line", "no channels/ here")])
def test_it_is_said_why_nothing_is_made(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ScaffoldError, match=said):
        scaffold(tmp_path, name)
