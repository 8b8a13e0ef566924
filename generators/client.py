"""The engine client: asks what a plan asks, of any server that speaks the OpenAI chat API, once.

Every reply goes to the store as it comes, and what the store has is not asked again. Engines run side by side, each at
the pace its server bears. The run stops with a reason when an engine is of no use or the budget is spent; what is in
flight then is awaited and stored, so that nothing paid for is lost.
"""

import asyncio
import gc
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import polars as pl

from generators.ask import AnyPlan, Ask, Parse, count_asks, request_digest
from generators.budget import NOTHING, Purse, Spend
from generators.engines import Budget, Engine, engine_named
from generators.feed import Feed
from generators.job import Job
from generators.line import Line
from generators.loop import run_in_loop
from generators.progress import Pace, Progress
from generators.replies import Malformed, Said, Snapshot, answered, read_body, unanswered
from generators.store import Reply, ReplyStore
from generators.wire import Answer
from schemas.errors import BudgetError, ConfigError

_TICK_S = 0.5
_GARBAGE = 20_000
"""New objects before garbage is looked for, which takes long where a run holds many objects and finds little."""


def collect(plan: AnyPlan, engines: Mapping[str, Engine], store: ReplyStore, parse: Parse, reasks: int = 2,
            budget: Budget | Purse | None = None, progress: Callable[[Progress], None] | None = None) -> pl.DataFrame:
    """Ask what the store does not have yet; the plan's COMPLETIONS, sorted by key.

    `plan` is drawn little by little, once for each engine: it must give the same asks each time.
    `parse` says of a reply's text why it does not parse (None: it does), and may take the Ask as a second argument;
    such a reply is kept, status `invalid`, and asked again as the next attempt, up to `reasks` times. A request that
    the server refuses for good, or that fails on every try, is kept with status `error`. `progress` is called every
    half second. A Purse as `budget` is shared: it holds for all that spend from it, one after the other or side by
    side. Runs its own event loop, so it can be called from any function, a Dagster asset included.

    Raises ConfigError (an unknown engine, a missing key variable, a budget without prices), EngineError (a server that
    is down, a refused key, an unknown model), BudgetError, StoreError.
    """
    return run_in_loop(ask_all(plan, engines, store, parse, reasks, budget, progress))


async def ask_all(plan: AnyPlan, engines: Mapping[str, Engine], store: ReplyStore, parse: Parse, reasks: int = 2,
                  budget: Budget | Purse | None = None,
                  progress: Callable[[Progress], None] | None = None) -> pl.DataFrame:
    """`collect`, for callers that run an event loop themselves."""
    run = _Run(plan, engines, store, parse, reasks, budget if isinstance(budget, Purse) else Purse(budget))
    if progress or budget:
        run.planned = count_asks(plan)  # counting may take a pass through the plan
    ticker = asyncio.create_task(_tick(run, progress)) if progress else None
    try:
        await run.ask()
    finally:
        if ticker:
            ticker.cancel()
            await asyncio.wait([ticker])
        await run.close()
    if progress:
        progress(run.progress())
    return run.snapshot.table()


class _Run:
    """One run of a plan: the lines of its engines, what they share, and where replies go."""

    def __init__(self, plan: AnyPlan, engines: Mapping[str, Engine], store: ReplyStore, parse: Parse, reasks: int,
                 purse: Purse) -> None:
        self.engines, self.purse, self.snapshot, self.stopped = engines, purse, Snapshot(), False
        self._store, self._reasks, self._parse = store, reasks, _with_ask(parse)
        self.planned: int | None = None
        self._feed = Feed(plan, self._line, engines.keys(), self._take)
        self._lines: dict[str, Line] = {}
        self._open: dict[tuple[str, int], Job] = {}
        """Jobs that are not done, by request and sample."""
        self._short: Spend | None = None
        self._error: BaseException | None = None
        self._fed = False
        self._finished = asyncio.get_running_loop().create_future()
        self._done = self._from_store = self._failed = self._invalid = self._tokens_out = self._new = 0
        self._cost: float | None = 0.0
        self._pace = Pace(time.monotonic())

    async def ask(self) -> None:
        """Ask everything; raises why the run stopped, if it did."""
        feeding = asyncio.create_task(self._feed.run())
        feeding.add_done_callback(self._feed_ended)
        collecting = gc.get_threshold()
        gc.set_threshold(_GARBAGE, *collecting[1:])
        try:
            await self._finished
        finally:
            gc.set_threshold(*collecting)
            feeding.cancel()
            await asyncio.wait([feeding])
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """End what is still running, give back what is claimed, close connections."""
        self.stopped = True
        tasks = [task for line in self._lines.values() for task in line.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in self._open.values():
            self._release(job)
            self.purse.settle(job.worst, NOTHING)  # of a try that was ended before it began
        for line in self._lines.values():
            await line.wire.close()

    def progress(self) -> Progress:
        """How far the run is."""
        per_s = self._pace.per_s(time.monotonic(), self._new)
        left = None if self.planned is None or not per_s else max(0, self.planned - self._done) / per_s
        return Progress(
            done=self._done, planned=self.planned, from_store=self._from_store, failed=self._failed,
            invalid=self._invalid, tokens_out=self._tokens_out, cost=self._cost, per_s=per_s, left_s=left,
            engines={name: line.limit.in_flight for name, line in self._lines.items()},
            trouble={name: line.trouble for name, line in self._lines.items() if line.trouble},
        )

    # what lines call

    def claim(self, job: Job) -> bool | None:
        """True: send it; False: another process is asking it now; None: it is answered and done with."""
        while True:
            key = (job.request_id, job.ask.sample, job.attempt)
            mine = self._store.claim(*key)
            self._store.refresh()
            if not self._store.has(*key):
                job.claimed = mine
                return mine
            if mine:
                self._store.release(*key)
            if self._resolve(job):
                return None

    def landed(self, job: Job, answer: Answer, seconds: float) -> None:
        """Store a reply or a final failure, then finish the job or ask it again."""
        engine, ask, said = job.engine, job.ask, answer.said
        self._store.put(Reply(
            request_id=job.request_id, sample=ask.sample, attempt=job.attempt, seed=job.seed, engine=engine.name,
            model=engine.model, revision=engine.revision, endpoint=engine.url or "",
            status="error" if said is None else "ok", body=answer.body, error=answer.error if said is None else None,
            http_status=answer.status, at=time.time(), latency_ms=round(seconds * 1000, 3),
        ), job.request, ask.prompt_id)
        self._release(job)
        self._new += 1
        if said is not None:
            self._tokens_out += said.completion_tokens or 0
            cost = engine.cost(said.prompt_tokens, said.completion_tokens)
            self._cost = None if self._cost is None or cost is None else self._cost + cost
        if not self._add(job, said, answer.error) and not self._resolve(job):
            job.tries = job.refusals = 0
            job.first_sent, job.body = 0.0, None
            self._lines[engine.name].queue.appendleft(job)

    def short(self, worst: Spend) -> None:
        """The budget does not hold this request: wait for what is in flight to settle, or stop."""
        self._short = worst
        if any(line.limit.in_flight for line in self._lines.values()):
            return
        if self.purse.holds:  # another run's: it may give some back
            asyncio.get_running_loop().call_later(_TICK_S, self.freed)
            return
        need = f"{worst.tokens:,} tokens" + (f" or {worst.cost:.6g} USD" if worst.cost is not None else "")
        self.stop(BudgetError(
            f"the budget is spent: {self.purse}, and the next request may need up to {need}. {self._done:,} of "
            f"{'an unknown number of' if self.planned is None else format(self.planned, ',')} asks are done and "
            "stored. Raise [budget] in the engines file and start again with the same command, or make the dataset "
            "smaller; what is paid for is not asked again"))

    def freed(self) -> None:
        """Some of the budget may be free again: lines that waited for it go on."""
        if self._short is not None:
            self._short = None
            for line in self._lines.values():
                asyncio.get_running_loop().call_soon(line.pump)

    def stop(self, error: BaseException) -> None:
        """Send nothing more; the first reason counts."""
        self.stopped = True
        self._error = self._error or error
        self.ended()

    def ended(self) -> None:
        """See whether the run is over."""
        if self._finished.done():
            return
        over = not any(line.tasks for line in self._lines.values()) if self.stopped else self._fed and not self._open
        if over:
            self._finished.set_result(None)

    # what the feed calls

    def _line(self, name: str) -> Line:
        if name not in self._lines:
            with self._stopping():
                engine = engine_named(self.engines, name, "the plan")
            self._lines[name] = Line(engine, self, self._feed.wake)
        return self._lines[name]

    def _take(self, ask: Ask) -> None:
        line = self._lines[ask.engine]
        request = ask.request(line.engine)
        job = Job(ask=ask, engine=line.engine, request=request, request_id=request_digest(request))
        if twin := self._open.get((job.request_id, ask.sample)):
            twin.twins.append(ask)
        elif not self._resolve(job):
            self._open[job.request_id, ask.sample] = job
            with self._stopping():
                line.offer(job)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """What is wrong with the configuration stops the run at once, before what was offered just now is sent."""
        try:
            yield
        except ConfigError as error:
            self.stop(error)
            raise

    def _feed_ended(self, feeding: asyncio.Task[None]) -> None:
        self._fed = True
        if not feeding.cancelled() and (error := feeding.exception()) is not None:
            self.stop(error)
        self.ended()

    # from the store to the table

    def _resolve(self, job: Job) -> bool:
        """Take what the store has; False where the job's present attempt must be asked."""
        while (reply := self._store.get(job.request_id, job.ask.sample, job.attempt)) is not None:
            said, error = _stored(reply)
            if job.attempt == 0 and job.tries == 0:
                self._store.put_request(job.request_id, job.request, job.ask.prompt_id)
            if self._add(job, said, error):
                self._from_store += not job.tries
                return True
        return False

    def _add(self, job: Job, said: Said | None, error: str) -> bool:
        """Add a reply's row; False where the job goes on with its next attempt."""
        ask, engine = job.ask, job.engine
        head = (job.request_id, ask.sample, job.attempt, ask.prompt_id, engine.name, engine.model, engine.revision)
        if said is None:
            self.snapshot.add((*head, *unanswered(error)))
            self._failed += 1
        else:
            why_not = None if said.tool_calls and not said.text else self._parse(said.text, ask)
            cost = engine.cost(said.prompt_tokens, said.completion_tokens)
            self.snapshot.add((*head, *answered(said, why_not, cost)))
            if why_not is not None and job.attempt < self._reasks:
                job.attempt += 1
                return False
            self._invalid += why_not is not None
        self._finish(job)
        return True

    def _finish(self, job: Job) -> None:
        self._done += 1
        if self._open.pop((job.request_id, job.ask.sample), None) is not None:
            for ask in job.twins:
                self._resolve(Job(ask=ask, engine=job.engine, request=job.request, request_id=job.request_id))
            self.ended()

    def _release(self, job: Job) -> None:
        if job.claimed:
            self._store.release(job.request_id, job.ask.sample, job.attempt)
            job.claimed = False


def _stored(reply: Reply) -> tuple[Said | None, str]:
    if reply.status != "ok":
        return None, reply.error or ""
    try:
        return read_body(reply.body), ""
    except Malformed as error:
        return None, f"malformed: {error}"


def _with_ask(parse: Parse) -> Callable[[str, Ask], str | None]:
    """The parser with its second argument, which it may leave out."""
    if len(inspect.signature(parse).parameters) > 1:
        return cast(Callable[[str, Ask], str | None], parse)
    alone = cast(Callable[[str], str | None], parse)
    return lambda text, ask: alone(text)


async def _tick(run: _Run, progress: Callable[[Progress], None]) -> None:
    try:
        while True:
            await asyncio.sleep(_TICK_S)
            progress(run.progress())
    except Exception as error:
        run.stop(error)
