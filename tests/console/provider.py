"""A small OpenID Connect provider, as strict as a real one where it matters, and as wrong as a test wants it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "lapor-gateway", "s3cret/with:signs"


@cache
def rsa(name: str) -> RSAKey:
    """A key pair, made once a session under each name."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


class Provider:
    """What it says can be changed: ``claims`` over the right ones (``None`` takes one away), keys, configuration."""

    def __init__(self) -> None:
        self.url = ""
        self.now: Callable[[], float] = lambda: 0.0
        self.claims: dict[str, Any] = {}
        self.signing = "one"
        self.header: dict[str, Any] = {}
        self.published = ["one"]
        self.configuration: dict[str, Any] = {}
        self.answer: dict[str, str] = {}
        self.down = False
        self.redeemed: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, location: str) -> str:
        """The browser signs in there: the address that it is sent back to."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert location.startswith(f"{self.url}/authorize?")
        assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url} | self.answer
        return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in answer.items() if v})}"

    async def configure(self, _request: web.Request) -> web.Response:
        """``/.well-known/openid-configuration``."""
        if self.down:
            raise web.HTTPBadGateway
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return web.json_response(found | self.configuration)

    async def keys(self, _request: web.Request) -> web.Response:
        """The public halves; and, as some providers do, one for encryption and one of a kind that nobody knows."""
        keys: list[Any] = [rsa(name).as_dict(private=False) for name in self.published]
        others = [{"kty": "POST-QUANTUM", "kid": "x"}, rsa("one").as_dict(private=False, use="enc", kid="e")]
        return web.json_response({"keys": [*others, *keys]})

    async def token(self, request: web.Request) -> web.Response:
        """A code for an ID token, once, to who has the verifier and the secret."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.redeemed.append(form)
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = _text(digest)
        basic = base64.b64encode(b"lapor-gateway:s3cret%2Fwith%3Asigns").decode()
        known = request.headers.get("Authorization") == f"Basic {basic}" or form.get("client_secret") == SECRET
        if asked is None or not known or challenge != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        return web.json_response({"access_token": "unused", "token_type": "Bearer", "id_token": self._signed(asked)})

    def _signed(self, asked: dict[str, str]) -> str:
        now = int(self.now())
        claims: dict[str, Any] = {
            "iss": self.url,
            "sub": "subject-1",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": "Citra",
            "realm_access": {"roles": ["lapor-operators", "other"]},
        }
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        header = {"alg": "RS256", "kid": self.signing} | self.header
        if header["alg"] in ("none", "HS256"):
            return _by_hand(header, claims)
        return jwt.encode({k: v for k, v in header.items() if v}, claims, rsa(self.signing))


def _by_hand(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """What joserfc refuses to make: no signature, or the public key taken for a shared secret."""
    start = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
    if header["alg"] == "none":
        return f"{start}."
    return f"{start}.{_text(hmac.digest(rsa('one').as_pem(private=False), start.encode(), 'sha256'))}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """The provider on a free port."""
    made = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.configure)
    app.router.add_get("/keys", made.keys)
    app.router.add_post("/token", made.token)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
