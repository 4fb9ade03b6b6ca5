"""What our own server says of a sender, and only that."""

import pytest

from channels.email.authentication import authentication
from channels.email.mail import Reading, read_mail
from channels.email.parts import Mail
from tests.channels.email.letters import letter

OWN = "mx.example.go.id"
ABOVE = f"Authentication-Results: {OWN}; spf=pass smtp.mailfrom=example.com; dkim=fail (bad; dkim=pass) header.d=x; dmarc=fail"


@pytest.mark.parametrize(
    ("fields", "trusted", "expected"),
    [
        ([ABOVE], OWN, {"spf": "pass", "dkim": "fail", "dmarc": "fail"}),
        ([ABOVE], OWN.upper(), {"spf": "pass", "dkim": "fail", "dmarc": "fail"}),
        ([ABOVE], "", {}),
        ([ABOVE], "mx.example.com", {}),
        ([ABOVE], "example.go.id", {}),
        ([f"Authentication-Results: {OWN} 1; none"], OWN, {}),
        ([f"Authentication-Results: {OWN}; SPF=Pass\r\n (a (nested) comment)\r\n smtp.mailfrom=x"], OWN, {"spf": "pass"}),
        ([f"Authentication-Results: {OWN}; dkim=fail header.d=a; dkim=pass header.d=b"], OWN, {"dkim": "pass"}),
        ([f"Authentication-Results: {OWN}; dmarc=fail; dmarc=pass"], OWN, {"dmarc": "fail"}),
        ([f"Authentication-Results: {OWN}; spf=pass", f"Authentication-Results: {OWN}; dkim=none"], OWN, {"spf": "pass", "dkim": "none"}),
        (
            [f"Authentication-Results: {OWN}; spf=fail", "Received: from x", f"Authentication-Results: {OWN}; spf=pass; dkim=pass"],
            OWN,
            {"spf": "fail"},
        ),
        (["Authentication-Results: mx.example.com; spf=pass", "Received: from x", ABOVE], OWN, {"spf": "pass", "dkim": "fail", "dmarc": "fail"}),
        (["Authentication-Results:"], OWN, {}),
        (["Authentication-Results: ((((; spf=pass"], OWN, {}),
        ([f"Authentication-Results: {OWN}; spf/1 = pass"], OWN, {"spf": "pass"}),
    ],
    ids=[
        "ours", "ours in another case", "nobody is trusted", "another's", "a name that ends like ours", "no result", "comments",
        "one of two signatures passes", "the first of two verdicts", "two fields", "a stranger's below ours", "above ours",
        "empty", "unclosed", "with a version",
    ],
)  # fmt: skip
def test_results(fields: list[str], trusted: str, expected: dict[str, str]) -> None:
    assert authentication(Mail(letter("x", *fields)).headers, trusted) == expected


def test_a_message_bears_what_our_server_said() -> None:
    raw = letter("Jalan rusak.", ABOVE)
    trusting = Reading(frozenset(), trusted_authserv=OWN)
    assert read_mail(raw, trusting).authentication == {"spf": "pass", "dkim": "fail", "dmarc": "fail"}
    assert read_mail(raw, Reading(frozenset())).authentication == {}
