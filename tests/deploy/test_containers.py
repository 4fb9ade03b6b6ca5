"""Dockerfile and compose.yaml against the program: every path, command, port and setting in them exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from config.load import load
from gateway.channelset import load_channels
from gateway.cli import app

TOP = Path(__file__).parents[2]
DOCKERFILE = (TOP / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((TOP / "compose.yaml").read_text(encoding="utf-8"))
GATEWAYS = ("intake", "dispatch", "deliver")


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_what_the_image_copies_is_there() -> None:
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    assert {"gateway", "channels", "normalizer", "config", "requirements.txt", "pyproject.toml"} <= set(copied)
    for name in copied:
        assert (TOP / name).exists(), name
    ignored = (TOP / ".dockerignore").read_text(encoding="utf-8").split()
    assert not set(copied) & set(ignored)


def test_the_image_runs_our_command_as_nobody_special() -> None:
    assert instructions("ENTRYPOINT") == ['["gateway"]']
    assert instructions("USER") == ["gateway"]
    assert 'gateway = "gateway.__main__:main"' in (TOP / "pyproject.toml").read_text(encoding="utf-8")
    # The user is set before anything runs, and owns the volume.
    assert DOCKERFILE.index("USER gateway") < DOCKERFILE.index("ENTRYPOINT")
    assert "install -d -o gateway /var/lib/gateway/var" in DOCKERFILE


def test_the_image_s_environment_is_settings_we_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables = dict(re.findall(r"(GATEWAY_\w+)=(\S+)", DOCKERFILE))
    settings = load(None, variables)
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8080)


def test_the_healthcheck_asks_a_path_we_serve() -> None:
    (check,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", DOCKERFILE)
    assert check == ("8080", "/healthz")
    assert '"/healthz"' in (TOP / "gateway/server.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_service_is_a_command_we_have(name: str) -> None:
    command = COMPOSE["services"][name]["command"]
    assert command[:3] == ["run", "--role", name]
    shown = CliRunner().invoke(app, [*command[:1], "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert shown.exit_code == 0
    for option in (word for word in command if word.startswith("--")):
        assert option in shown.output


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_service_starts_from_the_shipped_settings_and_secrets(name: str, tmp_path: Path) -> None:
    """The settings file, with every secret of compose.yaml in a file, as the containers see them."""
    service = COMPOSE["services"][name]
    secrets = made_secrets(tmp_path)
    assert {(TOP / "deploy/compose/secrets" / s).name for s in COMPOSE["secrets"]} <= {
        f.name for f in secrets.iterdir()
    }
    environment = dict(service["environment"])
    (config,) = service["configs"]
    assert environment.pop("GATEWAY_CONFIG") == config["target"]
    for variable, path in environment.items():
        assert Path(path).name in service["secrets"], variable
        environment[variable] = str(secrets / Path(path).name)
    settings = load(TOP / COMPOSE["configs"][config["source"]]["file"], environment)
    assert list(load_channels(settings)) == ["sms"]
    assert settings.log.backend == "kafka"
    kafka = COMPOSE["services"]["kafka"]
    assert settings.log.bootstrap_servers in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    url = settings.store.url.get_secret_value()
    assert url.startswith("postgresql+asyncpg://gateway:")
    assert url.endswith("@postgres/gateway")
    assert (secrets / "postgres_password").read_text() in url


def made_secrets(folder: Path) -> Path:
    """What deploy/compose/secrets.sh makes, twice over: the second run keeps the first's."""
    script = shutil.copy(TOP / "deploy/compose/secrets.sh", folder)
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
    return folder / "secrets"


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = {f.name: f.read_text() for f in made_secrets(tmp_path).iterdir()}
    second = {f.name: f.read_text() for f in made_secrets(tmp_path).iterdir()}
    assert first == second
    assert len({value for name, value in first.items() if name != "store_url"}) == len(first) - 1


def test_what_compose_names_it_defines() -> None:
    services = COMPOSE["services"]
    volumes = {str(v).partition(":")[0] for s in services.values() for v in s.get("volumes", ())}
    assert volumes == set(COMPOSE["volumes"])
    secrets = {s for service in services.values() for s in service.get("secrets", ())}
    assert secrets == set(COMPOSE["secrets"])
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
    # The spool must outlive the container; intake must not wait for Kafka.
    assert "spool:/var/lib/gateway/var" in services["intake"]["volumes"]
    assert "depends_on" not in services["intake"]
    # Intake writes large payloads there, deliver reads them.
    shared = "blobs:/var/lib/gateway/blobs"
    assert all(shared in services[role]["volumes"] for role in ("intake", "deliver"))
