"""`clinic staff`: accounts of staff, who log in with a password and an authenticator."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.options import DATA_DIR, AsJson, DataDir, command_group

if TYPE_CHECKING:
    from ops.staff.credentials import Credentials

staff = command_group()

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="the mail address that they log in with")]
AskPassword = Annotated[bool, typer.Option("--ask-password", help="ask for the password; else one is made")]


@staff.command()
def add(
    email: Email,
    admin: Annotated[bool, typer.Option("--admin", help="an administrator")] = False,
    ask_password: AskPassword = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make an account, or a disabled one anew, and print how to log in.

    The authenticator has to be confirmed by a login within 24 hours. What is printed cannot be shown again.
    """
    import asyncio

    from infra.settings import Settings
    from infra.tokens import Role
    from ops.staff.accounts import add as add_account

    role = Role.ADMIN if admin else Role.STAFF
    password = _asked(ask_password)
    try:
        made = asyncio.run(add_account(Settings.load(data), email, role, password))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _print(made, as_json)


@staff.command("list")
def list_(data: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the accounts, the oldest first.

    Their state is active, enrolling (no login yet), lapsed (none within 24 hours) or disabled.
    """
    import asyncio
    import json

    from contracts.fields import rfc3339
    from infra.settings import Settings
    from ops.console import console, table
    from ops.staff.accounts import accounts

    found = asyncio.run(accounts(Settings.load(data)))
    if as_json:
        print(json.dumps([vars(account) for account in found], indent=2, default=str))
        return
    listed = table("id", "email", "role", "state", "recovery codes", "passkeys", "last login")
    for account in found:
        last = account.logged_in_at
        at = rfc3339(last.replace(microsecond=0)) if last else "never"
        counts = (str(account.recovery_codes), str(account.passkeys))
        listed.add_row(str(account.id), account.email, account.role, account.state, *counts, at)
    console().print(listed)


@staff.command()
def disable(email: Email, data: DataDir = DATA_DIR) -> None:
    """End all logins of an account, and let nobody log in with it any more."""
    import asyncio

    from infra.settings import Settings
    from ops.staff.accounts import disable as disable_account

    print(f"disabled; {asyncio.run(disable_account(Settings.load(data), email))} logins ended")


@staff.command("end-sessions")
def end_sessions(email: Email, data: DataDir = DATA_DIR) -> None:
    """End all logins of an account. Known everywhere within seconds."""
    import asyncio

    from infra.settings import Settings
    from ops.staff.accounts import end_sessions as end

    print(f"{asyncio.run(end(Settings.load(data), email))} logins ended")


@staff.command("reset-factor")
def reset_factor(
    email: Email,
    new_password: Annotated[bool, typer.Option("--new-password", help="make a new password, too")] = False,
    ask_password: AskPassword = False,
    data: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Give an account a new authenticator and new recovery codes, and end all its logins."""
    import asyncio

    from infra.settings import Settings
    from ops.staff.accounts import reset_factor as reset

    password = _asked(ask_password)
    try:
        made = asyncio.run(reset(Settings.load(data), email, password, new_password=new_password))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _print(made, as_json)


def _asked(wanted: bool) -> str | None:
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True) if wanted else None


def _print(made: "Credentials", as_json: bool) -> None:
    import json

    from ops.staff.credentials import lines

    if as_json:
        print(json.dumps(vars(made), indent=2))
    else:
        print("\n".join(lines(made)))
