"""Accounts, and the command that makes them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from gateway.cli import app
from gateway.console import accounts
from gateway.console.accounts import AccountError, Passwords
from gateway.store.engine import Store
from gateway.store.operations import operators
from tests.console.site import PASSWORD, fresh_store


@pytest.mark.parametrize(
    ("typed", "name"),
    [("ani", "ani"), (" Ani.S ", "ani.s"), ("a", "a"), ("ani@lapor.go.id", "ani@lapor.go.id"), ("a" * 64, "a" * 64)],
)
def test_names_that_can_be(typed: str, name: str) -> None:
    assert accounts.clean_name(typed) == name


@pytest.mark.parametrize("typed", ["", " ", "a b", ".ani", "ani-", "añi", "a" * 65, "<b>", "a\x00", "a\nb"])
def test_names_that_cannot_be(typed: str) -> None:
    with pytest.raises(AccountError):
        accounts.clean_name(typed)


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("x" * 6 + "yzab", False),
        ("eleven char", False),
        ("twelve chars", True),
        ("ab" * 10, False),
        ("administrator", False),
        ("ADMINISTRATOR", False),
        ("kata sandi panjang ✓", True),
        ("abcd" * 64, True),
        ("abcd" * 64 + "e", False),
    ],
)
def test_passwords(password: str, good: bool) -> None:
    if good:
        accounts.check_password("administrator", password)
    else:
        with pytest.raises(AccountError):
            accounts.check_password("administrator", password)


async def test_an_account_from_its_making_to_its_end(store: Store) -> None:
    made = await accounts.add(store, "Ani", "operator", PASSWORD)
    assert made.password.startswith("$argon2id$")
    assert PASSWORD not in made.password
    with pytest.raises(AccountError, match="already an account ani"):
        await accounts.add(store, "ANI", "viewer", PASSWORD)
    verify = Passwords().verify
    assert await accounts.find(store, "aNi") == made
    assert await verify(made, PASSWORD)
    assert not await verify(made, PASSWORD.upper())
    await accounts.set_password(store, "ani", "another long password")
    changed = await accounts.find(store, "ani")
    assert await verify(changed, "another long password")
    assert not await verify(changed, PASSWORD)
    await accounts.set_language(store, "ani", "en")
    await accounts.set_active(store, "ani", active=False)
    (listed,) = await accounts.listed(store)
    assert (listed.name, listed.role, listed.language, listed.active) == ("ani", "operator", "en", False)
    assert not await verify(listed, "another long password")
    for change in (accounts.set_language(store, "budi", "en"), accounts.set_password(store, "budi", PASSWORD)):
        with pytest.raises(AccountError, match="no account budi"):
            await change


async def test_nobody_s_password_costs_as_much_as_somebody_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = await fresh_store(f"sqlite+aiosqlite:///{tmp_path}/gateway.db")
    ani = await accounts.add(store, "ani", "operator", PASSWORD)
    await store.close()
    hashes: list[str] = []
    original = accounts._matches

    def matches(known: str, password: str) -> bool:
        hashes.append(known)
        return original(known, password)

    monkeypatch.setattr(accounts, "_matches", matches)
    elsewhere = accounts.Account("sso", "viewer", "", "", active=True, created_at=0.0)
    for account in (ani, None, elsewhere):
        assert not await Passwords().verify(account, "a guess")
    # The same parameters, so the same work, whoever is asked for.
    assert len({known.rpartition("$")[0].rpartition("$")[0] for known in hashes}) == 1
    assert len(hashes) == 3


async def test_two_makings_at_once_make_one_account(store: Store) -> None:
    made = await asyncio.gather(*(accounts.from_elsewhere(store, "citra", "viewer") for _ in range(4)))
    assert {one.name for one in made} == {"citra"}
    assert [account.name for account in await accounts.listed(store)] == ["citra"]


async def test_the_sandbox_has_an_operator_with_a_password_of_its_own(store_url: str) -> None:
    store = Store(store_url)
    first, second = [await accounts.ensure_sandbox_operator(store) for _ in range(2)]
    account = await accounts.find(store, accounts.SANDBOX_OPERATOR)
    assert account is not None
    assert (account.role, account.active) == ("operator", True)
    assert [await Passwords().verify(account, each) for each in (first, second)] == [False, True]
    assert len(second) >= 16
    await store.close()


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "gateway.toml"
    file.write_text(f'store.url = "sqlite+aiosqlite:///{tmp_path}/gateway.db"\nlog.path = "{tmp_path}/log.db"\n')
    return str(file)


def gateway(config: str, *arguments: str, typed: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["operator", *arguments, "--config", config], input=typed)
    return result.exit_code, result.output


def test_the_command_makes_lists_and_disables_accounts(config: str) -> None:
    assert gateway(config, "list")[0] == 0
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    status, said = gateway(config, "add", "Ani", "--role", "operator", typed=typed)
    assert (status, said.splitlines()[-1]) == (0, "ani: operator")
    assert PASSWORD not in said
    added = gateway(config, "add", "budi", "--role", "viewer", "--password-stdin", typed=f"{PASSWORD}\r\n")
    assert added == (0, "budi: viewer\n")
    assert gateway(config, "disable", "budi") == (0, "budi: disabled\n")
    _, said = gateway(config, "list")
    rows = [line.split() for line in said.splitlines()]
    assert rows == [["ani", "operator", "active", "password"], ["budi", "viewer", "disabled", "password"]]
    assert gateway(config, "enable", "budi") == (0, "budi: enabled\n")
    changed = gateway(config, "password", "ani", "--password-stdin", typed="twelve and more\n")
    assert changed == (0, "ani: the password is changed\n")

    async def kept() -> str:
        store = Store(f"sqlite+aiosqlite:///{Path(config).parent}/gateway.db")
        async with store.read() as connection:
            row = (await connection.execute(select(operators).where(operators.c.name == "ani"))).one()
        await store.close()
        return str(row.password)

    assert PASSWORD not in asyncio.run(kept())


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("add", "ani", "--role", "viewer", "--password-stdin"), "too short\n", "a password has 12 to 256 characters"),
        (("add", "ani", "--role", "viewer", "--password-stdin"), "", "a password has 12 to 256 characters"),
        (("add", "a b", "--role", "viewer", "--password-stdin"), f"{PASSWORD}\n", "a name has 1 to 64 letters"),
        (("add", "ani", "--role", "admin", "--password-stdin"), f"{PASSWORD}\n", "admin"),
        (("disable", "ani"), "", "there is no account ani"),
        (("password", "ani", "--password-stdin"), f"{PASSWORD}\n", "there is no account ani"),
    ],
)
def test_what_the_command_refuses(config: str, arguments: tuple[str, ...], typed: str, said: str) -> None:
    status, heard = gateway(config, *arguments, typed=typed)
    assert status == 2
    assert said in heard
    assert "Traceback" not in heard


def test_a_password_that_is_typed_differently_is_asked_for_again(config: str) -> None:
    typed = f"{PASSWORD}\nanother password\n{PASSWORD}\n{PASSWORD}\n"
    status, said = gateway(config, "add", "ani", "--role", "viewer", typed=typed)
    assert (status, said.splitlines()[-1]) == (0, "ani: viewer")
