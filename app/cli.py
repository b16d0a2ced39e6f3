"""The command line: serve, run, models, demo."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.api.assets import EXTENSIONS
from app.api.bodies import GenerateBody
from app.assembly import House, open_house, sole_use
from app.demo import run_demo
from app.errors import AppError
from app.generations.service import Generation, Order
from app.main import create_app
from app.progress import Progress
from app.settings import LOOPBACK, Settings, read_environment
from app.telemetry import Metrics, configure_logging
from providers.http import Http
from providers.registry import Registry
from providers.types import Modality

app = typer.Typer(no_args_is_help=True, add_completion=False, help="One prompt in, finished media out.")
console = Console()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one (PORT).")] = None,
) -> None:
    """Run the HTTP server."""
    settings = read_settings()
    host, port = host or settings.host, settings.port if port is None else port
    if settings.loopback_only() and host not in LOOPBACK:
        console.print(
            f"[red]Refusing to listen on {escape(host)} without keys:[/] anyone who can reach it could spend your "
            "money. Listen on 127.0.0.1, or set ALLOW_ANONYMOUS=true if something in front of it decides who may "
            "come in."
        )
        raise typer.Exit(2)
    try:
        configure_logging(settings.log_level)
    except ValueError as error:
        console.print(f"[red]LOG_LEVEL: {escape(str(error))}; use DEBUG, INFO, WARNING or ERROR.[/]")
        raise typer.Exit(2) from error
    refuse_if_taken(settings)
    config = uvicorn.Config(
        create_app(settings), host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
    socket = config.bind_socket()
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{socket.getsockname()[1]}"
    console.print(f"Impresario listens at {address}\n  page  {address}/\n  API   {address}/docs", highlight=False)
    uvicorn.Server(config).run(sockets=[socket])


@app.command()
def run(
    prompt: Annotated[str, typer.Argument(help="What to make, in plain words.")],
    out: Annotated[Path, typer.Option(help="Directory the files are written to.")] = Path("."),
    max_steps: Annotated[int, typer.Option(min=1, max=50, help="Model turns at most.")] = 10,
    max_cost_usd: Annotated[str | None, typer.Option(help="Cap on the cost in USD.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make media from one prompt, without a server."""
    settings = read_settings()
    configure_logging("WARNING")
    try:
        order = GenerateBody.model_validate(
            {"prompt": prompt, "max_steps": max_steps, "max_cost_usd": max_cost_usd}
        ).order()
        out.mkdir(parents=True, exist_ok=True)  # before anything is paid for that could not be written
        generation, files = asyncio.run(_run(settings, order, out))
    except ValidationError as error:
        raise refusal(error, lambda name: name.replace("_", "-")) from error
    except (AppError, OSError) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(2) from error
    row = generation.row
    if as_json:
        result = {"id": row["id"], "status": row["status"], "response": row["response"], "files": list(map(str, files))}
        sys.stdout.write(json.dumps({**result, "error": row["error"]}, indent=2) + "\n")
    else:
        failed = str((row["error"] or {}).get("message", row["status"]))
        console.print(escape(row["response"] or "") or f"[red]{escape(failed)}[/]", highlight=False)
        for file in files:
            console.print(f"  {file}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(0 if row["status"] == "completed" else 1)


async def _run(settings: Settings, order: Order, out: Path) -> tuple[Generation, list[Path]]:
    async with open_house(settings, read_environment(), Metrics()) as house:
        generation_id, _ = await house.service.start("", order)
        with Progress(Console(stderr=True)) as progress:
            async for event in await house.service.follow("", generation_id, 0, 15.0):
                if event is not None:
                    progress.show(event.name, event.data)
        generation = await house.service.get("", generation_id)
        return generation, [await _save(house, asset, out) for asset in generation.assets]


async def _save(house: House, asset: Any, out: Path) -> Path:
    """Write an asset's bytes beside the user's other files."""
    path = out / f"{asset['id']}.{EXTENSIONS.get(asset['media_type'], 'bin')}"
    with path.open("wb") as file:
        async for chunk in house.parts.store.stream(asset["id"]):
            await asyncio.to_thread(file.write, chunk)
    return path


@app.command()
def models(
    modality: Annotated[Modality | None, typer.Option(help="Only these.")] = None,
    available: Annotated[bool, typer.Option("--available", help="Only what works here and now.")] = False,
) -> None:
    """The catalogue: what each model can do, costs, and whether it works here."""
    catalogue = Registry.open(read_environment(), Http()).catalogue
    longest = max(len(model.name) for model in catalogue.models)  # a name cut short cannot be copied
    table = Table(Column("model", min_width=longest), "modality", "status", "price (USD)", "available here")
    for model in catalogue.models:
        reason = catalogue.why_not(model)
        if modality not in (None, model.modality) or (available and reason):
            continue
        price = ", ".join(f"{price.usd} / {price.unit.replace('_', ' ')}" for price in model.price[:3])
        ends = f"{model.status} {model.shutdown or ''}".strip()
        shown = escape(reason) if reason else "[green]yes[/]"
        table.add_row(model.name, model.modality, ends, price or "not known", shown)
    console.print(table)
    for warning in catalogue.warnings():
        console.print(f"[yellow]{escape(warning)}[/]")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the demo's data and files.")] = Path("data/demo"),
) -> None:
    """Start a real server without keys, send one prompt, watch, and keep the three files."""
    raise typer.Exit(run_demo(out, console))


def read_settings() -> Settings:
    """The settings; the program ends with a sentence for each that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise refusal(error, str.upper) from error


def refusal(error: ValidationError, named: Callable[[str], str]) -> typer.Exit:
    """Say what is wrong with each value, by the name the user knows it by; the way to end."""
    for item in error.errors():
        said = item["msg"].removeprefix("Value error, ")
        console.print(f"[red]{named('.'.join(map(str, item['loc'])))}: {escape(said)}[/]")
    return typer.Exit(2)


def refuse_if_taken(settings: Settings) -> None:
    """End with one sentence when another process works in the data directory, before an address is announced."""
    directory = settings.directory()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with sole_use(directory):
            pass
    except AppError as error:
        console.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(2) from error


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
