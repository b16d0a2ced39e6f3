"""Edits at vendors that have no call of their own for them: a picture drawn from others, the one to change first."""

from __future__ import annotations

from .catalogue import Model
from .errors import NotOffered
from .types import EditRequest, ImageRequest


def check_edit(model: Model, request: EditRequest) -> None:
    """Raises NotOffered for an operation or a mask that the model does not know, and for one without words or mask."""
    can = [one for one in ("edit", "inpaint") if one in model.capabilities]
    if request.operation not in model.capabilities:
        raise NotOffered(f"{model.id} does not {request.operation.replace('_', ' ')}; it can: {', '.join(can) or '-'}.")
    if not request.prompt.strip():
        raise NotOffered(f"{model.id} follows words: say what the picture is to become.")
    if request.operation == "inpaint" and request.mask is None:
        raise NotOffered("An inpaint needs a mask: white where the picture is to change, black elsewhere.")
    if request.mask is not None and "inpaint" not in model.capabilities:
        raise NotOffered(f"{model.id} takes no mask: say in words what is to change, or choose a model that inpaints.")


def as_drawing(request: EditRequest) -> ImageRequest:
    """The edit as the drawing of a picture from references: the one to change, then the further ones."""
    return ImageRequest(
        model=request.model,
        prompt=request.prompt,
        width=request.width,
        height=request.height,
        n=request.n,
        seed=request.seed,
        references=(request.image, *request.references),
        options=request.options,
    )
