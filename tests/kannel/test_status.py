"""Asking Kannel how it is: bearerbox's status page, read by the channel."""

from __future__ import annotations

import pytest

from channels.base import Channel
from channels.errors import Misconfigured
from channels.http import HttpClient
from channels.sms import SPEC, SmsSettings
from tests.channels.host import FakeHost
from tests.inside import KANNEL
from tests.kannel.peer import Kannel


def channel(http: HttpClient, kannel: Kannel, password: str) -> Channel:
    page = f"{kannel.admin_url}/status.txt?password={password}"
    return SPEC.make("sms", SmsSettings.model_validate(KANNEL | {"status_page": page}), FakeHost(http))


async def test_a_kannel_with_its_links_is_well(kannel: Kannel) -> None:
    async with HttpClient(timeout=10) as http:
        said = await channel(http, kannel, kannel.status_password).probe()
    assert said == "bearerbox runs, all of its 2 links are on-line"


async def test_a_wrong_password_is_told(kannel: Kannel) -> None:
    async with HttpClient(timeout=10) as http:
        with pytest.raises(Misconfigured, match="does not show its status") as told:
            await channel(http, kannel, "wrong").probe()
    assert kannel.admin_url not in str(told.value)
