"""Every request proves its sender, or it is turned away; nothing that a stranger can send is more than a refusal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Request
from channels.errors import Unverified
from channels.forms import FORM
from channels.sms import SmsChannel
from channels.sms.dialects.generic import signature
from channels.sms.dialects.vonage import REPEATED_FOR, sign
from tests.channels.host import FakeHost, request
from tests.channels.sms.accounts import DIALECTS, INBOUND, PASSWORD, SIGNATURE, TOKEN, channel, settings


def refused(dialect: str, request: Request, **changes: Any) -> str:
    """The reason of a refusal."""
    with pytest.raises(Unverified) as caught:
        channel(dialect, **changes).verify(request)
    return caught.value.reason


class TestToken:
    """kannel, infobip, and vonage without a signature secret."""

    dialects = pytest.mark.parametrize("dialect", ["kannel", "infobip", "vonage"])

    @dialects
    @pytest.mark.parametrize("status", [False, True], ids=["message", "receipt"])
    @pytest.mark.parametrize(
        "proof",
        [
            {"query": f"token={TOKEN}"},
            {"query": f"from=1&token={TOKEN}&x=2"},
            {"form": {"from": "1", "token": TOKEN}},
            {"headers": {"X-Webhook-Token": TOKEN}},
            {"query": "token=wrong", "headers": {"X-Webhook-Token": TOKEN}},
            {"query": f"token={TOKEN}", "document": {"results": []}},
        ],
        ids=["query", "query, among others", "form", "header", "header beside a wrong query", "query beside JSON"],
    )
    def test_taken(self, dialect: str, status: bool, proof: dict[str, Any]) -> None:
        channel(dialect).verify(request(status=status, **proof))

    @dialects
    @pytest.mark.parametrize(
        "proof",
        [
            {},
            {"query": "token="},
            {"query": "token=wrong"},
            {"query": f"token={TOKEN}x"},
            {"query": f"token={TOKEN[:-1]}"},
            {"query": f"Token={TOKEN}"},
            {"query": f"token=wrong&token={TOKEN}"},
            {"query": "token=%FF%FE%00"},
            {"query": "token=%ED%A0%80"},
            {"query": "token=rahasia-%C3%A9-%F0%9F%8C%8A"},
            {"headers": {"X-Webhook-Token": "\udcff\udcfe"}},
            {"headers": {"Authorization": f"Bearer {TOKEN}"}},
            {"form": {"token": "wrong"}},
            {"document": {"token": TOKEN}},
            {
                "method": "POST",
                "body": "&".join(f"a{n}=" for n in range(300)) + f"&token={TOKEN}",
                "content_type": FORM,
            },
        ],
        ids=str,
    )
    def test_turned_away(self, dialect: str, proof: dict[str, Any]) -> None:
        assert refused(dialect, request(**proof)) == "bad_token"

    def test_a_token_of_odd_characters(self) -> None:
        odd = "rahasia é 🌊 %&=+"
        channel("kannel", webhook_token=odd).verify(request(query={"token": odd}))
        assert refused("kannel", request(query={"token": odd + "."}), webhook_token=odd) == "bad_token"


class TestTwilio:
    """The signature over the public URL and the sorted form."""

    form: ClassVar = {"MessageSid": "SM1", "From": "+6281234567890", "Body": "banjir 🌊 = &", "Empty": ""}

    @staticmethod
    def mac(url: str, form: dict[str, str], key: str = PASSWORD) -> dict[str, str]:
        signed = url + "".join(name + form[name] for name in sorted(form))
        return {
            "X-Twilio-Signature": base64.b64encode(hmac.new(key.encode(), signed.encode(), "sha1").digest()).decode()
        }

    @pytest.mark.parametrize(
        ("url", "given"),
        [
            ("https://gateway.example.go.id/webhooks/sms", {"form": form}),
            ("https://gateway.example.go.id:443/webhooks/sms", {"form": form}),
            ("https://gateway.example.go.id/webhooks/sms?a=1&b=%20x", {"form": form, "query": "a=1&b=%20x"}),
            (
                "https://gateway.example.go.id/webhooks/sms/status?delivery=d-1",
                {"form": form, "query": "delivery=d-1", "status": True},
            ),
            ("https://gateway.example.go.id/webhooks/sms?From=%2B62&Body=x", {"query": "From=%2B62&Body=x"}),
        ],
        ids=["form", "with the default port", "with a query", "receipt", "GET"],
    )
    def test_taken(self, url: str, given: dict[str, Any]) -> None:
        channel("twilio").verify(request(headers=self.mac(url, given.get("form", {})), **given))

    def test_the_example_of_twilio_s_documentation(self) -> None:
        form = {
            "CallSid": "CA1234567890ABCDE",
            "Caller": "+14158675309",
            "Digits": "1234",
            "From": "+14158675309",
            "To": "+18005551212",
        }

        class Published(FakeHost):
            def webhook_url(self, channel: str) -> str:
                return "https://mycompany.com/myapp.php"

        twilio = SmsChannel("sms", settings("twilio", password="12345"), Published())
        headers = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
        twilio.verify(request(query="foo=1&bar=2", form=form, headers=headers))

    def test_a_channel_named_status(self) -> None:
        url = "https://gateway.example.go.id/webhooks/status"
        channel("twilio", name="status").verify(
            request(channel="status", form=self.form, headers=self.mac(url, self.form))
        )

    @pytest.mark.parametrize(
        ("url", "form", "key"),
        [
            ("https://gateway.example.go.id/webhooks/sms", form | {"Body": "other"}, PASSWORD),
            ("https://gateway.example.go.id/webhooks/sms", {}, PASSWORD),
            ("https://gateway.example.go.id/webhooks/other", form, PASSWORD),
            ("https://gateway.example.go.id/webhooks/sms?a=2", form, PASSWORD),
            ("http://gateway.example.go.id/webhooks/sms", form, PASSWORD),
            ("https://gateway.example.go.id:8443/webhooks/sms", form, PASSWORD),
            ("https://gateway.example.go.id/webhooks/sms", form, "another-token"),
        ],
        ids=["other words", "no form", "other channel", "other query", "other scheme", "other port", "other key"],
    )
    def test_turned_away(self, url: str, form: dict[str, str], key: str) -> None:
        assert refused("twilio", request(form=self.form, headers=self.mac(url, form, key))) == "bad_signature"

    def test_without_a_signature(self) -> None:
        assert refused("twilio", request(form=self.form)) == "no_signature"

    def test_a_token_does_not_stand_in_for_the_signature(self) -> None:
        given = request(form=self.form, query=f"token={TOKEN}")
        assert refused("twilio", given, webhook_token=TOKEN) == "no_signature"


class TestVonage:
    """Signed webhooks: the SMS API's ``sig``, and the JWT of Vonage's newer APIs."""

    fields: ClassVar = {"msisdn": "6281234567890", "text": "a=b&c é", "messageId": "0A1"}

    def signed(self, age: float = 0, key: str = SIGNATURE, **changes: str) -> dict[str, str]:
        fields = self.fields | {"timestamp": str(int(time.time() - age)), "nonce": "n0"}
        return fields | {"sig": sign(fields, key).upper()} | changes

    @staticmethod
    def bearer(body: bytes, *, age: float = 0, key: str = SIGNATURE, **changes: Any) -> dict[str, str]:
        claims = {"iat": int(time.time() - age), "payload_hash": hashlib.sha256(body).hexdigest()} | changes
        parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        head = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        mac = base64.urlsafe_b64encode(hmac.new(key.encode(), head, "sha256").digest()).rstrip(b"=")
        return {"Authorization": f"Bearer {(head + b'.' + mac).decode()}"}

    def test_how_the_fields_are_signed(self) -> None:
        """The fields in order of name, & and = in values as _, by hand."""
        expected = hmac.new(b"key", "&a=1&b=x_y_z é".encode(), "sha256").hexdigest()
        assert sign({"b": "x=y&z é", "a": "1", "sig": "out", "token": "out"}, "key") == expected

    @pytest.mark.parametrize("age", [0, 23 * 3600, -60], ids=["now", "a repeat after a day's outage", "a minute ahead"])
    def test_sig_taken(self, age: float) -> None:
        vonage = channel("vonage", signature_secret=SIGNATURE)
        vonage.verify(request(query=self.signed(age)))
        vonage.verify(request(form=self.signed(age)))
        vonage.verify(request(document=self.signed(age)))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"text": "other"}, "bad_signature"),
            ({"sig": ""}, "bad_signature"),
            ({"sig": "\udcff"}, "bad_signature"),
            ({"added": "1"}, "bad_signature"),
            ({"key": "another-secret"}, "bad_signature"),
            ({"age": REPEATED_FOR + 60}, "old_timestamp"),
            ({"age": -REPEATED_FOR - 60}, "old_timestamp"),
        ],
        ids=str,
    )
    def test_sig_turned_away(self, changes: dict[str, Any], reason: str) -> None:
        given = request(document=self.signed(**changes))
        assert refused("vonage", given, signature_secret=SIGNATURE) == reason

    def test_a_token_does_not_stand_in_for_the_signature(self) -> None:
        given = request(query={**self.fields, "token": TOKEN})
        assert refused("vonage", given, signature_secret=SIGNATURE) == "bad_signature"

    def test_jwt_taken(self) -> None:
        body = json.dumps(self.fields).encode()
        channel("vonage", signature_secret=SIGNATURE).verify(request(document=self.fields, headers=self.bearer(body)))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"payload_hash": "0" * 64}, "bad_signature"),
            ({"payload_hash": None}, "bad_signature"),
            ({"key": "another-secret"}, "bad_signature"),
            ({"age": REPEATED_FOR + 60}, "old_timestamp"),
            ({"iat": None}, "old_timestamp"),
            ({"iat": "soon"}, "old_timestamp"),
        ],
        ids=str,
    )
    def test_jwt_turned_away(self, changes: dict[str, Any], reason: str) -> None:
        body = json.dumps(self.fields).encode()
        given = request(document=self.fields, headers=self.bearer(body, **changes))
        assert refused("vonage", given, signature_secret=SIGNATURE) == reason

    def test_a_jwt_covers_a_body_and_not_a_query(self) -> None:
        given = request(query=self.fields, headers=self.bearer(b"stolen"))
        assert refused("vonage", given, signature_secret=SIGNATURE) == "bad_signature"


class TestGeneric:
    """The HMAC over timestamp and body, and the window for the timestamp."""

    body = '{"from": "+6281234567890", "text": "halo"}'

    def given(self, *, age: float = 0, body: str = body, key: str = SIGNATURE, **headers: str) -> Request:
        timestamp = str(int(time.time() - age))
        mac = hmac.new(key.encode(), f"{timestamp}.{self.body}".encode(), "sha256").hexdigest()
        return request(
            method="POST",
            body=body,
            content_type="application/json",
            headers={"X-Timestamp": timestamp, "X-Signature": mac}
            | {name.replace("_", "-"): headers[name] for name in headers},
        )

    @pytest.mark.parametrize("age", [0, 290, -290])
    def test_taken(self, age: float) -> None:
        channel("generic").verify(self.given(age=age))

    def test_with_the_prefix_that_some_libraries_write(self) -> None:
        timestamp = str(int(time.time()))
        mac = "sha256=" + signature(SIGNATURE, timestamp, self.body.encode()).upper()
        channel("generic").verify(self.given(X_Timestamp=timestamp, X_Signature=mac))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"body": '{"from": "+62899999999"}'}, "bad_signature"),
            ({"body": ""}, "bad_signature"),
            ({"key": "another-secret"}, "bad_signature"),
            ({"X_Signature": ""}, "bad_signature"),
            ({"X_Signature": "\udcff"}, "bad_signature"),
            pytest.param({"X_Timestamp": str(int(time.time()) + 100)}, "bad_signature", id="another timestamp"),
            ({"X_Timestamp": "\ud800"}, "bad_signature"),
            ({"age": 310}, "old_timestamp"),
            ({"age": -310}, "old_timestamp"),
            ({"age": 3 * 86400}, "old_timestamp"),
        ],
        ids=str,
    )
    def test_turned_away(self, changes: dict[str, Any], reason: str) -> None:
        assert refused("generic", self.given(**changes)) == reason

    def test_a_timestamp_that_is_signed_but_no_number(self) -> None:
        mac = signature(SIGNATURE, "now", self.body.encode())
        assert refused("generic", self.given(X_Timestamp="now", X_Signature=mac)) == "old_timestamp"

    def test_the_window_is_a_setting(self) -> None:
        channel("generic", timestamp_window=3600).verify(self.given(age=3000))
        assert refused("generic", self.given(age=30), timestamp_window=10) == "old_timestamp"


def test_nothing_comes_in_from_zenziva() -> None:
    assert refused("zenziva", request(query="from=1&text=x")) == "outbound_only"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_verification_can_be_turned_off_out_loud(dialect: str) -> None:
    channel(dialect, verification="none").verify(request(query="from=1"))


@given(
    dialect=st.sampled_from(INBOUND),
    method=st.sampled_from(["GET", "POST"]),
    query=st.text(max_size=60),
    body=st.binary(max_size=80),
    content_type=st.sampled_from(["", FORM, "application/json", "text/plain"]),
    headers=st.dictionaries(
        st.sampled_from(["x-webhook-token", "x-twilio-signature", "authorization", "x-signature", "x-timestamp"]),
        st.text(alphabet=st.characters(), max_size=40) | st.just("Bearer a.b.c") | st.just(str(int(time.time()))),
    ),
    signed=st.booleans(),
)
def test_no_stranger_gets_more_than_a_refusal(
    dialect: str, method: str, query: str, body: bytes, content_type: str, headers: dict[str, str], signed: bool
) -> None:
    changes: dict[str, Any] = {"signature_secret": SIGNATURE} if signed else {}
    given_request = Request(
        method=method,
        target=f"/webhooks/sms?{query}",
        query={"token": query, "sig": query},
        headers=headers,
        body=body,
        content_type=content_type,
    )
    with pytest.raises(Unverified):
        channel(dialect, **changes).verify(given_request)
