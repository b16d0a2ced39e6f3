"""The routes about assets: the gallery, uploads, the bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from app.assets.probe import Kind
from app.assets.records import uploaded
from app.assets.store import CHUNK_BYTES
from app.errors import InvalidInput
from app.ids import new_id

from .bodies import AssetId
from .deps import BaseUrlDep, Cursor, Limit, OwnerDep, PartsDep
from .errors import problem, responses
from .schemas import AssetOut, AssetPage

router = APIRouter(tags=["Assets"])
uploads = APIRouter(tags=["Assets"])
"""Apart, because its bodies may be larger than the others'."""

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/ogg": "ogv",
    "video/x-matroska": "mkv",
    "video/x-msvideo": "avi",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/webm": "weba",
    "audio/x-matroska": "mka",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/vtt": "vtt",
    "application/x-subrip": "srt",
}
# A work is data, whatever its bytes: no script of it may run, also not when it is opened by itself.
SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'; sandbox"}
IMMUTABLE = {"cache-control": "private, max-age=31536000, immutable"}
BYTES: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@uploads.post("/files", status_code=201, summary="Upload an input", responses=responses(403, 413, 415, 422))
async def upload(
    parts: PartsDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    file: Annotated[UploadFile, File(description="An image, video, sound, PDF or plain text.")],
) -> AssetOut:
    """Takes a file as an asset that can be named in `inputs`. Its type is decided from its bytes."""

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk

    if not file.size:
        raise InvalidInput("The file is empty; send one with content.", "file")
    asset_id = new_id("asset")
    async with parts.store.spooled(chunks(), max_bytes=parts.settings.max_upload_bytes) as spooled:
        await parts.store.keep(asset_id, spooled.path)
        values = uploaded(asset_id, owner, spooled, file.filename)
    await parts.db.write(lambda connection: parts.records.add(connection, values))
    return AssetOut.of(await parts.records.get(owner, asset_id), base_url)


@router.get("/assets", summary="List assets", responses=responses(422))
async def list_assets(
    parts: PartsDep,
    owner: OwnerDep,
    base_url: BaseUrlDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    type: Annotated[
        Literal["image", "video", "speech", "audio", "document"] | None, Query(description="Only these.")
    ] = None,
) -> AssetPage:
    """The gallery, newest first: works and uploads."""
    rows = await parts.records.page(owner, limit=limit + 1, before=cursor, type=type)
    data = [AssetOut.of(row, base_url) for row in rows[:limit]]
    return AssetPage(data=data, next_cursor=data[-1].id if len(rows) > limit else None)


@router.get("/assets/{asset_id}", summary="Fetch an asset's facts", responses=responses(404, 422))
async def get_asset(asset_id: AssetId, parts: PartsDep, owner: OwnerDep, base_url: BaseUrlDep) -> AssetOut:
    """What it is, where it came from, what it cost."""
    return AssetOut.of(await parts.records.get(owner, asset_id), base_url)


@router.delete(
    "/assets/{asset_id}",
    status_code=204,
    summary="Delete an asset",
    response_class=Response,
    responses=responses(403, 404, 422),
)
async def delete_asset(asset_id: AssetId, parts: PartsDep, owner: OwnerDep) -> None:
    """Deletes its facts and its bytes."""
    await parts.records.get(owner, asset_id)
    await parts.records.remove(asset_id)
    await parts.store.forget(asset_id)


@router.api_route(
    "/assets/{asset_id}/content",
    methods=["GET", "HEAD"],
    summary="The bytes",
    response_class=Response,
    responses={
        200: {"description": "All of it.", "content": BYTES},
        206: {"description": "The range asked for.", "content": BYTES},
        304: {"description": "Unchanged."},
        **responses(404, 416, 422),
    },
)
async def content(
    request: Request,
    asset_id: AssetId,
    parts: PartsDep,
    owner: OwnerDep,
    download: Annotated[bool, Query(description="Offer it as a file to save.")] = False,
) -> Response:
    """Streamed, with `Range`, `ETag` and `If-None-Match`; it never changes, so it may be cached for ever."""
    row = await parts.records.get(owner, asset_id)
    size, etag = row["bytes"], f'"{row["sha256"]}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "content-disposition": disposition(row, download),
        **SAFE,
        **IMMUTABLE,
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    code, start, end = 200, 0, size
    if request.headers.get("if-range", etag) == etag and (asked := request.headers.get("range")):
        try:
            found = byte_range(asked, size)
        except ValueError:
            answer = problem(416, "Range Not Satisfiable", f"The asset has {size} bytes.", "range_not_satisfiable")
            answer.headers["content-range"] = f"bytes */{size}"
            return answer
        if found is not None:
            code, (start, end) = 206, found
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=code, headers=headers, media_type=row["media_type"])
    stream = parts.store.stream(asset_id, start, end)
    first = await anext(stream, b"")  # bytes that are gone are a 404, which must be known before the answer begins

    async def chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in stream:
            yield chunk

    return StreamingResponse(chunks(), code, headers, media_type=row["media_type"])


@router.get(
    "/assets/{asset_id}/thumbnail",
    summary="A small picture of it",
    response_class=Response,
    responses={
        200: {"description": "At most 512 pixels a side.", "content": {"image/webp": {}}},
        304: {"description": "Unchanged."},
        **responses(404, 415, 422),
    },
)
async def thumbnail(request: Request, asset_id: AssetId, parts: PartsDep, owner: OwnerDep) -> Response:
    """WebP: of an image, or of a video's first frame. Made when first asked for, then kept."""
    row = await parts.records.get(owner, asset_id)
    etag = f'"{row["sha256"]}-thumbnail"'
    headers = {"etag": etag, **SAFE, **IMMUTABLE}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    kind: Kind = row["type"]
    return Response(await parts.store.thumbnail(asset_id, kind), headers=headers, media_type="image/webp")


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last, of a `Range` with one range; None: answer with everything.

    Raises ValueError when the range lies outside (RFC 9110, 14.1.2; several ranges may be ignored).
    """
    match = re.fullmatch(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise ValueError("the range lies outside")
    return start, end


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has this version already."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or "*" in tags


def disposition(row: Mapping[str, Any], download: bool) -> str:
    """Pictures, films and sound may be shown in place; everything else is offered to be saved."""
    inline = not download and row["media_type"].split("/")[0] in ("image", "video", "audio")
    ending = EXTENSIONS.get(row["media_type"], "bin")
    own = (row["filename"] or "").rpartition(".")[0] or row["filename"]
    # Under its own name (RFC 6266), but with the ending of what it is: an HTML file that is saved is text here.
    named = f"; filename*=UTF-8''{quote(f'{own}.{ending}', safe='')}" if own and not inline else ""
    return f'{"inline" if inline else "attachment"}; filename="{row["id"]}.{ending}"{named}'
