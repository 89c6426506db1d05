"""Counts and times of requests for Prometheus. Labels are names of ours only: never a value that came in."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Histogram, generate_latest

_REQUESTS = Counter("hilum_requests_total", "Requests by rpc and outcome.", ["transport", "rpc", "code"])
_SECONDS = Histogram("hilum_request_seconds", "Time to answer.", ["transport", "rpc"])


def observe(transport: str, rpc: str, code: str, seconds: float) -> None:
    """Note one answered request."""
    _REQUESTS.labels(transport, rpc, code).inc()
    _SECONDS.labels(transport, rpc).observe(seconds)


def page() -> tuple[bytes, str]:
    """The exposition page and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
