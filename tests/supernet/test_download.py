"""Downloads against a server on loopback: resumed, cut, without ranges, with foreign content."""

from __future__ import annotations

import errno
import hashlib
import http.client
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli import main
from hwnas.errors import SupernetError, UnknownNameError
from hwnas.supernet import _download, download
from hwnas.supernet._download import Published, digest

CONTENT = bytes(range(256)) * 3000


class Server(ThreadingHTTPServer):
    """Serves ``content``; ``cut_after`` closes each connection early, ``ranges`` honours Range."""

    content = CONTENT
    ranges = True
    cut_after: int | None = None
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/net"
        blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
        published = {"net": Published(url, f"git:{blob}", "net.pth")}
        monkeypatch.setattr(_download, "PUBLISHED", published)
        monkeypatch.setattr("hwnas.supernet._download.time.sleep", lambda _: None)
        yield server
        server.shutdown()


def test_git_blob_ids_are_git_s(tmp_path: Path):
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert digest(tmp_path / "hello", "git:") == "git:ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_whole_file_arrives_once(server: Server, tmp_path: Path):
    seen: list[tuple[int, int | None]] = []
    path = download("net", tmp_path / "new", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert download("net", tmp_path / "new") == path
    assert server.requests == [None]
    assert [p.name for p in path.parent.iterdir()] == ["net.pth"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_partial_file_is_continued_or_begun_anew(server: Server, tmp_path: Path, ranges: bool):
    server.ranges = ranges
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:100_000])
    assert download("net", tmp_path).read_bytes() == CONTENT
    assert server.requests == ["bytes=100000-"]


def test_cut_connections_are_taken_up_again(server: Server, tmp_path: Path):
    server.cut_after = 200_000
    assert download("net", tmp_path).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=200000-", "bytes=400000-", "bytes=600000-"]


def test_whatever_breaks_a_connection_it_is_taken_up_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    errors = [ssl.SSLError("decryption failed or bad record mac"), OSError(errno.ENETUNREACH, "Network is unreachable")]
    read = http.client.HTTPResponse.read

    def breaking(response: http.client.HTTPResponse, amount: int) -> bytes:
        if errors:
            raise errors.pop()
        return read(response, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", breaking)
    assert download("net", tmp_path).read_bytes() == CONTENT
    assert server.requests == [None] * 3


def test_without_ranges_a_connection_that_is_always_cut_ends_with_one_line(server: Server, tmp_path: Path):
    server.cut_after, server.ranges = 200_000, False
    with pytest.raises(SupernetError, match="connection was cut; run it again"):
        download("net", tmp_path)
    assert not (tmp_path / "net.pth").exists()


@pytest.mark.usefixtures("server")
def test_a_complete_part_needs_no_bytes(tmp_path: Path):
    (tmp_path / "net.pth.part").write_bytes(CONTENT)
    assert download("net", tmp_path).read_bytes() == CONTENT


@pytest.mark.usefixtures("server")
def test_the_beginning_of_another_file_is_thrown_away(tmp_path: Path):
    for beginning in (b"x" * 1000, b"x" * (len(CONTENT) + 5)):
        folder = tmp_path / str(len(beginning))
        folder.mkdir()
        (folder / "net.pth.part").write_bytes(beginning)
        assert download("net", folder).read_bytes() == CONTENT


def test_foreign_content_is_refused_and_not_kept(server: Server, tmp_path: Path):
    server.content = b"version https://git-lfs.github.com/spec/v1\n"
    with pytest.raises(SupernetError, match="its content is git:"):
        download("net", tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "net.pth").write_bytes(b"mine")
    with pytest.raises(SupernetError, match="not the published net"):
        download("net", tmp_path)
    assert (tmp_path / "net.pth").read_bytes() == b"mine"


def test_two_at_once_fetch_the_file_once(server: Server, tmp_path: Path):
    """Each of them would append to the other's part."""
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: download("net", tmp_path), range(4)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert server.requests == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["net.pth"]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("taken", ["net.pth", "net.pth.part", "."])
def test_places_that_are_taken(taken: str, tmp_path: Path):
    folder = tmp_path / "out"
    (folder / taken).mkdir(parents=True) if taken != "." else folder.write_bytes(b"a file")
    with pytest.raises(SupernetError, match=r"out/net.pth: it cannot be written .*; pass --out FOLDER"):
        download("net", folder)


def test_servers_that_do_not_answer(server: Server, tmp_path: Path):
    server.status = 404
    with pytest.raises(SupernetError, match=r"answers 404 Not Found; .* pass --checkpoint FILE"):
        download("net", tmp_path)
    assert len(server.requests) == 1
    with pytest.raises(SupernetError, match=r"no connection .*; .* pass --checkpoint FILE"):
        download("net", tmp_path, url="http://127.0.0.1:1/net")
    with pytest.raises(SupernetError, match="no http address"):
        download("net", tmp_path, url="file:///etc/hostname")
    with pytest.raises(UnknownNameError, match="did you mean 'net'"):
        download("nets", tmp_path)


@pytest.mark.usefixtures("server")
def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for code, args in ((0, ["net", "--out", str(tmp_path)]), (2, ["nets", "--out", str(tmp_path)])):
        with pytest.raises(SystemExit) as caught:
            main(["download", *args])
        assert (caught.value.code or 0) == code
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'net.pth'}\n"
    assert "did you mean 'net'" in captured.err
