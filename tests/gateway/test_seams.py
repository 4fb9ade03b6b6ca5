"""Seams do nothing unless armed, and nothing that an operator can set arms them."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.seams import Armed, Seam, parse

ROOT = Path(__file__).parents[2]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_unarmed_nothing_happens() -> None:
    done = run("from gateway.seams import Seam, reached\nfor seam in Seam: reached(seam)")
    assert (done.returncode, done.stderr) == (0, "")


def test_armed_it_says_so_and_ends_at_the_nth_time() -> None:
    done = run(
        "from gateway.seams import Seam, arm, reached\n"
        "arm('after-verify:2')\n"
        "reached(Seam.DECIDED); reached(Seam.VERIFIED); print('once', flush=True); reached(Seam.VERIFIED); print('twice')"
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "once\n"
    first, last = done.stderr.splitlines()
    assert "WILL KILL ITSELF at after-verify" in first
    assert last == "seams: kill after-verify"


@pytest.mark.parametrize(
    ("text", "step", "left", "act"),
    [
        ("after-verify", Seam.VERIFIED, 1, "kill"),
        ("before-send:3", Seam.BEFORE_SEND, 3, "kill"),
        ("before-send:1:pause", Seam.BEFORE_SEND, 1, "pause"),
    ],
)
def test_what_is_armed(text: str, step: Seam, left: int, act: str) -> None:
    armed: Armed = parse(text)
    assert (armed.step, armed.left, armed.act) == (step, left, act)


@pytest.mark.parametrize("text", ["", "no-such", "after-verify:0", "after-verify:x", "after-verify:1:explode"])
def test_what_is_no_way_to_arm(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


def modules() -> dict[str, str]:
    return {str(path): path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py")}


def test_nothing_in_the_program_arms_a_seam() -> None:
    for path, source in modules().items():
        imported = {
            alias.name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and node.module == "gateway.seams"
            for alias in node.names
        }
        assert imported <= {"Seam", "reached"}, path


def test_every_seam_is_somewhere_on_the_way() -> None:
    sources = "".join(modules().values())
    assert [seam for seam in Seam if f"reached(Seam.{seam.name})" not in sources] == []
