"""What an answer of X means, as the errors of the contract. Pure.

X tells errors as one problem (RFC 9457: ``title``, ``detail``, ``type``), as a list ``errors`` of problems in an answer
200, or as ``errors`` with the older codes (X's docs, "Response codes and errors"). The messages here are our own
words: X's may hold a handle or an id.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from channels.errors import ChannelError, Misconfigured, Refused, RetryLater, Uncertain
from channels.http import HttpResponse, retry_after
from channels.twitter.shapes import Json, decode, obj, objects, text

Call = Literal["list", "user", "post", "message"]
"""Reading a list or a user, posting in public, writing a direct message."""
_READS = frozenset({"list", "user"})

# (marks in X's words, X's older codes, reason, what an operator reads); the first that fits. Our own account and app
# come first: "suspended" alone is said of the citizen's account.
_OURS: tuple[tuple[tuple[str, ...], tuple[int, ...], str, str], ...] = (
    (("your account is suspended", "account has been suspended"), (64,), "suspended", "X has suspended the account"),
    (("temporarily locked",), (326,), "locked", "X has locked the account: log in to unlock it"),
    (
        ("client-not-enrolled", "client forbidden", "official-client-forbidden", "appropriate level of api access"),
        (453,),
        "app",
        "X's plan for the app does not allow this call",
    ),
    (
        ("unsupported authentication", "unsupported-authentication", "app permissions", "oauth1-permissions", "scope"),
        (93, 220),
        "permission",
        "the token does not allow this call: the app needs its scopes, and a user's token",
    ),
    (("credits", "spend cap", "spendcap"), (), "credit", "the app has no credit left at X"),
)
_THEIRS: tuple[tuple[tuple[str, ...], tuple[int, ...], str, str], ...] = (
    (("duplicate content", "status is a duplicate"), (187,), "duplicate", "X refuses the same words twice"),
    (
        ("deleted or not visible", "not-found", "not found"),
        (34, 144, 385),
        "deleted",
        "the post or its author is no longer there",
    ),
    (("user has been suspended", "user is suspended"), (50, 63), "author_suspended", "X has suspended the author"),
    (
        ("protected", "not authorized to see", "not authorized to view"),
        (179,),
        "protected",
        "the author's posts are protected",
    ),
    (("blocked",), (136, 431), "blocked", "the author has blocked the account"),
    (
        ("cannot send messages", "not following you", "permission to dm", "dm one or more"),
        (150, 349),
        "no_direct_messages",
        "the citizen takes no direct messages from the account",
    ),
    (
        (
            "is not allowed",
            "not been mentioned",
            "you are mentioned",
            "not allowed to reply",
            "restricted who can reply",
        ),
        (433,),
        "not_allowed",
        "X does not allow a reply to this post",
    ),
)


def document_of(response: HttpResponse, call: Call) -> Json:
    """The document of a good answer: an object with ``data``; for a list also without, where there is nothing.

    Raises :class:`RetryLater`, :class:`Uncertain`, :class:`Refused` or :class:`Misconfigured`.
    """
    document = _object(response)
    if not 200 <= response.status < 300:
        raise _refusal(response, document or {}, call)
    data = document.get("data") if document is not None else None
    if document is not None and data is None and objects(document.get("errors")):
        raise _by_words(document, call) or _otherwise(call, response.status)
    if document is None or not (data is None or isinstance(data, list) if call == "list" else isinstance(data, dict)):
        said = f"X answered {response.status} without a document of the shape that its documentation says"
        raise RetryLater(said, reason="bad_answer") if call in _READS else Uncertain(said)
    return document


def _object(response: HttpResponse) -> Json | None:
    try:
        document = decode(response.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(response: HttpResponse, document: Json, call: Call) -> ChannelError:
    """The meaning of a status that is not 2xx."""
    status = response.status
    said = f"X answered {status}"
    if status == 429:
        wait = _wait(response.headers)
        return RetryLater(said, reason="throttled", retry_after=wait, whole_channel=call != "message")
    if status == 401:
        return Misconfigured(f"{said}: the token is revoked or has ended", reason="revoked")
    if status == 402:
        return Misconfigured(f"{said}: the app has no credit left at X", reason="credit")
    if 300 <= status < 400:
        return Misconfigured(f"{said}: is api_url right?", reason="redirect")
    if status in (408, 425, 503):
        return RetryLater(said, reason=f"http_{status}", retry_after=retry_after(response.headers))
    if status >= 500:
        # What X had done before it failed is not known.
        return RetryLater(said, reason=f"http_{status}") if call in _READS else Uncertain(said)
    return _by_words(document, call) or _otherwise(call, status)


def _otherwise(call: Call, status: int) -> ChannelError:
    """A refusal in words that are not known: of one message, so that it does not stop the others."""
    said = f"X answered {status} and refuses this call"
    if call in _READS:
        return Misconfigured(said, reason="forbidden" if status == 403 else "bad_request")
    return Refused(said, reason="deleted" if status == 404 else "forbidden" if status == 403 else "invalid")


def _by_words(document: Json, call: Call) -> ChannelError | None:
    """What X's words or codes mean, if they are known."""
    words = " ".join(_words(document)).casefold()
    problems = (document, *objects(document.get("errors")))
    codes = {one["code"] for one in problems if isinstance(one.get("code"), int)}
    for marks, older, reason, said in _OURS:
        if codes & set(older) or any(mark in words for mark in marks):
            return Misconfigured(said, reason=reason)
    for marks, older, reason, said in () if call in _READS else _THEIRS:
        if codes & set(older) or any(mark in words for mark in marks):
            return Refused(said, reason=reason)
    return None


def _words(document: Json) -> Iterator[str]:
    for problem in (document, *objects(document.get("errors"))):
        for name in ("title", "detail", "message", "type", "reason"):
            yield text(problem.get(name))


def _wait(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds until the window of a 429 ends: by X's own header, else by Retry-After."""
    reset = headers.get("x-rate-limit-reset", "")
    if reset.isascii() and reset.isdigit() and len(reset) < 16:
        return min(max(1.0, float(reset) - (time.time() if now is None else now)), 24 * 3600.0)
    return retry_after(headers)


def ids_of(document: Json, *names: str) -> tuple[str, ...]:
    """The id that X gave to what it took, under the first of these names; none where it tells none."""
    data: Mapping[str, Any] = obj(document.get("data"))
    return next(((found,) for name in names if (found := text(data.get(name)))), ())
