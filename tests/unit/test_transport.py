"""The edges, with an api object of the tests' own: what holds for every service."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest
from fastapi.testclient import TestClient
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hilum.v1 import common_pb2, jobs_pb2, jobs_pb2_grpc
from services.core import limits
from services.core.errors import ErrorCode, HilumError
from services.transport import errors, grpc_edge, http_edge, paging
from services.transport.bind import loopback
from services.transport.edge import OPERATOR_HEADER, REQUEST_HEADER, Call, Route

TOKEN = "operator-token"
SECRET = "DOE^JANE 123-45-6789"


class Probe:
    """A JobsService that answers what its job id asks for."""

    service = jobs_pb2.DESCRIPTOR.services_by_name["JobsService"]
    routes = (
        Route("GET", "/v1/jobs/{job_id}", "GetJob"),
        Route("GET", "/v1/jobs/{job_id}:watch", "WatchJob"),
        Route("GET", "/v1/jobs", "ListJobs"),
        Route("POST", "/v1/jobs/{job_id}:cancel", "CancelJob"),
    )

    def get_job(self, request: jobs_pb2.GetJobRequest, call: Call) -> jobs_pb2.Job:
        if request.job_id == "broken":
            raise RuntimeError(SECRET)
        if request.job_id.isupper():
            raise HilumError(ErrorCode(request.job_id), "do this instead")
        return jobs_pb2.Job(job_id=request.job_id, state="operator" if call.operator else "guest")

    def watch_job(self, request: jobs_pb2.GetJobRequest, call: Call) -> Iterator[jobs_pb2.Job]:
        yield jobs_pb2.Job(state="running")
        if request.job_id == "broken":
            raise HilumError(ErrorCode.UNAVAILABLE, "try again")
        yield jobs_pb2.Job(state="succeeded")

    def list_jobs(self, request: jobs_pb2.ListJobsRequest, call: Call) -> jobs_pb2.ListJobsResponse:
        return jobs_pb2.ListJobsResponse(next_page_token=f"{request.kind}/{request.page_size}")

    def cancel_job(self, request: jobs_pb2.CancelJobRequest, call: Call) -> jobs_pb2.Job:
        return jobs_pb2.Job(job_id=request.job_id)


@pytest.fixture(scope="module")
def server() -> Iterator[grpc_edge.GrpcServer]:
    running = grpc_edge.serve([Probe()], "127.0.0.1:0", TOKEN)
    yield running
    running.stop(0)


@pytest.fixture(scope="module")
def stub(server: grpc_edge.GrpcServer) -> jobs_pb2_grpc.JobsServiceStub:
    return jobs_pb2_grpc.JobsServiceStub(grpc.insecure_channel(f"127.0.0.1:{server.port}"))


@pytest.fixture(scope="module")
def web() -> TestClient:
    return TestClient(http_edge.build([Probe()], operator_token=TOKEN), raise_server_exceptions=False)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_has_its_code_on_both_transports(
    code: ErrorCode, stub: jobs_pb2_grpc.JobsServiceStub, web: TestClient
) -> None:
    status, http_status = errors.TABLE[code]
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetJob(jobs_pb2.GetJobRequest(job_id=code.value))
    assert (raised.value.code(), raised.value.details()) == (status, "do this instead")
    back = errors.from_rpc(raised.value)
    assert (back.code, back.client_message) == (code, "do this instead")
    answer = web.get(f"/v1/jobs/{code.value}")
    assert answer.status_code == http_status
    assert answer.json()["error"]["code"] == code.value
    assert answer.json()["error"]["message"] == "do this instead"
    assert answer.json()["error"]["request_id"] == answer.headers[REQUEST_HEADER]


def test_a_fault_of_ours_tells_nothing(
    stub: jobs_pb2_grpc.JobsServiceStub, web: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetJob(jobs_pb2.GetJobRequest(job_id="broken"))
    answer = web.get("/v1/jobs/broken")
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert answer.status_code == 500
    assert SECRET not in str(raised.value) + answer.text + caplog.text
    assert "RuntimeError" in caplog.text  # but the operator can find it


def test_streams(stub: jobs_pb2_grpc.JobsServiceStub, web: TestClient) -> None:
    assert [job.state for job in stub.WatchJob(jobs_pb2.GetJobRequest(job_id="x"))] == ["running", "succeeded"]
    events = [line for line in web.get("/v1/jobs/x:watch").text.splitlines() if line]
    assert [json.loads(line.removeprefix("data: "))["state"] for line in events] == ["running", "succeeded"]
    seen = stub.WatchJob(jobs_pb2.GetJobRequest(job_id="broken"))
    assert next(seen).state == "running"
    with pytest.raises(grpc.RpcError) as raised:
        next(seen)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "event: error" in web.get("/v1/jobs/broken:watch").text


def test_only_the_operator_token_makes_an_operator(stub: jobs_pb2_grpc.JobsServiceStub, web: TestClient) -> None:
    for given, state in ((TOKEN, "operator"), ("wrong", "guest"), ("", "guest"), ("ä", "guest")):
        if given.isascii():
            sent = stub.GetJob(jobs_pb2.GetJobRequest(job_id="x"), metadata=[(OPERATOR_HEADER, given)])
            assert sent.state == state
        assert web.get("/v1/jobs/x", headers={OPERATOR_HEADER: given.encode()}).json()["state"] == state
    unset = TestClient(http_edge.build([Probe()]))  # a server without a token has no operators
    assert unset.get("/v1/jobs/x", headers={OPERATOR_HEADER: ""}).json()["state"] == "guest"


def test_request_ids_are_kept_or_made(stub: jobs_pb2_grpc.JobsServiceStub, web: TestClient) -> None:
    assert web.get("/v1/jobs/x", headers={REQUEST_HEADER: "abc-1"}).headers[REQUEST_HEADER] == "abc-1"
    assert web.get("/v1/jobs/x", headers={REQUEST_HEADER: f"{SECRET}\r"}).headers[REQUEST_HEADER] != SECRET
    _, call = stub.GetJob.with_call(jobs_pb2.GetJobRequest(job_id="x"), metadata=[(REQUEST_HEADER, "abc-2")])
    assert dict(call.initial_metadata())[REQUEST_HEADER] == "abc-2"


def test_parameters_and_bodies_are_read_strictly(web: TestClient) -> None:
    assert web.get("/v1/jobs?kind=ingest&page_size=7").json()["next_page_token"] == "ingest/7"
    for path in ("/v1/jobs?colour=red", "/v1/jobs?page_size=many"):
        assert web.get(path).json()["error"]["code"] == "INVALID_ARGUMENT"
    cancel = "/v1/jobs/x:cancel"
    assert web.post(cancel).json()["job_id"] == "x"
    assert web.post(cancel, json={"job_id": "y"}).json()["job_id"] == "x"  # the address wins
    for body, kind in ((b"{", "application/json"), (b'{"no": 1}', "application/json"), (b"{}", "text/plain")):
        assert web.post(cancel, content=body, headers={"content-type": kind}).status_code == 400
    deep = b'{"job_id":' + b"[" * 100_000
    assert web.post(cancel, content=deep, headers={"content-type": "application/json"}).status_code == 400


def test_an_oversized_request_is_refused_while_it_streams(
    web: TestClient, stub: jobs_pb2_grpc.JobsServiceStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 64:
            sent += 1
            yield b" " * 2**20

    monkeypatch.setattr(http_edge, "MAX_HTTP_BODY_BYTES", 4 * 2**20)
    answer = web.post("/v1/jobs/x:cancel", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetJob(jobs_pb2.GetJobRequest(job_id="x" * (limits.MAX_MESSAGE_BYTES + 1)))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_page_elsewhere_cannot_ask(web: TestClient) -> None:
    assert web.get("/v1/jobs", headers={"host": "rebound.example"}).status_code == 400
    assert "access-control-allow-origin" not in web.get("/v1/jobs", headers={"origin": "http://a.example"}).headers


def test_health_reflection_and_documents(server: grpc_edge.GrpcServer, web: TestClient) -> None:
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    probe = health_pb2_grpc.HealthStub(channel)
    for name in ("", "hilum.v1.JobsService"):
        assert probe.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    told = next(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([listing])))
    assert "hilum.v1.JobsService" in {service.name for service in told.list_services_response.service}
    document = web.get("/openapi.json").json()
    assert set(document["paths"]) == {route.path for route in Probe.routes}
    assert document["components"]["schemas"]["Job"]["properties"]["progress"] == {
        "$ref": "#/components/schemas/JobProgress"
    }
    assert "/v1/jobs/{job_id}" in web.get("/docs").text
    assert 'hilum_requests_total{code="OK"' in web.get("/metrics").text
    assert web.get("/nowhere").json()["error"]["code"] == "NOT_FOUND"
    assert web.delete("/v1/jobs").json()["error"]["code"] == "UNIMPLEMENTED"


def test_readiness_names_what_is_missing() -> None:
    app = TestClient(http_edge.build([], ready=lambda: {"engine": False, "facts": True}))
    assert app.get("/readyz").status_code == 503
    assert app.get("/readyz").json()["parts"] == {"engine": False, "facts": True}
    assert app.get("/healthz").status_code == 200


@pytest.mark.parametrize("bind", ["0.0.0.0:1", "192.168.1.4:8080", "[::]:80", "example.org:80", ":8080"])
def test_listening_beyond_this_machine_is_refused(bind: str) -> None:
    with pytest.raises(HilumError) as raised:
        loopback(bind)
    assert raised.value.code in (ErrorCode.FAILED_PRECONDITION, ErrorCode.INVALID_ARGUMENT)


def test_loopback_is_welcome_and_a_taken_port_is_said(server: grpc_edge.GrpcServer) -> None:
    assert loopback("127.0.0.1:0") == ("127.0.0.1", 0)
    assert loopback("localhost:80") == ("localhost", 80)
    assert loopback("[::1]:80") == ("::1", 80)
    with pytest.raises(HilumError, match="another server"):
        grpc_edge.serve([Probe()], f"127.0.0.1:{server.port}")


def test_page_tokens() -> None:
    assert paging.position(paging.token("2026/ä")) == "2026/ä"
    assert paging.position("") == ""
    assert paging.size(0, 50) == 50
    for text in ("%%%", "ab\n", "a"):
        with pytest.raises(HilumError):
            paging.position(text)
    for size in (-1, limits.MAX_PAGE_SIZE + 1):
        with pytest.raises(HilumError):
            paging.size(size, 50)


def test_the_table_covers_the_contract() -> None:
    assert {code.value for code in errors.TABLE} | {"ERROR_CODE_UNSPECIFIED"} == set(common_pb2.ErrorCode.keys())
