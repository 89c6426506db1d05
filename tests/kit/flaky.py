"""A service that answers searches and takes analyses, to be killed: ``python -m tests.kit.flaky PORT LOG``.

Every attempt that reaches it is a line of LOG: its rpc, and the seconds that its caller still waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from hilum.v1 import analytics_pb2, common_pb2, jobs_pb2, query_pb2
from services.core.errors import ErrorCode, HilumError
from services.transport import grpc_edge
from services.transport.edge import Call

ROOT = Path(__file__).parents[2]


class Log:
    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, rpc: str, call: Call) -> int:
        """Write an attempt down; how many of this rpc there were before."""
        before = lines(self._path).count(rpc)
        with self._path.open("a") as file:
            file.write(f"{rpc} {call.time_left(-1):.3f}\n")
        return before


def lines(path: Path) -> list[str]:
    """Rpcs that arrived, in order."""
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def waits(path: Path) -> list[float]:
    """Seconds that callers still waited."""
    return [float(line.split()[1]) for line in path.read_text().splitlines()]


class Queries:
    """Search: what happens is the question's text."""

    service = query_pb2.DESCRIPTOR.services_by_name["QueryService"]
    routes = ()

    def __init__(self, log: Log) -> None:
        self._log = log

    def search(self, request: query_pb2.SearchRequest, call: Call) -> query_pb2.SearchResponse:
        before = self._log.note("Search", call)
        match request.query.text.split():
            case ["busy", times] if before < int(times):
                raise HilumError(ErrorCode.RESOURCE_EXHAUSTED, "too many at once; try again")
            case ["away", times] if before < int(times):
                raise HilumError(ErrorCode.UNAVAILABLE, "the engine is away")
            case ["large"]:
                raise HilumError(ErrorCode.PAYLOAD_TOO_LARGE, "a film may hold at most 64 MiB")
            case ["slow"]:
                time.sleep(3)
        return query_pb2.SearchResponse(provenance=common_pb2.Provenance(time=str(os.getpid())))

    def search_stream(self, request: query_pb2.SearchRequest, call: Call) -> object:
        before = self._log.note("SearchStream", call)
        for piece in range(2):
            if request.query.text == "breaks" and piece == before:
                raise HilumError(ErrorCode.UNAVAILABLE, "the engine is away")
            yield query_pb2.SearchResponse()


class Analyses:
    service = analytics_pb2.DESCRIPTOR.services_by_name["AnalyticsService"]
    routes = ()

    def __init__(self, log: Log) -> None:
        self._log = log

    def create_run(self, request: analytics_pb2.CreateRunRequest, call: Call) -> jobs_pb2.Job:
        if not self._log.note("CreateRun", call):
            raise HilumError(ErrorCode.UNAVAILABLE, "the facts are away")
        return jobs_pb2.Job(job_id=request.request_id or "another")


class Jobs:
    service = jobs_pb2.DESCRIPTOR.services_by_name["JobsService"]
    routes = ()

    def __init__(self, log: Log) -> None:
        self._log = log

    def watch_job(self, request: jobs_pb2.GetJobRequest, call: Call) -> object:
        """Breaks off once, and tells of the end when it is asked again."""
        yield jobs_pb2.Job(job_id=request.job_id, state="running")
        if not self._log.note("WatchJob", call):
            raise HilumError(ErrorCode.UNAVAILABLE, "restarting")
        yield jobs_pb2.Job(job_id=request.job_id, state="succeeded")


def start(port: int, log: Path) -> subprocess.Popen[bytes]:
    """Run it in a process of its own; it is there when a call is answered."""
    return subprocess.Popen([sys.executable, "-m", "tests.kit.flaky", str(port), str(log)], cwd=ROOT)


def serve(port: int, log: Path) -> grpc_edge.GrpcServer:
    """Run it in this process."""
    noted = Log(log)
    return grpc_edge.serve([Queries(noted), Analyses(noted), Jobs(noted)], f"127.0.0.1:{port}")


if __name__ == "__main__":
    running = serve(int(sys.argv[1]), Path(sys.argv[2]))  # a server that nobody holds ends
    time.sleep(600)
