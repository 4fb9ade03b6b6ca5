"""What the program says about itself: one line an event, on a terminal for people, elsewhere as JSON.

Lines of our own (structlog) and those of libraries (:mod:`logging`, from WARNING on) go through the same
processors. The last before the renderer hides what looks like a phone, an address or a secret; it is the last line
of defence, not a reason to log a citizen's address or text.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor

from channels.redaction import SHORT, scrub
from config.settings import Logging

MAX_VALUE: Final = 2_000
MAX_TRACEBACK: Final = 20_000
MAX_FRAMES: Final = 12
MAX_CAUSES: Final = 4

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SECRET_KEYS: Final = ("token", "tokens", "password", "secret", "authorization", "api_key")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def configure(settings: Logging, timezone: tzinfo, stream: TextIO) -> None:
    """Set up structlog and :mod:`logging` for this process, to write to ``stream``.

    Call it once, before the first line: loggers keep what they found at their first use, which makes them fast.
    """
    level = _LEVELS[settings.level]
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    finish: list[Processor] = [
        traceback_text if console else traceback_structure,
        redact,
        structlog.processors.add_log_level,
        _stamp(timezone),
        _console(stream) if console else _render_json,
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Writer(stream),
        cache_logger_on_first_use=True,
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide what looks like a phone, an address or a secret, in every value and in every depth of it.

    Values become what JSON has; long texts are cut; control characters are written as escapes, so that no value
    can begin a line of its own.
    """
    for key, value in event.items():
        if type(value) is str:
            event[key] = SHORT if _is_secret(key) else _text(value, lines=key == "exception")
        else:
            event[key] = _plain(key, value)
    return event


def traceback_structure(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put the exception of ``exc_info`` into ``exception``: type, message, frames, cause. No source, no locals."""
    error = _error(event)
    if error is not None:
        event["exception"] = _describe(error)
    return event


def traceback_text(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Put the exception of ``exc_info`` into ``exception`` as Python prints it, without locals."""
    error = _error(event)
    if error is not None:
        event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


def _error(event: EventDict) -> BaseException | None:
    given = event.pop("exc_info", None)
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case _:
            return sys.exc_info()[1] if given is True else None


def _describe(error: BaseException, causes: int = MAX_CAUSES) -> dict[str, Any]:
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    kind = type(error)
    described: dict[str, Any] = {
        "type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        "message": str(error),
        "frames": frames[-MAX_FRAMES:],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if causes and cause is not None:
        described["cause"] = _describe(cause, causes - 1)
    if causes and isinstance(error, BaseExceptionGroup):
        described["group"] = [_describe(inner, causes - 1) for inner in error.exceptions[:MAX_CAUSES]]
    return described


def _is_secret(key: str) -> bool:
    return key.endswith(_SECRET_KEYS)


def _plain(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _is_secret(key):
        return SHORT
    match value:
        case str():
            return _text(value)
        case bytes():
            return _text(value[:MAX_VALUE].decode("utf-8", "backslashreplace"))
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {_text(str(name)): _plain(str(name), item) for name, item in value.items()}
        case Sequence() | set() | frozenset():
            return [_plain("", item) for item in value]
        case _:
            return _text(str(value))


def _text(text: str, *, lines: bool = False) -> str:
    most = MAX_TRACEBACK if lines else MAX_VALUE
    if len(text) > most:
        text = f"{text[:most]}… ({len(text)} characters)"
    text = scrub(text)
    if text.isprintable():
        return text
    if lines:
        return "\n".join(_UNPRINTABLE.sub(_escape, line) for line in text.split("\n"))
    return _UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def _stamp(timezone: tzinfo) -> Processor:
    def stamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = datetime.now(timezone).isoformat(timespec="milliseconds")
        return event

    return stamp


_encode: Final = msgspec.json.Encoder().encode


def _render_json(_logger: Any, _method: str, event: EventDict) -> str:
    first = {name: event.pop(name, "") for name in ("timestamp", "level", "event")}
    return _encode({**first, **event}).decode()


def _console(stream: TextIO) -> Processor:
    colors = stream.isatty() and not os.environ.get("NO_COLOR")
    return ConsoleRenderer(colors=colors, exception_formatter=plain_traceback, sort_keys=False)


class _Writer:
    """Writes whole lines. A line that cannot be written is dropped: a log must not stop what it tells about."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, *_names: Any) -> _Writer:
        return self

    def msg(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            try:
                self._stream.write(f"{line}\n")
            except UnicodeEncodeError:
                self._stream.write(f"{line.encode('ascii', 'backslashreplace').decode()}\n")
            self._stream.flush()

    log = debug = info = warn = warning = error = exception = critical = fatal = msg


class _Handler(logging.StreamHandler[TextIO]):
    """Like its base, but what cannot be formatted is named, not printed: it holds what was to be hidden."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        with contextlib.suppress(OSError, ValueError):
            line = {"level": "error", "event": "a log line could not be written", "logger": record.name}
            self.stream.write(_encode(line).decode() + "\n")
