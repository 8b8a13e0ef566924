"""Pseudonyms: the salt is made once and kept, digests depend on it, and who is forgotten stays forgotten."""

import hashlib
import hmac
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from privacy.forgotten import forgotten, remember
from privacy.people import Salt
from schemas.errors import ConfigError


def test_the_salt_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = Salt.find(home)
    assert Salt.find(home) == first
    assert len(first.key) == 32
    assert stat.S_IMODE((home / "salt").stat().st_mode) == 0o600


def test_many_makers_at_once_agree_on_one_salt(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(Salt.find, [tmp_path / "home"] * 32))) == 1
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["salt"]


def test_a_spoilt_salt_is_told_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "salt").write_text("half a salt")
    with pytest.raises(ConfigError, match="put the old file back"):
        Salt.find(tmp_path)
    assert (tmp_path / "salt").read_text() == "half a salt"


def test_a_name_is_an_hmac_of_kind_and_name() -> None:
    known = hmac.new(b"k" * 32, b"user\0maria", hashlib.sha256).hexdigest()[:24]
    assert Salt(b"k" * 32).name("user", "maria") == known


def test_names_differ_by_kind_by_name_and_by_salt() -> None:
    salt = Salt(b"k" * 32)
    names = {salt.name("user", "maria"), salt.name("conversation", "maria"), salt.name("user", "Maria"),
             Salt(b"l" * 32).name("user", "maria")}
    assert len(names) == 4


def test_half_a_surrogate_pair_has_a_name_too() -> None:
    assert len(Salt(b"k" * 32).name("user", "\ud800")) == 24


def test_a_salt_does_not_print_its_key() -> None:
    assert "k" * 32 not in repr(Salt(b"k" * 32))


def test_who_is_remembered_is_left_out_from_then_on(tmp_path: Path) -> None:
    assert forgotten(tmp_path) == frozenset()
    remember(tmp_path, {"a" * 24})
    remember(tmp_path, {"b" * 24, "a" * 24})
    assert forgotten(tmp_path) == {"a" * 24, "b" * 24}
    assert stat.S_IMODE((tmp_path / "forgotten").stat().st_mode) == 0o600


def test_a_spoilt_list_of_the_forgotten_stops_a_build_instead_of_bringing_them_back(tmp_path: Path) -> None:
    (tmp_path / "forgotten").write_text("a" * 23 + "\n")
    with pytest.raises(ConfigError, match="comes back with the next build"):
        forgotten(tmp_path)
