"""``whybounce key``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from whybounce.serving.cli.output import print_json, stderr
from whybounce.serving.keys import Role, new_key

app = typer.Typer(no_args_is_help=True, help="API keys of the service.")


@app.callback()
def keys() -> None:
    """API keys of the service."""


@app.command("new")
def new(
    role: Annotated[Role, typer.Option(help="What the key is for; feedback includes predict, admin everything.")],
    name: Annotated[str | None, typer.Option(help="Who has it: letters, digits, - and _.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an API key: the token for its user, and the hash for WHYBOUNCE_API_KEYS or its file."""
    if name is not None and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name) is None:
        raise typer.BadParameter("use up to 40 letters, digits, - and _", param_hint="--name")
    token, key = new_key(role, name)
    if as_json:
        print_json({"token": token, "configure": str(key), "role": role.value, "name": name})
        return
    stderr.print("Give the token to its user; it is shown this once. Configure the second line.", highlight=False)
    typer.echo(f"token      {token}")
    typer.echo(f"configure  {key}")
