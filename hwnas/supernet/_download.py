"""Downloads of published checkpoints. They can be resumed, and only files with the published digest are kept."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hwnas.errors import SupernetError, UnknownNameError
from hwnas.files import UNWRITTEN, beside, locked, user_cache
from hwnas.progress import notice

_RAW = "https://raw.githubusercontent.com/han-cai/files/master/ofa"
_LARGE = "https://media.githubusercontent.com/media/han-cai/files/master/ofa"

ATTEMPTS = 5
"""Connections in a row without a new byte before giving up."""

TIMEOUT_S = 30.0
POLL_S = 0.5
"""Seconds between looks at whether another process is done."""

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Published:
    """A published file: its URL, its digest, and its name in the cache.

    ``digest`` is ``git:<blob id>`` (sha1 of ``"blob <size>\\0"`` and the content) or ``sha256:<digest>``.
    """

    url: str
    digest: str
    file: str


PUBLISHED = {
    "ofa_mbv3_w1.0": Published(
        f"{_RAW}/ofa_nets/ofa_mbv3_d234_e346_k357_w1.0",
        "git:55d835981d8acd1053657a951b18887a724ddcbf",
        "ofa_mbv3_w1.0.pth",
    ),
    "ofa_mbv3_w1.2": Published(
        f"{_RAW}/ofa_nets/ofa_mbv3_d234_e346_k357_w1.2",
        "git:d75a3613bae216091f61fc4b7df77d49cc82ed32",
        "ofa_mbv3_w1.2.pth",
    ),
    "ofa_proxyless_w1.3": Published(
        f"{_RAW}/ofa_nets/ofa_proxyless_d234_e346_k357_w1.3",
        "git:c97035a7a6fe611508f3bb35ffac0ef77262f5e0",
        "ofa_proxyless_w1.3.pth",
    ),
    "ofa_resnet50": Published(
        f"{_LARGE}/ofa_nets/ofa_resnet50_d0-1-2_e0.2-0.25-0.35_w0.65-0.8-1.0",
        "sha256:3406a4c852f4573a58e9a01f35406baa4ad3787044ffadc6ea45571ad2b9123a",
        "ofa_resnet50.pth",
    ),
    "acc_predictor": Published(
        f"{_RAW}/acc_predictor.pth", "git:f6a9ab2f66b7e2f6e097a1e32faafe60a4d22fcf", "acc_predictor.pth"
    ),
    "ofa_resnet50_acc_predictor": Published(
        f"{_RAW}/ofa_resnet50_acc_predictor.pth",
        "git:bac606f6deca29ba0cd00529932846ff6b7176ed",
        "ofa_resnet50_acc_predictor.pth",
    ),
}
"""Once-for-All's supernets and accuracy predictors (github.com/mit-han-lab/once-for-all)."""


def cache_folder() -> Path:
    """The folder of downloaded checkpoints: ``$HWNAS_CACHE``, or ``hwnas`` in the user's cache folder."""
    return Path(os.environ.get("HWNAS_CACHE") or user_cache())


def cached_checkpoint(name: str) -> Path | None:
    """The downloaded checkpoint of a supernet, if there is one."""
    path = cache_folder() / PUBLISHED[name].file
    return path if path.is_file() else None


def download(
    name: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    url: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetch a published file and return its path. A download that was stopped goes on where it stood.

    A file that is there already is verified and left alone. An unfinished download is kept as ``<file>.part``. Waits while
    another process downloads into the same folder.

    Args:
        name: a key of ``PUBLISHED``.
        folder: where to put the file; :func:`cache_folder` by default.
        url: a mirror.
        progress: called with (bytes so far, total bytes or None).

    Raises:
        UnknownNameError: no such file is published.
        SupernetError: there is no connection, the file cannot be written, or its content differs from the published one.
    """
    if name not in PUBLISHED:
        raise UnknownNameError("download", name, PUBLISHED)
    published = PUBLISHED[name]
    url = url or published.url
    path = Path(folder if folder is not None else cache_folder()) / published.file
    if not url.startswith(("https://", "http://")):
        raise SupernetError(f"url {url}", "it is no http address", "write https://...")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(path.parent):
            _complete(name, url, path, progress)
    except OSError as error:
        raise SupernetError(f"file {path}", f"it cannot be written ({error.strerror})", "pass --out FOLDER") from error
    return path


def _complete(name: str, url: str, path: Path, progress: Callable[[int, int | None], None] | None) -> None:
    """Verify the file at ``path``, or fetch it."""
    wanted = PUBLISHED[name].digest
    if path.exists():
        if digest(path, wanted) != wanted:
            raise SupernetError(f"file {path}", f"it is not the published {name}", "delete it, or pass --out FOLDER")
        return
    part = beside(path, "part")
    resumed = part.exists() and part.stat().st_size > 0
    _fetch(name, url, part, progress)
    if resumed and digest(part, wanted) != wanted:
        part.unlink()  # its beginning may come from another file
        _fetch(name, url, part, progress)
    found = digest(part, wanted)
    if found != wanted:
        part.unlink()
        rule = f"its content is {found}, the published file is {wanted}"
        raise SupernetError(f"download of {url}", rule, "try again later, or pass another --url")
    part.replace(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lets one process at a time download into a folder: two would append to the same part."""
    if sys.platform == "win32":  # where folders cannot be opened
        yield
        return
    handle, waiting = os.open(folder, os.O_RDONLY), False
    try:
        while locked(handle) is False:
            if not waiting:
                notice(f"waiting for another process, which downloads into {folder}")
            waiting = True
            time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


def digest(path: Path, like: str) -> str:
    """Digest of a file, of the same kind as ``like`` (``git:``, ``sha256:``)."""
    kind = like.partition(":")[0]
    git_blob = partial(hashlib.sha1, b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        return f"{kind}:{hashlib.file_digest(stream, 'sha256' if kind == 'sha256' else git_blob).hexdigest()}"


def _fetch(name: str, url: str, part: Path, progress: Callable[[int, int | None], None] | None) -> None:
    """Append to ``part`` until all of ``url`` is there, reconnecting when the connection is cut."""
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _fetch_once(url, part, progress):
                return
            problem = "the connection was cut"
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code < 500:
                idle = ATTEMPTS
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and (error.filename is not None or error.errno in UNWRITTEN):
                raise  # the file cannot be written; the connection is fine
            problem = f"no connection ({getattr(error, 'reason', None) or str(error) or type(error).__name__})"
        idle = 0 if part.exists() and part.stat().st_size > before else idle + 1
        if idle >= ATTEMPTS:
            remedy = "run it again to go on, or fetch the file elsewhere and pass --checkpoint FILE"
            raise SupernetError(f"download of {name} from {url}", problem, remedy)
        time.sleep(min(0.1 * 2**idle, 5.0))


def _fetch_once(url: str, part: Path, progress: Callable[[int, int | None], None] | None) -> bool:
    """Download over one connection; returns whether it reached the end of the file."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "hwnas", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                return True  # nothing is left to send; the digest will show whether the file is complete
        raise
    with response:
        continued = response.status == http.HTTPStatus.PARTIAL_CONTENT and _starts_at(response, start)
        if not continued:
            start = 0
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                part.unlink(missing_ok=True)
                return False
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        with part.open("ab" if continued else "wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                start += len(chunk)
                if progress is not None:
                    progress(start, total)
    return total is None or start == total


def _starts_at(response: http.client.HTTPResponse, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start
