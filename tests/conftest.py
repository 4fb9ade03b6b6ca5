"""Fixtures that every folder may use, and how hypothesis runs here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import settings

pytest_plugins = ["tests.fixtures.kafka", "tests.fixtures.postgres"]

# A deadline for one example is a threshold on wall-clock time: a busy machine is no defect.
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")


@pytest.fixture(scope="session", autouse=True)
def loggers_stay_free() -> Iterator[None]:
    """A program keeps its loggers as they were first used; of one that runs within the tests that would outlive it."""
    honest = structlog.configure

    def configure(**options: Any) -> None:
        honest(**{**options, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure)
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """No test finds the logging that another one set up."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.handlers, root.level = handlers, level
