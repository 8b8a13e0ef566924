"""The scripted server's faults: as many as planned, gone on the next try or never, as the script says."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from generators.plant import Model, question
from generators.scripted import Faults, Script, ScriptedServer
from generators.scripted.replies import read_request, say, spoil

N = 5000
CAST = (Model(name="m"),)
JUDGE = ("<conversation>\nuser: {question}\n</conversation>\n<aspect>overall</aspect>\n{scale}\n"
         '<answer name="A">\nIt is 900.\n</answer>\n<answer name="B">\nIt is 1100.\n</answer>')


def near(found: int, share: float) -> bool:
    """Within five standard deviations of what was planned."""
    return abs(found - N * share) <= 5 * math.sqrt(N * share * (1 - share)) + 1e-9


def test_transport_faults_come_as_often_as_planned() -> None:
    faults = Faults(error_500=0.1, error_429=0.05, hang=0.02, cut=0.01, never_answer=0.005)
    met = [faults.transport(0, f"body {n}", n, 0) for n in range(N)]
    planned = {"500": 0.1, "429": 0.05, "hang": 0.02, "cut": 0.01}
    assert all(near(met.count(name), share * 0.995) for name, share in planned.items())
    assert near(met.count("never_answer"), 0.005)


def test_most_transport_faults_vanish_on_the_second_try_and_never_answer_never_does() -> None:
    faults = Faults(error_500=0.1, error_429=0.05, hang=0.02, cut=0.01, never_answer=0.01)
    first = {n: faults.transport(0, f"body {n}", n, 0) for n in range(N)}
    failed = [n for n in range(N) if first[n] not in ("", "never_answer")]
    again = sum(faults.transport(0, f"body {n}", n, 1) != "" for n in failed)
    assert 0 < again < 0.3 * len(failed)
    lost = [n for n in range(N) if first[n] == "never_answer"]
    assert lost
    assert all(faults.transport(0, f"body {n}", seed, times) == "never_answer"
               for n in lost for seed in (1, 2) for times in range(9))


def test_malformed_replies_come_as_planned_and_a_new_seed_draws_again() -> None:
    faults = Faults(malformed=0.05, never_parse=0.01)
    met = [faults.content(0, f"body {n}", 1) for n in range(N)]
    assert near(met.count("malformed"), 0.05 * 0.99)
    assert near(met.count("never_parse"), 0.01)
    for n in (n for n in range(N) if met[n] == "never_parse"):
        assert {faults.content(0, f"body {n}", seed) for seed in range(20)} == {"never_parse"}
    bad = [n for n in range(N) if met[n] == "malformed"]
    assert sum(faults.content(0, f"body {n}", 2) == "malformed" for n in bad) < 0.2 * len(bad)
    assert all(faults.content(0, f"body {n}", 1) == "malformed" for n in bad)


def test_a_script_without_faults_has_none() -> None:
    assert {Faults().transport(0, f"body {n}", n, 0) + Faults().content(0, f"body {n}", n) for n in range(500)} == {""}


def verdict(text: str) -> object:
    reply = json.loads(text)
    if reply["verdict"] not in ("A", "B", "tie", "both_bad"):
        raise ValueError(reply)
    return reply


def scores(text: str) -> object:
    reply = json.loads(text)
    if not all(isinstance(reply["scores"][name], int) and 1 <= reply["scores"][name] <= 10 for name in "AB"):
        raise ValueError(reply)
    return reply


@pytest.mark.parametrize(("scale", "read"), [("", verdict), ("<scale>1 to 10</scale>", scores)])
def test_a_spoiled_judgement_never_has_the_asked_format(scale: str, read: Callable[[str], object]) -> None:
    body = {"messages": [{"role": "user", "content": JUDGE.format(question=question(1), scale=scale)}]}
    asked, spoiled = read_request(body), set()
    for seed in range(200):
        said = say(0, CAST[0], asked, seed)
        read(said.text)
        bad = spoil(0, said, asked, "body", seed).text
        spoiled.add(bad)
        with pytest.raises((ValueError, KeyError, TypeError)):
            read(bad)
    assert len(spoiled) > 6


class Caller:
    """Posts one body over and over."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def __call__(self, seed: int = 0) -> tuple[int, dict[str, str], Any]:
        body = {"model": "m", "messages": [{"role": "user", "content": question(1)}], "seed": seed}
        async with self.session.post(f"{self.url}/chat/completions", json=body) as reply:
            return reply.status, dict(reply.headers), json.loads(await reply.read())

    async def until_in_flight(self, number: int) -> None:
        """Wait until the server has so many requests: it hears of a client's going away a moment later."""
        async with asyncio.timeout(60.0):
            while True:
                async with self.session.get(f"{self.url}/counts") as reply:
                    if (await reply.json())["in_flight"] == number:
                        return
                await asyncio.sleep(0.01)


def played(faults: Faults, scene: Callable[[Caller], Any], **script: Any) -> tuple[Any, dict[str, int]]:
    """What a scene gives with a server that has these faults, and the server's counts after it."""
    async def run(url: str) -> Any:
        async with aiohttp.ClientSession() as session:
            caller = Caller(url, session)
            result = await scene(caller)
            await caller.until_in_flight(0)
            return result

    with ScriptedServer(Script(models=CAST, faults=faults, **script)) as server:
        return asyncio.run(run(server.url)), server.counts()


def test_a_planned_500_and_429_reach_the_client_and_429_says_when_to_come_back() -> None:
    async def once(call: Caller) -> Any:
        return await call()

    (status, _, _), counts = played(Faults(error_500=1.0), once)
    assert (status, counts["fault_500"], counts["delivered"]) == (500, 1, 0)
    (status, headers, _), _ = played(Faults(error_429=1.0), once, retry_after_s=2)
    assert (status, headers["Retry-After"]) == (429, "2")


def test_a_cut_reply_promises_more_than_it_gives() -> None:
    async def once(call: Caller) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await call()

    _, counts = played(Faults(cut=1.0), once)
    assert (counts["fault_cut"], counts["delivered"]) == (1, 0)


def test_a_hanging_request_ends_with_the_clients_patience_and_holds_no_slot() -> None:
    async def twice(call: Caller) -> None:
        for _ in range(2):
            patience = asyncio.create_task(call())
            await call.until_in_flight(1)
            patience.cancel()
            await call.until_in_flight(0)

    _, counts = played(Faults(hang=1.0), twice, slots=1)
    assert (counts["fault_hang"], counts["max_in_flight"], counts["max_in_slots"]) == (2, 1, 0)


def test_an_empty_text_is_a_generators_malformed_reply() -> None:
    async def once(call: Caller) -> Any:
        return await call()

    (status, _, reply), counts = played(Faults(never_parse=1.0), once)
    assert (status, reply["choices"][0]["message"]["content"]) == (200, "")
    assert (counts["fault_never_parse"], counts["delivered"]) == (1, 1)


def test_repeating_one_body_meets_the_faults_that_were_drawn_for_it() -> None:
    async def many(call: Caller) -> list[int]:
        return [(await call())[0] for _ in range(40)]

    first, counts = played(Faults(error_500=0.5), many)
    assert 5 < first.count(500) < 35
    assert first == played(Faults(error_500=0.5), many)[0]
    assert (counts["repeated"], counts["distinct"]) == (39, 1)
