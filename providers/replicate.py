"""Replicate: one API in front of many makers' models; every work is a prediction that is polled.

Facts: https://replicate.com/docs/reference/http and the API's OpenAPI document (as of 2026-04); each model's inputs are
on its own schema page, see `replicate.toml`. No idempotency key exists, so a submit is sent once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from .addresses import https_host, same_origin
from .base import NOTHING, Family
from .catalogue import Correction, Model, load_lanes, load_models
from .errors import InvalidRequest, JobFailed, JobLost, MalformedAnswer, Moderated, NotOffered, ProviderError
from .http import Http, before_payment, status_of
from .jobs import job_id_in
from .media import attached
from .replicate_inputs import Inputs, images_of, inputs_of
from .replicate_list import Predictions
from .replicate_schemas import corrected_limits
from .types import Done, Media, MediaRequest, Output, Pending, Ticket

LABEL = "Replicate"
MAX_DATA_URI_BYTES = 256 * 1000
"""Larger inputs go through /files: the OpenAPI document advises data URIs up to 256 kB."""
MAX_FILE_BYTES = 100 * 1000 * 1000
"""POST /files answers 413 "less than 100MB" above it."""
OUTPUT_HOST = "replicate.delivery"
BLOCKED = re.compile(r"nsfw|safety|moderat|sensitive|flagged|inappropriate|content policy|E005", re.IGNORECASE)
"""Words of a refusal. Replicate publishes no list of codes: a blocked work is `failed` with a sentence, for example
"NSFW content detected" (replicate/cog-flux) or "flagged as sensitive ... (E005)"."""
FILE_KEYS = ("video", "image", "file", "audio", "url")
"""In an output that is an object, the members that hold the work; others seen are `caption`, `zip`."""


class Replicate(Family):
    name = "replicate"
    key_names = ("REPLICATE_API_TOKEN",)
    base_url_name = "REPLICATE_BASE_URL"
    default_base_url = "https://api.replicate.com/v1"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("providers", "replicate.toml")
        if self.is_vendor:
            self.lanes = load_lanes("providers", "replicate.toml")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Ticket:
        """Create a prediction. No `Prefer: wait`: the id must come back at once, so that it can be kept."""
        model = self.row_for(request)
        inputs, warnings = inputs_of(model, request)
        with before_payment():
            inputs |= await self._images(model, [attached(name, media) for name in images_of(request)])
        answer = await self._create(model, inputs)
        return Ticket(job_id=job_id_in(answer, LABEL), warnings=warnings)  # urls.get and urls.cancel follow from the id

    async def poll(self, ticket: Ticket) -> Done | Pending:
        answer = await self.http.ask(LABEL, "GET", self._prediction(ticket), headers=self._headers)
        match answer.get("status"):
            case "succeeded":
                return Done(outputs=tuple(self._output(text) for text in finished_files(answer)))
            case "failed":
                raise failure(str(answer.get("error") or ""))
            case "canceled":
                raise JobFailed("The prediction was cancelled at Replicate.")
            case "aborted":  # before it started, which is not billed
                # https://replicate.com/changelog/2025-10-16-prediction-deadlines
                raise JobFailed("Replicate gave the prediction up before it started.", cost_usd=Decimal(0))
            case status:  # also one that is not known yet: only the four above are an end
                return Pending(progress=progress_in(answer.get("logs")), waiting=status == "starting")

    async def find(
        self, request: MediaRequest, since: dt.datetime, media: Mapping[str, Media] = NOTHING
    ) -> list[Ticket] | None:
        """None where the list leaves open whether a prediction is the one, as it does for one of more than an hour."""
        model, names = self.row(request.model), images_of(request)
        if not media.keys() >= set(names):
            return None
        inputs, warnings = inputs_of(model, request)
        images = [media[name] for name in names]
        predictions = Predictions(LABEL, self.http, self.base_url, self._headers)
        found = []
        try:
            async for record in predictions.since(since):
                same = await predictions.does(record, model, inputs, images)
                if same is None:
                    return None
                if same:
                    found.append(Ticket(job_id=str(record["id"]), warnings=warnings))
        except JobLost:
            return None  # 404: a server without a list, or an input file that is deleted
        return found[::-1]

    async def cancel(self, ticket: Ticket) -> None:
        try:
            await self.http.send(LABEL, "POST", f"{self._prediction(ticket)}/cancel", headers=self._headers)
        except InvalidRequest:
            return  # 4xx: the prediction is over or unknown, so nothing is left to cancel

    async def refresh(self) -> Correction:
        """See `Family`: GET /models/{owner}/{name} tells whether a model is there, and its image input's name."""
        if not self.is_vendor or self.unavailable():
            return Correction()
        gone, limits = [], {}
        for model in self.models:  # one after the other: there is no hurry
            answer = await self._described(model)
            if answer is None:
                gone.append(model.id)
            elif found := corrected_limits(model, answer):
                limits[model.id] = found
        return Correction(gone=tuple(gone), limits=limits)

    async def _described(self, model: Model) -> dict[str, Any] | None:
        """What Replicate says of a model; None when it does not know it. Raises ProviderError."""
        url = f"{self.base_url}/models/{model.wire_id.partition(':')[0]}"
        try:
            return await self.http.ask(LABEL, "GET", url, headers=self._headers)
        except JobLost:
            return None

    def download_headers(self, output: Output, url: str) -> dict[str, str]:
        """Output files of API predictions want the key (OpenAPI, predictions.get), at Replicate's own hosts only."""
        return self._headers if self._is_ours(url) else {}

    # ---- the wire ----------------------------------------------------------------------------------------------------

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def _is_ours(self, url: str) -> bool:
        """Whether an address is one the key is for. A gateway's key is for the gateway alone."""
        host = https_host(url) if self.is_vendor else None
        return same_origin(url, self.base_url) or (host is not None and f".{host}".endswith(f".{OUTPUT_HOST}"))

    def _prediction(self, ticket: Ticket) -> str:
        return f"{self.base_url}/predictions/{quote(ticket.job_id, safe='')}"

    def _output(self, text: str) -> Output:
        if text.startswith("data:"):
            return Output(data=decode_data_uri(text))
        return Output(url=text, authorised=self._is_ours(text))

    async def _create(self, model: Model, inputs: Inputs) -> dict[str, Any]:
        """POST /predictions, the one endpoint that runs official and community models alike since August 2025
        (https://replicate.com/changelog/2025-08-05-run-all-models-with-the-same-api-endpoint).

        A server that knows only the older address answers 404, before any work: then, and only then, that one is used.
        """
        paid: dict[str, Any] = {"paid": True, "headers": self._headers}
        try:
            body = {"version": model.wire_id, "input": inputs}
            return await self.http.send_json(LABEL, "POST", f"{self.base_url}/predictions", json=body, **paid)
        except InvalidRequest as error:
            if status_of(error) != 404 or ":" in model.wire_id:
                raise
        older = f"{self.base_url}/models/{model.wire_id}/predictions"
        return await self.http.send_json(LABEL, "POST", older, json={"input": inputs}, **paid)

    async def _images(self, model: Model, images: list[Media]) -> Inputs:
        """The input images under the name and in the shape the model wants them. Raises NotOffered on too many."""
        if not images:
            return {}
        most, field = model.limits.get("max_images_in", 0), model.limits.get("image_field")
        if field is None or len(images) > most:
            raise NotOffered(f"{model.id} takes at most {most} input images, {len(images)} were given.")
        links = [await self._link(image) for image in images]
        return {field: links if most > 1 else links[0]}

    async def _link(self, image: Media) -> str:
        """A data URI for a small file, else the URL of an upload, as Replicate's own client does."""
        if image.size <= MAX_DATA_URI_BYTES:
            return await asyncio.to_thread(image.data_uri)
        if image.size > MAX_FILE_BYTES:
            raise NotOffered(f"Replicate takes input files of at most {MAX_FILE_BYTES // 10**6} MB.")
        name = "input" + (mimetypes.guess_extension(image.media_type) or "")
        files = {"content": (name, await asyncio.to_thread(image.read), image.media_type)}
        answer = await self.http.send_json(LABEL, "POST", f"{self.base_url}/files", files=files, headers=self._headers)
        urls = answer.get("urls")
        if not isinstance(urls, dict) or not isinstance(urls.get("get"), str):
            raise MalformedAnswer("Replicate stored an input file but gave no address for it.")
        return str(urls["get"])


# ---- answers ---------------------------------------------------------------------------------------------------------


def finished_files(answer: Mapping[str, Any]) -> list[str]:
    """The https and data URLs of a prediction that succeeded. Raises JobLost when Replicate has deleted them,
    MalformedAnswer when there are none."""
    output = answer.get("output")
    if output is None and answer.get("data_removed"):
        raise JobLost("Replicate has deleted the finished work: it keeps outputs for one hour.")
    if files := list(files_in(output)):
        return files
    raise MalformedAnswer("Replicate says that the work is done but gave no file.")


def files_in(output: Any) -> Iterator[str]:
    """Every file URL in an output of whatever shape: a model's schema may say a string, a list, a list of lists, an
    object or a list of objects."""
    if isinstance(output, str):
        if output.startswith(("https://", "http://", "data:")):
            yield output
        return
    parts: Iterable[Any] = output if isinstance(output, list) else ()
    if isinstance(output, dict):
        parts = [output[key] for key in FILE_KEYS if key in output] or output.values()
    for part in parts:
        yield from files_in(part)


def decode_data_uri(uri: str) -> bytes:
    """The bytes inside an RFC 2397 URI. Raises MalformedAnswer when its base64 is broken."""
    head, _, payload = uri.partition(",")
    try:
        return base64.b64decode(payload, validate=True) if head.endswith(";base64") else unquote_to_bytes(payload)
    except binascii.Error as error:
        raise MalformedAnswer("Replicate sent a file that cannot be decoded.") from error


def failure(said: str) -> ProviderError:
    """What a prediction with the status `failed` means."""
    said = said.strip()[:300]
    if BLOCKED.search(said):
        return Moderated(f"Replicate blocked this for its content: {said}")
    return JobFailed(f"Replicate failed to make it: {said or 'it gave no reason.'}")


def progress_in(logs: Any) -> float | None:
    """The last percentage of a progress bar in a prediction's logs, as 0 to 1; None when there is none."""
    found = re.findall(r"\b(\d{1,3})%\|", logs) if isinstance(logs, str) else []
    return min(int(found[-1]) / 100, 1.0) if found else None
