"""PRISM: up to four answers at once, scores of their user's own scale, the chosen one gone on with."""

from feedback.chatlogs.readers.prism import FORMAT
from tests.chatlogs.flat import broken, of, said, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "prism.jsonl"


def test_the_main_path_goes_through_the_chosen_answers() -> None:
    found = read(LOG)
    assert said(found, "model", "on_main_path", "depth") == [
        ("Green tea?", "assistant", "Also.", "m-a", False, 3),
        ("Green tea?", "assistant", "Very.", "m-a", True, 3),
        ("Is tea good?", "assistant", "Maybe.", "m-c", False, 1),
        ("Is tea good?", "assistant", "No.", "m-b", False, 1),
        ("Is tea good?", "assistant", "Yes.", "m-a", True, 1),
        ("Who wins?", "assistant", "", "m-a", True, 1),
        ("Yes.", "user", "Green tea?", None, True, 2),
        (None, "user", "Is tea good?", None, True, 0),
        (None, "user", "Who wins?", None, True, 0),
    ]
    assert counted(found, "messages", "in") == 7 + 4
    assert left_out(found, "messages") == {"no turn": 1, "repeated": 1}
    assert set(found.messages["redistributable"]) == {False}
    assert of(found, "user_hash")["Yes."] != of(found, "user_hash")["Who wins?"]


def test_scores_and_choices_compare_the_answers_of_one_turn() -> None:
    found = read(LOG)
    assert told(found, "value", "scale_min", "scale_max", "text") == [
        ("comment", "Very.", [], None, None, None, "Short and sweet."),
        ("score", "", [], 1.0, 1.0, 100.0, None),
        ("score", "Also.", ["Very."], 70.0, 1.0, 100.0, None),
        ("score", "No.", ["Maybe.", "Yes."], 20.0, 1.0, 100.0, None),
        ("score", "Very.", ["Also."], 95.0, 1.0, 100.0, None),
        ("score", "Yes.", ["Maybe.", "No."], 80.0, 1.0, 100.0, None),
        ("vote", "Very.", ["Also."], 1.0, -1.0, 1.0, None),
        ("vote", "Yes.", ["Maybe.", "No."], 1.0, -1.0, 1.0, None),
    ]
    assert left_out(found, "signals") == {"about the whole conversation": 3, "of a message that was left out": 1}


def test_a_record_without_a_name_says_what_it_should_be() -> None:
    assert broken(FORMAT, {"conversation_history": []}) == (
        "holds no conversation: conversation_id is a text, conversation_history a list of messages")
