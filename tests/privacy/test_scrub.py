"""Scrubbing: planted secrets are gone wherever they stand, placeholders are stable, and ordinary text is left alone."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plants import Plant, plants
from privacy.find import found
from privacy.scrub import Scrub

PLANTS = plants()


def squeezed(text: str) -> str:
    """The letters and digits alone: a number is still there where only its dashes are gone."""
    return re.sub(r"[^A-Za-z0-9]", "", text)


def test_there_are_over_three_hundred_plants_of_every_kind_and_no_two_are_equal() -> None:
    assert len(PLANTS) >= 300
    assert len({plant.secret for plant in PLANTS}) == len(PLANTS)
    assert len({plant.kind for plant in PLANTS}) == 15


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.kind)
def test_a_planted_secret_is_gone(plant: Plant) -> None:
    clean, kinds = Scrub().text(plant.text)
    assert kinds
    assert not [mark for mark in plant.marks if squeezed(mark) in squeezed(clean)]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.kind)
def test_what_is_scrubbed_is_not_found_again(plant: Plant) -> None:
    clean, _ = Scrub().text(plant.text)
    assert Scrub().text(clean) == (clean, frozenset())


def test_the_text_around_a_secret_stays() -> None:
    assert Scrub().text("Write to maria.keller@example.com, or call (415) 555-2671.") == (
        "Write to <EMAIL_1>, or call <PHONE_1>.", {"EMAIL", "PHONE"})


def test_the_same_address_has_the_same_placeholder_throughout_a_conversation() -> None:
    scrub = Scrub()
    assert scrub.text("a@example.com and b@example.com")[0] == "<EMAIL_1> and <EMAIL_2>"
    assert scrub.text("So B@example.com, not A@EXAMPLE.com")[0] == "So <EMAIL_2>, not <EMAIL_1>"
    assert Scrub().text("b@example.com")[0] == "<EMAIL_1>"


def test_one_number_written_in_two_ways_has_one_placeholder() -> None:
    assert Scrub().text("+1 (415) 555-2671 or +14155552671")[0] == "<PHONE_1> or <PHONE_1>"


def test_json_is_scrubbed_in_texts_keys_and_long_numbers_and_nowhere_else() -> None:
    value = {"to": ["a@example.com", {"b@example.com": True}], "card": 4111111111111111, "count": 12, "share": 0.5,
             "none": None, "at": 1772445600}
    assert Scrub().value(value) == {"to": ["<EMAIL_1>", {"<EMAIL_2>": True}], "card": "<CARD_1>", "count": 12,
                                    "share": 0.5, "none": None, "at": 1772445600}


def test_two_keys_that_become_one_keep_both_values() -> None:
    assert Scrub().value({"a@example.com": 1, "A@example.com": 2}) == {"<EMAIL_1>": 1, "<EMAIL_1> (2)": 2}


ODD = (
    "ph 555-0123 ext. 4", "8 (495) 123-45-67", "+1-212-555-1234x99", "(212)555-1234", "Tel: +49 (0) 30 / 90 18 20",
    "IBANDE89370400440532013000", "BE68 5390 0754 7034", "30569309025904", "ssn#: 123.45.6789", "jane\uff20example.com",
    "key AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "curl -u bob:hunter22 https://x",
    "ghp_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "sk-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "xoxb-abcdefghijkl-abcdefghijkl", "::ffff:8.8.4.4", "[2001:db8::1]:443",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "https://:tok3n@host/", "my password is hunter2",
)
"""Forms that no carrier of the plants has."""


@pytest.mark.parametrize("text", ODD)
def test_an_odd_form_is_found_too(text: str) -> None:
    assert Scrub().text(text)[1]


HARMLESS = (
    "std::vector<int> a::b", "x[1::2]", "12:30:45", "aa:bb:cc:dd:ee:ff", "Chrome/91.0.4472.124", "version 1.2.3.4",
    "pip install foo==1.2.3.4", "127.0.0.1 and 0.0.0.0 and 255.255.255.0", "999.1.1.1", "2023-10-12 and 12.10.2023",
    "call on 2023-10-12", "pi is 3.14159265358979", "[1234567, 2345678, 3456789]", "x = 1689012345678",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "uuid 123e4567-e89b-12d3-a456-426614174000",
    "ISBN 978-3-16-148410-0", "4111 1111 1111 1112", "DE89 3704 0044 0532 0130 01", "000-12-3456", "666-12-3456",
    "@app.route('/x')", "git@github.com:team/app.git", "icon@2x.png", "sk-learn and task-oriented-dialogue-2024",
    "sk-fading-circle-with-some-words", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "curl -u user:password https://x",
    "https://user:password@host/", "https://{user}:{password}@host/", "password: string", "the password is required",
    "password = input('Password: ')", "api_key = os.environ['A1B2C3D4E5']", "token_count = 1234567890123456",
    "tokenizer = Tokenizer(max_vocab_size=10)", "1 000 000 000", "10,000,000", "0x7ffe1234abcd", "<EMAIL_1>",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA", "for i in range(1000000):", "-----BEGIN-----",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert Scrub().text(text) == (text, frozenset())


@given(st.text(max_size=200))
def test_any_text_is_scrubbed_without_an_error_and_findings_do_not_overlap(text: str) -> None:
    findings = found(text)
    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(one.end <= other.start for one, other in pairwise(findings))


@given(st.sampled_from(PLANTS), st.text(" abcxyz,.!?\n", max_size=20), st.text(" abcxyz,.!?\n", max_size=20))
def test_a_plant_is_gone_whatever_words_stand_around_it(plant: Plant, before: str, after: str) -> None:
    clean, _ = Scrub().text(f"{before} {plant.text} {after}")
    assert not [mark for mark in plant.marks if mark in clean]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3), max_leaves=10))
def test_json_without_anything_private_stays_as_it_is(value: object) -> None:
    if not any(found(text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"|(\d+)', json.dumps(value)) for text in text):
        assert Scrub().value(value) == value


def test_a_long_text_takes_time_in_proportion_to_its_length() -> None:
    for unit in ("a@", "1-", "key: ", "eyJ", "-----BEGIN X-----", "sk-", "://:", '"+"', "(((", "0:" * 8, "A" * 64, "\\",
                 "%25", "&amp;#", "\u200b", "\uff11", "a at b dot ", "password ", "cookie: sid=",
                 "aGVsbG8gd29ybGQsIHRoaXMg"):
        assert isinstance(found(unit * (200_000 // len(unit))), list)
