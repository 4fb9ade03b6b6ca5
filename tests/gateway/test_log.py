"""The lines that the program writes about itself."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.settings import Logging
from gateway import log

JAKARTA = ZoneInfo("Asia/Jakarta")
Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]


class Stream(io.StringIO):
    """A stream in memory that says whether it is a terminal."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def stream() -> Iterator[Stream]:
    """What is written; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield Stream()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def configure(stream: Stream, *, level: Level = "info", form: Format = "json") -> Any:
    log.configure(Logging(level=level, format=form), JAKARTA, stream)
    return structlog.get_logger()


def lines(stream: Stream) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def only(stream: Stream) -> dict[str, Any]:
    (line,) = lines(stream)
    return line


def test_a_line_is_one_json_object_with_time_level_and_event_first(stream: Stream) -> None:
    configure(stream).info("intake.taken", channel="sms", count=3, wait=0.5, first=True, thread=None)
    line = only(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() == timedelta(hours=7)
    assert line == {
        "level": "info",
        "event": "intake.taken",
        "channel": "sms",
        "count": 3,
        "wait": 0.5,
        "first": True,
        "thread": None,
    }


def test_what_is_bound_to_the_task_is_on_its_lines(stream: Stream) -> None:
    logger = configure(stream)
    with structlog.contextvars.bound_contextvars(channel="sms", sender="+6281234567890"):
        logger.info("x")
    assert (only(stream)["channel"], only(stream)["sender"]) == ("sms", "+62812•••••90")


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(stream: Stream, level: Level, written: list[str]) -> None:
    logger = configure(stream, level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("x")
    assert [line["level"] for line in lines(stream)] == written


@pytest.mark.parametrize(
    ("form", "terminal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("console", False, False),
        ("json", True, True),
    ],
)
def test_people_in_a_terminal_read_text_and_everything_else_json(
    stream: Stream, form: Format, terminal: bool, is_json: bool
) -> None:
    stream.terminal = terminal
    configure(stream, form=form).info("intake.taken", channel="sms")
    assert stream.getvalue().startswith("{") is is_json
    assert "intake.taken" in stream.getvalue()


def test_colours_are_for_terminals_that_want_them(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream.terminal = True
    configure(stream).info("x")
    assert "\x1b[" not in stream.getvalue()  # JSON
    configure(stream, form="console").info("x")
    assert "\x1b[" in stream.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    stream.truncate(0)
    configure(stream, form="console").info("x")
    assert "\x1b[" not in stream.getvalue()


class TestLibraries:
    """Lines of :mod:`logging` go the same way."""

    def test_warnings_are_written_and_redacted(self, stream: Stream) -> None:
        configure(stream)
        logging.getLogger("a.library").warning("sent to %s", "0812-3456-7890")
        line = only(stream)
        del line["timestamp"]
        assert line == {"level": "warning", "event": "sent to 0812•••••90", "logger": "a.library"}

    @pytest.mark.parametrize("name", ["aiohttp.access", "aiokafka", "sqlalchemy.engine", "alembic", "asyncio"])
    def test_their_chatter_is_not_even_at_debug(self, stream: Stream, name: str) -> None:
        configure(stream, level="debug")
        logging.getLogger(name).info("GET /?token=hunter2")
        assert stream.getvalue() == ""

    def test_their_warnings_keep_to_a_higher_level(self, stream: Stream) -> None:
        configure(stream, level="error")
        logging.getLogger("aiohttp").warning("x")
        assert stream.getvalue() == ""

    def test_their_exceptions_have_the_same_form(self, stream: Stream) -> None:
        configure(stream)
        try:
            fail("no route to 0812-3456-7890")
        except ValueError:
            logging.getLogger("asyncio").exception("task failed")
        assert only(stream)["exception"]["message"] == "no route to 0812•••••90"

    def test_a_line_that_cannot_be_formatted_is_named_without_what_it_holds(
        self, stream: Stream, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(stream)
        logging.getLogger("aiohttp").error("%d", "+6281234567890")
        assert only(stream)["event"] == "a log line could not be written"
        assert "6281234567890" not in stream.getvalue() + "".join(capsys.readouterr())


def fail(message: str) -> None:
    secret_local = "hunter2"
    raise ValueError(message if secret_local else "")


class TestExceptions:
    def test_type_message_frames_and_cause_without_source_or_locals(self, stream: Stream) -> None:
        logger = configure(stream)
        try:
            try:
                fail("no for +6281234567890\nsecond line")
            except ValueError as inner:
                raise RuntimeError("outer") from inner
        except RuntimeError:
            logger.exception("it failed")
        assert stream.getvalue().count("\n") == 1
        line = only(stream)
        assert line["level"] == "error"
        shown = line["exception"]
        assert (shown["type"], shown["message"]) == ("RuntimeError", "outer")
        assert (shown["cause"]["type"], shown["cause"]["message"]) == (
            "ValueError",
            r"no for +62812•••••90\nsecond line",
        )
        assert [frame.partition(":")[0] for frame in shown["cause"]["frames"]] == [__name__, __name__]
        assert shown["cause"]["frames"][1].endswith(" fail")
        assert "hunter2" not in stream.getvalue()

    def test_a_group_shows_its_members(self, stream: Stream) -> None:
        logger = configure(stream)
        logger.error("x", exc_info=ExceptionGroup("two", [ValueError("a"), OSError("b")]))
        members = only(stream)["exception"]["group"]
        assert [(member["type"], member["message"]) for member in members] == [("ValueError", "a"), ("OSError", "b")]

    def test_long_chains_are_cut(self, stream: Stream) -> None:
        logger = configure(stream)
        error = Exception("0")
        for number in range(1, 50):
            outer = Exception(str(number))
            outer.__cause__ = error
            error = outer
        logger.error("x", exc_info=error)
        shown, depth = only(stream)["exception"], 0
        while shown := shown.get("cause"):
            depth += 1
        assert depth == log.MAX_CAUSES

    def test_on_the_console_it_is_the_traceback_redacted(self, stream: Stream) -> None:
        logger = configure(stream, form="console")
        try:
            fail("0812-3456-7890")
        except ValueError:
            logger.exception("it failed")
        assert "Traceback (most recent call last)" in stream.getvalue()
        assert stream.getvalue().rstrip().endswith("ValueError: 0812•••••90")

    def test_no_exception_at_hand_is_no_error(self, stream: Stream) -> None:
        configure(stream).exception("it failed")
        assert "exception" not in only(stream)


class Shown:
    """An object that shows a phone."""

    def __str__(self) -> str:
        return "<+6281234567890>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("+6281234567890", "+62812•••••90"),
        (b"+6281234567890\xff", r"+62812•••••90\xff"),
        (["a@b.id", {"to": "0812-3456-7890"}], ["a•••@b.id", {"to": "0812•••••90"}]),
        ({"+6281234567890": 1}, {"+62812•••••90": 1}),
        (("token=hunter2",), ["token=•••"]),
        ({"password": "hunter2", "port": 1}, {"password": "•••", "port": 1}),
        (Shown(), "<+62812•••••90>"),
        (Path("var/log.db"), "var/log.db"),
        (datetime(2026, 11, 22, tzinfo=JAKARTA), "2026-11-22T00:00:00+07:00"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\udce9", r"\udce9"),
        ("‮evil", r"\u202eevil"),
        ("Jl. Gajah Mada № 1, ꦗꦮ", "Jl. Gajah Mada № 1, ꦗꦮ"),
        ("x" * 3000, "x" * 2000 + "… (3000 characters)"),
    ],
    ids=lambda value: ascii(value)[:20],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_values_are_redacted_in_every_depth_and_stay_on_one_line(
    stream: Stream, form: Format, value: Any, shown: Any
) -> None:
    configure(stream, form=form).info("x", value=value)
    if form == "json":
        assert only(stream)["value"] == shown
    else:
        assert stream.getvalue().count("\n") == 1
        assert str(shown) in stream.getvalue()


@pytest.mark.parametrize("key", ["token", "webhook_token", "password", "client_secret", "authorization", "api_key"])
def test_a_value_under_a_secrets_name_is_hidden_whatever_it_is(stream: Stream, key: str) -> None:
    configure(stream).info("x", **{key: "hunter2"})
    configure(stream).info("x", **{key: ["hunter2"]})
    assert [line[key] for line in lines(stream)] == ["•••", "•••"]


def test_an_event_text_is_redacted_too(stream: Stream) -> None:
    configure(stream).info("reply to +6281234567890 failed")
    assert only(stream)["event"] == "reply to +62812•••••90 failed"


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@pytest.mark.parametrize("form", ["json", "console"])
@given(value=_anything)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_makes_one_line(stream: Stream, form: Format, value: Any) -> None:
    stream.seek(0)
    stream.truncate()
    configure(stream, form=form).info("x", value=value)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    text.encode()
    if form == "json":
        json.loads(text)


class TestStreamsThatFail:
    """A log must not stop what it tells about."""

    def test_a_closed_stream_is_no_error(self, stream: Stream) -> None:
        logger = configure(stream)
        stream.close()
        logger.info("x")

    def test_a_broken_pipe_is_no_error(self, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(_text: str) -> int:
            raise BrokenPipeError

        logger = configure(stream)
        monkeypatch.setattr(stream, "write", broken)
        logger.info("x")
        logging.getLogger("aiohttp").error("x")

    def test_a_stream_that_takes_only_ascii_gets_escapes(self, stream: Stream) -> None:
        del stream
        raw = io.BytesIO()
        log.configure(Logging(format="json"), JAKARTA, io.TextIOWrapper(raw, encoding="ascii"))
        structlog.get_logger().info("x", sender="+6281234567890")
        assert json.loads(raw.getvalue())["sender"] == "+62812•••••90"


def test_a_line_below_the_level_runs_no_processor(stream: Stream) -> None:
    ran: list[str] = []

    def watch(_logger: Any, name: str, event: Any) -> Any:
        ran.append(name)
        return event

    configure(stream, level="error")
    structlog.get_config()["processors"].insert(0, watch)
    logger = structlog.get_logger()
    logger.debug("x")
    logger.info("x")
    logger.error("x")
    assert ran == ["error"]
