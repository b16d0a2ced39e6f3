"""What Google's own SDK sends for a job, to compare ours with: its synchronous client, on a transport of its own.

The SDK writes some names in snake case, which Google reads as well; both sides are compared in camel case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
from google import genai
from google.genai import types
from wire_google import KEY

FREE = ("args", "response", "parametersJsonSchema", "responseJsonSchema")
"""Members that hold what a user or a model wrote."""


def sent_by_sdk(
    call: Callable[[genai.Client], Any], answer: dict[str, Any] | None = None, *, store: bool | None = False
) -> httpx2.Request:
    """The request of a call. `store` is added to its body: the SDK has no field for it in generateContent."""
    seen: list[httpx2.Request] = []

    def vendor(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        return httpx2.Response(200, json=answer or {})

    options = types.HttpOptions(
        httpx_client=httpx2.Client(transport=httpx2.MockTransport(vendor)),
        extra_body=None if store is None else {"store": store},
    )
    call(genai.Client(api_key=KEY, http_options=options))
    return seen[0]


def camel(value: Any) -> Any:
    """A body with its names in camel case."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = {name: re.sub(r"_(\w)", lambda match: match[1].upper(), name) for name in value}
    made = {names[name]: item if names[name] in FREE else camel(item) for name, item in value.items()}
    if isinstance(made.get("data"), str):
        made["data"] = made["data"].replace("-", "+").replace("_", "/")  # base64 of either alphabet
    return made


def assert_equal_requests(ours: httpx.Request, theirs: httpx2.Request) -> None:
    """Method, address, key and body are the same."""
    assert (ours.method, str(ours.url)) == (theirs.method, str(theirs.url))
    assert ours.headers["x-goog-api-key"] == theirs.headers["x-goog-api-key"] == KEY
    assert camel(json.loads(ours.content)) == camel(json.loads(theirs.content))
