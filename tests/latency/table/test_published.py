"""Published tables: the same latencies as their authors' own estimators, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwnas.errors import TableError
from hwnas.latency import LatencyTable, read_published
from hwnas.space import SearchSpace, get_space
from hwnas.space.families.ofa_proxyless import ofa_proxyless
from hwnas.space.ops import Conv
from tests.parity import upstream

W12 = get_space("ofa_mbv3_w1.2")


def _rows(space: SearchSpace, n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([space.sample(n // 2, rng), space.sample(n // 2, rng, distinct_uniform=False)])


def test_note10_is_what_upstreams_estimator_says(shared_data: Path, tmp_path: Path) -> None:
    table = read_published(shared_data / "ofa_tutorial" / "note10", "note10", W12)
    table.save(tmp_path / "note10")
    space = table.covered(W12)
    assert table.spaces["ofa_mbv3_w1.2"]["resolutions"] == [160, 176, 192, 208, 224]
    rows = _rows(space)
    estimator = upstream.note10_table(shared_data / "ofa_tutorial" / "note10")
    theirs = [estimator.predict_efficiency(upstream.tutorial_spec(space.decode(row))) for row in rows]
    np.testing.assert_allclose(table.cost(space)(rows), theirs, rtol=1e-12)
    # Files keep six digits.
    np.testing.assert_allclose(LatencyTable.load(tmp_path / "note10").cost(space)(rows), theirs, rtol=1e-5)


def test_one_file_is_read_alone(shared_data: Path) -> None:
    folder = shared_data / "ofa_tutorial" / "note10"
    table = read_published(folder / "192_lookup_table.yaml", "note10", W12)
    assert table.covered(W12).size() == W12.restrict(r=192).size()
    with pytest.raises(TableError, match=r"it has no resolution of ofa_mbv3_w1.2"):
        read_published(folder / "192_lookup_table.yaml", "note10", W12.restrict(r=224))


def test_the_proxyless_table_is_what_upstream_says(shared_data: Path) -> None:
    # The table belongs to the width of the published single nets, and lacks expansion 4.
    space = ofa_proxyless(1.0).restrict(r=224, e=[3, 6])
    path = shared_data / "ofa_tutorial" / "proxyless_mobile_trim.yaml"
    table = read_published(path, "phone", space)
    rows = _rows(space, 60)
    net = upstream.supernet("ofa_proxyless_w1.3")
    lookup = upstream.lookup_table("ofa_proxyless_w1.3", path)
    theirs = []
    for row in rows:
        config = upstream.net_config(net, space.decode(row))
        theirs.append(lookup.predict_network_latency_given_config(upstream.at_width_1(config, space, row), 224))
    np.testing.assert_allclose(table.cost(space)(rows), theirs, rtol=1e-12)


def test_what_a_published_table_lacks_is_named(shared_data: Path) -> None:
    path = shared_data / "ofa_tutorial" / "proxyless_mobile_trim.yaml"
    with pytest.raises(TableError, match=r"no Conv-input:224x224x3-output:112x112x40 and 102 more of the 103 layers"):
        read_published(path, "phone", get_space("ofa_proxyless_w1.3"))
    with pytest.raises(TableError, match=r"expand:64-kernel:3.* and 32 more of the 103 layers.*--fix"):
        read_published(path, "phone", ofa_proxyless(1.0))


@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_mbv3_w1.2"])
def test_the_block_table_of_an_i7_covers_all_resolutions(name: str, shared_data: Path, whole_data: bool) -> None:
    path = shared_data / "ofa_mbv3_w1.0_latency" / "lut_i7-8700K.csv.gz"
    space = get_space(name)
    if not whole_data:
        space = space.restrict(r=128, ks=3)
    table = read_published(path, "i7-8700k", space)
    assert table.covered(space).size() == space.size()
    with gzip.open(path, "rt") as file:
        published = {line.split(",")[0]: float(line.split(",")[1]) for line in file.readlines()[1:]}
    row = space.sample(1, np.random.default_rng(3))[0]
    total = 0.0
    for slot, layer in space.network(row):
        c, h, _ = layer.input_shape
        out = layer.output_shape
        if slot.startswith("blocks."):
            depthwise = next(op for op in layer.ops if isinstance(op, Conv) and op.name == "depthwise")
            mid, k, s = depthwise.channels, depthwise.kernel[0], depthwise.stride[0]
            names = {op.name for op in layer.ops}
            key = f"MBConv-input:{h}x{h}x{c}-output:{out[1]}x{out[1]}x{out[0]}-expand:{mid // c}-kernel:{k}-stride:{s}"
            key += f"-idskip:{int('residual' in names)}-se:{int('se.pool' in names)}"
        elif slot == "classifier":
            key = f"classifier-input:{c}-output:1000"
        elif slot == "global_avg_pool":
            continue
        else:
            key = f"{slot}-input:{h}x{h}x{c}-output:{out[1]}x{out[1]}x{out[0]}"
        total += published[key]
    assert table.cost(space)(row[None])[0] == pytest.approx(total)


CONV = "Conv-input:160x160x3-output:80x80x24: {mean: 1.0}\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.yaml", "[1, 2]", "it does not hold layers by name"),
        ("t.yaml", "a: {mean: [", "it cannot be read"),
        ("t.yaml", "a: !!python/object/apply:os.system [ls]", "it cannot be read"),
        ("t.yaml", CONV + "b: {mean: -1}", "t.yaml, b: its mean is '-1'; it must be a latency"),
        ("t.yaml", CONV + "b: {mean: .nan}", "its mean is 'nan'"),
        ("t.yaml", CONV + "b: {median: 3}", "its mean is 'None'"),
        ("t.yaml", CONV, "it has no expanded_conv-input:80x80x24.* and 93 more of the 96 layers"),
        (
            "t.csv",
            "a,b\n1,2\n",
            "its columns are not key and mean_ms; name a published table, or the result of a bundle",
        ),
        ("t.csv", "key,mean_ms\na,1\na,2\n", "line 3: a is there twice"),
        ("t.csv", "key,mean_ms\na,fast\n", "it cannot be read"),
        ("t.csv", "key,mean_ms\na\n", "line 2: it has no mean_ms"),
        ("t.csv.gz", "not gzip", "it cannot be read"),
    ],
)
def test_bad_files_are_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TableError, match=message) as error:
        read_published(tmp_path / name, "phone", W12.restrict(r=160))
    assert "\n" not in str(error.value)


def test_bad_paths_and_names(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no such file or folder"):
        read_published(tmp_path / "none", "phone", W12)
    with pytest.raises(TableError, match=r"it has no \.yaml"):
        read_published(tmp_path, "phone", W12)
    with pytest.raises(TableError, match="it names a folder"):
        read_published(tmp_path, "../phone", W12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["t.yaml", "t.csv", "t.csv.gz"]),
    head=st.sampled_from([b"", b"key,mean_ms\n"]),
    content=st.binary(max_size=60),
    damaged=st.integers(0, 60),
)
def test_no_bytes_make_the_reader_fail_otherwise(
    name: str, head: bytes, content: bytes, damaged: int, tmp_path: Path
) -> None:
    written = head + content
    if name.endswith(".gz"):
        packed = bytearray(gzip.compress(written))
        packed[damaged % len(packed)] ^= 0xFF
        written = bytes(packed)
    (tmp_path / name).write_bytes(written)
    with pytest.raises(TableError):
        read_published(tmp_path / name, "phone", W12.restrict(r=160))
