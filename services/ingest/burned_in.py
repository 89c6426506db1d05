"""What becomes of films with writing in them: the installation's policy.

``mark``: a header that says YES refuses the film, a suspicion (`words`) marks it; ``refuse`` refuses both, ``flag``
marks both.
With OCR, a suspicion is looked into by Tesseract, a program that the operator has installed: words found make it *yes*,
none found leave it a suspicion, as Tesseract reads 5 of the 9 real films that have words. Which words they are is
neither kept nor told.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from io import BytesIO

from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.ingest.decode import WITH_WRITING, Decoded
from services.ingest.reasons import BadFilm, Reason

_SURE = 60.0  # per cent, Tesseract's own measure
_WORD = 3  # letters or digits: side markers and PA are fewer
_SECONDS = 60
_SIDE = 2_048


@dataclass(frozen=True, slots=True)
class BurnedIn:
    """policy: ``mark``, ``refuse`` or ``flag``.  ocr: look into suspicions."""

    policy: str = "mark"
    ocr: bool = False

    def __post_init__(self) -> None:
        if self.ocr and shutil.which("tesseract") is None:
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "HILUM_OCR needs the program tesseract; install it")

    def how(self, layout: str) -> str:
        """The layout as decoders are told it."""
        return layout + WITH_WRITING if self.policy == "flag" else layout

    def settled(self, decoded: Decoded) -> Decoded:
        """The film as it may go on. Raises BadFilm."""
        if decoded.stated.burned_in != "suspected":
            return decoded
        if self.policy == "refuse":
            raise BadFilm(Reason.WRITING_SUSPECTED)
        if self.ocr and has_words(decoded.film):
            if self.policy == "mark":
                raise BadFilm(Reason.WORDS_READ)
            return replace(decoded, stated=replace(decoded.stated, burned_in="yes"))
        return decoded


def has_words(film: Film) -> bool:
    """Does Tesseract read a word of three or more letters in the film?"""
    picture, image = BytesIO(), Image.fromarray(film.display)
    if (factor := _SIDE // max(image.size)) > 1:  # letters of an exported film are smaller than Tesseract likes
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    image.save(picture, "PNG", compress_level=1)
    try:
        done = subprocess.run(
            ["tesseract", "stdin", "stdout", "--psm", "11", "tsv"], input=picture.getvalue(), capture_output=True,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return True  # nobody has looked: the suspicion stands
    if done.returncode:
        return True
    rows = [line.split("\t") for line in done.stdout.decode(errors="replace").splitlines()[1:]]
    return any(float(row[10]) >= _SURE and sum(c.isalnum() for c in row[11]) >= _WORD for row in rows if len(row) == 12)
