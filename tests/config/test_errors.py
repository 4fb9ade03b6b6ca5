"""Every mistake is one line: the key, its place, what is allowed. And no line shows a value."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SettingsError
from config.load import load


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def attempt(path: Path, environ: dict[str, str]) -> tuple[str, ...] | None:
    """What is said of these settings; ``None`` where they are right."""
    try:
        load(path, environ)
    except SettingsError as error:
        return error.lines
    return None


def lines(text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is said of a settings file; the file is named ``x.toml``."""
    path = Path("x.toml")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    assert str(caught.value) == "\n".join(caught.value.lines)
    return list(caught.value.lines)


FILE = [
    # unknown keys
    ("[server]\nprot = 1", "server.prot (x.toml:2): unknown key; did you mean port?"),
    ("[sever]\nport = 1", "sever (x.toml:1): unknown key; did you mean server?"),
    ("port = 1", "port (x.toml:1): unknown key; did you mean server.port?"),
    ("[log]\npool_size = 5", "log.pool_size (x.toml:2): unknown key; did you mean store.pool_size?"),
    ("[api]\ntoken = ['a']", "api.token (x.toml:2): unknown key; did you mean tokens?"),
    ("[api]\nkeys = ['a']", "api.keys (x.toml:2): unknown key; known here: tokens, tokens_file"),
    ("[Server]\nport = 1", "Server (x.toml:1): unknown key; did you mean server?"),
    (
        "server.host_file = '/x'",
        (
            "server.host_file (x.toml:1): unknown key; known here: host, port, public_url, request_timeout, "
            "max_connections, refusals_per_minute, max_body, shutdown_grace, trusted_proxies"
        ),
    ),
    (
        '"a\\nb" = 1',
        (
            r"a\nb (x.toml:1): unknown key; known here: timezone, server, log, topics, store, api, privacy, rules, "
            "replies, notices, delivery, intake, dispatcher, blobs, attachments, health, "
            "alerts, console, retention, logging, channels"
        ),
    ),
    # wrong kinds
    ("[server]\nport = 'many'", "server.port (x.toml:2): must be a whole number"),
    ("[server]\nport = true", "server.port (x.toml:2): must be a whole number"),
    ("[log]\npartitions = false", "log.partitions (x.toml:2): must be a whole number"),
    ("[server]\nport = 1.5", "server.port (x.toml:2): must be a whole number"),
    ("[server]\nhost = 1", "server.host (x.toml:2): must be text in quotes"),
    ("[server]\nhost = ''", "server.host (x.toml:2): must have at least 1 character(s)"),
    ("server = 3", "server (x.toml:1): must be a table of keys"),
    ("channels = 3", "channels (x.toml:1): must be a table of keys"),
    ("[channels]\nsms = 3", "channels.sms (x.toml:2): must be a table of keys"),
    ("[api]\ntokens = 'a'", "api.tokens (x.toml:2): must be a list"),
    ("[api]\ntokens = ['a', 1]", "api.tokens[2] (x.toml:2): must be text in quotes"),
    # wrong values
    ("[server]\nport = 65536", "server.port (x.toml:2): must be at most 65535"),
    ("[server]\nport = -1", "server.port (x.toml:2): must be at least 0"),
    ("[server]\nrequest_timeout = '0s'", "server.request_timeout (x.toml:2): must be greater than 0"),
    ("[server]\nmax_body = 0", "server.max_body (x.toml:2): must be greater than 0"),
    (
        "[rules]\nflood_window = 'soon'",
        (
            "rules.flood_window (x.toml:2): must be a duration such as "
            '"500ms", "90s", "10m", "24h" or "30d", or a number of seconds'
        ),
    ),
    (
        "[server]\n\n\ntrusted_proxies = [\n'10.0.0.0/8',\n'here']",
        "server.trusted_proxies[2] (x.toml:4): must be an address or a network such as 10.0.0.0/8",
    ),
    (
        "[server]\npublic_url = 'gateway.example.go.id'",
        (
            "server.public_url (x.toml:2): must be an http:// or https:// address without a query, "
            "such as https://gateway.example.go.id"
        ),
    ),
    ("[log]\nbackend = 'redis'", "log.backend (x.toml:2): must be 'sqlite' or 'kafka'"),
    (
        "[log]\nbootstrap_servers = 'kafka-1:9092,kafka-2'",
        (
            "log.bootstrap_servers (x.toml:2): must be host:port, or several with commas between, "
            'such as "kafka-1:9092,kafka-2:9092"'
        ),
    ),
    (
        "[topics]\ncases = 'lapor cases'",
        "topics.cases (x.toml:2): must be a Kafka topic name: 1 to 249 letters, digits, dots, hyphens or underscores",
    ),
    ("[topics]\ncases = 'lapor.complaints.v1'", "topics (x.toml:1): each topic needs a name of its own"),
    (
        "[store]\nurl = 'postgresql://u:p@h/d'",
        "store.url (x.toml:2): must begin with postgresql+asyncpg:// (write that for what stands up to ://)",
    ),
    (
        "[store]\nurl = 'sqlite:///x.db'",
        (
            "store.url (x.toml:2): must begin with sqlite+aiosqlite:/// and a path "
            "(write that for what stands up to the path)"
        ),
    ),
    (
        "[store]\nurl = 'mysql://h'",
        "store.url (x.toml:2): must begin with sqlite+aiosqlite:// or postgresql+asyncpg://",
    ),
    ("[privacy]\nkey = 'short'", "privacy.key (x.toml:2): must be 16 characters or more, or empty"),
    (
        "[api]\ntokens = ['a b']",
        "api.tokens (x.toml:2): a token is one or more printable ASCII characters without a blank",
    ),
    (
        "[log]\nsecurity_protocol = 'SASL_SSL'",
        "log (x.toml:1): security_protocol SASL_SSL needs sasl_username and sasl_password",
    ),
    (
        "[delivery]\nlease = '10s'",
        "delivery (x.toml:1): lease must be longer than timeout, or two processes send one reply",
    ),
    ("[delivery]\nfirst_retry = '1h'", "delivery (x.toml:1): first_retry must be at most longest_retry"),
    ("timezone = 'Mars'", "timezone (x.toml:1): must be an IANA time zone such as Asia/Jakarta"),
    ("timezone = '../Jakarta'", "timezone (x.toml:1): must be an IANA time zone such as Asia/Jakarta"),
    (
        "[channels.SMS]\ntype = 'sms'",
        'channels (x.toml:1): "SMS" is no channel name: a lower-case letter, then letters, digits, single hyphens',
    ),
    # secrets from files
    (
        "[privacy]\nkey_file = '/nowhere/key'",
        'privacy.key_file (x.toml:2): cannot read "/nowhere/key": No such file or directory',
    ),
    ("[privacy]\nkey_file = '.'", 'privacy.key_file (x.toml:2): cannot read ".": Is a directory'),
    ("[privacy]\nkey_file = 3", "privacy.key_file (x.toml:2): must be a file name in quotes"),
    ("[privacy]\nkey_file = ''", "privacy.key_file (x.toml:2): must be a file name in quotes"),
    ("[privacy]\nkey = ''\nkey_file = 'x'", "privacy.key_file (x.toml:3): give key or key_file, not both"),
]


@pytest.mark.parametrize(("text", "line"), FILE, ids=[text.replace("\n", " ") for text, _ in FILE])
def test_a_mistake_in_the_file(text: str, line: str) -> None:
    assert lines(text) == [line]


ENVIRONMENT = [
    ("GATEWAY_SERVER__PORT", "many", "server.port (environment variable GATEWAY_SERVER__PORT): must be a whole number"),
    ("GATEWAY_SERVER__PORT", "", "server.port (environment variable GATEWAY_SERVER__PORT): must be a whole number"),
    (
        "GATEWAY_SERVER_PORT",
        "1",
        "environment variable GATEWAY_SERVER_PORT: no such setting; did you mean GATEWAY_SERVER__PORT?",
    ),
    (
        "GATEWAY_SERVER__port",
        "1",
        "environment variable GATEWAY_SERVER__port: no such setting; did you mean GATEWAY_SERVER__PORT?",
    ),
    ("GATEWAY_WINDOW", "1", "environment variable GATEWAY_WINDOW: no such setting"),
    (
        "GATEWAY_SERVER",
        "{}",
        "environment variable GATEWAY_SERVER: is a whole section; set its keys, GATEWAY_SERVER__…",
    ),
    (
        "GATEWAY_CHANNELS__SMS",
        "{}",
        "environment variable GATEWAY_CHANNELS__SMS: must be GATEWAY_CHANNELS__<CHANNEL>__<KEY> in capitals",
    ),
    (
        "GATEWAY_CHANNELS__sms__sender",
        "1",
        "environment variable GATEWAY_CHANNELS__sms__sender: must be GATEWAY_CHANNELS__<CHANNEL>__<KEY> in capitals",
    ),
    (
        "GATEWAY_API__TOKENS",
        "['a']",
        "api.tokens (environment variable GATEWAY_API__TOKENS): must be a list with commas between, or a JSON array",
    ),
    (
        "GATEWAY_SERVER__TRUSTED_PROXIES",
        "10.0.0.0/8,here",
        (
            "server.trusted_proxies[2] (environment variable GATEWAY_SERVER__TRUSTED_PROXIES): "
            "must be an address or a network such as 10.0.0.0/8"
        ),
    ),
    (
        "GATEWAY_PRIVACY__KEY_FILE",
        "/nowhere",
        (
            "privacy.key_file (environment variable GATEWAY_PRIVACY__KEY_FILE): "
            'cannot read "/nowhere": No such file or directory'
        ),
    ),
    (
        "GATEWAY_SERVER__HOST_FILE",
        "/x",
        "environment variable GATEWAY_SERVER__HOST_FILE: no such setting; did you mean GATEWAY_SERVER__HOST?",
    ),
]


@pytest.mark.parametrize(("name", "value", "line"), ENVIRONMENT, ids=[f"{n}={v}" for n, v, _ in ENVIRONMENT])
def test_a_mistake_in_the_environment(name: str, value: str, line: str) -> None:
    assert lines("", {name: value}) == [line]


def test_a_key_of_the_environment_cannot_be_a_value_and_a_table() -> None:
    environ = {"GATEWAY_CHANNELS__SMS__QUOTA": "1", "GATEWAY_CHANNELS__SMS__QUOTA__DAY": "1"}
    assert lines("", environ) == [
        "channels.sms.quota.day (environment variable GATEWAY_CHANNELS__SMS__QUOTA__DAY): is both a value and a table"
    ]


def test_all_mistakes_are_told_at_once() -> None:
    said = lines("[server]\nport = 0.5\n[log]\nbackend = 'x'", {"GATEWAY_FOO": "1", "GATEWAY_STORE__POOL_SIZE": "0"})
    assert [line.partition(" ")[0] for line in said] == ["environment", "server.port", "log.backend", "store.pool_size"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[server]\nport = \n", "x.toml:2: not TOML: Invalid value"),
        (b"[server]\nport = 1\nport = 2\n", "x.toml:3: not TOML: Cannot overwrite a value"),
        (b"a = [1,\n2\n", "x.toml:3: not TOML: Unclosed array"),
        (b"a = 1\nb = '\xff'\n", "x.toml:2: not UTF-8 text"),
    ],
    ids=["no value", "twice", "unclosed", "not UTF-8"],
)
def test_a_file_that_is_not_toml(content: bytes, line: str) -> None:
    Path("x.toml").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load(Path("x.toml"), {})
    assert caught.value.lines == (line,)


@pytest.mark.parametrize(
    ("path", "environ", "line"),
    [
        ("no.toml", {}, "no.toml (--config): cannot read the settings file: No such file or directory"),
        (
            None,
            {"GATEWAY_CONFIG": "no.toml"},
            "no.toml (environment variable GATEWAY_CONFIG): cannot read the settings file: No such file or directory",
        ),
        (".", {}, ". (--config): cannot read the settings file: Is a directory"),
    ],
    ids=["asked for", "by variable", "a folder"],
)
def test_a_file_that_cannot_be_read(path: str | None, environ: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(Path(path) if path else None, environ)
    assert caught.value.lines == (line,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", '"secret" is empty'),
        (b" \n", '"secret" is empty'),
        (b"\xff\xfe", '"secret" is not UTF-8 text'),
        (b"x" * 65537, '"secret" is larger than 64 KiB: no secret is'),
    ],
    ids=["empty", "blank", "not text", "too large"],
)
def test_a_secret_file_that_holds_no_secret(content: bytes, said: str) -> None:
    Path("secret").write_bytes(content)
    assert lines("log.sasl_password_file = 'secret'") == [f"log.sasl_password_file (x.toml:1): {said}"]


SECRET = "hunter2-hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"api.tokens = '{SECRET}'",
        f"api.tokens = ['{SECRET} x']",
        f"api.tokens = [['{SECRET}']]",
        f"api.tokns = ['{SECRET}']",
        f"privacy.key = ['{SECRET}']",
        f"privacy.key = {{ '{SECRET}' = 1 }}",
        f"privacy.kee = '{SECRET}'",
        f"store.url = 'postgres://lapor:{SECRET}@db/lapor'",
        f"store.url = '{SECRET}'",
        f"log.sasl_password = ['{SECRET}']",
        f"log.pasword = '{SECRET}'",
        f"server.port = '{SECRET}'",
        f"server.trusted_proxies = ['{SECRET}']",
        f"log.backend = '{SECRET}'",
        f"timezone = '{SECRET}'",
        f"channels = '{SECRET}'",
        f"channels.sms = '{SECRET}'",
        f"privacy.key = '{SECRET}",
    ],
)
def test_no_value_is_shown(text: str) -> None:
    assert SECRET not in "\n".join(lines(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_settings_or_an_error_with_lines(content: bytes) -> None:
    path = Path("random.toml")
    path.write_bytes(content)
    said = attempt(path, {})
    if said is None:
        tomllib.loads(content.decode("utf-8-sig"))
    else:
        assert said
        assert all("\n" not in line for line in said)


@given(
    st.dictionaries(
        st.from_regex(r"GATEWAY_[A-Za-z_]{0,30}", fullmatch=True),
        st.text(st.characters(min_codepoint=32), max_size=30),
        max_size=4,
    )
)
def test_any_variables_are_settings_or_an_error_with_lines(environ: dict[str, str]) -> None:
    path = Path("empty.toml")
    path.write_text("")
    environ.pop("GATEWAY_CONFIG", None)
    said = attempt(path, environ)
    assert all("\n" not in line for line in said or ())
