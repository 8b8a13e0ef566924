"""The codec by which values cross from an untrusted process."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.testcases.sandbox.codec import MAX_DEPTH, Unsupported, decode, encode, same_value

surrogates = st.text(st.characters(categories=None))
atoms = st.none() | st.booleans() | st.integers() | st.floats() | surrogates | st.binary() | st.complex_numbers()
keys = st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
                    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
values = st.recursive(atoms, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
                      | st.dictionaries(keys, inner, max_size=4) | st.sets(keys, max_size=4), max_leaves=12)


@given(values)
def test_every_value_of_built_in_types_comes_back_as_it_was(value: Any) -> None:
    text = encode(value)
    back = decode(text)
    assert type(back) is type(value)
    assert same_value(value, back)
    assert encode(back) == text
    assert text.isascii()


@given(st.lists(keys, max_size=6))
def test_equal_sets_and_dicts_have_one_text_whatever_their_order(items: list[Any]) -> None:
    items = [each for at, each in enumerate(items) if each not in items[:at]]
    assert encode(set(items)) == encode({*reversed(items)})
    pairs = [(key, at) for at, key in enumerate(items)]
    assert encode(dict(pairs)) == encode(dict(reversed(pairs)))


@given(st.lists(st.tuples(keys, st.lists(st.dictionaries(keys, atoms, max_size=3), max_size=2)), max_size=4))
def test_arguments_keep_the_order_of_their_dicts_at_every_depth(items: list[tuple[Any, Any]]) -> None:
    value = [(dict(items),)]
    text = encode(value, ordered=True)
    back = decode(text, ordered=True)
    assert same_value(value, back)
    assert same_order(back, value)
    assert encode(back, ordered=True) == text
    assert encode(back) == encode(value)


def same_order(one: Any, other: Any) -> bool:
    """Whether the dicts of two equal values have their keys in the same order, at every depth.

    Not by `repr`: equal sets may show their members in different orders.
    """
    if isinstance(one, dict):
        return (len(one) == len(other) and all(map(same_value, one, other))
                and all(map(same_order, one.values(), other.values())))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_order, one, other))
    return True


@pytest.mark.parametrize(("value", "text"), [
    (1, "1"), (True, "true"), (1.0, "1.0"), (-0.0, "-0.0"), ((1,), '{"t":[1]}'), ({2, 1}, '{"s":[1,2]}'),
    (b"\x00", '{"b":"00"}'), ("\ud83d\ude00", '{"u":[55357,56832]}'), ("\U0001f600", '"\\ud83d\\ude00"'),
    (math.inf, '{"f":"inf"}'), ({"t": 1}, '{"d":[["t",1]]}'), (1j, '{"c":[0.0,1.0]}'),
])
def test_types_that_python_calls_equal_and_texts_that_json_mixes_up_stay_apart(value: Any, text: str) -> None:
    assert encode(value) == text


class _Int(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class _Str(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [
    _Int(1), _Str("x"), [_Int(1)], {"k": _Str("x")}, {_Int(1)}, object(), range(3), bytearray(b"x"), len, int, ...,
    iter([1]), type("L", (list,), {})([1]), type("D", (dict,), {})(),
])
def test_subclasses_and_other_types_are_refused_wherever_they_are(value: Any) -> None:
    with pytest.raises(Unsupported):
        encode(value)


def test_depth_size_and_cycles_are_bounded() -> None:
    deep: list[Any] = []
    deep.append(deep)
    for value in (deep, eval("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH) if MAX_DEPTH < 90 else [deep]):
        with pytest.raises(Unsupported):
            encode(value)
    with pytest.raises(Unsupported, match="more than 10"):
        encode("x" * 20, limit=10)
    with pytest.raises(Unsupported, match="more than 10"):
        decode('"' + "x" * 20 + '"', limit=10)


@pytest.mark.parametrize("text", [
    "", "1 ", " 1", "01", "-0", "1e5", "NaN", "Infinity", "'a'", '"\\ud83d"', '{"s":[2,1]}',
    '{"s":[1,1]}', '{"s":[1,true]}', '{"s":[[]]}', '{"d":[[1]]}', '{"d":[[1,2],[1,2]]}', '{"d":[[[1],2]]}',
    '{"q":1}', '{}', '{"t":[1],"s":[1]}',
    '{"t":[1],"t":[1]}', '{"t":1}', '{"b":"0"}', '{"b":"AA"}', '{"f":"1"}', '{"i":"0x5"}', '{"i":5}', '{"u":[97]}',
    '{"u":[1114112]}', '{"c":[1,2]}', "[" * 5000, '["__class__"', "1" * 9000, '{"i":"' + "f" * 99 + '"}',
    "[1,]", "\u00e9",
])
def test_a_text_that_encode_would_not_write_is_refused(text: str) -> None:
    with pytest.raises(Unsupported):
        decode(text)


@pytest.mark.parametrize(("expected", "got", "same"), [
    (0.1 + 0.2, 0.3, True), (0.3, 0.3001, False), (1.0, 1, True), (1, 1.0000000001, False),
    ([1.0, (2.0,)], [1.0, (2.0 + 1e-9,)], True), ((1,), [1], False), ([1], [1, 2], False), ({"a": 0.5},
    {"a": 0.5 + 1e-9}, True), ({"a": 0.5}, {"b": 0.5}, False),
    (math.nan, math.nan, True), (math.inf, 1e308, False), (1e300, 10**400, False), ("1.0", 1.0, False),
    (None, 0, False), (1 + 1j, 1 + 1.0000000001j, True), ({1, 2}, {2, 1}, True), (True, 1, True),
])
def test_only_where_a_float_is_expected_is_anything_nearly_right(expected: Any, got: Any, same: bool) -> None:
    assert same_value(expected, got, 1e-6) is same


def test_without_a_tolerance_floats_are_compared_exactly() -> None:
    assert not same_value(0.1 + 0.2, 0.3)
