"""Why a film was not taken: one closed list, each with a sentence for the person who runs the ingest."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Codes of refusal. They go into job items, logs and answers; none carries a value of the file."""

    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    EMPTY = "EMPTY"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    UNREADABLE_FILE = "UNREADABLE_FILE"
    UNREADABLE_FOLDER = "UNREADABLE_FOLDER"
    OUTSIDE_SOURCE = "OUTSIDE_SOURCE"
    BROKEN_HEADER = "BROKEN_HEADER"
    NESTED_TOO_DEEP = "NESTED_TOO_DEEP"
    TRUNCATED = "TRUNCATED"
    LENGTH_MISMATCH = "LENGTH_MISMATCH"
    DIMENSIONS_MISMATCH = "DIMENSIONS_MISMATCH"
    CORRUPT_PIXELS = "CORRUPT_PIXELS"
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"
    NO_PIXELS = "NO_PIXELS"
    MULTIFRAME = "MULTIFRAME"
    WRONG_SOP_CLASS = "WRONG_SOP_CLASS"
    PRESENTATION_STATE = "PRESENTATION_STATE"
    FOR_PROCESSING = "FOR_PROCESSING"
    WRONG_MODALITY = "WRONG_MODALITY"
    WRONG_BODY_PART = "WRONG_BODY_PART"
    COLOUR = "COLOUR"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    CONSTANT = "CONSTANT"
    CONTRADICTORY_GREYS = "CONTRADICTORY_GREYS"
    BAD_WINDOW = "BAD_WINDOW"
    BURNED_IN_TEXT = "BURNED_IN_TEXT"
    WRITING_SUSPECTED = "WRITING_SUSPECTED"
    WORDS_READ = "WORDS_READ"
    DECODER_CRASHED = "DECODER_CRASHED"
    DECODER_TIMEOUT = "DECODER_TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NOT_CT = "NOT_CT"
    LOCALIZER = "LOCALIZER"
    NOT_AXIAL = "NOT_AXIAL"
    NO_POSITION = "NO_POSITION"
    TOO_FEW_SLICES = "TOO_FEW_SLICES"
    NO_UNITS = "NO_UNITS"
    NO_WINDOW = "NO_WINDOW"
    ENCODER_FAILED = "ENCODER_FAILED"
    NON_FINITE_VECTOR = "NON_FINITE_VECTOR"
    NO_VECTORS = "NO_VECTORS"
    PICKLED_VECTORS = "PICKLED_VECTORS"
    BROKEN_VECTORS = "BROKEN_VECTORS"
    WRONG_SHAPE = "WRONG_SHAPE"
    NOT_FINITE = "NOT_FINITE"
    ZERO_VECTOR = "ZERO_VECTOR"
    UNKNOWN_FILM = "UNKNOWN_FILM"
    SAME_FILM_OTHER_VECTOR = "SAME_FILM_OTHER_VECTOR"
    NOT_CACHED = "NOT_CACHED"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    NOT_FETCHED = "NOT_FETCHED"
    GONE = "GONE"
    WITHHELD = "WITHHELD"
    SAME_KEY_OTHER_PIXELS = "SAME_KEY_OTHER_PIXELS"
    SAME_KEY_SAME_PIXELS = "SAME_KEY_SAME_PIXELS"

    @property
    def message(self) -> str:
        """The reason in a sentence, with what to do where something can be done."""
        return _MESSAGES[self]


_MESSAGES = {
    Reason.NOT_AN_IMAGE: "the file is neither DICOM (with preamble), PNG nor JPEG",
    Reason.EMPTY: "the file is empty; copy it again",
    Reason.FILE_TOO_LARGE: "the file is larger than 64 MiB, more than one radiograph needs",
    Reason.UNREADABLE_FILE: "the file cannot be opened; check its permissions and the disk",
    Reason.UNREADABLE_FOLDER: "the folder cannot be opened, and nobody knows what is in it; check its permissions and "
    "the disk, and ingest again",
    Reason.OUTSIDE_SOURCE: "the file is a link that leads outside the source folder; copy the file itself",
    Reason.BROKEN_HEADER: "the header cannot be read: cut off or damaged; export the film again",
    Reason.NESTED_TOO_DEEP: "the header nests sequences deeper than any radiograph does",
    Reason.TRUNCATED: "the pixels end before the film does; copy or export it again",
    Reason.LENGTH_MISMATCH: "there are more pixel bytes than Rows × Columns says; the header or the pixels are wrong",
    Reason.DIMENSIONS_MISMATCH: "the compressed picture has another size than the header says",
    Reason.CORRUPT_PIXELS: "the compressed pixels cannot be decoded; export the film again",
    Reason.UNSUPPORTED_ENCODING: "the pixel encoding is not supported; export as explicit VR little endian",
    Reason.NO_PIXELS: "the object holds no pixels",
    Reason.MULTIFRAME: "the object has several frames; a radiograph has one",
    Reason.WRONG_SOP_CLASS: "not a radiograph: only CR and DX objects and secondary captures tagged CR or DX are taken",
    Reason.PRESENTATION_STATE: "a presentation state: it says how to show a film and holds none; ingest the film",
    Reason.FOR_PROCESSING: "the film is 'for processing', not for viewing; export the 'for presentation' film",
    Reason.WRONG_MODALITY: "not a radiograph: Modality must be CR or DX",
    Reason.WRONG_BODY_PART: "not a chest film: BodyPartExamined names another part",
    Reason.COLOUR: "the film has colours; a radiograph is grey",
    Reason.TOO_LARGE: "the header claims more than 64 million pixels, more than any radiograph has",
    Reason.TOO_SMALL: "the film is smaller than 32 × 32 pixels",
    Reason.CONSTANT: "every pixel has the same value: there is nothing to see",
    Reason.CONTRADICTORY_GREYS: "PhotometricInterpretation and PresentationLUTShape contradict each other: nobody can "
    "tell white from black; mend the header",
    Reason.BAD_WINDOW: "the display window or lookup table is invalid (a width of 0, say); mend the header",
    Reason.BURNED_IN_TEXT: "BurnedInAnnotation is YES: names may be burnt into the pixels; redact the film first",
    Reason.WRITING_SUSPECTED: "there seems to be writing in the pixels, and this installation refuses such films "
    "(HILUM_BURNED_IN); look at the film, and redact it",
    Reason.WORDS_READ: "there are words in the pixels, as OCR found; look at the film, and redact it",
    Reason.DECODER_CRASHED: "the decoder crashed on this file twice",
    Reason.DECODER_TIMEOUT: "decoding this file took too long twice",
    Reason.OUT_OF_MEMORY: "decoding this file needs more memory than a film may use",
    Reason.NOT_CT: "not a CT slice: only CT Image Storage with Modality CT is taken; split enhanced CT into slices, "
    "and ingest films without layout ct",
    Reason.LOCALIZER: "a localizer: the overview that a scan is planned on, no slice of it",
    Reason.NOT_AXIAL: "the series is not axial: its slices lie across the body's axis by more than 30 degrees",
    Reason.NO_POSITION: "the slices say neither where they lie nor how (ImagePositionPatient, ImageOrientationPatient)",
    Reason.TOO_FEW_SLICES: "the series has fewer than 10 axial slices at different positions: a fragment has no middle",
    Reason.NO_UNITS: "the slice does not say how its values become Hounsfield units (RescaleSlope, RescaleIntercept)",
    Reason.NO_WINDOW: "the slice's header has no window; choose one, for instance window lung",
    Reason.ENCODER_FAILED: "an encoder failed on this film alone",
    Reason.NON_FINITE_VECTOR: "an encoder gave a vector that is zero or not finite for this film",
    Reason.NO_VECTORS: "the file does not say which of its arrays holds vectors and which their names, one each; state "
    "`array` and `names` in the model's specification",
    Reason.PICKLED_VECTORS: "the file holds Python objects, which run code when they are read; save vectors as numbers "
    "and names, where they are more than text, as text: "
    "numpy.savez(file, filenames=numpy.array(names, dtype=str), embeddings=vectors)",
    Reason.BROKEN_VECTORS: "the file of vectors cannot be read: cut off or damaged; copy it again",
    Reason.WRONG_SHAPE: "the array is not what the model's specification states; check `dim`, `shape` and `reduce`",
    Reason.NOT_FINITE: "a number of the vector is NaN, infinite or beyond float32",
    Reason.ZERO_VECTOR: "the vector is zero, or too short or long to have a direction",
    Reason.UNKNOWN_FILM: "the archive has no film of this name, and no table states one; ingest the films first, or "
    "name the layout and its tables",
    Reason.SAME_FILM_OTHER_VECTOR: "this film is stored with another vector of the very same model; the stored one was "
    "kept. State another revision if the vectors have changed",
    Reason.NOT_CACHED: "no pixels of this film are cached; ingest its source again with this model",
    Reason.CONSENT_WITHDRAWN: "this patient's consent is withdrawn (`hilum forget`); remove the film from the source",
    Reason.NOT_FETCHED: "the server did not give the film, asked several times; the next run asks again",
    Reason.GONE: "the server lists the film and says that it does not have it",
    Reason.WITHHELD: "the server lists fewer films of a series than it says it has, or under a name that is no UID; "
    "raise its bound on results, or mend the UID",
    Reason.SAME_KEY_OTHER_PIXELS: "this film's key is stored with other pixels; the stored film was kept. "
    "Give one of the two another key, or delete the stored one first",
    Reason.SAME_KEY_SAME_PIXELS: "the same film came twice in this job; it was stored once",
}


class BadFilm(Exception):  # noqa: N818 - it is the film that is bad
    """A film that is not taken, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
