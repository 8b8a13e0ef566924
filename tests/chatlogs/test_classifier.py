"""The learned filter on planted turns: what it learns, what its threshold promises, that it is the same every time."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feedback.chatlogs.classifier import Classifier, load, save, threshold_for, train
from feedback.chatlogs.cue_table import features
from feedback.chatlogs.cues import cues
from schemas import TURN_CUES
from schemas.errors import ConfigError, InputError
from schemas.ids import draw
from tests.chatlogs.talk import messages, obeys, talk

MADE = 400
TOPICS = ("whales", "sorting", "poems", "taxes", "bread")
PLAIN = ("tell me about {}", "how does one learn {}", "what is known of {}", "list books on {}")
LIKE_FEEDBACK = ("{} came out crooked", "the part on {} is crooked", "crooked again, {}")
"""Feedback that no cue of the pack knows."""


def planted() -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    holds = [draw(0, "holds", number) < 0.3 for number in range(MADE)]
    said = [(LIKE_FEEDBACK if one else PLAIN)[number % 3].format(TOPICS[number % 5])
            for number, one in enumerate(holds)]
    turns = features([(None, text) for text in said]).with_columns(evidence=pl.Series(said))
    return turns, pl.Series(holds), pl.Series([1.0 if number % 2 else 0.1 for number in range(MADE)])


def trained(recall: float = 0.9) -> Classifier:
    return train(*planted(), recall)


def test_it_learns_feedback_that_no_cue_knows() -> None:
    turns, holds, _ = planted()
    found = trained()
    said = ["the bread is crooked", "how does one learn baking"]
    high, low = found.scores(features([(None, one) for one in said]).with_columns(evidence=pl.Series(said)))
    assert high > 0.6
    assert low < min(0.3, found.threshold)
    flagged = found.scores(turns) >= found.threshold
    assert (flagged & holds).sum() / holds.sum() >= 0.85
    assert (flagged & ~holds).sum() / (~holds).sum() <= 0.1
    assert cues().flagged(turns).height < holds.sum() / 2


def test_the_threshold_is_the_highest_that_reaches_the_recall_by_weight() -> None:
    chance, holds = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    even, heavy = np.ones(5), np.array([1.0, 1.0, 1.0, 8.0, 1.0])
    assert [threshold_for(chance, holds, even, recall) for recall in (0.3, 0.5, 0.9)] == [0.9, 0.7, 0.6]
    assert threshold_for(chance, holds, heavy, 0.5) == 0.6


def test_training_again_in_another_order_gives_the_same_file() -> None:
    turns, holds, inclusion = planted()
    again = train(turns.reverse(), holds.reverse(), inclusion.reverse(), 0.9)
    assert again.digest == trained().digest
    assert again.digest != trained(0.5).digest


def test_a_saved_filter_flags_turns_in_place_of_cues(tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    save(trained(), path)
    assert load(path) == trained()
    log = messages(talk("c", "bake bread", "done", "bread came out crooked", "so", "what is known of bread"))
    learned = cues(learned=path)
    found = learned.measure(log).table
    assert obeys(TURN_CUES, found)
    assert learned.flagged(found)["evidence_msg_id"].to_list() == ["c/2"]
    assert cues().flagged(found).height == 0
    assert found["cues_version"][0] != cues().measure(log).table["cues_version"][0]
    assert learned.measure(messages()).table.height == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weights": 3}', '{"weights": [], "rarity": [], "threshold": 0.5, '
                                  '"trained_on": 1, "recall": 0.9}'])
def test_a_file_that_is_no_filter_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "filter.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"filter\.json"):
        cues(learned=path)


def test_a_filter_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.json")


def test_without_both_kinds_of_turns_there_is_nothing_to_learn() -> None:
    turns, holds, inclusion = planted()
    with pytest.raises(ConfigError, match="label more turns"):
        train(turns, holds & False, inclusion, 0.9)
    with pytest.raises(ConfigError, match="recall=1"):
        train(turns, holds, inclusion, 1)
