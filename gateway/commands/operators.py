"""``gateway operator``: who may sign in to the console."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from gateway.commands.common import ConfigFile, complete, fail, read

operator = typer.Typer(help="Operators' accounts for the console at /ops.", no_args_is_help=True)

T = TypeVar("T")

Name = Annotated[str, typer.Argument(help="The account's name; small and capital letters are the same.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, the first line of it.")
]


class RoleName(StrEnum):
    """The roles of an operator."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@operator.command("add")
def add_operator(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="A viewer may look at everything, an operator may also act.")],
    config: ConfigFile = None,
    password_stdin: FromStdin = False,
) -> None:
    """Make an account. The password, 12 characters or more, is asked for twice and not shown.

    Exit status: 0 made, 1 the store cannot be reached, 2 the name or the password cannot be used.
    """
    from gateway.console import accounts
    from gateway.store.engine import Store

    settings, _ = read(config)
    password = _password(password_stdin)

    async def work(store: Store) -> str:
        return (await accounts.add(store, name, role.value, password)).name

    typer.echo(f"{_with_store(settings.store.url.get_secret_value(), work)}: {role.value}")


@operator.command("list")
def list_operators(config: ConfigFile = None) -> None:
    """List the accounts: name, role, whether it may sign in, and how."""
    from gateway.console import accounts

    settings, _ = read(config)
    for account in _with_store(settings.store.url.get_secret_value(), accounts.listed):
        state = "active" if account.active else "disabled"
        typer.echo(f"{account.name:<32} {account.role:<10} {state:<10} {'password' if account.password else 'openid'}")


@operator.command("disable")
def disable_operator(name: Name, config: ConfigFile = None) -> None:
    """Let an account sign in no more, and end its sign-ins at once.

    Exit status: 0 done, 1 the store cannot be reached, 2 there is no such account.
    """
    _set_active(name, config, active=False)


@operator.command("enable")
def enable_operator(name: Name, config: ConfigFile = None) -> None:
    """Let a disabled account sign in again.

    Exit status: 0 done, 1 the store cannot be reached, 2 there is no such account.
    """
    _set_active(name, config, active=True)


@operator.command("password")
def change_password(name: Name, config: ConfigFile = None, password_stdin: FromStdin = False) -> None:
    """Give an account a new password, and end its sign-ins.

    Exit status: 0 done, 1 the store cannot be reached, 2 there is no such account or the password cannot be used.
    """
    from gateway.console import accounts
    from gateway.store.engine import Store

    settings, _ = read(config)
    password = _password(password_stdin)

    async def work(store: Store) -> None:
        await accounts.set_password(store, name, password)

    _with_store(settings.store.url.get_secret_value(), work)
    typer.echo(f"{name}: the password is changed")


def _set_active(name: str, config: ConfigFile, *, active: bool) -> None:
    from gateway.console import accounts
    from gateway.store.engine import Store

    settings, _ = read(config)

    async def work(store: Store) -> None:
        await accounts.set_active(store, name, active)

    _with_store(settings.store.url.get_secret_value(), work)
    typer.echo(f"{name}: {'enabled' if active else 'disabled'}")


def _with_store(url: str, work: Callable[..., Awaitable[T]]) -> T:
    """Do something with the migrated store; an account that cannot be ends the command with exit status 2."""
    from gateway.console.accounts import AccountError
    from gateway.store.engine import Store
    from gateway.store.migrate import migrate

    async def run() -> T:
        store = Store(url, pool_size=2)
        try:
            await migrate(store)
            return await work(store)
        finally:
            await store.close()

    try:
        return complete(run())
    except AccountError as error:
        fail(str(error), 2)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The password again")
    return password
