"""Files of predictors: what is broken, foreign or dangerous is refused in one line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.errors import HwnasError, PredictorError, UnknownNameError
from hwnas.predictor import get_predictor, load_predictor, new_predictor, save_predictor
from hwnas.space import Gene, SearchSpace, get_space

FILES = Path(__file__).parent / "files"
"""Predictors of ``digits`` that an early version stored, and what they predicted."""


@pytest.fixture(scope="module")
def space():
    return get_space("ofa_mbv3_w1.0")


@pytest.fixture(scope="module")
def stored(space, tmp_path_factory):
    x = space.restrict(r=224).sample(30, np.random.default_rng(0))
    path = tmp_path_factory.mktemp("stored") / "small.safetensors"
    save_predictor(new_predictor("gp", space).fit(x, 70 + x[:, :40].mean(axis=1)), path)
    return path


def rewritten(stored, tmp_path, **changes):
    """The stored file with changes to its JSON header, and a digest that fits them."""
    content = stored.read_bytes()
    (n,) = struct.unpack("<Q", content[:8])
    outer = json.loads(content[8 : 8 + n])
    inner = json.loads(outer["__metadata__"]["hwnas"])
    outer["__metadata__"]["hwnas"] = json.dumps(inner | changes)
    digest = inner["sha256"]
    header = json.dumps(outer).encode()
    header += b" " * (-len(header) % 8)
    return signed(struct.pack("<Q", len(header)) + header + content[8 + n :], digest, tmp_path)


def signed(content, digest, tmp_path):
    """A file whose digest, ``digest`` so far, is that of what it holds."""
    blank = content.replace(digest.encode(), b"0" * 64)
    path = tmp_path / "changed.safetensors"
    path.write_bytes(content.replace(digest.encode(), hashlib.sha256(blank).hexdigest().encode()))
    return path


def test_genes_of_many_choices_are_stored_whole(tmp_path):
    many = SearchSpace("many", [Gene("w", 0, tuple(range(300))), Gene("w", 1, tuple(range(300)))], [])
    x = many.sample(30, np.random.default_rng(0))
    predictor = new_predictor("gp", many).fit(x, x.sum(axis=1) / 10.0)
    save_predictor(predictor, tmp_path / "p.safetensors")
    assert (load_predictor(tmp_path / "p.safetensors", many).predict(x) == predictor.predict(x)).all()


def test_a_predictor_of_another_space_is_refused_by_name(stored):
    with pytest.raises(PredictorError, match=r"belongs to space ofa_mbv3_w1.0, not ofa_resnet50"):
        load_predictor(stored, get_space("ofa_resnet50"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"kind": "oracle"}, "kind 'oracle'"),
        (
            {"fingerprint": "0" * 16},
            r"another ofa_mbv3_w1.0, whose genes have other choices; name the space",
        ),
        ({"settings": {}}, "damaged"),
        ({"settings": None}, "damaged"),
        ({"card": {"colour": "red"}}, "damaged"),
        ({"kind": "additive"}, "damaged"),
        ({"seed": "x"}, "damaged"),
    ],
)
def test_headers_that_do_not_fit_are_refused(stored, space, tmp_path, changes, message):
    with pytest.raises(PredictorError, match=message):
        load_predictor(rewritten(stored, tmp_path, **changes), space)


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    for name in ("bomb.safetensors", "bomb.pth"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(PredictorError):
            load_predictor(tmp_path / name, get_space("ofa_mbv3_w1.2"))


@pytest.mark.parametrize("start", [b"PK", b"\x80\x02"])
def test_a_header_may_be_as_long_as_a_file_of_torch_begins(stored, space, tmp_path, start):
    length = int.from_bytes(rewritten(stored, tmp_path, padding="").read_bytes()[:8], "little")
    more = (int.from_bytes(start, "little") - length) % 2**16
    path = rewritten(stored, tmp_path, padding="x" * more)
    assert path.read_bytes().startswith(start)
    assert load_predictor(path, space).fitted


def test_every_changed_byte_is_refused_in_one_line(stored, space, tmp_path):
    content = stored.read_bytes()
    (header,) = struct.unpack("<Q", content[:8])
    rng = np.random.default_rng(0)
    places = {
        *range(0, 8 + header, 29),
        *range(8 + header - 9, 8 + header),
        *rng.integers(len(content), size=150).tolist(),
    }
    path = tmp_path / "flipped.safetensors"
    for place in sorted(places):
        flipped = bytearray(content)
        flipped[place] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(PredictorError, match=r"flipped\.safetensors") as refused:
            load_predictor(path, space)
        assert "\n" not in str(refused.value)
    path.write_bytes(content)
    load_predictor(path, space)


def test_a_file_whose_weights_were_changed_says_so(stored, space, tmp_path):
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    path = tmp_path / "flipped.safetensors"
    path.write_bytes(content)
    with pytest.raises(PredictorError, match="changed after it was written"):
        load_predictor(path, space)


@pytest.mark.parametrize("kind", ["gp", "ridge", "additive", "mlp"])
def test_files_of_format_1_still_predict_what_they_did(kind):
    space = get_space("digits")
    expected = json.loads((FILES / "format1.json").read_text())
    x = np.stack([space.encode(arch) for arch in expected["archs"]])
    model = load_predictor(FILES / f"format1_{kind}.safetensors", space)
    assert model.predict(x) == pytest.approx(expected[kind]["mean"], abs=1e-5)
    assert model.predict_std(x) == pytest.approx(expected[kind]["std"], rel=1e-3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 40_000), flip=st.integers(0, 3000), byte=st.integers(0, 255))
def test_truncated_or_flipped_files_give_a_predictor_or_a_clear_error(stored, space, tmp_path, cut, flip, byte):
    content = bytearray(stored.read_bytes()[: -cut or None])
    if flip < len(content):
        content[flip] = byte
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with contextlib.suppress(HwnasError):
        load_predictor(path, space)


def test_names_kinds_and_missing_files_get_their_own_answer(space, tmp_path):
    with pytest.raises(PredictorError, match="hwnas fit"):
        get_predictor("gp", space)
    with pytest.raises(UnknownNameError):
        get_predictor("ofa_mbv3", space)
    with pytest.raises(PredictorError, match="cannot be read"):
        get_predictor(tmp_path / "absent.safetensors", space)
    with pytest.raises(PredictorError, match="no accuracy predictor ships"):
        get_predictor(None, get_space("ofa_proxyless_w1.3"))
    with pytest.raises(PredictorError, match="not fitted"):
        save_predictor(new_predictor("gp", space), tmp_path / "never.safetensors")
    assert not (tmp_path / "never.safetensors").exists()


def test_scoring_a_stored_predictor_needs_numpy_alone(stored):
    code = (
        "import sys, numpy as np\n"
        "from hwnas.predictor import load_predictor\n"
        "from hwnas.space import get_space\n"
        "space = get_space('ofa_mbv3_w1.0')\n"
        f"p = load_predictor({str(stored)!r}, space)\n"
        "x = p.covered(space).sample(5, np.random.default_rng(0))\n"
        "assert np.isfinite(p.predict(x)).all() and np.isfinite(p.predict_std(x)).all()\n"
        "loaded = [m for m in ('torch', 'scipy', 'sklearn', 'pandas') if m in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
