"""Nothing that names a person leaves its file: canaries in every place that could, and a search through all that Hilum
keeps, answers, says, measures and writes out, after an ingest in which everything went wrong that can.

What is *meant* to be kept is looked for in the same places, so that a search which sees nothing fails.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

from hilum import Client, HilumError, Job, locate
from services.analytics.atlas import export_static
from services.app import stack
from services.core.config import Settings
from services.core.facts import open_facts
from services.core.facts.schema import metadata
from services.core.store import VectorStore
from services.engine.fleet import EngineFleet
from services.ingest.decode_pool import DecodePool
from tests.kit.canaries import Canaries, burnt, contents, jpeg, picture
from tests.kit.films import ramp, saved

MODEL, TEXT_MODEL = "hilum-cxr-dino", "hilum-cxr-clip"
FACTS = {"facts.db", "facts.db-wal", "while it runs: facts.db", "while it runs: facts.db-wal"}
KEPT = "kept-device-77"  # the name of a device and of a dataset enters, so the search must find it
TOLD = "quetzalcoatlus"  # a report's text is kept as it is, in SQL alone
PLACES = ("files", "SQL", "payload", "HTTP", "gRPC", "logs", "export", "thumbnails", "refused requests")


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory, canaries: Canaries) -> Iterator[dict[str, dict[str, bytes]]]:
    """Place → what stands there, by its name."""
    home = tmp_path_factory.mktemp("canary")
    source = home / canaries.word("folder of the source")
    _write(source, canaries)
    said, seen = StringIO(), defaultdict[str, dict[str, bytes]](dict)
    with pytest.MonkeyPatch.context() as patch, _logged(said):
        patch.setattr(stack, "DecodePool", partial(DecodePool, module="tests.kit.hostile_decoder"))
        settings = Settings(home / "data", http_bind="127.0.0.1:0", grpc_bind="127.0.0.1:0", models=(MODEL, TEXT_MODEL))
        with stack.Stack(settings) as up, Client(endpoint=locate.Endpoint(up.grpc, up.url, up.token)) as client:
            jobs = _ingest(client, source, home, canaries)
            run = client.analyze(k=5).wait().result["run_id"]
            _ask(up.url, client, jobs, str(run), canaries, seen)
            export_static(settings.data_dir / "runs", str(run), home / "atlas")
            seen["files"].update({f"while it runs: {name}": data for name, data in contents(settings.data_dir)})
        _sql(settings, seen)
        _payload(settings, seen)
        seen["files"].update(contents(settings.data_dir))
        seen["export"] = dict(contents(home / "atlas"))
        seen["thumbnails"] |= {n: d for n, d in seen["files"].items() if n.startswith("blobs/")}
    seen["logs"]["stderr"] = said.getvalue().encode()
    yield seen


@pytest.mark.parametrize("place", PLACES)
def test_no_canary_is_found(place: str, exposed: dict[str, dict[str, bytes]], canaries: Canaries) -> None:
    assert exposed[place], "nothing was searched"
    assert not {name: found for name, data in exposed[place].items() if (found := canaries.found(data))}


@pytest.mark.parametrize("place", ["files", "SQL", "payload", "HTTP", "gRPC"])
def test_what_may_enter_is_found_there(place: str, exposed: dict[str, dict[str, bytes]]) -> None:
    assert any(KEPT.encode() in data for data in exposed[place].values())


def test_the_text_of_reports_is_in_sql_and_in_answers_alone(exposed: dict[str, dict[str, bytes]]) -> None:
    """Both collections of reports hold it, as words and as meanings. A film's page shows the report of its study."""
    found = {place for place in PLACES for data in exposed[place].values() if TOLD.encode() in data.lower()}
    assert found - {"HTTP"} == {"SQL", "files", "gRPC"}
    assert {name.split("/")[0] for name, data in exposed["files"].items() if TOLD.encode() in data.lower()} <= FACTS
    assert {name.split(".")[1] for name in exposed["payload"] if name.startswith("reports.")} == {"bm25", TEXT_MODEL}


def test_everything_went_wrong_that_can(exposed: dict[str, dict[str, bytes]]) -> None:
    told = exposed["gRPC"]["outcomes"].decode()
    for reason in (
        "BROKEN_HEADER", "TRUNCATED", "WRONG_BODY_PART", "WRONG_MODALITY", "BURNED_IN_TEXT", "DECODER_CRASHED",
        "NOT_AN_IMAGE", "SAME_KEY_OTHER_PIXELS", "SAME_KEY_SAME_PIXELS", "CONSTANT", "OUTSIDE_SOURCE",
    ):  # fmt: skip
        assert reason in told, reason
    states = json.loads(exposed["gRPC"]["states"])
    assert set(states) == {"succeeded", "failed", "cancelled"}
    logs = exposed["logs"]["stderr"].decode()
    assert "job.failed" in logs and "decoder.died" in logs and "request.failed" not in logs


def test_pictures_carry_no_metadata(exposed: dict[str, dict[str, bytes]]) -> None:
    pictures = [Image.open(BytesIO(data)) for data in exposed["thumbnails"].values() if data.startswith(b"\xff\xd8")]
    assert len(pictures) > 12
    for shown in pictures:
        told = set(shown.info) & {"exif", "xmp", "icc_profile", "comment"}
        assert shown.format == "JPEG" and not shown.getexif() and not told


def _write(source: Path, canaries: Canaries) -> None:
    """Films in order and films of every kind that is refused, each in a file and a folder with a name."""

    def put(data: bytes, ending: str = ".dcm", where: str = "") -> Path:
        folder = source / (where or canaries.word("folder"))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{canaries.word('file name')}{ending}"
        path.write_bytes(data)
        return path

    people, canaries.studies = [canaries.word("PatientID") for _ in range(5)], []  # type: ignore[attr-defined]
    for seed in range(12):
        film = canaries.film(seed, PatientID=people[seed % 5], StudyDate=canaries.date("StudyDate"),
                             ManufacturerModelName=KEPT)  # fmt: skip
        canaries.studies.append(str(film.StudyInstanceUID))  # type: ignore[attr-defined]
        put(saved(film))
    same = canaries.film(50, SOPInstanceUID=canaries.uid("SOPInstanceUID"))
    put(saved(same), where="same")
    put(saved(same), where="same")
    same.PixelData = ramp(96, seed=51).tobytes()
    put(saved(same), where="same")
    put(picture(canaries, 60), ".png")
    put(jpeg(canaries, 61), ".jpg")
    whole = saved(canaries.film(70))
    put(whole[: len(whole) // 2])
    put(whole[:-2_000])
    put(whole[132:])
    put(picture(canaries, 71)[:-3_000], ".png")
    put(saved(canaries.film(72, BodyPartExamined="HAND")))
    put(saved(canaries.film(73, Modality="MG")))
    words = canaries.film(74, BurnedInAnnotation="YES")
    words.PixelData = burnt(ramp(96, seed=74), canaries.word("burnt into the pixels")).tobytes()
    put(saved(words))
    flat = canaries.film(75)
    flat.PixelData = bytes(96 * 96 * 2)
    put(saved(flat))
    lying = canaries.film(76)
    lying.file_meta.TransferSyntaxUID = canaries.uid("TransferSyntaxUID")
    put(saved_as_it_is(lying))
    put(b"SEGV" + canaries.word("a file that crashes its decoder").encode())
    put(b"EXIT" + canaries.word("a file that ends its decoder").encode())
    put(b"\x89PNG\r\n\x1a\n" + canaries.word("a broken PNG").encode() * 9, ".png")
    outside = source.parent / f"{canaries.word('a file outside')}.dcm"
    outside.write_bytes(saved(canaries.film(77)))
    (source / f"{canaries.word('a link')}.dcm").symlink_to(outside)


def saved_as_it_is(film: object) -> bytes:
    """A file whose transfer syntax nobody knows; its elements are explicit VR little endian all the same."""
    out, syntax = BytesIO(), film.file_meta.TransferSyntaxUID  # type: ignore[attr-defined]
    film.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"  # type: ignore[attr-defined]
    data = saved(film)  # type: ignore[arg-type]
    known = b"1.2.840.10008.1.2.1\0"
    out.write(data.replace(known, str(syntax).encode()[: len(known) - 1] + b"\0", 1))
    return out.getvalue()


def _ingest(client: Client, source: Path, home: Path, canaries: Canaries) -> list[Job]:
    """Jobs that succeed, that fail by what they are given, and one that is cancelled."""

    def table(text: str, ending: str = ".csv", where: Path = home) -> Path:
        path = where / f"{canaries.word('name of a table')}{ending}"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    word = canaries.word
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.dcm"))
    rows = "".join(f"{name},{word('column')},{word('column')},61,1\n" for name in names)
    header = f"file,patient_name,{word('header')},age,Edema\n"
    said = "study_id,findings\n" + "".join(f"{study},No {TOLD} seen.\n" for study in canaries.studies)  # type: ignore[attr-defined]
    taken = [client.ingest(source, KEPT, labels=table(header + rows), reports=table(said), layout="files")]
    rows = table(f"key,secret\n{word('key')},{word('column')}\n", where=source / "same")
    mapped = table(f"table: {rows.name}\nkey: key\n", ".yaml")
    taken += [client.ingest(source / "same", "mapped", map=mapped)]
    wrong = [
        {"labels": table(f"file,labels\na,{'|'.join(word('label') * 9 for _ in range(3))}\n")},
        {"labels": table(f"{word('header')},b\n1,2\n")},
        {"labels": table(f"file,age\n{word('row')},\udcff\n")},
        {"map": table(f"table: {word('table')}\nkey: {word('key')}\ncolumns: {{nonsense: x}}\n", ".yaml")},
        {"map": table(f"table: [{word('not YAML')}\n", ".yaml")},
        {"map": table(f"table: {word('no such table')}.csv\nkey: k\n", ".yaml")},
        {"map": table(f"table: {table(word('header') + chr(10) + '1').name}\nkey: k\n", ".yaml")},
        {"labels": home / f"{word('no such table')}.csv"},
        {"tables": home / word("no such folder")},
        {"layout": "nih-cxr14", "tables": _nih(home, canaries)},
        {"layout": word("layout")},
        {"window": word("window")},
    ]  # fmt: skip
    refused = []
    for given in wrong:
        try:
            taken.append(client.ingest(source, "wrong", **given))
        except HilumError as error:
            refused.append(error.message)
    for path in (home / word("no such source"), "relative/" + word("source")):
        with pytest.raises(HilumError) as caught:
            client.ingest(path, "wrong")
        refused.append(caught.value.message)
    done = [ended(job) for job in taken]
    blobs = home / "data" / "blobs"
    blobs.rename(home / "aside")
    blobs.write_text("in the way")  # a disk that fails in the middle of a job
    done.append(ended(client.ingest(source / "same", "crashed")))
    blobs.unlink()
    (home / "aside").rename(blobs)
    job = client.ingest(source, "cancelled")
    job.cancel()
    done.append(ended(job))
    canaries.refused = refused  # type: ignore[attr-defined]
    return done


def ended(job: Job) -> Job:
    *_, last = (job, *job.watch())
    return last


def _nih(home: Path, canaries: Canaries) -> Path:
    folder = home / canaries.word("folder of tables")
    folder.mkdir()
    (folder / "Data_Entry_2017.csv").write_text(f"Image Index,{canaries.word('header')}\n{canaries.word('cell')},2\n")
    return folder


def _ask(
    url: str, client: Client, jobs: list[Job], run: str, canaries: Canaries, seen: dict[str, dict[str, bytes]]
) -> None:  # fmt: skip
    films = list(client.images())
    kept = client.save_search("kept", text="effusion").search_id
    fill = {
        "search_id": kept,
        "image_id": films[0].image_id,
        "job_id": jobs[0].job_id,
        "run_id": run,
        "name": MODEL,
        "model": MODEL,
    }
    items = [item for job in jobs for item in client.items(job.job_id)]
    seen["gRPC"] = {
        "films": repr(films).encode(),
        "items": repr(items).encode(),
        "outcomes": " ".join(item.reason for item in items).encode(),
        "states": json.dumps([job.state for job in jobs]).encode(),
        "jobs": repr(client.jobs()).encode(),
        "refused": repr([*canaries.refused, *(job.error for job in jobs)]).encode(),  # type: ignore[attr-defined]
        "runs": repr([client.run(run), client.runs()]).encode(),
        "models": repr(client.models()).encode(),
        "facets": repr(client.facets()).encode(),
        "search": repr(client.search(id=films[0].image_id, exclude="none")).encode(),
        "reports": repr(list(client.search_reports(f"no {TOLD}", exclude="none"))).encode(),
    }
    with httpx.Client(base_url=url, timeout=60) as http:
        paths = [p for p, methods in http.get("/openapi.json").json()["paths"].items() if "get" in methods]
        pages = ["/", "/maps", "/jobs", "/about", f"/films/{films[0].image_id}", "/metrics", "/readyz",
                 f"/v1/runs/{run}/report", f"/v1/runs/{run}/atlas/"]  # fmt: skip
        others = defaultdict(lambda: "none", fill)  # of what this archive has none of
        for path in [*(p.format_map(others) for p in paths if ":watch" not in p), *pages]:
            answer = http.get(path, follow_redirects=True)
            seen["HTTP"][path] = answer.content
        for film in films:
            seen["thumbnails"][film.image_id] = client.thumbnail(film.image_id)
        for path, body in (
            ("search", {"query": {"image_id": films[0].image_id}}), ("images:query", {}), ("images:facets", {}),
        ):  # fmt: skip
            answer = http.post(f"/v1/{path}", json=body)
            assert answer.status_code == 200
            seen["HTTP"][path] = answer.content
        seen["refused requests"] = dict(_refused(http, canaries))
    watched = httpx.get(f"{url}/v1/jobs/{jobs[0].job_id}:watch", timeout=30)
    seen["HTTP"]["watch"] = watched.content


def _refused(http: httpx.Client, canaries: Canaries) -> Iterator[tuple[str, bytes]]:
    """Requests that carry canaries and are refused; the answers must not repeat them."""
    word = canaries.word
    whole = saved(canaries.film(90))
    films = [whole[:500], whole[:-2_000], whole[132:], saved(canaries.film(91, BodyPartExamined="HAND"))]
    bodies: list[tuple[str, object]] = [
        *(("search", {"query": {"image": base64.b64encode(film).decode()}}) for film in films),
        ("search", {"query": {"image_id": word("an id")}}),
        ("search", {"query": {"text": "x"}, "filter": f'{word("a field")} = "{word("a value")}"'}),
        ("search", {"query": {"text": "x"}, "filter": f'view = {word("a view")} AND ('}),
        ("search", {"query": {"text": word("words")}, "models": [word("a model")]}),
        ("search", {word("a key"): word("a value")}),
        ("reports:search", {"image_id": word("an id")}),
        ("reports:search", {"text": word("words"), "model": word("a model")}),
        ("reports:search", {"text": "x", "filter": f'{word("a field")} = 1', "section": word("a section")}),
        ("reports:index", {"dataset": word("a dataset")}),
        ("images:query", {"filter": f"age > {word('an age')}"}),
        ("images:query", {"page_token": word("a token")}),
        ("ingest/jobs", {"source": f"/{word('a source')}", "dataset": "x"}),
        ("ingest/jobs", {"source": "/", "dataset": word("a dataset")}),
        ("analytics/jobs", {"filter": word("a filter"), "models": [word("a model")]}),
    ]  # fmt: skip
    for number, (path, body) in enumerate(bodies):
        answer = http.post(f"/v1/{path}", json=body)
        assert answer.status_code >= 400, path
        yield f"{number} {path}", answer.content + repr(dict(answer.headers)).encode()
    for path in ("images/{}", "images/{}/thumbnail", "jobs/{}", "jobs/{}/items", "runs/{}", "{}", "runs/{}/atlas/"):
        answer = http.get(f"/v1/{path.format(word('an address'))}")
        assert answer.status_code >= 400, path
        yield path, answer.content + repr(dict(answer.headers)).encode()


def _payload(settings: Settings, seen: dict[str, dict[str, bytes]]) -> None:
    """Every point of every collection, as the engine gives it."""
    with EngineFleet(settings.data_dir / "engine") as fleet:
        store = VectorStore(fleet.url)
        for collection in store.collections():
            points, more = store._at(collection).scroll(collection, limit=1_000, with_payload=True)
            assert points and more is None
            seen["payload"][collection] = repr(points).encode()
        store.close()


@contextmanager
def _logged(said: StringIO) -> Iterator[None]:
    """Our events of every level, and whatever others would print."""
    handler, ours, others = logging.StreamHandler(said), logging.getLogger("hilum"), logging.getLogger()
    handler.setLevel(logging.DEBUG)
    before = ours.level
    ours.setLevel(logging.DEBUG)
    for logger in (ours, others):
        logger.addHandler(handler)
    try:
        yield
    finally:
        ours.setLevel(before)
        for logger in (ours, others):
            logger.removeHandler(handler)


def _sql(settings: Settings, seen: dict[str, dict[str, bytes]]) -> None:
    facts = open_facts(settings.facts)
    with facts.read() as db:
        for table in metadata.sorted_tables:
            seen["SQL"][table.name] = repr([tuple(row) for row in db.execute(table.select())]).encode()
    facts.close()
