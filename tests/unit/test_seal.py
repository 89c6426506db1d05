"""What is sealed is opened by the secret it was sealed with, and says nothing without it."""

import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.seal import seal, sealed, unseal, unsealed

SECRET, OTHER = bytes(32), bytes([1]) * 32


def test_a_sealed_text_is_unreadable_and_opens_again() -> None:
    kept = seal(SECRET, "/films/DOE JANE")
    assert "DOE" not in kept and kept != seal(SECRET, "/films/DOE JANE")
    assert unseal(SECRET, kept) == "/films/DOE JANE"
    assert seal(SECRET, "") == "" == unseal(SECRET, "")
    assert unseal(SECRET, "/as it was given") == "/as it was given"


def test_another_secret_or_a_changed_byte_opens_nothing() -> None:
    kept = seal(SECRET, "/films")
    for secret, text in ((OTHER, kept), (SECRET, kept[:-4] + "AAA="), (SECRET, kept[:9])):
        with pytest.raises(HilumError) as refused:
            unseal(secret, text)
        assert refused.value.code is ErrorCode.FAILED_PRECONDITION and "/films" not in refused.value.client_message


def test_only_the_paths_of_a_spec_are_sealed() -> None:
    spec = {"source": "/a", "labels": "", "dataset": "demo", "models": ["x"], "keep_ids": False}
    kept = sealed(SECRET, spec)
    assert {name for name in spec if kept[name] != spec[name]} == {"source"}
    assert unsealed(SECRET, kept) == spec
