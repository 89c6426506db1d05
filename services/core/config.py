"""Settings: one frozen object, built in main() and handed down. Nothing reads the environment at import."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from services.core import dicomweb
from services.core.dicomweb import DicomWebServer
from services.core.errors import invalid

VECTOR_CACHE = 8 * 2**30  # bytes: 100,000 films under twenty models of 1,024 numbers


@dataclass(frozen=True, slots=True)
class Settings:
    """Where state lives and what the services may use.

    engine_url: ``embedded:`` (the default: an engine process of our own on loopback) or ``http(s)://host:grpc_port`` of
    a Qdrant server or cluster, or several with commas between them, each with its collections.
    facts_url: SQLAlchemy URL, SQLite under `data_dir` when empty.
    models_dir: where pulled and added encoders lie, ``DATA/models`` when None.  models_memory: bytes that the weights
    of loaded encoders may take together; 0 sets no bound.
    device: where encoders run: ``auto`` (an accelerator where there is one), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    promote: ``ask``: a changed model answers once `hilum models promote` says so; ``auto``: when it holds as many.
    pixel_cache: bytes of decoded films to keep, so that a later model needs no source; 0 keeps none unless a job asks.
    vector_cache: bytes of vectors that analyses have read, kept for the next analysis of the same films; 0: none.
    ingest_roots: folders that a client without the operator token may name as a job's source; none by default.
    ray: spread ingests over Ray: ``auto`` (the cluster at hand, else one of this machine) or a cluster's address.
    burned_in: films with writing in them: ``mark`` refuses those whose header says so and marks
    suspicions, ``refuse`` refuses both, ``flag`` marks both.  ocr: look into suspicions by the program tesseract.
    datasets: those whose films this server shows, whoever asks; all where none is named.
    recall_sample: the share of questions that are also answered exactly, to know the recall of the index; 0: none.
    infer_view: call a film lateral whose view nobody states, where a bundled encoder is sure of it.
    dicomweb: servers that any client may name as one, each with its key.
    encode: ``host:port`` where an Encode RPC answers, for a process that holds no encoder; analyses ask it for words.
    """

    data_dir: Path
    engine_url: str = "embedded:"
    engine_api_key: str | None = None
    facts_url: str = ""
    http_bind: str = "127.0.0.1:8080"
    grpc_bind: str = "127.0.0.1:50051"
    models: tuple[str, ...] = ()
    models_dir: Path | None = None
    models_memory: int = 0
    device: str = "auto"
    promote: str = "ask"
    pixel_cache: int = 0
    vector_cache: int = VECTOR_CACHE
    ingest_roots: tuple[Path, ...] = ()
    dicomweb: tuple[DicomWebServer, ...] = ()
    ray: str = ""
    burned_in: str = "mark"
    ocr: bool = False
    infer_view: bool = True
    datasets: tuple[str, ...] = ()
    recall_sample: float = 0.01
    threads: int = 0
    decode_workers: int = 2
    encode: str = ""

    @property
    def facts(self) -> str:
        """The SQL URL in force."""
        return self.facts_url or f"sqlite:///{self.data_dir / 'facts.db'}"

    @property
    def tuned(self) -> Path:
        """The folder of what `hilum models tune` has found out about this machine."""
        return self.data_dir / "tuned"

    @property
    def models_home(self) -> Path:
        """The folder of installed encoders in force."""
        return self.models_dir or self.data_dir / "models"

    def with_engine(self, url: str) -> Settings:
        """The same settings once the embedded engine has told its address."""
        return replace(self, engine_url=url)


def from_environment(environ: Mapping[str, str], data: str | None = None) -> Settings:
    """Build settings from ``HILUM_*`` variables; `data` (a command's ``--data``) wins over ``HILUM_DATA``.

    Raises INVALID_ARGUMENT naming the variable when a value cannot be read.
    """
    home = Path(environ.get("XDG_DATA_HOME") or Path(environ.get("HOME", ".")) / ".local" / "share") / "hilum"
    return Settings(
        data_dir=Path(data or environ.get("HILUM_DATA") or home).expanduser().absolute(),
        engine_url=_engine(environ.get("HILUM_ENGINE_URL") or "embedded:"),
        engine_api_key=environ.get("HILUM_ENGINE_API_KEY") or None,
        facts_url=environ.get("HILUM_FACTS_URL", ""),
        http_bind=environ.get("HILUM_HTTP") or "127.0.0.1:8080",
        grpc_bind=environ.get("HILUM_GRPC") or "127.0.0.1:50051",
        models=tuple(name for m in environ.get("HILUM_MODELS", "").split(",") if (name := m.strip())),
        models_dir=Path(environ["HILUM_MODELS_DIR"]).expanduser().absolute()
        if environ.get("HILUM_MODELS_DIR")
        else None,
        models_memory=_bytes(environ, "HILUM_MODELS_MEMORY"),
        device=_device(environ.get("HILUM_DEVICE") or "auto"),
        promote=_one_of(environ, "HILUM_PROMOTE", "ask", "auto"),
        pixel_cache=_bytes(environ, "HILUM_PIXEL_CACHE"),
        vector_cache=_bytes(environ, "HILUM_VECTOR_CACHE") if environ.get("HILUM_VECTOR_CACHE") else VECTOR_CACHE,
        ingest_roots=tuple(
            Path(p).expanduser().absolute() for p in environ.get("HILUM_INGEST_ROOTS", "").split(":") if p
        ),
        dicomweb=dicomweb.from_environment(environ),
        ray=environ.get("HILUM_RAY", ""),
        burned_in=_one_of(environ, "HILUM_BURNED_IN", "mark", "refuse", "flag"),
        ocr=_one_of(environ, "HILUM_OCR", "0", "1") == "1",
        infer_view=_one_of(environ, "HILUM_INFER_VIEW", "1", "0") == "1",
        datasets=tuple(name for d in environ.get("HILUM_DATASETS", "").split(",") if (name := d.strip())),
        recall_sample=_share(environ, "HILUM_RECALL_SAMPLE", 0.01),
        threads=_count(environ, "HILUM_THREADS", 0),
        decode_workers=_count(environ, "HILUM_DECODE_WORKERS", 2),
        encode=_address(environ.get("HILUM_ENCODE", "")),
    )


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if text and not text.isdecimal():
        raise invalid(f"{name} must be a whole number of 0 or more")
    return int(text) if text else default


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if text and not re.fullmatch(r"0|1|0?\.\d+|1\.0", text):
        raise invalid(f"{name} is a share between 0 and 1, as in 0.01")
    return float(text) if text else default


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise invalid("HILUM_DEVICE is auto, cpu, cuda, cuda:N or mps")
    return name


def _one_of(environ: Mapping[str, str], name: str, *words: str) -> str:
    """The first of `words` by default."""
    if (text := environ.get(name) or words[0]) not in words:
        raise invalid(f"{name} is one of {', '.join(words)}")
    return text


def _bytes(environ: Mapping[str, str], name: str) -> int:
    """``8G``, ``512M``, ``1.5g`` or a plain number of bytes; powers of 1024."""
    text = environ.get(name, "")
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)I?B?", text.strip().upper())
    if text and not parts:
        raise invalid(f"{name} must be a number of bytes, as in 8G or 512M")
    return int(float(parts[1]) * 1024 ** " KMGT".index(parts[2] or " ")) if parts else 0


def _address(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9_.\-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}", text):
        raise invalid("HILUM_ENCODE is host:port, where `hilum serve ingest` answers gRPC")
    return text


def _engine(urls: str) -> str:
    """``embedded:``, or ``http(s)://host:port`` or ``host:port``, several with commas, as `store` takes it."""
    if urls == "embedded:":
        return urls
    several = [url.strip() for url in urls.split(",")]
    if not all(map(_is_engine, several)):
        raise invalid(
            "HILUM_ENGINE_URL must be `embedded:` or the gRPC address of a Qdrant, as in http://host:6334, or several "
            "with commas between them"
        )
    return ",".join(several)


def _is_engine(url: str) -> bool:
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        return bool(parts.scheme in ("", "http", "https") and parts.hostname and parts.port)
    except ValueError:  # a port that is no number, a bracket left open
        return False
