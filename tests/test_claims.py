"""The operators' pages are true: each claim names a test that is there, each alert leads to a heading, each example loads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from config.load import load
from config.settings import Settings

TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)`")
BOUND = "threat-model.md", "operations.md"

WITHOUT_A_TEST = {
    ("threat-model.md", "What there is to protect"): "names what is worth an attack, and claims nothing",
    ("operations.md", "Size"): "a measurement, which make bench repeats",
}
"""Second-level sections that name no test, and why."""


def pages() -> list[Path]:
    return sorted(DOCS.glob("*.md"))


def references(text: str) -> list[str]:
    """Every test that a text names, as pytest would select it."""
    return [path + names for path, names in REFERENCE.findall(text)]


def sections(text: str) -> dict[str, str]:
    """The second-level sections of a page, by their headings."""
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def found_in(path: str) -> frozenset[str]:
    """The tests in a file, a method with its class in front; none where there is no such file."""
    file = TOP / path
    if not file.is_file():
        return frozenset()

    def walk(body: list[ast.stmt], front: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield f"{front}::{node.name}"
            elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield from walk(node.body, f"{front}::{node.name}")

    return frozenset(walk(ast.parse(file.read_text(encoding="utf-8")).body, path))


@pytest.mark.parametrize("page", [page.name for page in pages()])
def test_each_test_that_is_named_is_there(page: str) -> None:
    named = references((DOCS / page).read_text("utf-8"))
    assert [one for one in named if one not in found_in(one.partition("::")[0])] == []


def test_what_looks_like_a_test_is_named_in_full() -> None:
    """A path with a typing error in its form would otherwise be looked at by nobody."""
    for page in pages():
        text = page.read_text("utf-8")
        for said in re.findall(r"[^\s`]*::test_[^\s`,]*", text):
            assert said in references(text), f"docs/{page.name}: {said}"


SECTIONS = [(name, heading) for name in BOUND for heading in sections((DOCS / name).read_text("utf-8"))]


@pytest.mark.parametrize(("page", "heading"), SECTIONS)
def test_a_section_names_a_test_or_says_why_not(page: str, heading: str) -> None:
    text = sections((DOCS / page).read_text("utf-8"))[heading]
    assert bool(references(text)) is ((page, heading) not in WITHOUT_A_TEST)


def test_each_exception_is_a_section() -> None:
    assert set(WITHOUT_A_TEST) <= set(SECTIONS)


def defences() -> list[str]:
    """What stands in the way of an attack: the items of the lists under "In the way"."""
    text = (DOCS / "threat-model.md").read_text("utf-8")
    lists = re.findall(r"^\*\*In the way\.\*\*\n(.*?)^\*\*What remains\.\*\*", text, re.MULTILINE | re.DOTALL)
    return [item for each in lists for item in re.split(r"^- ", each, flags=re.MULTILINE)[1:]]


def test_each_defence_is_held_by_a_test() -> None:
    assert defences()
    assert [item for item in defences() if not references(item)] == []


def test_each_attack_is_told_whole() -> None:
    text = (DOCS / "threat-model.md").read_text("utf-8")
    for heading, section in sections(text).items():
        if ("threat-model.md", heading) not in WITHOUT_A_TEST:
            marks = re.findall(r"^\*\*(They want|In the way|What remains)\.\*\*", section, re.MULTILINE)
            assert marks == ["They want", "In the way", "What remains"], heading


RUNBOOKS = re.findall(
    r"runbook_url: docs/(\S+)#(\S+)", (TOP / "deploy" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("page", "place"), list(dict.fromkeys(RUNBOOKS)))
def test_an_alert_leads_to_a_heading(page: str, place: str) -> None:
    assert place in {anchor(heading) for heading in sections((DOCS / page).read_text("utf-8"))}


@pytest.mark.parametrize("page", BOUND)
def test_a_link_within_a_page_leads_to_a_heading(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    there = {anchor(heading) for heading in sections(text)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= there


@pytest.mark.parametrize("page", BOUND)
def test_a_path_that_a_page_names_is_there(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    for path in re.findall(r"`((?:docs|config|channels|deploy|gateway|tests)/[\w./-]*)", text):
        assert (TOP / path.partition("::")[0]).exists(), path


def test_what_the_production_example_leaves_off_can_be_turned_on(tmp_path: Path) -> None:
    text = (TOP / "config" / "production.toml").read_text(encoding="utf-8")
    text, lines = re.subn(r"^#(?=[\[a-z])", "", text, flags=re.MULTILINE)
    assert lines > 4
    secrets = {
        "store-url": "postgresql+asyncpg://lapor:secret@postgres/lapor",
        "alerts-webhook-url": "https://alerts.example.go.id/secret",
        "alerts-smtp-url": "smtps://user:secret@mail.example.go.id",
        "alerts-heartbeat-url": "https://alive.example.go.id/secret",
    }
    for name in re.findall(r'"/run/secrets/([^"]+)"', text):
        (tmp_path / name).write_text(secrets.get(name, "0123456789abcdef"))
    (tmp_path / "production.toml").write_text(text.replace("/run/secrets", str(tmp_path)), encoding="utf-8")
    settings = load(tmp_path / "production.toml", {})
    assert settings.alerts.telegram_token.get_secret_value() == "0123456789abcdef"
    assert settings.console.oidc_operators == ("lapor-operator",)
    assert settings.retention.after > settings.log.retention
    assert settings.health == Settings().health
