"""Names of people and places, by option: they need a model, and Winnow's own installation holds none.

    chat_logs("logs/**/*", names=presidio())

Presidio (pip install presidio-analyzer, and its spaCy model) runs on this machine. Anything else that finds names may
stand in its place: a function from a text to findings of the kinds NAME and ADDRESS.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from privacy.finding import Finding
from schemas.errors import ConfigError

Names = Callable[[str], Sequence[Finding]]
"""What finds names in a text."""
_KINDS = {"PERSON": "NAME", "LOCATION": "ADDRESS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Presidio:
    """Finds names with Presidio's recognisers; see `presidio`."""

    language: str
    model: str
    least: float

    def __call__(self, text: str) -> list[Finding]:
        """The names and places in a text that Presidio is sure enough of."""
        found = _analyzer(self.language, self.model).analyze(
            text, language=self.language, entities=list(_KINDS), score_threshold=self.least)
        return [Finding(_KINDS[one.entity_type], one.start, one.end) for one in found]


def presidio(language: str = "en", model: str = "en_core_web_lg", least: float = 0.5) -> Presidio:
    """Names of people and places by Presidio, with this spaCy model; `least` is the score from which one counts.

    Nothing is downloaded: the model must be installed. Expect some hundred texts a second.
    """
    return Presidio(language=language, model=model, least=least)


@cache
def _analyzer(language: str, model: str) -> Any:
    """One for the process: loading a model takes seconds. Raises ConfigError where package or model is missing."""
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpEngineProvider
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
        from spacy.util import is_package
    except ImportError as error:
        raise ConfigError(f"names=presidio(): {error.name} is not installed; pip install presidio-analyzer, and the "
                          f"spaCy model {model}") from error
    if not is_package(model):  # Presidio would fetch it
        raise ConfigError(f"names=presidio(): the spaCy model {model} is not installed; install it, or name another")
    engine = NlpEngineProvider(nlp_configuration={
        "nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}).create_engine()
    known = RecognizerRegistry(recognizers=[SpacyRecognizer(supported_language=language)],
                               supported_languages=[language])
    return AnalyzerEngine(nlp_engine=engine, registry=known, supported_languages=[language])
