"""Mosaic lays pictures of small stones: a vendor that exists for the tests, and as an example of a plugin."""

import base64
from collections.abc import Mapping

from providers import Family, Http, load_models
from providers.errors import MalformedAnswer, Moderated, NotOffered, ProviderError
from providers.http import answer_of, before_payment
from providers.options import fit_options
from providers.types import Done, ImageRequest, Media, MediaRequest, Output


class Mosaic(Family):
    name = "mosaic"
    key_names = ("MOSAIC_API_KEY",)
    base_url_name = "MOSAIC_BASE_URL"
    default_base_url = "https://api.mosaic.example/v1"

    def __init__(self, environment: Mapping[str, str], http: Http) -> None:
        super().__init__(environment, http)
        self.models = load_models("impresario_mosaic", "mosaic.toml")

    async def submit(self, request: MediaRequest, media: Mapping[str, Media]) -> Done:
        if not isinstance(request, ImageRequest) or request.references:
            raise NotOffered("Mosaic lays pictures from a prompt, and nothing else.")
        row = self.row(request.model)
        with before_payment():
            options, warnings = fit_options(row, request.options)
        order = {
            "model": row.wire_id,
            "prompt": request.prompt,
            "width": request.width or 512,
            "height": request.height or 512,
            **options,
        }
        headers = {"authorization": f"Bearer {self.key}"}
        try:
            answer = await self.http.send_json(
                "Mosaic", "POST", f"{self.base_url}/mosaics", paid=True, json=order, headers=headers
            )
        except ProviderError as error:
            if isinstance(said := answer_of(error), dict) and said.get("code") == "blocked":
                raise Moderated("Mosaic blocked the content of this request.") from error
            raise
        try:
            picture = base64.b64decode(answer["png"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedAnswer("Mosaic answered without a picture.") from error
        return Done(outputs=(Output(data=picture),), warnings=warnings)
