"""Plays a script over HTTP: takes requests, draws their fate, gives replies."""

import asyncio
import hashlib
import sys
from collections import deque
from typing import Any

import orjson
from aiohttp import web

from generators.scripted.replies import Asked, Said, logprobs, prompt_logprobs, read_request, say, spoil
from generators.scripted.script import Script
from generators.scripted.tally import Served, Tally, ledger_lines

_REFUSALS = {
    "500": (500, "server_error", "the scripted server was told to fail here"),
    "never_answer": (500, "server_error", "the scripted server was told to fail here, always"),
    "429": (429, "rate_limit_exceeded", "the scripted server was told to refuse here"),
    "full": (429, "rate_limit_exceeded", "all slots are taken"),
}


class Stage:
    """Plays a script: takes requests, gives replies."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tally = Tally(script.ledger)
        self.slots = asyncio.Semaphore(script.slots or sys.maxsize)
        self._free: deque[float] = deque()
        """When each slot that was used and is free now was due to be so."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One HTTP request; paths work with and without /v1."""
        match request.method, request.path.removeprefix("/v1"):
            case "POST", "/chat/completions":
                return await self._chat(request)
            case "GET", "/models":
                return self._refused_key(request) or _json(200, self._models())
            case "GET", "/health":
                return _json(200, {"status": "ok"})
            case "GET", "/counts":
                return _json(200, self.tally.counts())
            case "GET", "/ledger":
                return web.Response(body=ledger_lines(self.tally.ledger), content_type="application/jsonl")
        return _error(404, "not_found", f"there is no {request.method} {request.path}")

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        if refused := self._refused_key(request):
            return refused
        try:
            body = orjson.loads(await request.read())
            seed = int(body.pop("seed", None) or 0)
            asked = read_request(body)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return _error(400, "invalid_request_error", f"the body is not a chat request: {error!r}")
        if refused := self._refused_body(body):
            return refused
        digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]
        served, times = self.tally.arrive(body["model"], digest, seed, asked)
        served.fault = self.script.faults.transport(self.script.seed, digest, seed, times)
        try:
            return await self._play(request, body, asked, served, times)
        finally:
            self.tally.leave(served)

    async def _play(
        self, request: web.BaseRequest, body: dict[str, Any], asked: Asked, served: Served, times: int
    ) -> web.StreamResponse:
        if served.fault == "hang":
            await asyncio.sleep(self.script.hang_s)
            return await _cut(request, b"", 1)
        if served.fault != "429" and self.script.overload == "429" and self.slots.locked():
            served.fault = "full"
        if served.fault in ("429", "full"):
            return self._refusal(served.fault)
        await self._work(self.script.pace_s(served.body, served.seed, times))
        if served.fault in _REFUSALS:
            return self._refusal(served.fault)
        reply = orjson.dumps(self._reply(body, asked, served))
        if served.fault == "cut":
            return await _cut(request, reply[: len(reply) // 2], len(reply))
        response = _json(200, reply)
        await response.prepare(request)
        await response.write_eof()
        self.tally.deliver(served)
        return response

    async def _work(self, seconds: float) -> None:
        """Hold a slot for so long, counted from when it was due to be free: a busy machine makes no slot slower."""
        loop = asyncio.get_running_loop()
        came = loop.time()
        async with self.slots:
            due = (max(came, self._free.popleft()) if self._free else came) + seconds
            self.tally.start_work()
            try:
                await asyncio.sleep(due - loop.time())
            finally:
                self.tally.working -= 1
                self._free.append(min(due, loop.time()))

    def _reply(self, body: dict[str, Any], asked: Asked, served: Served) -> dict[str, Any]:
        model = self.script.model(served.model)
        assert model is not None, "checked on arrival"
        said = say(self.script.seed, model, asked, served.seed)
        if not served.fault:
            served.fault = self.script.faults.content(self.script.seed, served.body, served.seed)
        if served.fault in ("malformed", "never_parse"):
            said = spoil(self.script.seed, said, asked, served.body, served.seed)
        served.said = said.text
        reply = completion(body, said, f"chatcmpl-{served.body}-{served.seed}")
        if body.get("prompt_logprobs") is not None:
            reply["prompt_logprobs"] = prompt_logprobs(self.script.seed, model, body)
        return reply

    def _refused_key(self, request: web.BaseRequest) -> web.Response | None:
        """A refusal that repeats the key, as careless servers do, so that a client that passes it on is found out."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.script.key is None or given == self.script.key:
            return None
        return _error(401, "invalid_api_key", f"Incorrect API key provided: {given}")

    def _refused_body(self, body: dict[str, Any]) -> web.Response | None:
        model = self.script.model(body.get("model"))
        if model is None:
            return _error(404, "model_not_found", f"The model `{body.get('model')}` does not exist")
        if body.get("stream") or body.get("n", 1) != 1:
            return _error(400, "unsupported_value", "the scripted server gives one choice, and does not stream")
        words = _prompt_words(body)
        if model.context is not None and words > model.context:
            message = f"This model's maximum context length is {model.context} tokens, your messages have {words}"
            return _error(400, "context_length_exceeded", message)
        return None

    def _refusal(self, fault: str) -> web.Response:
        status, code, message = _REFUSALS[fault]
        headers = {"Retry-After": f"{self.script.retry_after_s:g}"} if status == 429 else {}
        return _error(status, code, message, headers)

    def _models(self) -> dict[str, Any]:
        data = [{"id": m.name, "object": "model", "created": 0, "owned_by": "winnow"} for m in self.script.models]
        return {"object": "list", "data": data}


def completion(body: dict[str, Any], said: Said, reply_id: str) -> dict[str, Any]:
    """OpenAI's chat completion object; a word counts as a token, max_tokens cuts after so many words."""
    words = said.text.split()
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(words)
    text = said.text if len(words) <= limit else " ".join(words[:limit])
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if said.reasoning is not None:
        message["reasoning_content"] = said.reasoning
    choice: dict[str, Any] = {"index": 0, "message": message}
    choice["finish_reason"] = "length" if len(words) > limit else "stop"
    choice["logprobs"] = logprobs(said) if body.get("logprobs") else None
    tokens_in, tokens_out = _prompt_words(body), min(len(words), limit)
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    head = {"id": reply_id, "object": "chat.completion", "created": 0, "model": body["model"]}
    return {**head, "choices": [choice], "usage": usage}


async def _cut(request: web.BaseRequest, part: bytes, promised: int) -> web.StreamResponse:
    """Send less of a body than its head promised, then close the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(promised)})
    await response.prepare(request)
    await response.write(part)
    if request.transport is not None:
        request.transport.close()
    return response


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> web.Response:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return web.Response(status=status, body=data, content_type="application/json", headers=headers)


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return _json(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, headers)


def _prompt_words(body: dict[str, Any]) -> int:
    return sum(len(str(turn.get("content") or "").split()) for turn in body["messages"])
