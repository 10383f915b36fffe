"""Secrets at rest: sealed with a key that is not in the database, opened by whoever has it."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.errors import EncryptionKeyInvalid, EncryptionKeyMissing, SecretUnreadable
from eunoe.store.sealing import KEY_FILE, NO_KEYS, Sealer, new_key, sealer_of

OLD, NEW = new_key(), new_key()


@pytest.mark.rule("api-6.14")
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_comes_back_and_does_not_show(text: str) -> None:
    sealer = Sealer([NEW, OLD])

    sealed = sealer.seal(text)

    assert sealer.open(sealed) == text
    assert sealed != sealer.seal(text)
    assert len(text) < 4 or text not in sealed
    assert OLD not in repr(sealer)
    assert NEW not in repr(sealer)


def test_an_older_key_opens_and_the_newest_seals() -> None:
    sealed = Sealer([OLD]).seal("hunter2")

    renewed = Sealer([NEW, OLD]).renewed(sealed)

    assert Sealer([NEW]).open(renewed) == "hunter2"
    with pytest.raises(SecretUnreadable, match="EUNOE_ENCRYPTION_KEY"):
        Sealer([NEW]).open(sealed)


def test_a_changed_value_is_not_opened() -> None:
    sealed = Sealer([OLD]).seal("hunter2")

    with pytest.raises(SecretUnreadable):
        Sealer([OLD]).open(sealed[:-6] + "AAAA==")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(EncryptionKeyMissing):
        NO_KEYS.seal("hunter2")


@pytest.mark.parametrize(
    "key", ["hunter2", "", "a" * 43, "-uUeqTi5ZIrZNJbWaDsOKhiPxLv24fqYwIy1gOA=", "ü" * 44, "=" * 44]
)
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(EncryptionKeyInvalid) as refused:
        Sealer([key])

    assert not key or key not in str(refused.value)


def test_both_alphabets_of_base64_are_taken() -> None:
    url_safe = "-_" * 21 + "8="

    sealed = Sealer([url_safe.translate(str.maketrans("-_", "+/"))]).seal("tea")

    assert Sealer([url_safe]).open(sealed) == "tea"


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new"

    sealed = sealer_of((), folder=folder).seal("hunter2")

    assert sealer_of((), folder=folder).open(sealed) == "hunter2"
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]


def test_a_kept_key_is_replaced_by_a_line_above_it(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(f"{NEW}\n{OLD}\n")

    sealer = sealer_of((), folder=tmp_path)

    assert sealer.open(Sealer([OLD]).seal("tea")) == "tea"
    assert Sealer([NEW]).open(sealer.seal("tea")) == "tea"


@pytest.mark.parametrize("content", ["", "\n", "not a key\n"])
def test_a_damaged_key_file_is_not_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / KEY_FILE
    file.write_text(content)

    with pytest.raises(EncryptionKeyInvalid):
        sealer_of((), folder=tmp_path)

    assert file.read_text() == content


def test_a_key_file_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EncryptionKeyInvalid, match="EUNOE_ENCRYPTION_KEY"):
        sealer_of((), folder=tmp_path / "file")
