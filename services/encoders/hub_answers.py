"""What the hub and the network answer when they do not give a file, in words that say what to do."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from services.core.errors import ErrorCode, HilumError
from services.encoders.known import Known

# The hub learns which files are fetched, and nothing about who fetches them. Read when the hub's library is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def asking(entry: Known, repo: str) -> Iterator[None]:
    """Turn what fails while `repo` is asked for into a HilumError; no text of the hub's or the network's is passed on.

    Raises FAILED_PRECONDITION at once when the hub may not be asked.
    """
    from huggingface_hub import errors
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        why = "HF_HUB_OFFLINE is set" if "services.encoders.offline" not in sys.modules else "an encoder is loaded here"
        raise HilumError(ErrorCode.FAILED_PRECONDITION, f"the hub may not be asked: {why}; {_by_hand(entry)}")
    try:
        yield
    except errors.GatedRepoError as error:
        access = f" {entry.licence.access.rstrip('.')}." if entry.licence.access else ""
        raise HilumError(
            ErrorCode.PERMISSION_DENIED,
            f"{repo} is gated.{access} Accept its terms at https://huggingface.co/{repo}, then `hf auth login` or set "
            f"HF_TOKEN, and pull again; or {_by_hand(entry)}",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HilumError(ErrorCode.NOT_FOUND, f"{repo} has no such revision; leave --revision out") from error
    except errors.RepositoryNotFoundError as error:
        token = "the token you gave has no right to it" if os.environ.get("HF_TOKEN") else "it is private or gated"
        raise HilumError(
            ErrorCode.NOT_FOUND,
            f"the hub shows no repository {repo}: it has moved, or {token}: `hf auth login` or set HF_TOKEN; or "
            f"{_by_hand(entry)}",
        ) from error
    except errors.EntryNotFoundError as error:
        raise HilumError(ErrorCode.NOT_FOUND, f"{repo} lacks a file at this revision; pull again") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise HilumError(
                ErrorCode.PERMISSION_DENIED,
                f"the hub does not let you have {repo} ({status}): look whether HF_TOKEN or `hf auth login` is still "
                "valid and may read gated repositories",
            ) from error
        raise HilumError(ErrorCode.UNAVAILABLE, f"the hub answered {status}; pull again later, it goes on") from error
    except (OSError, *_network()) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "the disk is full; free some and pull again") from error
        raise HilumError(
            ErrorCode.UNAVAILABLE,
            f"the hub cannot be reached, or the connection broke; the same command goes on from there. Without a "
            f"network, {_by_hand(entry)}",
        ) from error


def _network() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError,)


def _by_hand(entry: Known) -> str:
    return f"fetch the files elsewhere and `hilum models add {entry.name} --path FOLDER`"
