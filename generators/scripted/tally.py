"""What a scripted server saw: counts, and the ledger with one line for each chat request."""

from collections import Counter
from dataclasses import asdict, dataclass

import orjson

from generators.plant import question_number
from generators.scripted.replies import Asked
from schemas.ids import text_digest


@dataclass(slots=True)
class Served:
    """One line of the ledger: a chat request and what became of it."""

    arrival: int
    """Its number, counting from 0."""
    model: str
    body: str
    """Digest of its body without the seed."""
    seed: int
    kind: str
    """answer, rate or compare."""
    aspect: str
    question: int | None
    """The planted question's number; null for any other text."""
    shown: list[str]
    """Digests of the answers a judge was shown, in the order shown."""
    said: str = ""
    """The text of the reply; empty where none was sent."""
    fault: str = ""
    """The fault it met: 500, 429, full, hang, cut, malformed, never_parse, never_answer; empty: none."""
    delivered: bool = False
    """Whether a whole reply of status 200 was sent, malformed ones included."""


class Tally:
    """Counts of what came and went, and the ledger."""

    def __init__(self, keep_ledger: bool) -> None:
        self.ledger: list[Served] = []
        self.keep_ledger = keep_ledger
        self.times: Counter[tuple[str, int]] = Counter()
        self.answered: set[tuple[str, int]] = set()
        self.numbers: Counter[str] = Counter()
        self.open = 0
        self.working = 0

    def arrive(self, model: str, body: str, seed: int, asked: Asked) -> tuple[Served, int]:
        """Note a request; gives its ledger line and how often this very body came before."""
        served = Served(
            self.numbers["received"], model, body, seed, asked.kind, asked.aspect, question_number(asked.question),
            [text_digest(text) for text in asked.answers] if self.keep_ledger else [],
        )
        if self.keep_ledger:
            self.ledger.append(served)
        times = self.times[body, seed]
        self.times[body, seed] = times + 1
        self.numbers["received"] += 1
        self.numbers["asked_again"] += (body, seed) in self.answered
        self.open += 1
        self.numbers["max_in_flight"] = max(self.numbers["max_in_flight"], self.open)
        return served, times

    def start_work(self) -> None:
        """A request takes a slot."""
        self.working += 1
        self.numbers["max_in_slots"] = max(self.numbers["max_in_slots"], self.working)

    def deliver(self, served: Served) -> None:
        """A whole reply went out."""
        served.delivered = True
        self.numbers["delivered"] += 1
        self.answered.add((served.body, served.seed))

    def leave(self, served: Served) -> None:
        """A request is over, however it ended."""
        self.open -= 1
        if served.fault:
            self.numbers[f"fault_{served.fault}"] += 1

    def counts(self) -> dict[str, int]:
        """The counts as docs/scripted_server.md lists them."""
        named = ("received", "delivered", "asked_again", "max_in_flight", "max_in_slots")
        faults = {name: n for name, n in sorted(self.numbers.items()) if name.startswith("fault_")}
        distinct = len(self.times)
        repeated = self.numbers["received"] - distinct
        known = {name: self.numbers[name] for name in named}
        return {**known, "in_flight": self.open, "distinct": distinct, "repeated": repeated, **faults}


def ledger_lines(ledger: list[Served]) -> bytes:
    """The ledger as JSON lines."""
    return b"".join(orjson.dumps(asdict(served)) + b"\n" for served in ledger)
