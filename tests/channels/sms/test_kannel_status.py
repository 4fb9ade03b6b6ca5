"""Kannel's status page (User's Guide 1.4.5, "Kannel statuses"): what it says, and what that means for the channel."""

from __future__ import annotations

import pytest

from channels.errors import ChannelError, Misconfigured, RetryLater
from channels.http import HttpResponse
from channels.sms import SPEC, SmsSettings
from channels.sms.channel import SmsChannel
from tests.channels.host import FakeHost
from tests.inside import KANNEL

PAGE = """Kannel bearerbox version `1.4.5'.

Status: {status}, uptime 0d 0h 0m 1s

SMSC connections:
    from-carrier[from-carrier]    FAKE:27103 ({link}, rcvd: sms 0 / dlr 0, sent: sms 0 / dlr 0, failed 0, queued 0 msgs)
    gateway[gateway]    HTTP:generic:-1 (online 1s, rcvd: sms 0 / dlr 0, sent: sms 0 / dlr 0, failed 0, queued 0 msgs)
"""
NONE = "Status: running, uptime 0d 0h 0m 1s\n\nSMSC connections:\n"


def read(status: int, page: str) -> str:
    made = SPEC.make("sms", SmsSettings.model_validate(KANNEL | {"status_page": "http://127.0.0.1/s"}), FakeHost())
    assert isinstance(made, SmsChannel)
    return made.dialect.read_probe(HttpResponse(status, {}, page.encode()))


def test_all_is_well() -> None:
    assert (
        read(200, PAGE.format(status="running", link="online 3s")) == "bearerbox runs, all of its 2 links are on-line"
    )


@pytest.mark.parametrize(
    ("status", "page", "error", "said"),
    [
        (200, PAGE.format(status="running", link="re-connecting"), RetryLater, "from-carrier (re-connecting)"),
        (200, PAGE.format(status="running", link="dead"), RetryLater, "from-carrier (dead)"),
        (200, PAGE.format(status="isolated", link="online 3s"), RetryLater, "bearerbox is isolated"),
        (200, NONE, RetryLater, "any link"),
        (200, "Denied", Misconfigured, "does not show its status"),
        (404, "<html>", Misconfigured, "does not show its status"),
        (503, "", RetryLater, "503"),
    ],
)
def test_what_is_not_well_is_told(status: int, page: str, error: type[ChannelError], said: str) -> None:
    with pytest.raises(error) as told:
        read(status, page)
    assert said in str(told.value)


def test_without_the_page_nothing_is_asked() -> None:
    made = SPEC.make("sms", SmsSettings.model_validate(KANNEL), FakeHost())
    assert isinstance(made, SmsChannel)
    assert made.dialect.probe() is None


def test_its_address_is_not_shown() -> None:
    settings = SmsSettings.model_validate(KANNEL | {"status_page": "http://127.0.0.1/s?password=p4ss"})
    assert "p4ss" not in repr(settings)
