"""The HTTP client of the channels: what goes out, once; what comes back, however it is cut; what is no answer."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import http as client
from channels.connection import MAX_HEAD, MAX_RESPONSE, Broken, Connection, HttpResponse
from channels.errors import Misconfigured, RetryLater, Uncertain
from channels.http import HttpClient

YES = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nyes"
PATIENCE = 10.0


class Server:
    """Listens on a free port; reads one request after another, and says to each the next of ``script``.

    An item is what is written, in pieces; behind the pieces ``None`` hangs up. With the script at its end it is silent.
    """

    def __init__(self, *script: Sequence[bytes | None], tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.heard: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Queue[bool]()
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []
        self._over = asyncio.Queue[bool]()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for _ in range(len(self._writers)):
            await asyncio.wait_for(self._over.get(), PATIENCE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            self.ended.put_nowait(True)
            self._over.put_nowait(True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, size = head.lower().partition(b"content-length: ")
                self.heard.append(head + await reader.readexactly(int(size.partition(b"\r")[0] or 0)))
                for piece in self.script.pop(0) if self.script else ():
                    if piece is None:
                        writer.close()
                        break
                    writer.write(piece)
                    await writer.drain()


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient(timeout=PATIENCE) as http:
        yield http


def _soon() -> float:
    return asyncio.get_running_loop().time() + PATIENCE


def read(answer: Sequence[bytes], *, then_hang_up: bool = False) -> HttpResponse:
    """The answer that comes in these pieces, by a connection without a wire. Raises :class:`Broken`."""

    async def exchange() -> HttpResponse:
        connection = Connection(lambda _: None)
        connection.connection_made(_Wire(connection, list(answer), then_hang_up))
        return await connection.call(b"GET / HTTP/1.1\r\n\r\n", _soon())

    return asyncio.run(exchange())


class _Wire(asyncio.Transport):
    """Brings the pieces of an answer as soon as something is written."""

    def __init__(self, connection: Connection, answer: list[bytes], hang_up: bool) -> None:
        super().__init__()
        self._connection, self._answer, self._hang_up = connection, answer, hang_up
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        asyncio.get_running_loop().call_soon(self._bring)

    def _bring(self) -> None:
        for piece in self._answer:
            if not self._closing:
                self._connection.data_received(piece)
        if self._hang_up and not self._closing:
            self._connection.eof_received()
            self._connection.connection_lost(None)

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True


class TestRequest:
    @pytest.mark.parametrize(
        ("method", "path", "options", "line", "head", "body"),
        [
            ("GET", "/a?b=c", {}, b"GET /a?b=c HTTP/1.1", {}, b""),
            ("GET", "", {}, b"GET / HTTP/1.1", {}, b""),
            ("GET", "/a%20b/%2Fc", {}, b"GET /a%20b/%2Fc HTTP/1.1", {}, b""),
            ("GET", "/a", {"params": {"to": "+62 8&=%", "x": "é"}}, b"GET /a?to=%2B62+8%26%3D%25&x=%C3%A9 HTTP/1.1", {}, b""),
            ("GET", "/a?b=c", {"params": {"d": "1"}}, b"GET /a?b=c&d=1 HTTP/1.1", {}, b""),
            ("GET", "/a", {"params": {"t": "a\r\nb\0"}}, b"GET /a?t=a%0D%0Ab%00 HTTP/1.1", {}, b""),
            (
                "POST",
                "/a",
                {"data": {"to": "+62", "text": "a b&c\r\n😀"}},
                b"POST /a HTTP/1.1",
                {"content-type": "application/x-www-form-urlencoded"},
                b"to=%2B62&text=a+b%26c%0D%0A%F0%9F%98%80",
            ),
            ("POST", "/a", {"data": b"\0\xff"}, b"POST /a HTTP/1.1", {"content-type": "application/octet-stream"}, b"\0\xff"),
            (
                "POST",
                "/a",
                {"json": {"a": ["ü"]}},
                b"POST /a HTTP/1.1",
                {"content-type": "application/json"},
                '{"a":["ü"]}'.encode(),
            ),
            (
                "POST",
                "/a",
                {"data": b"<a/>", "headers": {"Content-type": "text/xml", "X-Key": "kunci"}},
                b"POST /a HTTP/1.1",
                {"content-type": "text/xml", "x-key": "kunci"},
                b"<a/>",
            ),
            ("POST", "/a", {}, b"POST /a HTTP/1.1", {"content-length": "0"}, b""),
            ("DELETE", "/a", {}, b"DELETE /a HTTP/1.1", {}, b""),
        ],
    )  # fmt: skip
    async def test_what_goes_out(
        self, method: str, path: str, options: Any, line: bytes, head: dict[str, str], body: bytes, http: HttpClient
    ) -> None:
        async with Server([YES]) as server:
            await http.request(method, server.url + path, **options)
        said, _, sent = server.heard[0].partition(b"\r\n\r\n")
        first, *rest = said.split(b"\r\n")
        pairs = [one.decode().lower().partition(": ")[::2] for one in rest]
        named = {"host": f"127.0.0.1:{server.port}", "user-agent": "lapor-gateway"}
        named |= {"accept": "*/*", "accept-encoding": "identity"} | ({"content-length": str(len(body))} if body else {})
        assert (first, sent) == (line, body)
        assert dict(pairs) == named | head
        assert len(pairs) == len(dict(pairs))

    @pytest.mark.parametrize(
        ("url", "host", "authorization"),
        [
            ("http://api.example", "api.example", ""),
            ("https://api.example:443/", "api.example", ""),
            ("http://api.example:443/", "api.example:443", ""),
            ("http://[::1]:8080/", "[::1]:8080", ""),
            ("http://bücher.example/", "xn--bcher-kva.example", ""),
            ("http://lapor:pa%2055@api.example/", "api.example", "Basic bGFwb3I6cGEgNTU="),
        ],
    )
    def test_the_host_and_who_asks(self, url: str, host: str, authorization: str) -> None:
        read = client._read(url)
        head = dict(line.split(": ", 1) for line in (read.head + read.authorization).split("\r\n") if line)
        assert (head["Host"], head.get("Authorization", "")) == (host, authorization)

    async def test_a_caller_s_own_proof_goes_before_the_url_s(self, http: HttpClient) -> None:
        async with Server([YES], [YES]) as server:
            url = f"http://lapor:sandi@127.0.0.1:{server.port}/"
            await http.request("GET", url)
            await http.request("GET", url, headers={"authorization": "Bearer kunci"})
        proofs = [re.findall(rb"(?i)authorization: (\w+)", heard) for heard in server.heard]
        assert proofs == [[b"Basic"], [b"Bearer"]]

    @pytest.mark.parametrize(
        "url", ["", "/a", "ftp://a/", "http://", "http://:80/", "http://a:99999/", "a b", "http://["]
    )
    async def test_what_no_server_can_have(self, url: str, http: HttpClient) -> None:
        with pytest.raises(Misconfigured) as caught:
            await http.request("GET", url)
        assert caught.value.reason == "bad_url"

    @pytest.mark.parametrize(
        "headers", [{"X": "a\r\nY: b"}, {"X": "a\0"}, {"X: a\r\nY": "b"}, {"": "a"}, {"X": "a\nb"}]
    )
    async def test_headers_that_are_none(self, headers: dict[str, str], http: HttpClient) -> None:
        async with Server([YES]) as server:
            with pytest.raises(Misconfigured) as caught:
                await http.request("GET", server.url, headers=headers)
        assert (caught.value.reason, server.heard) == ("bad_header", [])

    async def test_only_while_it_is_open(self) -> None:
        with pytest.raises(RuntimeError):
            await HttpClient().request("GET", "http://127.0.0.1/")

    @pytest.mark.parametrize("method", ["HEAD", "CONNECT", "get", "GET / HTTP/1.1\r\nX: "])
    async def test_methods_that_it_does_not_speak(self, method: str, http: HttpClient) -> None:
        with pytest.raises(ValueError, match="method"):
            await http.request(method, "http://127.0.0.1/")


class TestAnswer:
    @pytest.mark.parametrize(
        ("raw", "status", "headers", "body"),
        [
            (YES, 202, {"content-length": "3"}, b"yes"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, {}, b""),
            (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, {"content-length": "0"}, b""),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nyes\r\n1\r\n!\r\n0\r\nX-After: 1\r\n\r\n",
                200,
                {"transfer-encoding": "chunked", "x-after": "1"},
                b"yes!",
            ),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + YES, 202, {"content-length": "3"}, b"yes"),
            (b"HTTP/1.1 302 Found\r\nLocation: http://a/\r\nContent-Length: 0\r\n\r\n", 302, {"content-length": "0", "location": "http://a/"}, b""),
            (b"HTTP/1.0 500 Oh\r\nX-Name: J\xc3\xb6rg\r\nContent-Length: 1\r\n\r\n\xff", 500, {"x-name": "Jörg", "content-length": "1"}, b"\xff"),
        ],
    )  # fmt: skip
    @given(data=st.data())
    def test_whole_however_it_is_cut(
        self, data: st.DataObject, raw: bytes, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        places = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1))))
        pieces = [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]
        assert read(pieces) == HttpResponse(status, headers, body)

    @pytest.mark.parametrize(
        ("raw", "body"),
        [(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"), (b"HTTP/1.0 200 OK\r\n\r\n", b"")],
    )
    def test_one_that_ends_with_the_connection(self, raw: bytes, body: bytes) -> None:
        assert read([raw], then_hang_up=True).body == body

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"HTTP/1.1 20",
            b"HTTP/1.1 200 OK\r\nContent-Len",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n",
        ],
    )
    def test_half_of_one_is_none(self, raw: bytes) -> None:
        with pytest.raises(Broken):
            read([raw] if raw else [], then_hang_up=True)

    @pytest.mark.parametrize(
        "raw",
        [
            b"220 smtp.example ESMTP\r\n",
            b"\x16\x03\x01\x02\0\x01\0",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nyes!",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nyes",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_HEAD,
        ],
    )
    def test_what_is_no_http(self, raw: bytes) -> None:
        with pytest.raises(Broken):
            read([raw])

    @given(st.lists(st.binary(max_size=40), max_size=5))
    def test_nothing_but_broken_comes_of_anything(self, pieces: list[bytes]) -> None:
        with suppress(Broken):
            read([b"HTTP/1.1 ", *pieces], then_hang_up=True)

    def test_a_body_is_kept_to_its_bound(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_RESPONSE * 3)
        assert read([head + b"a" * 10, *[b"b" * MAX_RESPONSE] * 3]).body == b"a" * 10 + b"b" * (MAX_RESPONSE - 10)

    async def test_after_a_body_beyond_its_bound_the_connection_is_not_used_again(self, http: HttpClient) -> None:
        long = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_RESPONSE * 3)
        async with Server([long, b"a" * 2 * MAX_RESPONSE], [YES]) as server:
            assert len((await http.request("GET", server.url)).body) == MAX_RESPONSE
            assert (await http.request("GET", server.url)).body == b"yes"
        assert server.connections == 2

    def test_text_and_json_of_anything(self) -> None:
        assert HttpResponse(200, {}, b"\xffa").text == "�a"
        assert HttpResponse(200, {}, b'{"a": 1}').json() == {"a": 1}
        assert HttpResponse(200, {}, b"\xff").json() is None


class TestConnections:
    async def test_one_after_another_on_one(self, http: HttpClient) -> None:
        async with Server(*[[YES]] * 3) as server:
            for _ in range(3):
                await http.request("GET", server.url)
        assert (server.connections, len(server.heard)) == (1, 3)

    async def test_at_once_on_as_many(self, http: HttpClient) -> None:
        async with Server(*[[YES]] * 5) as server:
            await asyncio.gather(*(http.request("GET", server.url) for _ in range(5)))
            assert server.connections == 5
            server.script = [[YES]]
            await http.request("GET", server.url)
            assert server.connections == 5

    @pytest.mark.parametrize(
        "last",
        [
            [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"],
            [b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
            [YES + b"HTTP/1.1 200 OK\r\n"],
            [YES, None],
        ],
        ids=["closed by word", "of HTTP/1.0", "more than was asked for", "closed by deed"],
    )
    async def test_one_that_is_over_is_not_asked(self, last: list[bytes | None], http: HttpClient) -> None:
        async with Server(last, [YES]) as server:
            await http.request("GET", server.url)
            await asyncio.wait_for(server.ended.get(), PATIENCE)
            assert (await http.request("GET", server.url)).body == b"yes"
        assert (server.connections, len(server.heard)) == (2, 2)

    async def test_one_on_which_a_word_comes_unasked_is_closed(self) -> None:
        lost: list[Connection] = []
        connection = Connection(lost.append)
        wire = _Wire(connection, [YES], hang_up=False)
        connection.connection_made(wire)
        await connection.call(b"GET / HTTP/1.1\r\n\r\n", _soon())
        assert connection.usable
        connection.data_received(YES)
        assert not connection.usable
        with pytest.raises(Broken):
            await connection.call(b"GET / HTTP/1.1\r\n\r\n", _soon())

    async def test_one_that_rests_too_long_is_closed(self, monkeypatch: pytest.MonkeyPatch, http: HttpClient) -> None:
        monkeypatch.setattr(client, "KEEP_SECONDS", 0.05)
        async with Server([YES], [YES]) as server:
            await http.request("GET", server.url)
            await asyncio.wait_for(server.ended.get(), PATIENCE)
            await http.request("GET", server.url)
            await asyncio.wait_for(server.ended.get(), PATIENCE)
        assert server.connections == 2

    async def test_all_are_closed_at_the_end(self) -> None:
        async with Server([YES]) as server:
            async with HttpClient() as http:
                await http.request("GET", server.url)
            await asyncio.wait_for(server.ended.get(), PATIENCE)

    async def test_who_does_not_wait_leaves_nothing_behind(self, http: HttpClient) -> None:
        async with Server([], [YES]) as server:
            waiting = asyncio.create_task(http.request("GET", server.url))
            while not server.heard:
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await asyncio.wait_for(server.ended.get(), PATIENCE)
            assert (await http.request("GET", server.url)).body == b"yes"


class TestTrouble:
    @pytest.mark.parametrize("script", [[None], [b"HTTP/1.1 200 OK\r\n", None], [b"garbage\r\n\r\n"]])
    async def test_no_whole_answer_is_uncertain_and_nothing_is_sent_twice(
        self, script: list[bytes | None], http: HttpClient
    ) -> None:
        async with Server(script, [YES]) as server:
            with pytest.raises(Uncertain):
                await http.request("GET", server.url)
        assert len(server.heard) == 1

    async def test_also_on_a_connection_that_was_kept(self, http: HttpClient) -> None:
        async with Server([YES], [None], [YES]) as server:
            await http.request("GET", server.url)
            with pytest.raises(Uncertain):
                await http.request("GET", server.url)
        assert (server.connections, len(server.heard)) == (1, 2)

    @pytest.mark.parametrize("script", [[], [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"]], ids=["none", "half"])
    async def test_an_answer_that_does_not_come(self, script: list[bytes]) -> None:
        async with HttpClient(timeout=0.2) as http, Server(script) as server:
            with pytest.raises(Uncertain) as caught:
                await http.request("GET", server.url)
            await asyncio.wait_for(server.ended.get(), PATIENCE)
        assert "TimeoutError" in str(caught.value)

    async def test_nobody_listens(self, http: HttpClient) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            with pytest.raises(RetryLater) as caught:
                await http.request("GET", f"http://127.0.0.1:{closed.getsockname()[1]}/secret?to=%2B62812")
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")
        assert "ConnectionRefusedError" in str(caught.value)
        assert "62812" not in str(caught.value)

    async def test_nobody_has_the_name(self, http: HttpClient) -> None:
        with pytest.raises(RetryLater) as caught:
            await http.request("GET", "http://nowhere.invalid/")
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")

    async def test_an_address_that_is_silent_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch, http: HttpClient
    ) -> None:
        loop = asyncio.get_running_loop()

        async def two(_host: str, port: int, **_: object) -> list[Any]:
            # The first is of a network for documents, where nobody answers.
            places = ["192.0.2.1", "127.0.0.1"]
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (place, port)) for place in places]

        monkeypatch.setattr(loop, "getaddrinfo", two)
        async with Server([YES]) as server:
            assert (await http.request("GET", f"http://provider.example:{server.port}/")).body == b"yes"

    @pytest.mark.parametrize("bounds", [{"connect_timeout": 0.2}, {"timeout": 0.4}])
    async def test_a_connection_that_does_not_come_about(self, bounds: dict[str, float]) -> None:
        # Connected to, but TLS is never spoken: nothing of the request went out.
        async with Server() as server, HttpClient(**bounds) as http:
            with pytest.raises(RetryLater) as caught:
                await http.request("GET", f"https://127.0.0.1:{server.port}/")
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")
        assert server.heard == []


class TestTls:
    @pytest.fixture
    async def certificate(self, tmp_path: Path) -> Path:
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        process = await asyncio.create_subprocess_exec(
            *made,
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        return certificate

    async def test_by_a_name_that_is_vouched_for(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch, http: HttpClient
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client._trusting.cache_clear()
        try:
            async with Server([YES], [YES], tls=self.context) as server:
                for _ in range(2):
                    assert (await http.request("GET", f"https://localhost:{server.port}/")).body == b"yes"
                assert server.connections == 1
                with pytest.raises(RetryLater):
                    await http.request("GET", f"https://127.0.0.1:{server.port}/")
        finally:
            client._trusting.cache_clear()

    @pytest.mark.usefixtures("certificate")
    async def test_nobody_vouches_for_it(self, http: HttpClient) -> None:
        async with Server([YES], tls=self.context) as server:
            with pytest.raises(RetryLater) as caught:
                await http.request("GET", f"https://localhost:{server.port}/")
        assert (type(caught.value), caught.value.reason) == (RetryLater, "connection")
        assert server.heard == []
