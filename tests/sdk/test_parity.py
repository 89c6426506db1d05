"""Both clients do the same, and every rpc is known to come once or to be asked again."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.resources import files

import hilum.v1
from hilum import AsyncClient, Client, retries


def _public(kind: type) -> dict[str, object]:
    return {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}


def test_the_clients_have_the_same_methods_with_the_same_arguments() -> None:
    ours, theirs = _public(Client), _public(AsyncClient)
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        one, other = inspect.signature(method), inspect.signature(theirs[name])  # type: ignore[arg-type]
        assert list(one.parameters.values()) == list(other.parameters.values()), name
        assert (method.__doc__ or "").strip() and (theirs[name].__doc__ or "").strip(), name
        waits = inspect.iscoroutinefunction(theirs[name]) or inspect.isasyncgenfunction(theirs[name])
        assert waits or name == "within", name
        assert inspect.isasyncgenfunction(theirs[name]) == inspect.isgeneratorfunction(method), name


def test_every_rpc_is_safe_to_ask_again_or_is_not() -> None:
    found = set()
    for module in pkgutil.iter_modules(hilum.v1.__path__):
        if module.name.endswith("_pb2"):
            described = importlib.import_module(f"hilum.v1.{module.name}").DESCRIPTOR
            found |= {method.name for service in described.services_by_name.values() for method in service.methods}
    assert not retries.AGAIN & retries.ONCE
    assert found == retries.AGAIN | retries.ONCE, "put new rpcs into AGAIN or ONCE of hilum/retries.py"


def test_types_are_told_to_checkers() -> None:
    assert files("hilum").joinpath("py.typed").is_file()
