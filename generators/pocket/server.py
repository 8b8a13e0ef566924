"""The pocket server: serves the models of a folder of model folders over OpenAI's chat API, until told to stop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from generators.pocket import chat
from generators.pocket.pool import Ended, Pool
from generators.pocket.tensors import Shape, read_shape
from generators.pocket.vocabulary import Vocabulary
from generators.weights import weights_digest
from schemas.errors import ConfigError

MODELS = Path(__file__).with_name("models")
"""The family that ships with Winnow."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model on offer."""

    name: str
    revision: str
    shape: Shape
    vocabulary: Vocabulary

    @property
    def full_name(self) -> str:
        """Its name and the digest of its weights: a name that only these weights answer to."""
        return f"{self.name}@{self.revision}"


class Server:
    """Takes requests and gives replies."""

    def __init__(self, models: Path, workers: int | None = None) -> None:
        folders = model_folders(models)
        known = [Known(at.name, weights_digest(at), read_shape(at), Vocabulary(at)) for at in folders]
        self.models = {name: model for model in known for name in (model.name, model.full_name)}
        self.pool = Pool(folders, workers)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One HTTP request; paths work with and without /v1."""
        match request.method, request.path.removeprefix("/v1"):
            case "POST", "/chat/completions":
                return await self._chat(request)
            case "GET", "/models":
                return _json(200, {"object": "list", "data": [_about(*item) for item in self.models.items()]})
            case "GET", "/health":
                return _json(200, {"status": "ok", "workers": self.pool.count, "steady": self.pool.steady})
        return _refusal(chat.Refused(f"there is no {request.method} {request.path}", status=404, code="not_found"))

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            asked = chat.read(_body(await request.read()))
            model = self.models.get(asked.model)
            if model is None:
                raise chat.Refused(f"The model `{asked.model}` does not exist; there are "
                                   f"{', '.join(sorted(self.models))}", "model", status=404, code="model_not_found")
            tokens = _tokens(model, asked)
            orders = asked.orders(model.name, tokens, model.shape.context)
            replies = await asyncio.gather(*map(self.pool.write, orders))
        except chat.Refused as refused:
            return _refusal(refused)
        except Ended as error:
            return _json(500, {"error": {"message": str(error), "type": "server_error", "param": None, "code": None}})
        return _json(200, chat.completion(asked, model.revision, len(tokens), replies, model.vocabulary.pieces))


async def serve(
    models: Path, port: int, workers: int | None, ready: Callable[[int], None], stop: asyncio.Event
) -> None:
    """Serve on 127.0.0.1 until told to stop; `ready` gets the port. Raises Ended where a worker ends by itself."""
    server = Server(models, workers)
    front = web.Server(server.handle, handler_cancellation=True, access_log=None)
    try:
        await server.pool.start()
        listening = await asyncio.get_running_loop().create_server(front, "127.0.0.1", port, backlog=4096)
        ready(listening.sockets[0].getsockname()[1])
        told = asyncio.create_task(stop.wait())
        ends: list[asyncio.Future[Any]] = [told, server.pool.failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        listening.close()
        if not stop.is_set():
            raise Ended("a worker has ended by itself; its last words are above")
    finally:
        await front.shutdown(0.0)
        await server.pool.stop()


def model_folders(models: Path) -> list[Path]:
    """The model folders in a folder; ConfigError where there is none."""
    found = sorted(path.parent for path in models.glob("*/model.safetensors"))
    if not found:
        raise ConfigError(f"{models}: no folder in it holds a model.safetensors; name a folder of model folders")
    return found


def _body(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError as error:
        raise chat.Refused(f"the body is not JSON: {error}") from None


def _tokens(model: Known, asked: chat.Asked) -> list[int]:
    try:
        return model.vocabulary.encode(asked.turns, asked.continued)
    except ValueError as error:
        raise chat.Refused(str(error), "messages") from None


def _about(name: str, model: Known) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "winnow", "revision": model.revision,
            "max_model_len": model.shape.context}


def _refusal(refused: chat.Refused) -> web.Response:
    return _json(refused.status, refused.body())


def _json(status: int, body: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
