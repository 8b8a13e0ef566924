"""The page on what chat logs license shows recipes that load, and names every rule."""

import re
from pathlib import Path

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from preferences.by_events import RULES
from preferences.unpaired_by_events import SOURCES

PAGE = (Path(__file__).parents[2] / "docs" / "chat_pairs.md").read_text(encoding="utf-8")


def test_the_recipes_shown_are_datasets_with_all_their_stages() -> None:
    shown = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        names: dict[str, PreferenceDataset] = {}
        exec(code, names)  # type: ignore[arg-type]
        shown[names["dataset"].name] = [stage.name for stage in build_stages(names["dataset"])]
    assert {"messages", "turn_cues", "feedback_events", "prompts", "responses", "unpaired"} <= set(shown["mined"])
    assert {"judge_completions", "judgments", "rankings"} <= set(shown["likelihood"])
    assert {"detect_completions", "validate_completions", "inference_completions", "summaries",
            "again_completions", "judgments"} <= set(shown["wildfeedback"])


def test_every_rule_and_source_is_told() -> None:
    assert all(f'| `"{name}"' in PAGE for name in RULES)
    assert all(f'`"{name}"`' in PAGE for name in SOURCES)
