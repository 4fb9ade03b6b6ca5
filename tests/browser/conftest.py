"""One gateway and one browser for all tests of the folder, which leave every channel as they found it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.site import Site, opened
from tests.nursery import Nursery
from tests.services import require


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def site(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> AsyncIterator[Site]:
    """A running gateway, on the loop of the folder's tests."""
    require("chromium")
    async with opened(tmp_path_factory.mktemp("browser"), nursery) as running:
        yield running
