"""A hostile user hides what they say: it is found all the same, or docs/privacy.md says that it is not."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plants import plants
from privacy.find import found
from privacy.scan import found as scanned
from privacy.scrub import Scrub
from tests.privacy.disguises import FOUND, MISSED

CASES = [(kind, around, hidden) for cases in FOUND.values() for kind, around, hidden in cases]


@pytest.mark.parametrize(("kind", "around", "hidden"), CASES)
def test_a_disguised_secret_goes_whole_and_what_stands_around_it_stays(kind: str, around: str, hidden: str) -> None:
    text = around.replace("§", hidden)
    assert Scrub().text(text) == (around.replace("§", f"<{kind}_1>"), {kind})
    assert scanned(f"Look at this: {text} , please.")


@pytest.mark.parametrize("text", MISSED)
def test_what_the_page_says_is_not_found_is_not_found(text: str) -> None:
    assert Scrub().text(text) == (text, frozenset())


HARMLESS = (
    "look at amazon.com and meet me at gmail", "we met at yahoo.com", "5 @ amazon . com", "see example.json@v2.min.js",
    "password = request.form['password']", "password=sha256(data)", "password=md5_hash",
    "the password field is required",
    "pwd = os.getcwd()", "<password>{{ value }}</password>", "--password-file secret.txt", "token: str = tokens[0]",
    "https://x.example/?code=invalid_request_error", "?page=2&sig=short", "cookie: the best cookies have chocolate",
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSB0ZXN0IG9mIGJhc2U2NA==", "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFy", "margin=40px.auto",
    "re.compile(r'[\\w.]+@[\\w]+\\.com')", "100%25 sure", "C:\\new\\table\\x40", "Привет, как дела? Ценa 100",
    "a → b — c – d",
    "Größe 12 345 678 Bytes", "in 1999 2000 2001 2002", "f(x) = {at: 1}", "x[.]y", "BEGIN TRANSACTION; END;",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_disguise_is_left_alone(text: str) -> None:
    assert Scrub().text(text) == (text, frozenset())


@pytest.mark.parametrize(("before", "again"), [('"', " "), ("Cookie: a=b; ", "sess"), ("key ", "\\"), ("it's ", "\n")])
def test_a_text_is_read_in_steps_that_grow_as_its_length_does(before: str, again: str) -> None:
    # A quadratic search takes minutes here.
    text = before + again * 50_000
    assert Scrub().text(text) == (text, frozenset())


@given(st.text(st.sampled_from("abc12@.%25\\u0040&#64;\u200b\u202e[at](dot)\"'+ äе１＠\U0001d41a\n"), max_size=120))
def test_folds_in_folds_end_and_their_places_are_in_the_text(text: str) -> None:
    findings = found(text)
    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(one.end <= other.start for one, other in pairwise(findings))


@given(st.sampled_from([plant for plant in plants() if plant.kind in ("EMAIL", "GITHUB_TOKEN", "JWT", "API_KEY")]),
       st.integers(0, 3))
def test_a_plant_is_found_however_often_its_signs_are_encoded(plant: object, depth: int) -> None:
    text = plant.secret  # type: ignore[attr-defined]
    for _ in range(depth):
        text = "".join(sign if sign.isalnum() else f"%{ord(sign):02X}" for sign in text)
    assert Scrub().text(text)[0].startswith("<")
