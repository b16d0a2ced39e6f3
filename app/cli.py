"""The command line: serve, worker, run, doctor, models, demo."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from app.api.assets import EXTENSIONS
from app.api.bodies import GenerateBody
from app.api.system import listed
from app.assembly import House, open_doctor, open_house
from app.demo import run_demo
from app.errors import AppError
from app.generations.doctor import Finding
from app.generations.orders import Order
from app.generations.service import Generation
from app.main import create_app
from app.progress import Progress
from app.server import ANSWER_S, Server, collect_seldom, until_told
from app.settings import LOOPBACK, Settings, read_environment
from app.telemetry import Metrics, configure_logging
from providers.http import Http
from providers.registry import Registry
from providers.types import Modality

T = TypeVar("T")
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
        raise refuse(
            f"Refusing to listen on {host} without keys: anyone who can reach it could spend your money. Listen on "
            "127.0.0.1, or set ALLOW_ANONYMOUS=true if something in front of it decides who may come in."
        )
    start_logging(settings)
    finish(_serve(settings, host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    quiet: dict[str, Any] = {"log_config": None, "access_log": False}
    config = uvicorn.Config("", host=host, port=port, timeout_graceful_shutdown=ANSWER_S, **quiet)
    socket = config.bind_socket()
    with until_told() as told:
        async with open_configured(settings) as house:
            config.app = create_app(settings, house=house)
            collect_seldom()
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{socket.getsockname()[1]}"
            console.print(
                f"Impresario listens at {address}\n  page  {address}/\n  API   {address}/docs", highlight=False
            )
            server = Server(config, house)
            told.then(server.leave)
            await server.serve(sockets=[socket])


@app.command()
def worker() -> None:
    """Work on generations that servers on the same Postgres have taken in, and answer nobody."""
    settings = read_settings()
    if not settings.shared():
        raise refuse(
            "A worker needs DATABASE_URL to lead to Postgres; on SQLite one process owns the data: start a server."
        )
    if not settings.max_running:
        raise refuse(
            "MAX_RUNNING: with 0 a worker would do nothing; leave it out, or say how many generations at once."
        )
    if settings.store_url().startswith("memory:"):
        raise refuse("STORAGE_URL: what lies in memory:// no other process sees; use s3://, gs://, az:// or file://.")
    start_logging(settings)
    finish(_work(settings))


async def _work(settings: Settings) -> None:
    with until_told():
        async with open_configured(settings) as house:
            collect_seldom()
            if settings.metrics_port is not None:
                house.parts.metrics.serve(settings.host, settings.metrics_port)
            name, most = house.parts.executor, settings.max_running
            console.print(f"Impresario works on generations, {most} at once ({name})", highlight=False)
            await asyncio.get_running_loop().create_future()


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
    except ValidationError as error:
        raise refusal(error, lambda name: name.replace("_", "-")) from error
    except OSError as error:
        raise refuse(str(error)) from error
    generation, files = finish(_run(settings, order, out))
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
    async with open_configured(settings) as house:
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
def doctor(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look, and change nothing.")] = False,
) -> None:
    """Find what crashes have left out of order, and mend it; also beside a running server. 0: all is well now."""
    settings = read_settings()
    configure_logging("WARNING")
    found = finish(_examine(settings, mend=not dry_run))
    if not found:
        console.print("All is well.")
    else:
        wide: dict[str, Any] = {"overflow": "fold"}  # an id cut short cannot be looked for
        done = "to be done" if dry_run else "done"
        table = Table(Column("found"), Column("which", **wide), Column(done, **wide))
        for finding in found:
            colour = "yellow" if finding.left else "green"
            table.add_row(finding.what, escape(finding.which), f"[{colour}]{escape(finding.done)}[/]")
        console.print(table)
    raise typer.Exit(1 if any(finding.left for finding in found) else 0)


async def _examine(settings: Settings, *, mend: bool) -> list[Finding]:
    async with open_doctor(settings, read_environment()) as physician:
        return await physician.examine(mend=mend)


@app.command()
def models(
    modality: Annotated[Modality | None, typer.Option(help="Only these.")] = None,
    capability: Annotated[str | None, typer.Option(help="Only those that can do this, such as text_to_image.")] = None,
    available: Annotated[
        bool | None, typer.Option("--available/--unavailable", help="Only what works here and now, or what does not.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what GET /models answers.")] = False,
) -> None:
    """The catalogue: what each model can do, costs, until when, and whether it works here."""
    settings = read_settings()
    configure_logging("ERROR")  # what is left out is said below
    registry = Registry.open(read_environment(), Http())
    registry.recall(settings.notes_file())
    found = listed(registry, modality, capability, available)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
        return
    longest = max((len(model.name) for model in found.data), default=0)  # a name cut short cannot be copied
    table = Table(Column("model", min_width=longest), "modality", "can", "status", "price (USD)", "available here")
    for model in found.data:
        price = ", ".join(f"{price.usd} / {price.unit.replace('_', ' ')}" for price in model.price[:3])
        price = price or ("nothing" if "free" in model.capabilities else "not known")
        ends = f"{model.status} {model.shutdown or ''}".strip()
        shown = escape(model.reason) if model.reason else "[green]yes[/]"
        table.add_row(model.name, model.modality, ", ".join(model.capabilities), ends, price, shown)
    console.print(table)
    for warning in found.warnings:
        console.print(f"[yellow]{escape(warning)}[/]")
    for name, problem in found.problems.items():
        console.print(f"[red]{escape(f'{name}: {problem}')}[/]")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Directory for the demo's data and files.")] = Path("data/demo"),
) -> None:
    """Start a real server without keys, send one prompt, watch, and keep the three files."""
    raise typer.Exit(run_demo(out, console))


def open_configured(settings: Settings) -> AbstractAsyncContextManager[House]:
    """The application, with what the environment says of vendors and telemetry."""
    environment = read_environment()
    return open_house(settings, environment, Metrics.configured(settings, environment))


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


def start_logging(settings: Settings) -> None:
    """Log as loudly as is wished."""
    try:
        configure_logging(settings.log_level)
    except ValueError as error:
        raise refuse(f"LOG_LEVEL: {error}; use DEBUG, INFO, WARNING or ERROR.") from error


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or until told to stop; what stands in the way is said in one sentence."""
    try:
        with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
            return runner.run(work)
    except asyncio.CancelledError as error:
        raise typer.Exit(0) from error
    except (AppError, OSError) as error:
        raise refuse(str(error)) from error


def refuse(sentence: str) -> typer.Exit:
    """Say what is in the way; the way to end."""
    console.print(f"[red]{escape(sentence)}[/]", highlight=False)
    return typer.Exit(2)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
