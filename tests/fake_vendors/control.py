"""What a test may tell the fakes: `POST /_control` with any of the keys of `Control.apply`.

`latency` is merged into what holds; every other key replaces what it held; `POST /_reset` restores the defaults.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

LATENCY = {"chat": 0.0, "image": 0.0, "speech": 0.0, "replicate": 0.2, "runway": 0.4, "google": 0.4, "files": 0.0}
"""Seconds: of an answer (chat, image, speech), until a job is done (the vendors), before a file's first byte."""


@dataclass
class Rule:
    """Picks requests by a part of the path, the method and a part of the (raw) body."""

    path: str = ""
    method: str | None = None
    match: str = ""
    skip: int = 0
    """How many matching requests pass untouched first."""
    times: int | None = 1
    """How many are picked then; null is all."""

    def takes(self, method: str, path: str, body: bytes) -> bool:
        """Whether this request is picked; picking uses the rule up."""
        if self.times == 0 or self.path not in path or self.method not in (None, method):
            return False
        if self.match.encode() not in body:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Failure(Rule):
    """What happens to a picked request instead of, or before, its answer."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """An object is sent as JSON, a string as it is."""
    hang_s: float = 0.0
    """Wait that long before the answer, the failure or the drop. The vendor's own work is done at once."""
    drop: bool = False
    """Close the connection without an answer."""
    accept: bool | None = None
    """Whether the vendor does the work (and counts it) all the same; by default unless `status` is given."""

    @property
    def accepted(self) -> bool:
        """Whether the work is done although the client will not hear of it."""
        return self.status is None if self.accept is None else self.accept


@dataclass
class Outcome(Rule):
    """How a picked job ends: `fields` replace those of the finished prediction or task."""

    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Reply:
    """One scripted turn of the chat model."""

    match: str = ""
    """A part of the user's last prompt."""
    tools: bool | None = True
    """For conversations with tools (true), requests without (false, as of an enhancer), or any (null)."""
    times: int | None = 1
    content: str | None = None
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    """`name`, `arguments` (an object, or a raw string sent as it is) and optionally `id`."""
    refusal: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    delay_s: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    """The whole answer, instead of one made from the fields above."""


class Control:
    """How the fakes behave now."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to the defaults."""
        self.latency = dict(LATENCY)
        self.fail: list[Failure] = []
        self.outcomes: list[Outcome] = []
        self.chat: list[Reply] = []
        self.video_bytes: int | None = None
        self.image_bytes: int | None = None

    def apply(self, settings: dict[str, Any]) -> None:
        """Take over the given keys. Raises ValueError for a key or a field that does not exist."""
        known = {"latency", "fail", "outcomes", "chat", "video_bytes", "image_bytes"}
        if unknown := set(settings) - known:
            raise ValueError(f"unknown keys: {sorted(unknown)}; known: {sorted(known)}")
        latency = settings.get("latency", {})
        if unknown := set(latency) - set(LATENCY):
            raise ValueError(f"unknown latencies: {sorted(unknown)}; known: {sorted(LATENCY)}")
        lists = {"fail": Failure, "outcomes": Outcome, "chat": Reply}
        made = {key: [_made(kind, spec) for spec in settings[key]] for key, kind in lists.items() if key in settings}
        self.latency.update(latency)
        for key, value in made.items():
            setattr(self, key, value)
        for key in ("video_bytes", "image_bytes"):
            if key in settings:
                setattr(self, key, settings[key])

    def failure(self, method: str, path: str, body: bytes) -> Failure | None:
        """The first failure that picks this request."""
        return next((rule for rule in self.fail if rule.takes(method, path, body)), None)

    def outcome(self, path: str, body: bytes) -> dict[str, Any]:
        """How the job submitted by this request ends; empty means well."""
        return next((rule.fields for rule in self.outcomes if rule.takes("POST", path, body)), {})

    def state(self) -> dict[str, Any]:
        """What holds now, with what is left of each rule."""
        return {
            "latency": self.latency,
            "fail": [asdict(rule) for rule in self.fail],
            "outcomes": [asdict(rule) for rule in self.outcomes],
            "chat": [asdict(reply) for reply in self.chat],
            "video_bytes": self.video_bytes,
            "image_bytes": self.image_bytes,
        }


def _made(kind: type[Any], spec: dict[str, Any]) -> Any:
    known = {each.name for each in fields(kind)}
    if unknown := set(spec) - known:
        raise ValueError(f"{kind.__name__} has no {sorted(unknown)}; it has {sorted(known)}")
    return kind(**spec)
