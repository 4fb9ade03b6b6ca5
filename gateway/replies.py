"""Reply texts: jinja2 templates by language and channel type, strict about what they name.

A template is looked for in this order: the operator's folder, then the channel type's own folder
(``channels/<type>/templates``), then ``config/templates``; in each ``<language>/<name>.txt``. In the operator's
folder, ``<type>/<language>/<name>.txt`` goes before ``<language>/<name>.txt``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateNotFound

LANGUAGES = ("id", "en")
NAMES = (
    "acknowledgement",
    "acknowledgement_public",
    "joined",
    "repeated",
    "flood",
    "status",
    "status_public",
    "not_found",
    "no_case",
    "check_number",
    "help",
    "stopped",
    "news",
    "news_public",
)
STATES = ("received", "forwarded", "in_progress", "answered", "closed")


class ReplyTemplateError(Exception):
    """A template of the operator's cannot be used; the message names the file and what is wrong with it."""


class Replies:
    """Renders replies; templates are compiled once.

    Every template may use: ``number`` (in groups, ``482 913 7065``), ``typed`` (the ten digits), ``state`` (in
    words); ``news`` and ``news_public`` also ``agency`` (``""`` where it is not named), ``text`` (the agency's words)
    and ``when`` (the time of the news). Raises :class:`ReplyTemplateError` at once for an operator's template that
    does not render.
    """

    def __init__(self, *, override: Path | None, default_language: str, channel_types: tuple[str, ...]) -> None:
        if override is not None and not override.is_dir():
            raise ReplyTemplateError(f"replies.templates: {override} is not a folder")
        self._default = default_language
        self._override = override
        self._shipped = Path(str(resources.files("config"))) / "templates"
        self._channels = Path(str(resources.files("channels")))
        self._states = {language: _states(self._shipped / language / "states.toml") for language in LANGUAGES}
        self._environments = {kind: self._environment(kind) for kind in channel_types}
        self._templates: dict[tuple[str, str, str], Template] = {}
        self._try_all()

    def language(self, wished: str) -> str:
        """The language to answer in: the wished one where there are templates, else the default."""
        return wished if wished in LANGUAGES else self._default

    def render(
        self,
        name: str,
        *,
        language: str,
        channel_type: str,
        number: str = "",
        typed: str = "",
        state: str = "",
        agency: str = "",
        text: str = "",
        when: str = "",
    ) -> str:
        """The text of one reply, without white space around it."""
        chosen = self.language(language)
        template = self._templates[channel_type, chosen, name]
        label = self._states[chosen].get(state, state)
        return template.render(number=number, typed=typed, state=label, agency=agency, text=text, when=when).strip()

    def _environment(self, channel_type: str) -> Environment:
        folders = [self._channels / channel_type / "templates", self._shipped]
        if self._override is not None:
            folders = [self._override / channel_type, self._override, *folders]
        return Environment(
            loader=FileSystemLoader([str(folder) for folder in folders]),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - plain text for phones and mails; HTML parts escape on their own
            keep_trailing_newline=False,
            auto_reload=False,
        )

    def _try_all(self) -> None:
        sample = {
            "number": "482 913 7065",
            "typed": "4829137065",
            "state": "received",
            "agency": "Dinas PU",
            "text": "Jalan diperbaiki.",
            "when": "22-11-2026 10:31",
        }
        for kind, environment in self._environments.items():
            for language in LANGUAGES:
                for name in NAMES:
                    path = f"{language}/{name}.txt"
                    try:
                        template = self._templates[kind, language, name] = environment.get_template(path)
                        # Every rendering copies them, which takes longer from jinja's chain of dictionaries.
                        template.globals = dict(template.globals)
                        self.render(name, language=language, channel_type=kind, **sample)
                    except TemplateNotFound as error:
                        raise ReplyTemplateError(f"no reply template {path} for {kind}") from error
                    except (TemplateError, UnicodeDecodeError) as error:
                        where = getattr(error, "filename", None) or path
                        raise ReplyTemplateError(f"reply template {where}: {error}") from error


@cache
def _states(path: Path) -> Mapping[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
