"""``hwnas profile --device ssh://...`` against an ssh server of our own on the loopback."""

from __future__ import annotations

import dataclasses
import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hwnas import latency
from hwnas.cli import main
from hwnas.latency import LatencyTable
from hwnas.latency.boards import _bundle, _result

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")

pytestmark = [
    pytest.mark.skipif(SSHD is None or shutil.which("ssh") is None, reason="no OpenSSH server and client here"),
    pytest.mark.skipif(sys.platform == "win32", reason="paths and permissions of a POSIX ssh server"),
]


@dataclass(frozen=True)
class Server:
    url: str
    home: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Own port, own keys, own settings; ends with the module."""
    folder = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "home"
    home.mkdir()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nPasswordAuthentication no\n"
        f'ForceCommand cd {home} && exec sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    (folder / "client").write_text(
        f"IdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known\n"
        "StrictHostKeyChecking accept-new\n"
    )
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    wrapper.chmod(0o755)
    process = subprocess.Popen([str(SSHD), "-D", "-f", str(folder / "config"), "-E", str(folder / "log")])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if process.poll() is not None or probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        if process.poll() is not None:
            pytest.skip(f"sshd does not start here: {(folder / 'log').read_text().strip()[-200:]}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
            yield Server(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", home)
    finally:
        process.terminate()
        process.wait()


def _run(*args: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["profile", "--space", "digits", "--fix", "r=8", *args])
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_a_table_over_ssh(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_bundle, "ROUNDS", (2, 2))
    small = latency.Plan(times=1, sessions=1, n_calibration=2, n_validation=5)
    monkeypatch.setattr(latency, "Plan", lambda seed: dataclasses.replace(small, seed=seed))
    monkeypatch.setattr(_result, "DRIFT", 1e9)  # networks of microseconds on a busy machine
    assert _run("--device", server.url, "--python", sys.executable) == 0
    out, _ = capfd.readouterr()
    (folder,) = (tmp_path / "latency_tables").iterdir()
    assert folder.name.startswith("127.0.0.1-")
    assert f"--device {folder.name}" in out
    assert LatencyTable.load(folder).spaces["digits"]["validation"]["n_validation"] == 5
    assert not list(server.home.iterdir())  # nothing is left there


@pytest.mark.parametrize(
    ("device", "python", "message"),
    [
        (None, "no-such-python", "it has no no-such-python; name the interpreter there with --python"),
        (None, f"{sys.executable} -S", "fails|has no"),
        ("ssh://127.0.0.1:1", "python3", "ssh fails: "),
        ("ssh://host.invalid", "python3", "ssh fails: "),
        ("ssh://-oProxyCommand=x", "python3", "it reads ssh://user@host"),
        ("ssh://u@h/path", "python3", "it reads ssh://user@host"),
    ],
)
def test_what_cannot_be_reached_is_one_line(
    device: str | None,
    python: str,
    message: str,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run("--device", device or server.url, "--python", python) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: --device ssh://")
    assert re.search(message, error)
    assert not (tmp_path / "latency_tables").exists()
