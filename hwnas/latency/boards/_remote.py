"""Profiling over ssh: the system's ssh sends a bundle, runs it and fetches the result.

Files go through ssh's standard input and output, because small boards often have no server for scp. ssh never prompts
(``BatchMode``): users set up keys, known hosts and their ssh config themselves.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from hwnas.errors import DeviceError
from hwnas.files import replacing
from hwnas.latency.boards._board import OUT
from hwnas.latency.boards._bundle import bundle_digest
from hwnas.latency.timing._measure import Progress
from hwnas.progress import notice

CONNECT_S = 10
"""Seconds to wait for a host."""

_SSH_FAILED = 255
"""Exit code of ssh itself; other codes come from the command it ran."""

_STEP = re.compile(r"(\d+) of (\d+) timings done(?:; (.*))?")


class Machine(Protocol):
    """A machine that can be reached from here, on which hwnas is not installed."""

    @property
    def name(self) -> str:
        """Name of its table."""

    def run(self, bundle: Path, result: Path, progress: Progress | None) -> None:
        """Run a bundle there and write its CSV here; after an interruption the same call resumes.

        Args:
            bundle: the zip.
            result: path of the CSV.
            progress: called after each block of networks.

        Raises:
            DeviceError: the machine cannot be reached, lacks Python or packages, or the run fails there.
        """


@dataclass(frozen=True)
class Host:
    """A machine that is reached by ssh.

    Attributes:
        user: empty for ssh's default.
        host: name or address.
        port: None for ssh's default.
        python: the interpreter there.
    """

    user: str
    host: str
    port: int | None = None
    python: str = "python3"

    @classmethod
    def of(cls, url: str, python: str = "python3") -> Host:
        """The host in ``ssh://user@host:port``.

        Raises:
            DeviceError: the text is no such address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        # `parts.hostname` is lower case, but names in an ssh config are case-sensitive.
        written = parts.netloc.rpartition("@")[2].removeprefix("[")
        named = written[: len(parts.hostname or "")]
        # A name that begins with a dash would be an option of ssh.
        fine = all(re.fullmatch(r"[A-Za-z0-9_][\w.:-]*", text) for text in (named, parts.username or "x"))
        more = parts.path.strip("/") or parts.password or parts.query or parts.fragment
        if parts.scheme != "ssh" or not fine or more:
            raise DeviceError(f"device {url}", "it reads ssh://user@host or ssh://user@host:port", "correct it")
        return cls(parts.username or "", named, port, python)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}" + (f":{self.port}" if self.port else "")

    @property
    def name(self) -> str:
        """Host, and port if one is given: several boards may share an address."""
        return f"{self.host}-{self.port}" if self.port else self.host

    @property
    def target(self) -> str:
        """``user@host``, for ssh."""
        return f"{self.user}@{self.host}" if self.user else self.host

    def run(self, bundle: Path, result: Path, progress: Progress | None) -> None:
        """As `Machine.run`.

        The folder there is named after the bundle, so that the same call resumes after a lost connection. It is removed once the
        result is here.
        """
        folder = f".hwnas-{bundle_digest(bundle)}"
        _check_python(self)
        _remote(self, f"mkdir -p {folder}")
        with bundle.open("rb") as file:
            _remote(self, f"cat > {folder}/bundle.zip", source=file)
        python = shlex.quote(self.python)
        _remote(self, f"cd {folder} && {python} -m zipfile -e bundle.zip . && rm bundle.zip")
        _run(self, f"cd {folder} && exec {python} run.py --out {OUT}", progress)
        with replacing(result) as part, part.open("wb") as file:
            _remote(self, f"cat {folder}/{OUT}", target=file)
        _remote(self, f"rm -rf {folder}")


REACHED_BY: dict[str, Callable[[str, str], Machine]] = {"ssh": Host.of}
"""Functions that make a `Machine` from an address and the interpreter there, by the scheme of the address."""


def is_remote(device: str) -> bool:
    """Whether a device is the address of another machine: ``ssh://user@host``."""
    scheme, found, _ = device.partition("://")
    return bool(found) and scheme in REACHED_BY


def remote_machine(address: str, python: str = "python3") -> Machine:
    """The machine at an address that `is_remote`.

    Raises:
        DeviceError: the address is malformed.
    """
    return REACHED_BY[address.partition("://")[0]](address, python)


def _check_python(host: Host) -> None:
    """Raise a one-line error if Python, numpy or onnxruntime is missing there."""
    code = "import sys; assert sys.version_info >= (3, 8), sys.version.split()[0]; import numpy, onnxruntime; print('fine')"
    done = _ssh(host, f"{shlex.quote(host.python)} -c {shlex.quote(code)}")
    if done.returncode == 0 and "fine" in done.stdout:
        return
    last = _last_line(done)
    if done.returncode in (126, 127):
        rule, remedy = f"it has no {host.python}", "name the interpreter there with --python"
    elif "No module named" in last:
        missing = last.rpartition("'")[0].rpartition("'")[2]
        rule, remedy = f"{host.python} there has no {missing}", "install numpy and onnxruntime there, or pass --python"
    elif "AssertionError" in last:
        rule, remedy = (
            f"{host.python} there is {last.partition(': ')[2]}",
            "Python 3.8 or later is needed: pass --python",
        )
    else:
        rule, remedy = f"{host.python} there fails: {last}", "correct it there, or pass --python"
    raise DeviceError(f"device {host}", rule, remedy)


def _command(host: Host, command: str, *more: str) -> list[str]:
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", "-o", "ServerAliveInterval=15", *more]
    options += ["-p", str(host.port)] if host.port else []
    return ["ssh", *options, "--", host.target, command]


def _remote(
    host: Host, command: str, source: IO[bytes] | int = subprocess.DEVNULL, target: IO[bytes] | int = subprocess.PIPE
) -> None:
    done = _ssh(host, command, source, target)
    if done.returncode:
        rule = f"{command.partition(' ')[0]} fails there: {_last_line(done)}"
        raise DeviceError(f"device {host}", rule, "correct it; the same command resumes")


def _ssh(
    host: Host, command: str, source: IO[bytes] | int = subprocess.DEVNULL, target: IO[bytes] | int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            _command(host, command), stdin=source, stdout=target, stderr=subprocess.PIPE, text=True, check=False
        )
    except FileNotFoundError:
        raise DeviceError(f"device {host}", "there is no ssh here", "install OpenSSH's client") from None
    if done.returncode == _SSH_FAILED:
        raise _unreachable(host, _last_line(done))
    return done


def _run(host: Host, command: str, progress: Progress | None) -> None:
    # With a terminal (-tt) the run ends with the connection, so that neither the run nor its lock survives Ctrl-C here.
    line = _command(host, command, "-tt")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        said = ""
        with subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:
            try:
                for text in process.stdout or ():
                    said = text.strip() or said
                    if text.startswith("waiting for "):
                        notice(f"{host}: {said}")
                    step = _STEP.match(said)
                    if step and progress is not None:
                        progress(int(step[1]), int(step[2]), step[3] or "done")
            except BaseException:
                process.terminate()
                raise
            code = process.wait()
        if code == _SSH_FAILED:
            errors.seek(0)
            raise _unreachable(host, (errors.read().strip().splitlines() or [said])[-1])
        if code:
            rule = f"run.py fails there: {said.removeprefix('error: ')}"
            raise DeviceError(f"device {host}", rule, "correct it; the same command resumes")


def _unreachable(host: Host, reason: str) -> DeviceError:
    plain = ["ssh", *(["-p", str(host.port)] if host.port else []), host.target]
    return DeviceError(f"device {host}", f"ssh fails: {reason}", f"try: {shlex.join(plain)}; the same command resumes")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout or "").splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
