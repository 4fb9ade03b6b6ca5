"""Golden fixtures: what comes in and what the channel makes of it, as data.

``tests/channels/<type>/fixtures/*.json`` each hold the ``settings`` of one channel and three lists:

* ``inbound`` and ``status``: ``name``, what came in (``request``, the arguments of :func:`tests.channels.host.request`,
  or whatever else the type's kit reads: an update, a mail), ``expect`` (the messages as msgspec writes them, defaults
  and ``raw`` left out; ``{"unreadable": reason}`` for one that cannot be read) and, where it matters, ``raw`` of each;
* ``outbound``: ``name``, ``message``, ``request`` (parts of what the provider received, exactly), ``request_has``
  (entries that those parts have among others), ``answer`` (what it says), and ``sent`` (the ids) or ``raises`` (the
  error's type and those of its attributes that matter).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent


class Golden(msgspec.Struct, frozen=True):
    """One case of one file."""

    file: str
    settings: dict[str, Any]
    name: str
    case: dict[str, Any]


def goldens(channel_type: str, kind: str) -> list[Golden]:
    """Every case of a kind (``inbound``, ``status``, ``outbound``) for a type."""
    found = []
    for path in sorted((HERE / channel_type / "fixtures").glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        found += [Golden(path.stem, content["settings"], case["name"], case) for case in content.get(kind, [])]
    return found


def label(golden: Golden) -> str:
    """The id of a case in the test's report."""
    return f"{golden.file}: {golden.name}"
