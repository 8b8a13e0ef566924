"""PreferenceDataset: a recipe, which says how each table of a preference dataset is made. No Dagster here."""

import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, NoneType
from typing import Any

import polars as pl

from assets import log_misuse, misuse
from assets.cron import why_no_cron
from assets.rounds import Rounds, check_rounds
from audits.accuracy import Quality
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.cues import Cues
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.followups import FollowUps
from feedback.chatlogs.hindsight import Hindsight
from feedback.chatlogs.logs import ChatLogs
from feedback.chatlogs.validate import Validate
from feedback.jury.aggregate import Aggregate
from feedback.jury.compare import Compare
from feedback.jury.rate import Rate
from feedback.testcases.answers import Answers
from feedback.testcases.execute import Execute
from feedback.testcases.generate import Generate
from feedback.testcases.given import Given
from feedback.testcases.keep_correct import KeepCorrect
from feedback.testcases.loops import Hints, Repairs, Steps
from feedback.testcases.mutate import Mutate
from feedback.testcases.mutation_score import MutationScore
from feedback.testcases.outcomes import Check
from feedback.testcases.programs import Programs
from feedback.testcases.references import References
from feedback.testcases.vote import Vote
from filters.rule import PairRule, ResponseRule, Rule
from generators.engines import Engine, load_engines
from generators.made import Made
from generators.sample import Sample
from preferences.by_events import PairByEvents
from preferences.by_steps import PairBySteps
from preferences.by_tests import PairByTests
from preferences.lists import Lists
from preferences.pair import Pair
from preferences.unpaired import Unpaired
from preferences.unpaired_by_events import UnpairedByEvents
from preferences.unpaired_by_tests import UnpairedByTests
from schemas.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent
Jury = Rate | Compare | FollowUps
Importer = Callable[[], Made]
"""Makes a table from the user's files, without a model call."""
Derived = Callable[[pl.DataFrame], Made]
"""Makes a table from another: inputs from the prompts, or cases from cases, such as those that two sources agree on."""
Teller = Cues | Detect | Validate | Hindsight | Callable[[pl.DataFrame, pl.DataFrame], Made]
"""Makes feedback events of what users say: cues, a model, one that checks it, or a function of messages and signals."""
Pairing = Pair | PairByTests | PairBySteps | PairByEvents
InputSource = Generate | Given | Mutate | Derived
CaseSource = Vote | Generate | Given | References


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceDataset:
    """How each table of a preference dataset is made: one keyword a table."""

    name: str
    messages: ChatLogs | None = None
    """MESSAGES, and the SIGNALS in them: `chat_logs(...)`; None: the dataset is not mined from logs."""
    feedback_events: Teller | Sequence[Teller] | None = None
    """FEEDBACK_EVENTS besides the signals, found in users' words: `cues()`, or `(detect("a"), validate("b"))`."""
    prompts: Importer
    """PROMPTS: `read(...)`, an importer's `.prompts`, or `logged()` of chat logs."""
    responses: Sample | Importer
    """RESPONSES: `sample(...)`, an importer's `.responses`, or `logged()` of chat logs."""
    judgments: Jury | Importer | Sequence[Jury | Importer] | None = None
    """JUDGMENTS: `rate(...)`, `compare(...)`, `follow_ups(...)`, an importer's `.judgments`, or several; None: pairs
    need no votes."""
    rankings: Aggregate | None = None
    """RANKINGS: `mean()`, `median()`, `majority()`."""
    programs: Programs | None = None
    """PROGRAMS, the code in the responses: `programs()`; None: nothing is run."""
    test_inputs: InputSource | Sequence[InputSource] | None = None
    """TEST_INPUTS: `generate_inputs(...)`, `generate_tests(...)`, `given(...)`, `given_tests(...)`, or several, then
    `mutate_inputs()` of them; `answer_inputs` where answers are stated."""
    executions: Execute | Answers | None = None
    """EXECUTIONS: `execute()` runs programs, `answers()` reads what responses state."""
    test_cases: CaseSource | Sequence[CaseSource | Derived] | None = None
    """TEST_CASES: `vote_outputs()`, `generate_cases(...)`, `given(...)`, `given_tests(...)`, `by_reference()`, or
    several; functions of cases, such as `agreed`, come last."""
    outcomes: Check | None = None
    """OUTCOMES: `check()`."""
    steps: Steps | None = None
    """STEPS: `steps(cut(...), complete([...]), value_steps(...))`, for `pair_by_steps(...)`."""
    repairs: Repairs | None = None
    """RESPONSES made of those that fail: `repairs(repair([...]), report(...))`; pairs and labels read them too."""
    hints: Hints | None = None
    """CRITIQUES that help a weak student to repair: `hints(tutor([...]), repair([...], n=10, rounds=1))`."""
    correct: KeepCorrect | None = None
    """RESPONSES that pass every test, to fine-tune on: `keep_correct(cap=10)`."""
    mutation: MutationScore | None = None
    """MEASUREMENTS of how good the cases of each prompt are: `mutation_score(most=30)`; no label reads them."""
    preferences: Pairing | Sequence[PairByTests | PairBySteps]
    """PREFERENCES, the candidates: `pair(...)`, `pair_by_tests(...)` from outcomes, `pair_by_steps(...)` from steps,
    or these two together; `pair_by_events(...)` from feedback events."""
    kept: Sequence[Rule] = ()
    """The filters; what they remove goes to the dropped table with its reason."""
    unpaired: Unpaired | UnpairedByTests | UnpairedByEvents | None = None
    lists: Lists | None = None
    rounds: Rounds | None = None
    """`rounds(3)`: the dataset is made in rounds, each on prompts and with a policy of its own."""
    round: int | None = None
    """Which of them this is; set where rounds are unrolled."""
    engines: Path = Path("engines.toml")
    """The engines file, relative to the checkout."""
    reasks: int = 2
    """How often a reply that does not parse is asked again."""
    schedule: str | None = None
    """When to build, as a cron expression in UTC."""
    truth: Quality | References | Given | None = None
    """The true quality of an answer, where it is known; the audit then reports how often labels are right. Of tested
    answers also `by_reference()` or `given(...)`, which say what is expected."""
    about: str = ""
    """What the dataset is, for its card; default: the recipe file's docstring."""
    source: str = ""
    """The recipe file's text, set when it is loaded; the card shows it."""

    def __post_init__(self) -> None:
        self._check_name()
        self._check_kinds()
        if self.schedule is not None and (wrong := why_no_cron(self.schedule)):
            raise ConfigError(f"{self.name}: schedule={self.schedule!r} is no cron expression: {wrong}; write minute, "
                              'hour, day, month and weekday, such as "0 3 * * 1" for Mondays at 03:00 UTC')
        log_misuse.check_logs(self)
        misuse.check_pairings(self)
        misuse.check_votes(self)
        misuse.check_tests(self)
        misuse.check_splits(self)
        check_rounds(self)

    def _check_name(self) -> None:
        name = self.name
        if not (name.isidentifier() and name.isascii() and name.islower()) or keyword.iskeyword(name):
            raise ConfigError(f"dataset name {name!r}: write lower-case letters, digits and underscores, "
                              "and no word of Python's own")

    def _check_kinds(self) -> None:
        """Recipes are written by hand, mostly without a type checker: say which keyword holds a wrong thing."""
        for name, (kinds, remedy) in _KINDS.items():
            value = getattr(self, name)
            several = name == "kept" or (name in _SEVERAL and isinstance(value, list | tuple))
            for part in value if several else (value,):
                if not (isinstance(part, kinds) or (Made in kinds and callable(part))):
                    raise ConfigError(f"{self.name}: {name}= holds {_named(part)}; {remedy}")

    @property
    def slug(self) -> str:
        """The name of its builds, job and partitions: the dataset's, and the round's."""
        return self.name if self.round is None else f"{self.name}_r{self.round}"

    @property
    def key(self) -> list[str]:
        """What its asset keys begin with."""
        return [self.name] if self.round is None else [self.name, f"r{self.round}"]

    @property
    def tellers(self) -> tuple[Teller, ...]:
        """The parts of the feedback_events table that read users' words."""
        return _parts(self.feedback_events)

    @property
    def judged(self) -> tuple[Jury | Importer, ...]:
        """The parts of the judgments table."""
        return _parts(self.judgments)

    @property
    def juries(self) -> tuple[Jury, ...]:
        """The parts of the judgments table that models make."""
        return tuple(part for part in self.judged if isinstance(part, Jury))

    @property
    def written_inputs(self) -> tuple[InputSource, ...]:
        """The parts of the test_inputs table."""
        return _parts(self.test_inputs)

    @property
    def case_sources(self) -> tuple[CaseSource, ...]:
        """The parts of the test_cases table that make cases."""
        return tuple(part for part in _parts(self.test_cases) if isinstance(part, CaseSource))

    @property
    def case_rules(self) -> tuple[Derived, ...]:
        """The functions that the cases of all sources go through, in their order."""
        return tuple(part for part in _parts(self.test_cases) if not isinstance(part, CaseSource))

    @property
    def writers(self) -> tuple[Generate, ...]:
        """What models write of the test cases, each part once though it may make inputs and cases."""
        parts = (*self.written_inputs, *self.case_sources)
        return tuple(dict.fromkeys(part for part in parts if isinstance(part, Generate)))

    @property
    def writes_tests(self) -> bool:
        """Whether models write test programs, whose style and smells are told."""
        return any(part.kind == "tests" for part in self.writers)

    @property
    def pairings(self) -> tuple[Pairing, ...]:
        """The parts of the preferences table: whole answers, beginnings, or both."""
        return _parts(self.preferences)

    @property
    def loops(self) -> tuple[Steps | Repairs | Hints, ...]:
        """What asks models again once tests are known."""
        return tuple(part for part in (self.steps, self.repairs, self.hints) if part is not None)

    @property
    def calls_models(self) -> bool:
        """Whether any table is made by asking an engine."""
        return isinstance(self.responses, Sample | LoggedAgain) or bool(self.juries) or bool(self.writers) or bool(
            self.loops) or any(isinstance(part, Detect | Validate) for part in self.tellers)


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "messages": ((ChatLogs, NoneType), 'write chat_logs("logs/**/*.json")'),
    "feedback_events": ((Cues, Detect, Validate, Hindsight, Made, NoneType),
                        "write cues(), or detect(...) and validate(...)"),
    "prompts": ((Made,), 'write read("prompts.jsonl") or an importer\'s .prompts'),
    "responses": ((Sample, Made), "write sample(...) or an importer's .responses"),
    "judgments": ((Rate, Compare, FollowUps, Made, NoneType),
                  "write rate(...), compare(...), follow_ups(...), or an importer's .judgments"),
    "rankings": ((Aggregate, NoneType), "write mean(), median() or majority()"),
    "programs": ((Programs, NoneType), "write programs()"),
    "test_inputs": ((Generate, Given, Mutate, FunctionType, NoneType),
                    "write generate_inputs(...), given(...), given_tests(...), or answer_inputs"),
    "executions": ((Execute, Answers, NoneType), "write execute(), or answers()"),
    "test_cases": ((Vote, Generate, Given, References, FunctionType, NoneType),
                   "write vote_outputs(), generate_cases(...), given(...), given_tests(...) or by_reference()"),
    "outcomes": ((Check, NoneType), "write check()"),
    "steps": ((Steps, NoneType), "write steps(cut(), complete([...]), value_steps())"),
    "repairs": ((Repairs, NoneType), "write repairs(repair([...]))"),
    "hints": ((Hints, NoneType), "write hints(tutor([...]), repair([...], n=10, rounds=1))"),
    "correct": ((KeepCorrect, NoneType), "write keep_correct()"),
    "mutation": ((MutationScore, NoneType), "write mutation_score()"),
    "preferences": ((Pair, PairByTests, PairBySteps, PairByEvents),
                    'write pair("best-worst"), pair_by_tests(), pair_by_steps(), or pair_by_events(...)'),
    "kept": ((ResponseRule, PairRule), "write rules such as empty or margin(0.25), with their numbers in parentheses"),
    "unpaired": ((Unpaired, UnpairedByTests, UnpairedByEvents, NoneType),
                 "write unpaired(...), unpaired_by_tests(), or unpaired_by_events(...)"),
    "lists": ((Lists, NoneType), "write lists()"),
    "rounds": ((Rounds, NoneType), "write rounds(3)"),
    "engines": ((Path,), 'write Path("engines.toml")'),
}
"""What each keyword may hold, `Made` standing for functions that make one, and what to write."""
_SEVERAL = ("feedback_events", "judgments", "test_inputs", "test_cases", "preferences")


def _parts(value: Any) -> tuple[Any, ...]:
    """The parts of a table that may have several."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, Sequence) else (value,)


def _named(value: object) -> str:
    return f"the function {value.__name__}" if isinstance(value, FunctionType) else repr(value)[:80]


def known_engines(dataset: PreferenceDataset, must_exist: bool = False) -> dict[str, Engine]:
    """The engines the recipe's engines file knows; or none where it calls none, or has no file."""
    if not dataset.calls_models or (not dataset.engines.exists() and not must_exist):
        return {}
    return load_engines(dataset.engines)
