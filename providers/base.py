"""What a provider is: a `Family` of models behind one vendor's API.

A family brings rows of the catalogue and some of: `complete` (chat), and `submit` / `poll` / `cancel` (media). It holds
only what is peculiar to its vendor. A quick vendor returns `Done` from `submit`; a slow one a `Ticket` that can be
written down and polled by another process, and `find` where the vendor lists its jobs. Every failure is a
`providers.errors.ProviderError`.

To add a vendor write `<vendor>.py` with one subclass and `<vendor>.toml` with its models, and name the class under the
entry point group `impresario.providers`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit

from .catalogue import Correction, Lane, Model
from .errors import NotOffered, Unavailable
from .http import Http
from .types import ChatReply, ChatRequest, Done, Media, MediaRequest, Output, Pending, Ticket

LEAST_STAND_IN_POLL_S = 0.05
STAND_IN_LIST_LAG_S = 1.0
NOTHING: Mapping[str, Media] = MappingProxyType({})


class Family:
    """One vendor. Subclasses set the class attributes and override the verbs their vendor has.

    Construction reads nothing: `environment` is passed in. `key` is None when none of `key_names` is set.
    """

    name: ClassVar[str]
    key_names: ClassVar[tuple[str, ...]] = ()
    """The vendor's own names for its key; the first one set is used."""
    base_url_name: ClassVar[str | None] = None
    default_base_url: ClassVar[str] = ""
    poll_interval_s: ClassVar[float] = 1.0
    """The vendor's own limit on how often a job may be asked about."""
    stand_in_poll_interval_s: ClassVar[float] = 0.25
    """How often a job is asked about at a base URL that is not the vendor's own (a gateway, a fake)."""
    list_lag_s: ClassVar[float] = 30.0
    """How long after a submit its job is surely in the vendor's own list (see `find`); a guess on the safe side."""
    resubmittable: ClassVar[bool] = False
    """Whether a submit whose outcome was lost may simply be sent again, because it costs nothing."""

    models: tuple[Model, ...] = ()
    lanes: Mapping[str, Lane] = MappingProxyType({})
    """What the vendor says about how much may be asked of it, by modality."""
    voices: Mapping[str, str] = MappingProxyType({})
    """alloy, echo, fable, onyx, nova, shimmer -> the vendor's nearest voice, as it goes on the wire."""

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        self.http = http
        keys = (environment.get(name, "").strip() for name in self.key_names)
        self.key = next((key for key in keys if key), None)
        configured = environment.get(self.base_url_name) if self.base_url_name else None
        self.base_url = (configured or self.default_base_url).rstrip("/")
        self.host = urlsplit(self.base_url).hostname or ""

    def unavailable(self) -> str | None:
        """Why this family cannot be used, in one sentence that says what to do; None when it can."""
        if self.key_names and not self.key:
            return f"Set {self.key_names[0]} to use {self.name}."
        return None

    @property
    def poll_every_s(self) -> float:
        """Seconds between two polls of a job of which nothing is known."""
        return self.poll_interval_s if self.is_vendor else min(self.poll_interval_s, self.stand_in_poll_interval_s)

    @property
    def least_poll_s(self) -> float:
        """Seconds between two polls of a job that is about to end."""
        return self.poll_interval_s if self.is_vendor else min(self.poll_interval_s, LEAST_STAND_IN_POLL_S)

    @property
    def surely_listed_s(self) -> float:
        """Seconds after which a job that was accepted is surely in the list that `find` reads."""
        return self.list_lag_s if self.is_vendor else min(self.list_lag_s, STAND_IN_LIST_LAG_S)

    @property
    def is_vendor(self) -> bool:
        """Whether the base URL is the vendor's own, whose limits hold; not a gateway's or a fake's."""
        return self.host == urlsplit(self.default_base_url).hostname

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One chat turn. Never sent twice once its bytes may have left."""
        raise NotOffered(f"{self.name} does not chat.")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done | Ticket:
        """Start a work. `request.model` is one of this family's catalogue ids; `media` holds the inputs the request
        names by id. Never sent twice once its bytes may have left."""
        raise NotOffered(f"{self.name} makes no {request.kind}.")

    async def poll(self, ticket: Ticket) -> Done | Pending:
        """Ask about a job once. Raises JobFailed or Moderated when it ended badly, JobLost when it is unknown."""
        raise NotOffered(f"{self.name} has no jobs.")

    async def find(
        self, request: MediaRequest, since: dt.datetime, media: Mapping[str, Media] = NOTHING
    ) -> list[Ticket] | None:
        """The jobs the vendor accepted since then (by our clock) that do what `request` asks, oldest first: for a
        submit whose answer was lost. None where the vendor cannot be asked that; an empty list says there is none.

        `media` holds the inputs, as for `submit`: without them, works from different pictures cannot be told apart.
        """
        return None

    async def cancel(self, ticket: Ticket) -> None:
        """Ask the vendor to stop a job. Idempotent: a job already over or unknown is no error."""
        raise NotOffered(f"{self.name} has no jobs.")

    def download_headers(self, output: Output, url: str) -> dict[str, str]:
        """Headers for fetching an output from `url`. Override where the vendor's output hosts want its key; called
        again at each redirect, so that a key never follows to an origin it is not for."""
        return {}

    def row(self, model_id: str) -> Model:
        """This family's catalogue row of that id. Raises NotOffered when it has none."""
        for model in self.models:
            if model.id == model_id:
                return model
        raise NotOffered(f"{self.name} has no model {model_id!r}.")

    def row_for(self, request: MediaRequest) -> Model:
        """The row of the model that a request names, to be sent to. Raises NotOffered when there is none, or when it
        makes something else, and Unavailable when it is retired."""
        row = self.row(request.model)
        if row.modality != request.modality:
            raise NotOffered(f"{row.id} makes no {request.modality}.")
        if row.status == "retired":
            on = f" on {row.shutdown}" if row.shutdown else ""
            use = f"; use {row.successor}" if row.successor else ""
            raise Unavailable(f"{row.id} was retired by its vendor{on}{use}.")
        return row

    def voice_for(self, model: Model, voice: str) -> str:
        """What goes on the wire for a voice: the nearest to a canonical one, else one of the vendor's own. Raises
        NotOffered for one that the model is known not to have."""
        own = model.limits.get("voices")
        if voice in self.voices:
            return self.voices[voice]
        if own is None or voice in own or voice in self.voices.values():
            return voice
        names = ", ".join(dict.fromkeys((*self.voices, *own)))
        raise NotOffered(f"{model.id} has no voice {voice!r}; it has: {names}.")

    async def refresh(self) -> Correction:
        """Ask the vendor, where it tells, which of its models live, until when, and with which limits and voices.
        Raises ProviderError when it does not answer: then the TOML's word stands."""
        return Correction()

    async def warm_up(self) -> None:
        """Load what the first call would otherwise wait for. Called once, in the background, after the start."""

    async def aclose(self) -> None:
        """Release what the family opened itself."""
