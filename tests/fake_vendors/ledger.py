"""What the vendors have seen: a submit is counted when the vendor accepts the work, whatever the client hears of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.requests import Request

SUBMITS = (
    "openai.chat",
    "openai.images",
    "openai.edits",
    "openai.speech",
    "openai.transcriptions",
    "replicate",
    "runway",
    "google.chat",
    "google.images",
    "google.speech",
    "google.transcriptions",
    "google.video",
    "stability",
    "elevenlabs.speech",
    "elevenlabs.transcriptions",
)
KEPT_REQUESTS = 2000
KEPT_BODY_BYTES = 32 * 1024


@dataclass
class Entry:
    """One request to a vendor or for one of its files."""

    method: str
    path: str
    query: str
    at: float
    authorization: str | None
    """The last four characters of the header, or null without one."""
    body_digest: str
    body: Any
    """The JSON body when it is small, else null."""
    status: int = 0
    """0 while unanswered, and for ever when the connection was dropped."""


class Ledger:
    """Counts, and the last requests."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from nothing."""
        self.submits: Counter[str] = Counter()
        self.polls: Counter[str] = Counter()
        self.lists: Counter[str] = Counter()
        self.cancels: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self.peaks: Counter[str] = Counter()
        self._under_way: defaultdict[str, list[Callable[[], bool]]] = defaultdict(list)
        self.downloads = 0
        self.failures = 0
        self.bodies: Counter[tuple[str, str, str]] = Counter()
        self.works: list[dict[str, Any]] = []
        self.requests: deque[Entry] = deque(maxlen=KEPT_REQUESTS)

    def record(self, scope: dict[str, Any], body: bytes) -> Entry:
        """Write a request down."""
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization") or headers.get(b"x-goog-api-key")
        parsed, digest = _read(body)
        entry = Entry(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            at=time.time(),
            authorization=authorization.decode("latin-1")[-4:] if authorization else None,
            body_digest=digest,
            body=parsed if len(body) <= KEPT_BODY_BYTES else None,
        )
        self.requests.append(entry)
        return entry

    def accept(self, request: Request, kind: str) -> list[str]:
        """Count a submit the vendor accepts; the list is for the salts of what it makes."""
        entry: Entry = request.state.entry
        self.submits[kind] += 1
        self.bodies[kind, entry.path, entry.body_digest] += 1
        salts: list[str] = []
        self.works.append({"kind": kind, "words": _words(entry.body), "salts": salts})
        return salts

    def begin(self, vendor: str, is_over: Callable[[], bool]) -> None:
        """Count a job among those of its vendor that are under way."""
        jobs = self._under_way[vendor]
        jobs[:] = [*(over for over in jobs if not over()), is_over]
        self.peaks[vendor] = max(self.peaks[vendor], len(jobs))

    def state(self) -> dict[str, Any]:
        """Everything as JSON. `peaks` are the most jobs that were under way at a time, `duplicates` the bodies
        accepted more than once, `works` what was accepted and in which words it was asked for (of a conversation the
        first words of the user), with what only the bytes it came to contain."""
        return {
            "submits": {kind: self.submits[kind] for kind in SUBMITS},
            "polls": {"replicate": 0, "runway": 0, **self.polls},
            "lists": {kind: self.lists[kind] for kind in ("replicate", "elevenlabs")},
            "cancels": {"replicate": 0, "runway": 0, **self.cancels},
            "uploads": {"replicate": 0, "runway": 0, **self.uploads},
            "peaks": {"replicate": 0, "runway": 0, **self.peaks},
            "downloads": self.downloads,
            "failures": self.failures,
            "duplicates": [
                {"kind": kind, "path": path, "body_digest": digest, "times": times}
                for (kind, path, digest), times in self.bodies.items()
                if times > 1
            ],
            "works": self.works,
            "requests": [asdict(entry) for entry in self.requests],
        }


def _words(body: Any) -> str:
    """The prompt of a work, the text of a voice, the first words of a user."""
    if not isinstance(body, dict):
        return ""
    said = [message.get("content") for message in body.get("messages", ()) if message.get("role") == "user"]
    said += [part.get("text") for content in body.get("contents", ()) for part in content.get("parts", ())]  # Google
    given = body["input"] if isinstance(body.get("input"), dict) else body
    words = next(filter(None, (*said, *(given.get(name) for name in ("prompt", "promptText", "input", "text")))), "")
    return words if isinstance(words, str) else json.dumps(words)


def _read(body: bytes) -> tuple[Any, str]:
    """A JSON body and its digest, the same for every order of its keys; of another body the digest of its bytes."""
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        return None, hashlib.sha256(body).hexdigest()
    canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":")).encode() if body else b""
    return parsed, hashlib.sha256(canonical).hexdigest()
