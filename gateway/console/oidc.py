"""OpenID Connect as a relying party: the authorization code flow with PKCE.

Sources: OpenID Connect Core 1.0 (sections 3.1.2, 3.1.3), OpenID Connect Discovery 1.0 (section 4), RFC 7636 (PKCE),
RFC 9207 (the issuer in the answer). Signatures and claims are checked by joserfc.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from channels.errors import ChannelError
from channels.http import HttpClient, HttpResponse
from config.operations import Console
from gateway.console.page import Role

TIMEOUT: Final = 10.0
LEEWAY: Final = 60
KEEP: Final = 3600.0
"""Seconds for which the provider's configuration and keys are kept; a key that is not among them is asked for."""
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key: with a shared secret, or none, anybody could sign."""

_Shape = TypeVar("_Shape")


class ProviderAway(Exception):
    """The provider cannot be reached, or does not answer as one does; the message says what is wrong."""


class SignInRejected(Exception):
    """What came back proves nobody's identity; the message says why, for the log."""


class NotAllowed(Exception):
    """The provider vouches for somebody who is no operator."""


class Pending(msgspec.Struct, frozen=True):
    """The secrets of one sign-in under way, kept by the browser that began it."""

    state: str
    nonce: str
    verifier: str


class Identity(msgspec.Struct, frozen=True):
    """Whom the provider vouches for: the account's name and role."""

    name: str
    role: Role


class Discovered(msgspec.Struct, frozen=True):
    """What is needed of the provider's configuration (Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


class _Keys(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class Provider:
    """One identity provider. ``redirect_uri`` is where it sends the browser back to, as registered there."""

    def __init__(self, settings: Console, redirect_uri: str, *, now: Callable[[], float]) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._now = now
        self._found: tuple[float, Discovered] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None

    async def begin(self) -> tuple[str, Pending]:
        """Where to send the browser, and what it is to carry. Raises :class:`ProviderAway`."""
        found = await self._discovered()
        pending = Pending(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.oidc_scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joint}{urlencode(query)}", pending

    async def finish(self, pending: Pending, answer: Mapping[str, str]) -> Identity:
        """Whom the answer proves, the query with which the browser came back.

        Raises :class:`SignInRejected`, :class:`NotAllowed`, :class:`ProviderAway`.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise SignInRejected("the state is not the one that was sent")
        found = await self._discovered()
        # Two providers and one redirect address: without it one could pass on the other's code.
        named = "iss" in answer or found.authorization_response_iss_parameter_supported
        if named and answer.get("iss") != found.issuer:
            raise SignInRejected("the answer comes from another issuer")
        if not answer.get("code"):
            raise SignInRejected("the provider gave no code")
        token = await self._redeem(found, answer["code"], pending.verifier)
        claims = await self._claims(found, token, pending.nonce)
        return identity(claims, self._settings)

    async def _discovered(self) -> Discovered:
        if self._found is not None and self._now() < self._found[0] + KEEP:
            return self._found[1]
        issuer = self._settings.oidc_issuer
        answer = await _call("GET", f"{issuer}/.well-known/openid-configuration")
        found = _read(answer, Discovered, "configuration")
        # Discovery 1.0, section 4.3. Some issuers end with a slash, which the setting does not keep.
        if found.issuer.removesuffix("/") != issuer:
            raise ProviderAway("its configuration names another issuer")
        endpoints = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        if not all(one.startswith("https://" if issuer.startswith("https://") else "http") for one in endpoints):
            raise ProviderAway("its configuration leads out of TLS")
        self._found = (self._now(), found)
        return found

    async def _redeem(self, found: Discovered, code: str, verifier: str) -> str:
        """The ID token for a code (Core 1.0, section 3.1.3.1)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        if secret and "client_secret_basic" in found.token_endpoint_auth_methods_supported:
            # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        else:
            form |= {"client_id": client} | ({"client_secret": secret} if secret else {})
        answer = await _call("POST", found.token_endpoint, data=form, headers=headers)
        if 400 <= answer.status < 500:
            raise SignInRejected(f"the provider refused the code with {answer.status}")
        return _read(answer, _Tokens, "token answer").id_token

    async def _claims(self, found: Discovered, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that holds (Core 1.0, section 3.1.3.7). Raises :class:`SignInRejected`."""
        from joserfc.errors import InvalidKeyIdError, JoseError
        from joserfc.jwk import KeySet
        from joserfc.jwt import JWTClaimsRegistry, decode

        client = self._settings.oidc_client_id
        rules = JWTClaimsRegistry(
            now=lambda: int(self._now()),
            leeway=LEEWAY,
            iss={"essential": True, "value": found.issuer},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            try:
                read = decode(token, KeySet.import_key_set({"keys": await self._signing_keys(found)}), ALGORITHMS)
            except InvalidKeyIdError:
                # The provider has changed its keys since.
                fresh = await self._signing_keys(found, anew=True)
                read = decode(token, KeySet.import_key_set({"keys": fresh}), ALGORITHMS)
            rules.validate(read.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise SignInRejected(f"the ID token does not hold ({type(error).__name__})") from error
        claims: dict[str, Any] = read.claims
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else client) != client:
            raise SignInRejected("the ID token was made for another client")
        return claims

    async def _signing_keys(self, found: Discovered, *, anew: bool = False) -> list[dict[str, Any]]:
        if self._keys is not None and not anew and self._now() < self._keys[0] + KEEP:
            return self._keys[1]
        given = _read(await _call("GET", found.jwks_uri), _Keys, "key set").keys
        keys = [key for key in given if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
        self._keys = (self._now(), keys)
        return keys


def identity(claims: Mapping[str, Any], settings: Console) -> Identity:
    """The account that claims name, with its role by the settings. Raises :class:`NotAllowed`."""
    name = claims.get(settings.oidc_name_claim)
    if not isinstance(name, str) or not name:
        raise NotAllowed(f"there is no claim {settings.oidc_name_claim} in the ID token")
    groups = _values(claims, settings.oidc_role_claim) if settings.oidc_role_claim else frozenset()
    role: Literal["viewer", "operator"]
    if groups & set(settings.oidc_operators):
        role = "operator"
    elif not settings.oidc_viewers or groups & set(settings.oidc_viewers):
        role = "viewer"
    else:
        raise NotAllowed("the role claim holds none of the values that are let in")
    return Identity(name, role)


def _values(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The values of a claim: a list of texts, or a text of words. A name with dots may be a path, or just a name."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset(found.split())
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()


async def _call(method: str, url: str, **options: Any) -> HttpResponse:
    try:
        async with HttpClient(timeout=TIMEOUT) as http:
            return await http.request(method, url, **options)
    except ChannelError as error:
        raise ProviderAway(error.reason) from error


def _read(answer: HttpResponse, shape: type[_Shape], what: str) -> _Shape:
    if answer.status != 200:
        raise ProviderAway(f"its {what} was answered with {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except msgspec.DecodeError as error:
        raise ProviderAway(f"its {what} is not one") from error
