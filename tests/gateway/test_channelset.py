"""The tables of channels, checked by the models of their types: a small type made here, and the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import pytest
from pydantic import Field, SecretStr, model_validator

from channels import registry
from channels.base import Channel, ChannelSettings, ChannelSpec
from config.errors import SettingsError
from config.load import load
from config.settings import Settings
from gateway.channelset import load_channels


class PigeonSettings(ChannelSettings):
    """A channel type for these tests."""

    type: Literal["pigeon"] = "pigeon"
    loft: str = Field(min_length=1)
    speed: float = 60.0
    ring: SecretStr | None = None
    whistle: str = ""
    seeds: tuple[str, ...] = ()
    tokens: tuple[SecretStr, ...] = ()

    @model_validator(mode="after")
    def _fast_enough(self) -> PigeonSettings:
        if self.speed < 1:
            raise ValueError("speed: a pigeon flies")
        return self


PIGEON = ChannelSpec(
    type="pigeon",
    title="Pigeon",
    settings=PigeonSettings,
    channel=Channel,
    proof=lambda _settings: "a ring",
    secret_fields=frozenset({"ring", "whistle", "tokens"}),
)


@pytest.fixture(autouse=True)
def _pigeons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "types", lambda: ("email", "pigeon", "sms"))
    monkeypatch.setattr(registry, "spec", {"pigeon": PIGEON}.__getitem__)


def _written(text: str) -> Path:
    Path("x.toml").write_text(text, encoding="utf-8")
    return Path("x.toml")


def read(text: str, environ: dict[str, str] | None = None) -> dict[str, PigeonSettings]:
    channels = load_channels(load(_written(text), environ or {}))
    for name, channel in channels.items():
        assert (channel.name, channel.spec) == (name, PIGEON)
    return {name: PigeonSettings.model_validate(channel.settings) for name, channel in channels.items()}


def lines(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(text, environ)
    return list(caught.value.lines)


UNPROVEN = "nothing proves what comes in: set a secret for it"
ONE = "[channels.p]\ntype = 'pigeon'\nloft = 'north'\n"


def test_channels_are_read_by_their_types_in_the_order_of_the_file() -> None:
    channels = read(ONE + "[channels.a-2]\ntype = 'pigeon'\nloft = 'south'\nmax_per_second = 2\n")
    assert [(name, channel.loft, channel.max_per_second) for name, channel in channels.items()] == [
        ("p", "north", None),
        ("a-2", "south", 2.0),
    ]


def test_no_channels_is_no_error() -> None:
    assert read("") == {}


@pytest.mark.parametrize(
    ("verification", "said"),
    [
        ("", [f"channels.p.verification (x.toml:1): {UNPROVEN}"]),
        (
            "verification = 'required'",
            [f'channels.p.verification (x.toml:4): {UNPROVEN}, or "none" to take it unproven'],
        ),
        ("verification = 'none'", []),
    ],
    ids=["no such key", "required", "none"],
)
def test_a_channel_that_can_verify_nothing_has_to_say_so(
    verification: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Open(PigeonSettings):
        verification: Literal["required", "none"] = "required"

    model = Open if verification else PigeonSettings
    naive = msgspec.structs.replace(PIGEON, settings=model, proof=lambda _settings: "")
    monkeypatch.setattr(registry, "spec", {"pigeon": naive}.__getitem__)
    found: list[str] = []
    try:
        load_channels(load(_written(ONE + verification), {}))
    except SettingsError as error:
        found = list(error.lines)
    assert found == said


def test_settings_made_directly_need_no_file() -> None:
    settings = Settings(channels={"p": {"type": "pigeon", "loft": "north"}})
    assert list(load_channels(settings)) == ["p"]
    with pytest.raises(SettingsError, match=r"^channels\.p\.loft: is required$"):
        load_channels(Settings(channels={"p": {"type": "pigeon"}}))


def test_the_environment_speaks_in_texts() -> None:
    channel = read(
        ONE,
        {
            "GATEWAY_CHANNELS__P__SPEED": "75.5",
            "GATEWAY_CHANNELS__P__MAX_IN_FLIGHT": "4",
            "GATEWAY_CHANNELS__P__SEEDS": "corn, wheat",
            "GATEWAY_CHANNELS__P__RING": "hunter2",
        },
    )["p"]
    assert (channel.speed, channel.max_in_flight, channel.seeds) == (75.5, 4, ("corn", "wheat"))
    assert channel.ring is not None
    assert channel.ring.get_secret_value() == "hunter2"


def test_a_channel_may_come_from_the_environment_alone() -> None:
    environ = {"GATEWAY_CHANNELS__NIGHT_POST__TYPE": "pigeon", "GATEWAY_CHANNELS__NIGHT_POST__LOFT": "east"}
    assert read("", environ)["night-post"].loft == "east"


MISTAKES = [
    ("[channels.p]\nloft = 'x'", "channels.p.type (x.toml:1): is required; the types are: email, pigeon, sms"),
    (
        "[channels.p]\ntype = 'pidgeon'",
        "channels.p.type (x.toml:2): no such type; did you mean pigeon?",
    ),
    ("[channels.p]\ntype = 'fax'", "channels.p.type (x.toml:2): no such type; the types are: email, pigeon, sms"),
    ("[channels.p]\ntype = 3", "channels.p.type (x.toml:2): no such type; the types are: email, pigeon, sms"),
    ("[channels.p]\ntype = ['pigeon']", "channels.p.type (x.toml:2): no such type; the types are: email, pigeon, sms"),
    ("[channels.p]\ntype = 'pigeon'", "channels.p.loft (x.toml:1): is required"),
    (ONE + "speeed = 3", "channels.p.speeed (x.toml:4): unknown key; did you mean speed?"),
    (ONE + "rings_file = 'x'", "channels.p.rings_file (x.toml:4): unknown key; did you mean ring_file?"),
    (
        ONE + "loft_file = 'x'",
        (
            "channels.p.loft_file (x.toml:4): unknown key; known here: type, max_per_second, max_in_flight, max_body, "
            "allow_from, greeting_id, greeting_en, loft, speed, ring, ring_file, whistle, whistle_file, seeds, tokens, tokens_file"
        ),
    ),
    (ONE + "speed = 'fast'", "channels.p.speed (x.toml:4): must be a number"),
    (ONE + "seeds = 'corn, wheat'", "channels.p.seeds (x.toml:4): must be a list"),
    (ONE + "ring = 17", "channels.p.ring (x.toml:4): must be text in quotes"),
    (ONE + "max_in_flight = 0", "channels.p.max_in_flight (x.toml:4): must be at least 1"),
    (ONE + "speed = 0", "channels.p (x.toml:1): speed: a pigeon flies"),
    (ONE + "ring = 'a'\nring_file = 'b'", "channels.p.ring_file (x.toml:5): give ring or ring_file, not both"),
    (
        ONE + "whistle_file = '/nowhere'",
        'channels.p.whistle_file (x.toml:4): cannot read "/nowhere": No such file or directory',
    ),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES, ids=[text.replace("\n", " ") for text, _ in MISTAKES])
def test_a_mistake_in_a_channel_is_one_line(text: str, line: str) -> None:
    assert lines(text) == [line]


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    assert lines(ONE, {"GATEWAY_CHANNELS__P__SPEED": "fast", "GATEWAY_CHANNELS__P__SEEDS": "[corn"}) == [
        (
            "channels.p.seeds (environment variable GATEWAY_CHANNELS__P__SEEDS): "
            "must be a list with commas between, or a JSON array"
        ),
        "channels.p.speed (environment variable GATEWAY_CHANNELS__P__SPEED): must be a number",
    ]


def test_the_mistakes_of_all_channels_are_told_at_once() -> None:
    said = lines("[channels.a]\ntype = 'fax'\n[channels.b]\ntype = 'pigeon'\nwings = 2\n")
    assert [line.partition(" ")[0] for line in said] == ["channels.a.type", "channels.b.loft", "channels.b.wings"]


@pytest.mark.parametrize(
    ("text", "environ", "ring"),
    [
        ("ring = 'file'", {}, "file"),
        ("ring_file = 'one'", {}, "from one"),
        ("ring = 'file'", {"GATEWAY_CHANNELS__P__RING": "environment"}, "environment"),
        ("ring = 'file'", {"GATEWAY_CHANNELS__P__RING_FILE": "two"}, "from two"),
        ("ring_file = 'one'", {"GATEWAY_CHANNELS__P__RING": "environment"}, "environment"),
        ("ring_file = 'one'", {"GATEWAY_CHANNELS__P__RING_FILE": "two"}, "from two"),
    ],
)
def test_a_secret_comes_from_the_environment_before_the_file(text: str, environ: dict[str, str], ring: str) -> None:
    Path("one").write_text("from one\n")
    Path("two").write_text("from two\n")
    found = read(ONE + text, environ)["p"].ring
    assert found is not None
    assert found.get_secret_value() == ring


def test_a_secret_by_name_alone_may_stand_in_a_file_too() -> None:
    """``whistle`` is plain text to its model; the spec says that it is a secret."""
    Path("one").write_text("tweet")
    Path("many").write_text("a\nb\n")
    channel = read(ONE + "whistle_file = 'one'\ntokens_file = 'many'")["p"]
    assert channel.whistle == "tweet"
    assert [token.get_secret_value() for token in channel.tokens] == ["a", "b"]


def test_no_value_is_shown() -> None:
    said = lines(ONE + "ring = ['hunter2']\nrimg = 'hunter2'\nspeed = 'hunter2'\nwhistle = ['hunter2']")
    assert len(said) == 4
    assert "hunter2" not in " ".join(said)
