"""One sandbox for all tests of the folder: they write as different citizens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.sandbox.browser import Browser, opened


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A page of a sandbox that runs, on the loop of the folder's tests."""
    async with opened(tmp_path_factory.mktemp("sandbox")) as page:
        yield page
