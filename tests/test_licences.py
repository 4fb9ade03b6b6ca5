"""What the program is shipped with may be shipped: no dependency is under the GPL or the AGPL.

The LGPL is another matter: a library under it is used as it is, and can be replaced.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)
_GPL = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)


def licences(of: Distribution) -> list[str]:
    """What a package says of its licence, in the three places there are: expression, classifiers, short field."""
    said = of.metadata
    # The short field holds the whole text at times, which may name other licences.
    short = [line for line in said.get_all("License") or () if len(line) < 100]
    classes = [line for line in said.get_all("Classifier") or () if line.startswith("License ::")]
    return [*(said.get_all("License-Expression") or ()), *classes, *short]


def is_gpl(licence: str) -> bool:
    """Whether nothing but the GPL is offered: of several with OR between, one may be chosen."""
    return all(_GPL.search(choice) for choice in re.split(r"\bOR\b", licence))


def shipped() -> list[str]:
    """The names of the pinned packages."""
    return _PINNED.findall(REQUIREMENTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", shipped())
def test_no_dependency_is_gpl(name: str) -> None:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        # Pinned for another system or Python version.
        return
    said = licences(found)
    assert said, f"{name} does not say its licence"
    assert not any(is_gpl(line) for line in said), said


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("GPL-2.0-only OR MIT", False),
        ("Apache-2.0", False),
        ("MIT", False),
    ],
)
def test_the_gpl_is_told_from_others(licence: str, told: bool) -> None:
    assert is_gpl(licence) is told
