"""One engine's line: asks that wait, tries in flight, retries that wait for their time."""

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable
from itertools import count

import orjson

from generators.ask import reply_seed, request_body
from generators.breaker import Breaker
from generators.budget import NOTHING, Spend, worst_case
from generators.engines import Engine
from generators.job import Job, Run
from generators.limit import Limit
from generators.vllm import at_once
from generators.wire import Answer, Wire
from schemas.errors import EngineError

AHEAD = 512
"""Asks drawn ahead for an engine."""
TRIES = 6
REFUSALS = 40
"""How often a request may be refused because the server is full, before that counts as its failure."""
_PARKED = 1024
_FIRST_WAIT_S, _LONGEST_WAIT_S, _CONNECT_WAIT_S = 0.25, 8.0, 1.0
_CLAIM_WAIT_S = 0.05
_AWAY = 16
"""So many connections in a row that could not be made, and the server is away."""
_TELL_S = 5.0
_TOO_LONG_S = 300.0
"""A server that wants to be left alone for longer stops the run, which says so, instead of waiting in silence."""


class Line:
    """Sends an engine's jobs, as many at once as its server answers well."""

    def __init__(self, engine: Engine, run: Run, wake_feed: Callable[[], None]) -> None:
        self.engine, self._run, self._wake_feed = engine, run, wake_feed
        self.wire = Wire(engine)
        self._called = False
        """Whether a pump is on its way."""
        self.limit = _limit(engine)
        self.breaker = Breaker()
        self.tasks: set[asyncio.Task[None]] = set()
        self.queue: deque[Job] = deque()
        self._parked: list[tuple[float, int, Job]] = []
        """Jobs that wait for their time, the soonest first."""
        self._order = count()
        self._timer_at = float("inf")
        self._holds = 0
        self._held_until = 0.0
        """Until when nothing new is sent, because the server lets nobody in."""
        self._loop = asyncio.get_running_loop()
        self._probe: asyncio.Task[bool] | None = None
        self._probed = float("-inf")

    @property
    def full(self) -> bool:
        """Whether enough asks are drawn ahead."""
        return len(self.queue) >= AHEAD

    def offer(self, job: Job) -> None:
        """Take a job; it is sent as soon as the loop comes round. ConfigError where engine or budget forbid it."""
        if not self.wire.opened:
            self._run.purse.check(self.engine)
            self.wire.open()
        self.queue.append(job)
        if not self._called:
            self._called = True
            self._loop.call_soon(self.pump)

    def pump(self) -> None:
        """Send what may be sent now."""
        self._called = False
        if self._run.stopped:
            return
        try:
            while self.limit.in_flight < self.limit.allowed and (job := self._next()) is not None:
                if not self._send(job):
                    break
            if self.limit.in_flight < self.limit.allowed:
                self.limit.idle()
        except BaseException as error:  # a full disk, a missing bound: the run ends, with what is in flight stored
            self._run.stop(error)
        if len(self.queue) < AHEAD // 2:
            self._wake_feed()
        self._set_timer()

    @property
    def trouble(self) -> str | None:
        """What keeps the server from answering, where nothing was answered for some seconds."""
        breaker = self.breaker
        long = breaker.row > 1 and self._loop.time() - breaker.since > _TELL_S
        return f"{breaker.row:,} tries failed, the last one: {breaker.last}" if long else None

    def _next(self) -> Job | None:
        if self._parked and self._parked[0][0] <= self._loop.time():
            return heapq.heappop(self._parked)[2]
        now = self._loop.time()
        if not self.queue or len(self._parked) >= _PARKED or now < self._held_until:
            return None
        if self._holds:
            self._held_until = now + _FIRST_WAIT_S  # one new one at a time, until a reply comes
        return self.queue.popleft()

    def _send(self, job: Job) -> bool:
        """False when nothing more can be sent now."""
        if not job.claimed:
            claimed = self._run.claim(job)
            if not claimed:
                if claimed is False:
                    self._park(job, _CLAIM_WAIT_S)
                return True
        if job.body is None:
            job.seed = reply_seed(job.request_id, job.ask.sample, job.attempt)
            job.body = orjson.dumps(request_body(job.request, job.seed if self.engine.seeded else None))
        if self._run.purse.limited and not self._reserve(job):
            return False
        now = self._loop.time()
        job.tries += 1
        job.first_sent = job.first_sent or now
        self.limit.sent()
        task = self._loop.create_task(self._serve(job, job.body, now))
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    def _reserve(self, job: Job) -> bool:
        assert job.body is not None
        worst = worst_case(self.engine, job.request["params"], len(job.body))
        if self._run.purse.reserve(worst):
            job.worst = worst
            return True
        self.queue.appendleft(job)
        self._run.short(worst)
        return False

    async def _serve(self, job: Job, body: bytes, sent_at: float) -> None:
        answer = None
        try:
            answer = await self.wire.post(body)
        finally:
            now = self._loop.time()
            good = answer is not None and answer.kind in ("good", "refused")
            full = answer is not None and answer.kind == "full"
            self.limit.done(sent_at, now, "good" if good else "full" if full else "bad")
            self._settle(job, answer)
        await self._weigh(job, answer, sent_at, now)
        self.pump()  # in this turn of the loop; `_ended` comes two turns later

    def _settle(self, job: Job, answer: Answer | None) -> None:
        """What the try cost; the worst case where the server may bill what it did not say."""
        said = answer.said if answer else None
        spent = NOTHING
        if said is not None and said.prompt_tokens and said.completion_tokens is not None:  # no prompt has 0 tokens
            tokens = said.prompt_tokens + said.completion_tokens
            spent = Spend(tokens, self.engine.cost(said.prompt_tokens, said.completion_tokens))
        elif answer is None or answer.maybe_billed or said is not None:
            spent = job.worst
        self._run.purse.settle(job.worst, spent)
        job.worst = NOTHING
        self._run.freed()

    async def _weigh(self, job: Job, answer: Answer, sent_at: float, now: float) -> None:
        if answer.kind == "good":
            self.breaker.good()
            self._holds, self._held_until = 0, 0.0
            self._run.landed(job, answer, now - sent_at)
        elif answer.kind == "stop" and not (answer.status in (400, 403) and self.breaker.ever_good):
            self._run.stop(EngineError(await self._why_stopped(answer)))
        elif answer.kind in ("refused", "stop"):
            self.breaker.refused()
            if self.breaker.unwelcome:
                self._run.stop(EngineError(self._why_unwelcome(answer)))
            self._run.landed(job, answer, now - sent_at)
        else:
            await self._failed(job, answer, sent_at, now)

    async def _failed(self, job: Job, answer: Answer, sent_at: float, now: float) -> None:
        if self._run.stopped:
            return
        full = answer.kind == "full"
        self.breaker.bad(sent_at, answer.error, job.tries == 1, full)
        if full:
            job.refusals += 1
            job.tries -= 1
        if self.breaker.hopeless(now) or (full and (answer.wait_s or 0.0) > _TOO_LONG_S):
            self._give_up(now, answer)
            return
        self._hold(answer, now)
        near_end = not full and job.tries >= TRIES - 1 and self.breaker.failures > 1
        dead = (near_end or self.breaker.doubtful(now)) and not await self._alive()
        if dead and self.breaker.doubtful(now):
            self._give_up(now, answer)
        elif not dead and (job.tries >= TRIES or job.refusals >= REFUSALS):
            self._run.landed(job, answer, now - sent_at)
        else:
            job.tries -= dead  # the server failed, not the request
            self._park(job, _wait_s(job.tries + job.refusals, answer))

    def _hold(self, answer: Answer, now: float) -> None:
        """Where the server lets nobody in, send nothing new for a while, and for longer each time."""
        shut = answer.kind == "full" and not self.limit.in_flight and self.breaker.row > 1
        away = not answer.reached and self.breaker.failures >= _AWAY
        if (shut or away) and now >= self._held_until:
            self._holds += 1
            self._held_until = now + _wait_s(self._holds, answer)

    def _give_up(self, now: float, answer: Answer) -> None:
        breaker, do = self.breaker, "Check that the server runs and that its url is right, then"
        if answer.kind == "full":
            wait = f"in {answer.wait_s:.0f} s, as the server says," if answer.wait_s else "when the server has room"
            do = f"Check the account's limits, or {wait} just"
        self._run.stop(EngineError(
            f"engine '{self.engine.name}' at {self.engine.url}: the last {breaker.row} tries failed, over "
            f"{now - breaker.since:.0f} s; the last one: {breaker.last}. {do} start again with the same command: "
            "replies so far are stored and are not asked again"))
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _alive(self) -> bool:
        """Whether the server answers at all; asked at most every second."""
        if self._probe is None or (self._probe.done() and self._loop.time() - self._probed > 1.0):
            self._probe = self._loop.create_task(self.wire.alive())
            self._probed = self._loop.time()
        return await asyncio.shield(self._probe)

    async def _why_stopped(self, answer: Answer) -> str:
        engine, where = self.engine, f"engine '{self.engine.name}' at {self.engine.url}"
        kept = "replies so far are stored and are not asked again"
        if answer.status in (401, 403):
            do = (f"put a valid key into the environment variable {engine.key_env}" if engine.key_env else
                  "name the environment variable that holds the key in key_env")
            return f"{where} refuses the key: {answer.error}; {do}; {kept}"
        offered = await self.wire.models() if answer.status in (400, 404) else []
        if offered and engine.model not in offered:
            named = ", ".join(offered[:20]) + (", ..." if len(offered) > 20 else "")
            return f"{where} does not know model '{engine.model}': {answer.error}; it offers {named}; {kept}"
        if answer.status == 404 and not offered:
            return f"{where} has no chat API there: {answer.error}; most servers' url ends in /v1; {kept}"
        if answer.error.startswith("certificate"):
            return f"{where} cannot be trusted: {answer.error}; name its certificate's file in SSL_CERT_FILE; {kept}"
        return f"{where} cannot be used: {answer.error}; check url, account and model; {kept}"

    def _why_unwelcome(self, answer: Answer) -> str:
        return (f"engine '{self.engine.name}' at {self.engine.url} refused each of the first {self.breaker.unwelcome} "
                f"requests; the last time: {answer.error}. Change the engine's params (or seeded = false where the "
                "server takes no seed), run `winnow store refresh --failed`, then start again")

    def _park(self, job: Job, seconds: float) -> None:
        heapq.heappush(self._parked, (self._loop.time() + seconds, next(self._order), job))

    def _set_timer(self) -> None:
        """Pump again when the next job's time comes; where there is no room for it, the end of a try pumps."""
        if self.limit.in_flight >= self.limit.allowed:
            return
        at = self._parked[0][0] if self._parked else float("inf")
        if self.queue and self._held_until > self._loop.time():
            at = min(at, self._held_until)
        if at < self._timer_at:
            self._timer_at = at
            self._loop.call_at(at, self._time_has_come)

    def _time_has_come(self) -> None:
        self._timer_at = float("inf")
        self.pump()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._run.stop(error)
        self.pump()
        self._run.ended()


def _limit(engine: Engine) -> Limit:
    """A vLLM of ours that says how many it answers at once gets so many at once; the pace of others is to be found."""
    first = at_once(engine.vllm)
    return Limit(engine.max_concurrency) if first is None else Limit(engine.max_concurrency, first)


def _wait_s(times: int, answer: Answer) -> float:
    """How long to wait after so many failures: longer each time, and not less than the server asks for."""
    longest = _LONGEST_WAIT_S if answer.reached else _CONNECT_WAIT_S
    wait = min(longest, _FIRST_WAIT_S * 2.0 ** (times - 1)) * random.uniform(0.5, 1.0)
    return wait if answer.wait_s is None else max(wait, answer.wait_s * random.uniform(1.0, 1.1))
