"""`wandb projects`: what a server has of somebody."""

from __future__ import annotations

import json
from typing import Optional

import click

from ._help import command, option
from ._table import Table


@command("projects", ["wandb projects", "wandb projects -e my-team --json | jq -r '.projects[].name'"])
@option("-e", "--entity", metavar="NAME", help="Of this user or team, not your own.")
@option("--host", metavar="URL", help="The server [that of wandb login].")
@option("--json", "as_json", is_flag=True, help="One JSON document.")
def projects(entity: Optional[str], host: Optional[str], as_json: bool) -> None:
    """List the projects of ENTITY at the server."""
    from wandb.apis.public.api import Api
    from wandb.replay._words import clean

    api = Api({"base_url": host} if host else {})
    found = list(api.projects(entity))
    if as_json:
        listed = [
            {"entity": one.entity, "name": one.name, "created": one.created_at, "url": one.url} for one in found
        ]  # fmt: skip
        click.echo(json.dumps({"projects": listed}, indent=2))
        return
    table = Table(("PROJECT", "CREATED", "PAGE"), kept=("PROJECT",))
    for one in found:
        table.add(clean(one.name), str(one.created_at or "")[:10], clean(one.url))
    if found:
        table.show()
    else:
        click.echo("There are no projects.", err=True)
