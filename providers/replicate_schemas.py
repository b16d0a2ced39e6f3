"""What a model's live schema says of the input that takes its images. Makers rename it; Replicate ignores an input it
does not know, so that an edit would be paid for which has not seen its picture.

Source: GET /models/{owner}/{name} of the API's OpenAPI document, `latest_version.openapi_schema`. Nothing else is
corrected by it: a lost prediction is found again by its inputs, which must not change from one day to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .catalogue import Model

ONE, SEVERAL = ("input_image", "image", "start_image"), ("input_images", "image_input", "images")
IMAGE_FIELDS = (*ONE, *SEVERAL)
"""Names of the input that takes one image, and of the one that takes several."""


def corrected_limits(model: Model, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of a row that its live schema contradicts; none where there is no schema or it cannot be read."""
    properties: Any = answer
    for step in ("latest_version", "openapi_schema", "components", "schemas", "Input", "properties"):
        properties = properties.get(step) if isinstance(properties, Mapping) else None
    field = model.limits.get("image_field")
    if field is None or not isinstance(properties, Mapping) or field in properties:
        return {}
    known = SEVERAL if model.limits.get("max_images_in", 1) > 1 else ONE
    return next(({"image_field": name} for name in known if name in properties), {})
