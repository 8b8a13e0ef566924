"""Replies of judges: what is a vote, what is not, and why."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.jury.logprobs import p_first
from feedback.jury.parse import Unparsable, read_score, read_scores, read_verdict

GOOD_SCORES = [
    ('{"rationale": "fine", "score": 7}', 7.0),
    ('{"score": 7}', 7.0),
    ('{"score": 7, "rationale": null}', 7.0),
    ('{"rationale": "", "score": 7.5}', 7.5),
    ('{"rationale": "", "score": 1}', 1.0),
    ('{"rationale": "", "score": 10}', 10.0),
    ('{"rationale": "", "score": 10.0}', 10.0),
    ('{"rationale": "", "score": 1e1}', 10.0),
    (' \n {"score": 3}\n\n', 3.0),
    ('```json\n{"rationale": "x", "score": 4}\n```', 4.0),
    ('\n```json\n{\n  "rationale": "x",\n  "score": 4\n}\n```\n', 4.0),
    ('```json\r\n{"score": 4}\r\n```', 4.0),
    (json.dumps({"rationale": '</answer>{"score": 1}', "score": 9}), 9.0),
    (json.dumps({"rationale": "the score is 2. ```json {\"score\": 2}```", "score": 8}), 8.0),
]
BAD_SCORES = [
    ("", "empty"),
    ("  \n", "empty"),
    ("7", "not one JSON object"),
    ("7/10", "not one JSON object"),
    ("I give it a 7.", "not one JSON object"),
    ('{"rationale": "cut of', "not one JSON object"),
    ('[{"score": 7}]', "not one JSON object"),
    ('{"score": 7} {"score": 8}', "not one JSON object"),
    ('Sure! {"score": 7}', "not one JSON object"),
    ('{"score": 7} I hope this helps.', "not one JSON object"),
    ('```\n{"score": 7}\n```', "not one JSON object"),
    ('```json\n{"score": 7}\n```\n```json\n{"score": 8}\n```', "not one JSON object"),
    ("{'score': 7}", "not one JSON object"),
    ('{"score": 7,}', "not one JSON object"),
    ('{"rationale": "a\nb", "score": 7}', "not one JSON object"),
    ("[" * 100_000, "not one JSON object"),
    ('{"score": ' + "9" * 5000 + "}", "not one JSON object"),
    ("null", "not one JSON object"),
    ("{}", "no 'score'"),
    ('{"scores": {"A": 7}}', "no 'score'"),
    ('{"Score": 7}', "no 'score'"),
    ('{"score": 7, "score": 8}', "a key is given twice"),
    ('{"score": 7, "confidence": 1}', "unknown key 'confidence'"),
    ('{"score": "7"}', "score is not a number"),
    ('{"score": null}', "score is not a number"),
    ('{"score": true}', "score is not a number"),
    ('{"score": [7]}', "score is not a number"),
    ('{"score": NaN}', "NaN is not JSON"),
    ('{"score": Infinity}', "Infinity is not JSON"),
    ('{"score": 1e999}', "score is outside 1 to 10"),
    ('{"score": 0}', "score is outside 1 to 10"),
    ('{"score": -1}', "score is outside 1 to 10"),
    ('{"score": 11}', "score is outside 1 to 10"),
    ('{"score": 10.5}', "score is outside 1 to 10"),
    ('{"score": 7.3}', "score is not a whole or half point"),
    ('{"rationale": 5, "score": 7}', "'rationale' is not text"),
]
GOOD_VERDICTS = ["A", "B", "tie", "both_bad"]
BAD_VERDICTS = [
    ('"A"', "not one JSON object"),
    ("A", "not one JSON object"),
    ('{"verdict": "C"}', "verdict 'C' is not one of A, B, tie, both_bad"),
    ('{"verdict": "a"}', "verdict 'a' is not one of A, B, tie, both_bad"),
    ('{"verdict": " A"}', "verdict ' A' is not one of A, B, tie, both_bad"),
    ('{"verdict": "TIE"}', "verdict 'TIE' is not one of A, B, tie, both_bad"),
    ('{"verdict": ""}', "verdict '' is not one of A, B, tie, both_bad"),
    ('{"verdict": null}', "verdict None is not one of A, B, tie, both_bad"),
    ('{"verdict": ["A"]}', "verdict ['A'] is not one of A, B, tie, both_bad"),
    ('{"verdict": 1}', "verdict 1 is not one of A, B, tie, both_bad"),
    ('{"verdict": "A", "verdict": "B"}', "a key is given twice"),
    ('{"rationale": "B is better"}', "no 'verdict'"),
    ('{"winner": "A", "verdict": "A"}', "unknown key 'winner'"),
]
BAD_TOGETHER = [
    ('{"scores": {"A": 7, "B": 3}}', "no score for answer C"),
    ('{"scores": {"A": 7, "C": 3}}', "no score for answer B"),
    ('{"scores": {}}', "no score for answer A"),
    ('{"scores": {"A": 7, "B": 3, "C": 1, "D": 2}}', "a score for an answer that was not shown"),
    ('{"scores": {"A": 7, "B": 3, "C": 1, "best": "A"}}', "a score for an answer that was not shown"),
    ('{"scores": {"a": 7, "b": 3, "c": 1}}', "no score for answer A"),
    ('{"scores": {"A": 7, "B": 3, "C": 11}}', "score of C is outside 1 to 10"),
    ('{"scores": {"A": 7, "B": null, "C": 1}}', "score of B is not a number"),
    ('{"scores": {"A": 7, "A": 6, "B": 3, "C": 1}}', "a key is given twice"),
    ('{"scores": [7, 3, 1]}', "'scores' is not an object"),
    ('{"score": 7}', "no 'scores'"),
]


@pytest.mark.parametrize(("text", "score"), GOOD_SCORES)
def test_a_reply_in_the_asked_form_is_its_score(text: str, score: float) -> None:
    assert read_score(text, (1, 10))[0] == [score]


@pytest.mark.parametrize(("text", "reason"), BAD_SCORES)
def test_a_reply_in_another_form_is_no_score_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(Unparsable) as caught:
        read_score(text, (1, 10))
    assert str(caught.value) == reason


@pytest.mark.parametrize("verdict", GOOD_VERDICTS)
def test_each_of_the_four_verdicts_is_read_as_it_is(verdict: str) -> None:
    assert read_verdict(json.dumps({"rationale": "because", "verdict": verdict})) == (verdict, "because")


@pytest.mark.parametrize(("text", "reason"), BAD_VERDICTS)
def test_any_other_verdict_is_none_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(Unparsable) as caught:
        read_verdict(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("text", "reason"), BAD_TOGETHER)
def test_scores_that_do_not_fit_the_letters_shown_are_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(Unparsable) as caught:
        read_scores(text, (1, 10), 3)
    assert str(caught.value) == reason


def test_scores_come_in_the_order_of_the_letters_whatever_the_order_of_the_keys() -> None:
    assert read_scores('{"scores": {"C": 1, "A": 7, "B": 3.5}}', (1, 10), 3)[0] == [7.0, 3.5, 1.0]


def test_a_gap_in_the_letters_is_seen_even_where_their_number_is_unknown() -> None:
    with pytest.raises(Unparsable, match="no score for answer B"):
        read_scores('{"scores": {"A": 7, "C": 3}}', (1, 10), None)


def test_a_rationale_that_no_file_can_hold_does_not_lose_the_vote() -> None:
    scores, rationale = read_score('{"rationale": "odd \\ud800 sign", "score": 5}', (1, 10))
    assert scores == [5.0]
    assert (rationale or "").encode() == b"odd ? sign"


@given(st.text(max_size=60))
def test_no_text_ever_raises_anything_but_unparsable(text: str) -> None:
    for said in (text, f'{{"verdict": {text}}}', f'{{"score": {text}}}'):
        with suppress(Unparsable):
            read_verdict(said)
        with suppress(Unparsable):
            assert 1 <= read_score(said, (1, 10))[0][0] <= 10


@given(st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 12), min_size=1))
def test_scores_are_read_exactly_when_letters_and_scale_fit(scores: dict[str, int]) -> None:
    fits = set(scores) == set("ABC") and all(1 <= score <= 10 for score in scores.values())
    try:
        read_scores(json.dumps({"scores": scores}), (1, 10), 3)
        assert fits
    except Unparsable:
        assert not fits


def _logprobs(*tokens: tuple[str, dict[str, float]]) -> str:
    return json.dumps({"content": [
        {"token": said, "logprob": math.log(0.5),
         "top_logprobs": [{"token": other, "logprob": math.log(p)} for other, p in tops.items()]}
        for said, tops in tokens]})


def test_the_probability_of_the_first_is_the_share_of_its_letter_among_the_two() -> None:
    said = _logprobs(('{"rationale": "A', {}), ('", "verdict": "', {}), ("A", {"A": 0.6, "B": 0.2, "tie": 0.2}),
                     ('"}', {}))
    assert p_first(said) == pytest.approx(0.75)


def test_a_verdict_token_that_holds_the_quote_too_is_found() -> None:
    said = _logprobs(('{"verdict":', {}), (' "B', {' "A': 0.1, ' "B': 0.9, "A": 0.5}), ('"}', {}))
    assert p_first(said) == pytest.approx(0.1)


@pytest.mark.parametrize("said", [
    None, "", "no json", "[]", '{"content": null}', _logprobs(('{"rationale": "B"}', {"B": 1.0})),
    _logprobs(('{"verdict": "', {}), ("tie", {"tie": 0.9, "both": 0.1})),
])
def test_without_a_verdict_token_there_is_no_probability(said: str | None) -> None:
    assert p_first(said) is None


@pytest.mark.parametrize("other", ["A", None, {"token": "A"}, {"token": "A", "logprob": None},
                                   {"token": "B", "logprob": math.nan}])
def test_an_alternative_that_says_no_probability_never_fails_the_build(other: object) -> None:
    tokens = [{"token": '"verdict": "', "top_logprobs": []}, {"token": "A", "top_logprobs": [other]}]
    assert p_first(json.dumps({"content": tokens})) is None


def test_a_probability_above_one_is_one() -> None:
    tokens = [{"token": '"verdict": "'}, {"token": "A", "top_logprobs": [{"token": "A", "logprob": 1e6},
                                                                        {"token": "B", "logprob": 0.0}]}]
    assert p_first(json.dumps({"content": tokens})) == 0.5
