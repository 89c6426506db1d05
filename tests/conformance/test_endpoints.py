"""Encoders behind endpoints: real HTTP on loopback in the documented schemas, a network behind it, and every fault."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.core.errors import ErrorCode, HilumError
from services.core.types import Film
from services.encoders import install
from services.encoders.base import Encoder
from services.encoders.families import load
from services.encoders.known import named
from services.encoders.microsoft import recipe
from services.encoders.network import Checkpoint
from services.ingest.encoding import encode, encode_words
from services.ingest.reasons import Reason
from tests.kit import endpoints, medimageinsight
from tests.kit.conformance import TEXTS, agree_on_films, agree_on_texts, films, rgb
from tests.kit.endpoints import KEY, Served, served

AZURE, VERTEX = "medimageinsight-endpoint", "cxr-foundation-endpoint"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_KEY", KEY)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """What runs behind the Azure endpoint."""
    folder = medimageinsight.write(tmp_path_factory.mktemp("deployed"))
    return load("medimageinsight", Checkpoint(folder, "medimageinsight", "test"))


@pytest.fixture
def azure(deployed: Encoder) -> Iterator[Served]:
    with served(endpoints.medimageinsight(deployed)) as state:
        yield state


@pytest.fixture
def vertex() -> Iterator[Served]:
    with served(endpoints.cxr_foundation, "/v1/projects/p/locations/l/endpoints/1:predict") as state:
        yield state


def opened(family: str, state: Served | str, **options: object) -> Encoder:
    url = state if isinstance(state, str) else state.url
    settings = {"url": url, "key_env": "ENDPOINT_KEY", "sends_images": True, "version": "1", "timeout": 20}
    if family == AZURE:
        settings["dim"] = medimageinsight.DIM
    return load(family, Checkpoint(Path("."), "far", "test", {**settings, **options}))


def sent(state: Served) -> list[Any]:
    return [question for _, question in state.seen]


def reached(encoder: Encoder, picture: Image.Image) -> np.ndarray:
    """What the deployed network makes of a picture that arrives."""
    grey = np.asarray(picture.convert("L").resize((96, 96), Image.Resampling.BICUBIC))
    return encoder.encode_images([grey])[0]


@pytest.mark.parametrize("variant", ["card", "toolkit", "mcp"])
def test_azure_gets_films_as_microsofts_clients_send_them(azure: Served, deployed: Encoder, variant: str) -> None:
    def client(film: Film) -> np.ndarray:
        if variant == "card":
            return reached(deployed, rgb(film).resize((480, 480), Image.Resampling.BICUBIC))
        if variant == "toolkit":  # its parts are compared with scikit-image elsewhere
            return reached(deployed, Image.fromarray(recipe("toolkit", 480, (0,), (1,))(film)))
        pixels = np.asarray(rgb(film).resize((512, 512), Image.Resampling.BICUBIC), np.float32)
        low, high = np.percentile(pixels, (5.0, 95.0))
        file = io.BytesIO()
        stretched = np.clip((pixels - low) / max(high - low, 1e-6) * 255.0, 0, 255).astype(np.uint8)
        Image.fromarray(stretched).save(file, format="JPEG", quality=75)
        return reached(deployed, Image.open(file))

    agree_on_films(opened(AZURE, azure, preprocessing=variant), client)
    for question in sent(azure):
        for image, text in question["input_data"]["data"]:
            picture = endpoints.picture(image)
            assert text is None and picture.size == ((512, 512) if variant == "mcp" else (480, 480))
            assert (picture.format, picture.mode) == (("JPEG", "RGB") if variant == "mcp" else ("PNG", "L"))


def test_azure_reads_words(azure: Served, deployed: Encoder) -> None:
    agree_on_texts(opened(AZURE, azure), lambda text: deployed.encode_texts([text])[0])
    assert sent(azure)[0]["input_data"]["data"] == [["", text] for text in TEXTS]


def test_azures_documented_answer_of_one_object_is_read_too(deployed: Encoder) -> None:
    rows = endpoints.medimageinsight(deployed)

    def answer(question: Any) -> Any:
        return {"text_features": [row["text_features"] for row in rows(question)], "scaling_factor": 4.5}

    with served(answer) as state:
        agree_on_texts(opened(AZURE, state), lambda text: deployed.encode_texts([text])[0])


def test_the_key_and_the_deployment_are_in_the_headers_alone(azure: Served) -> None:
    opened(AZURE, azure, deployment="blue").encode_texts(["edema"])
    [(headers, question)] = azure.seen
    assert headers["authorization"] == f"Bearer {KEY}" and headers["azureml-model-deployment"] == "blue"
    assert KEY not in json.dumps(question)


def test_many_films_travel_in_requests_of_bounded_size_and_come_back_in_order(azure: Served) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (480, 480), dtype=np.uint8) for _ in range(13)]
    batch = [Film(grey, grey.astype(np.uint16) * 257) for grey in noise]
    encoder = opened(AZURE, azure, preprocessing="card")
    prepared = [encoder.preprocess(film) for film in batch]
    together = encoder.encode_images(prepared)
    assert 1 < len(azure.seen) < 13, "several films a request, several requests"
    alone = np.concatenate([encoder.encode_images([one]) for one in prepared])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("space, name", [("general", "general_img_emb"), ("contrastive", "contrastive_img_emb")])
def test_vertex_gets_films_as_googles_client_sends_them(vertex: Served, space: str, name: str) -> None:
    def client(film: Film) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(film.display - film.display.min()).save(file, format="PNG")
        instance = {"input_bytes": base64.b64encode(file.getvalue()).decode()}
        [row] = endpoints.cxr_foundation({"instances": [instance]})["predictions"]
        return np.array(row[name]).mean(0) if space == "general" else np.array(row[name])

    encoder = opened(VERTEX, vertex, space=space)
    agree_on_films(encoder, client)
    assert encoder.spec.shape == ((768,) if space == "general" else (32, 128))


def test_vertex_reads_words(vertex: Served) -> None:
    def client(text: str) -> np.ndarray:
        [row] = endpoints.cxr_foundation({"instances": [{"prompt_query": text}]})["predictions"]
        return np.array(row["contrastive_txt_emb"])

    agree_on_texts(opened(VERTEX, vertex, space="contrastive"), client)
    with pytest.raises(HilumError, match="reads no text"):
        opened(VERTEX, vertex).encode_texts(["x"])


def test_even_noise_of_a_large_detector_fits_a_request_of_vertex(vertex: Served) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3000, 2500), dtype=np.uint8)
    encoder = opened(VERTEX, vertex)
    film = encoder.preprocess(Film(grey, grey.astype(np.uint16) * 257))
    assert Image.open(io.BytesIO(film.tobytes())).size == (853, 1024)
    assert encoder.encode_images([film, film]).shape == (2, 768)
    assert len(vertex.seen) == 2


@pytest.mark.parametrize("faults", [
    [429, 429], [500], [503, 502, 504], [endpoints.cut], [endpoints.body(b"", 429, retry_after="1")],
])  # fmt: skip
def test_what_passes_is_waited_for(azure: Served, faults: list[Any]) -> None:
    encoder = opened(AZURE, azure)
    wanted = encoder.encode_texts(["edema"])
    azure.faults[:] = faults
    count, started = len(azure.seen) + len(faults), time.monotonic()
    np.testing.assert_array_equal(encoder.encode_texts(["edema"]), wanted)
    assert len(azure.seen) == count + 1
    if callable(faults[0]) and faults[0] is not endpoints.cut:
        assert time.monotonic() - started >= 1, "it asked to be left alone for a second"


@pytest.mark.parametrize("fault, code, said", [
    (401, ErrorCode.FAILED_PRECONDITION, "key"), (403, ErrorCode.FAILED_PRECONDITION, "key"),
    (404, ErrorCode.FAILED_PRECONDITION, "url"),
    (500, ErrorCode.UNAVAILABLE, "does not answer"), (endpoints.hang, ErrorCode.UNAVAILABLE, "does not answer"),
    (endpoints.drip, ErrorCode.UNAVAILABLE, "does not answer"),
    (endpoints.body(b'[{"text_features": [0.5'), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b'[{"text_features": [0.5, 1.5]}]'), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b'[{"text_features": "x"}]'), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b"[]"), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b"null"), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b'[{"image_features": [[1]]}]'), ErrorCode.FAILED_PRECONDITION, "schema"),
    (endpoints.body(b"<html>sign in</html>"), ErrorCode.FAILED_PRECONDITION, "schema"),
], ids=lambda value: getattr(value, "__name__", None))  # fmt: skip
def test_what_does_not_pass_is_told_in_time(azure: Served, fault: Any, code: ErrorCode, said: str) -> None:
    azure.faults[:] = [fault] * 50
    started = time.monotonic()
    with pytest.raises(HilumError, match=said) as error:
        opened(AZURE, azure, timeout=1).encode_texts(["edema"])
    assert error.value.code is code and time.monotonic() - started < 3
    assert KEY not in error.value.client_message and "127.0.0.1" not in error.value.client_message
    if code is ErrorCode.FAILED_PRECONDITION:
        assert len(azure.seen) == 1, "asking again would not help"


def test_nobody_there_is_told(azure: Served) -> None:
    with pytest.raises(HilumError) as error:
        opened(AZURE, "http://127.0.0.1:9/score", timeout=1).encode_texts(["edema"])
    assert error.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(azure: Served, deployed: Encoder, status: int) -> None:
    with served(endpoints.medimageinsight(deployed)) as elsewhere:
        azure.faults[:] = [endpoints.body(b"", status, location=elsewhere.url)]
        with pytest.raises(HilumError, match="redirect"):
            opened(AZURE, azure).encode_texts(["edema"])
        assert not elsewhere.seen, "neither films nor the key go to another place"


def test_an_endless_answer_is_cut_off(azure: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.encoders.endpoint.MAX_ANSWER", 10_000)
    azure.faults[:] = [endpoints.body(b"[" + b" " * 200_000)]
    with pytest.raises(HilumError, match="schema"):
        opened(AZURE, azure).encode_texts(["edema"])


def test_a_film_that_the_endpoint_refuses_costs_the_others_nothing(vertex: Served) -> None:
    encoder = opened(VERTEX, vertex)
    prepared = [encoder.preprocess(film) for film in films()]
    prepared[2] = np.frombuffer(b"no picture", np.uint8)
    found = encode(encoder, prepared)
    assert [i for i, vector in enumerate(found) if isinstance(vector, Reason)] == [2]
    assert found[2] is Reason.ENCODER_FAILED


def test_an_outage_is_no_films_fault_and_is_asked_about_once(azure: Served) -> None:
    """Halving a batch of films would ask a service that is down again and again, and quarantine every film."""
    encoder = opened(AZURE, azure, timeout=1, preprocessing="card")
    prepared = [encoder.preprocess(film) for film in films()[:4]]
    azure.faults[:] = [503] * 100
    for ask in (lambda: encode(encoder, prepared), lambda: encode_words(encoder, ["edema", "effusion"])):
        azure.seen.clear()
        with pytest.raises(HilumError) as error:
            ask()
        assert error.value.code is ErrorCode.UNAVAILABLE and len(azure.seen) <= 4


def test_numbers_that_are_none_are_seen(azure: Served) -> None:
    rows = [{"image_features": [[float("nan")] * 24]}, {"image_features": [[0.5] * 24]}, {"image_features": [[0] * 24]}]
    azure.faults[:] = [endpoints.body(json.dumps(rows).encode())]
    encoder = opened(AZURE, azure, preprocessing="mcp")
    found = encode(encoder, [encoder.preprocess(film) for film in films()[:3]])
    assert found[0] is Reason.NON_FINITE_VECTOR and found[2] is Reason.NON_FINITE_VECTOR
    assert np.linalg.norm(found[1]) == pytest.approx(1)


@pytest.mark.parametrize("options, said", [
    ({"sends_images": False}, "protected health information"), ({"sends_images": "true"}, "sends_images: true"),
    ({"sends_images": 1}, "sends_images: true"), ({"sends_images": None}, "sends_images: true"),
    ({"url": "http://example.org/score"}, "https"), ({"url": "http://127.0.0.1.example.org/score"}, "https"),
    ({"url": "http://169.254.169.254/score"}, "https"), ({"url": "ftp://127.0.0.1/score"}, "https"),
    ({"url": "https://user:word@example.org/"}, "no user"), ({"url": "https://example.org/?key=1"}, "no query"),
    ({"url": ""}, "https"), ({"url": "https://example.org:port/"}, "address"), ({"url": "https:///score"}, "host"),
    ({"version": ""}, "version"), ({"timeout": 0}, "timeout"), ({"timeout": "long"}, "timeout"),
    ({"key_env": ""}, "key_env"), ({"key_file": "x"}, "key_env"), ({"key_env": "NOT_SET_ANYWHERE"}, "holds no key"),
    ({"key_env": "", "key_file": "/does/not/exist"}, "holds no key"), ({"preprocessing": "guess"}, "toolkit"),
])  # fmt: skip
def test_what_may_not_be_is_refused_before_anything_is_sent(
    azure: Served, options: dict[str, object], said: str
) -> None:
    with pytest.raises(HilumError, match=said):
        opened(AZURE, azure, **options)
    assert not azure.seen


@pytest.mark.parametrize("url", ["http://localhost:1/score", "http://[::1]:1/score", "https://10.0.0.7/score"])
def test_this_machine_and_any_host_by_https_are_allowed(url: str) -> None:
    opened(AZURE, url)


def test_a_key_that_would_break_a_header_is_refused(azure: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_KEY", "first\r\nx-second: header")
    with pytest.raises(HilumError, match="holds no key") as error:
        opened(AZURE, azure)
    assert "second" not in error.value.client_message


def test_a_key_in_a_file_may_change_while_it_runs(azure: Served, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{KEY}\n")
    encoder = opened(AZURE, azure, key_env="", key_file=str(file))
    encoder.encode_texts(["edema"])
    azure.keys = {"renewed"}
    with pytest.raises(HilumError, match="refuses the key"):
        encoder.encode_texts(["effusion"])
    file.write_text("renewed")
    encoder.encode_texts(["effusion"])


def test_what_is_deployed_is_in_the_fingerprint_and_the_key_is_not(
    azure: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants: list[Callable[[], Encoder]] = [
        lambda: opened(AZURE, azure), lambda: opened(AZURE, azure, version="2"),
        lambda: opened(AZURE, azure, deployment="blue"), lambda: opened(AZURE, azure, preprocessing="mcp"),
        lambda: opened(AZURE, azure.url + "/other"), lambda: opened(AZURE, azure, dim=12),
    ]  # fmt: skip
    assert len({variant().spec.fingerprint for variant in variants}) == len(variants)
    before = opened(AZURE, azure).spec
    monkeypatch.setenv("ENDPOINT_KEY", "another")
    assert opened(AZURE, azure, timeout=9).spec == before


@pytest.mark.parametrize("family", [AZURE, VERTEX])
def test_it_is_installed_from_a_folder_with_its_settings(
    azure: Served, vertex: Served, tmp_path: Path, family: str
) -> None:
    """As `hilum models add` does: the catalogue's entry, options from a file, proven against the endpoint itself."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "endpoint.yaml").write_text("# where it runs\n")
    url = azure.url if family == AZURE else vertex.url
    options: dict[str, object] = {"url": url, "key_env": "ENDPOINT_KEY", "sends_images": True, "version": "1"}
    if family == AZURE:
        options["dim"] = medimageinsight.DIM
    home = tmp_path / "models"
    home.mkdir()
    manifest, checks = install.add(home, family, source, "", options, named(family), isolated=False)
    assert all(check.ok for check in checks), checks
    kept = (home / family / "hilum-model.json").read_text()
    assert manifest.spec.name == family and url in kept and KEY not in kept
