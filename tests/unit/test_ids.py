"""Identities are stable, and pseudonyms cannot be tied to people without the secret."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.ids import MOST_DAYS, day_shift, image_id, load_secret, parse_image_id, pseudonym


def test_an_image_id_depends_on_dataset_and_key_alone() -> None:
    # Written out: these ids are in archives, so a change of the rule must be seen.
    assert image_id("nih", "00000001_000.png") == "aaeebf26-c7f2-5d0b-88ae-24654263d666"
    assert image_id("nih", "a") != image_id("nih", "b")
    assert image_id("nih", "a") != image_id("mimic", "a")


def test_image_ids_are_read_in_every_spelling_of_a_uuid() -> None:
    known = image_id("nih", "a")
    assert parse_image_id(known.upper()) == known
    assert parse_image_id(known.replace("-", "")) == known


@pytest.mark.parametrize("text", ["", "1", "../../etc/passwd", "zzzzzzzz-0000-0000-0000-000000000000"])
def test_what_is_no_uuid_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(HilumError) as refused:
        parse_image_id(text)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT
    assert not text or text not in refused.value.client_message


def test_the_shift_of_dates_is_stable_keyed_bounded_and_never_nothing() -> None:
    shifts = [day_shift(bytes(32), f"p-{n}") for n in range(20_000)]
    assert shifts == [day_shift(bytes(32), f"p-{n}") for n in range(20_000)]
    assert shifts != [day_shift(bytes([1]) * 32, f"p-{n}") for n in range(20_000)]
    assert set(shifts) == set(range(-MOST_DAYS, MOST_DAYS + 1)) - {0}


def test_a_pseudonym_is_stable_and_keyed() -> None:
    secret, other = bytes(32), bytes([1]) * 32
    known = pseudonym(secret, "patient", "nih", "Doe^Jane")
    assert known == pseudonym(secret, "patient", "nih", "Doe^Jane")
    assert known.startswith("p-") and len(known) == 18 and "doe" not in known
    changed = [
        pseudonym(other, "patient", "nih", "Doe^Jane"),
        pseudonym(secret, "study", "nih", "Doe^Jane"),
        pseudonym(secret, "patient", "mimic", "Doe^Jane"),
        pseudonym(secret, "patient", "nih", "Doe^John"),
    ]
    assert len({known, *changed}) == 5


def test_the_secret_is_made_once_and_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    home = tmp_path / "data"
    secret = load_secret(home)
    assert len(secret) == 32 and load_secret(home) == secret
    assert (home / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_processes_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        secrets = pool.map(load_secret, [tmp_path / "data"] * 16, chunksize=1)
    assert len(set(secrets)) == 1


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_damaged_secret_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(HilumError) as refused:
        load_secret(tmp_path)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION
    assert (tmp_path / "secret").read_bytes() == content
