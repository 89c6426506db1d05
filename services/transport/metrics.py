"""Counts and times of requests for Prometheus. Labels are names of ours only: never a value that came in."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

_REQUESTS = Counter("hilum_requests_total", "Requests by rpc and outcome.", ["transport", "rpc", "code"])
_SECONDS = Histogram("hilum_request_seconds", "Time to answer.", ["transport", "rpc"])

ENCODE_WAITING = Gauge("hilum_encode_waiting", "Films and texts admitted to encoders and not yet answered.")
ENCODE_DROPPED = Counter("hilum_encode_dropped_total", "Films and texts dropped because nobody waited any longer.")
ENCODE_BATCH = Histogram(
    "hilum_encode_batch", "Films or texts of one batch.", ["kind"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
ANN_RECALL = Histogram(
    "hilum_ann_recall", "Share of the exact nearest films that the approximate index found, in sampled questions.",
    ["filtered"], buckets=(0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0),
)  # fmt: skip
TEXT_CACHE = Counter("hilum_text_cache_total", "Texts looked up among those encoded before.", ["outcome"])


def observe(transport: str, rpc: str, code: str, seconds: float) -> None:
    """Note one answered request."""
    _REQUESTS.labels(transport, rpc, code).inc()
    _SECONDS.labels(transport, rpc).observe(seconds)


def page() -> tuple[bytes, str]:
    """The exposition page and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
