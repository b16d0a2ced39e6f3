"""The command line: serve, run, models, demo."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console
from rich.table import Table

from app.assembly import House, open_house
from app.demo import run_demo
from app.errors import AppError
from app.generations.service import Generation, Order
from app.main import create_app
from app.progress import Progress
from app.settings import LOOPBACK, Settings, read_environment
from app.telemetry import Metrics, configure_logging
from providers.http import Http
from providers.registry import Registry

app = typer.Typer(no_args_is_help=True, add_completion=False, help="One prompt in, finished media out.")
console = Console()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for a free one (PORT).")] = None,
) -> None:
    """Run the HTTP server."""
    settings = Settings()
    host, port = host or settings.host, settings.port if port is None else port
    if settings.loopback_only() and host not in LOOPBACK:
        console.print(
            f"[red]Refusing to listen on {host} without keys:[/] anyone who can reach it could spend your money. "
            "Listen on 127.0.0.1, or set ALLOW_ANONYMOUS=true if something in front of it decides who may come in."
        )
        raise typer.Exit(2)
    configure_logging(settings.log_level)
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
    settings = Settings()
    configure_logging("WARNING")
    cap = None if max_cost_usd is None else Decimal(max_cost_usd)
    order = Order(prompt=prompt, max_steps=max_steps, max_cost_usd=cap)
    try:
        generation, files = asyncio.run(_run(settings, order, out))
    except AppError as error:
        console.print(f"[red]{error}[/]")
        raise typer.Exit(2) from error
    row = generation.row
    if as_json:
        result = {"id": row["id"], "status": row["status"], "response": row["response"], "files": list(map(str, files))}
        sys.stdout.write(json.dumps({**result, "error": row["error"]}, indent=2) + "\n")
    else:
        console.print(row["response"] or f"[red]{(row['error'] or {}).get('message', row['status'])}[/]")
        for file in files:
            console.print(f"  {file}", highlight=False)
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
    from app.api.assets import EXTENSIONS

    path = out / f"{asset['id']}.{EXTENSIONS.get(asset['media_type'], 'bin')}"
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    with path.open("wb") as file:
        async for chunk in house.parts.store.stream(asset["id"]):
            await asyncio.to_thread(file.write, chunk)
    return path


@app.command()
def models(
    modality: Annotated[str | None, typer.Option(help="chat, image, video or speech.")] = None,
    available: Annotated[bool, typer.Option("--available", help="Only what works here and now.")] = False,
) -> None:
    """The catalogue: what each model can do, costs, and whether it works here."""
    catalogue = Registry.open(read_environment(), Http()).catalogue
    table = Table("model", "modality", "status", "price (USD)", "available here")
    for model in catalogue.models:
        reason = catalogue.why_not(model)
        if modality not in (None, model.modality) or (available and reason):
            continue
        price = ", ".join(f"{price.usd} / {price.unit.replace('_', ' ')}" for price in model.price[:3])
        ends = f"{model.status} {model.shutdown or ''}".strip()
        table.add_row(model.name, model.modality, ends, price or "not known", reason or "[green]yes[/]")
    console.print(table)
    for warning in catalogue.warnings():
        console.print(f"[yellow]{warning}[/]")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the demo's data and files.")] = Path("data/demo"),
) -> None:
    """Start a real server without keys, send one prompt, watch, and keep the three files."""
    raise typer.Exit(run_demo(out, console))


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
