"""What a folder may lack, or be: one line each, with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hwnas.errors import HwnasError
from hwnas.supernet import load_supernet
from tests.supernet.hf.conftest import save

KNOWN = (
    "give an encoder of the families bert, camembert, deit, dinov2, distilbert, electra, roberta, vit, xlm-roberta, "
    "or a decoder of llama, mistral, qwen2"
)
WEIGHT = "bert.encoder.layer.1.output.dense.weight"


def configured(**changes: object) -> Callable[[Path], None]:
    """Changes settings of a folder."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")

    return change


def without(name: str) -> Callable[[Path], None]:
    """Removes a file."""
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Callable[[Path], None]:
    """Cuts a file short."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:500])

    return change


def in_integers(folder: Path) -> None:
    """Stores a tensor as a quantised one, without its scale."""
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {WEIGHT: tensors[WEIGHT].to(torch.int8)}, folder / "model.safetensors")


def named(*names: str) -> Callable[[Path], None]:
    """Copies the weights to files of other names."""

    def change(folder: Path) -> None:
        content = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").unlink()
        for name in names:
            (folder / name).write_bytes(content)

    return change


def left_by_git(name: str) -> Callable[[Path], None]:
    """Leaves a pointer of Git LFS in place of a file."""

    def change(folder: Path) -> None:
        (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (without("config.json"), "it has no config.json"),
        (cut("config.json"), "cannot be read"),
        (without("model.safetensors"), "it has no weights"),
        (cut("model.safetensors"), "truncated or corrupt"),
        (configured(model_type="hubert"), f"its model_type is 'hubert'; {KNOWN}"),
        (configured(model_type="llama"), "embeddings/words.weight is missing"),
        (configured(model_type="t5", is_encoder_decoder=True), f"its t5 is an encoder with a decoder; {KNOWN}"),
        (configured(hidden_size=64), "restore its config.json and its weights from one and the same network"),
        (
            configured(num_hidden_layers=3),
            "its configuration counts 3 layers, and its weights have bert.encoder.layer.3",
        ),
        (configured(num_hidden_layers=5), "is missing"),
        (
            configured(id2label={"0": "a", "1": "b"}),
            "config.json: its id2label is for 2 classes, and the head in its weights has 3; name 3 classes in id2label",
        ),
        (configured(id2label=None, num_labels=5), "its num_labels is for 5 classes"),
        (configured(hidden_size="many"), "hidden_size is 'many', not a whole number from 1"),
        (configured(hidden_act="mish"), "its activation is 'mish'"),
        (configured(hidden_act=["gelu"]), "its activation is ['gelu']"),
        (configured(type_vocab_size="two"), "type_vocab_size is 'two', not a whole number from 0"),
        (configured(layer_norm_eps=float("nan")), "layer_norm_eps is nan, not a number from 0 to 1"),
        (in_integers, "holds no real numbers (torch.int8)"),
        (configured(num_attention_heads=5), "cannot be shared by 5 heads"),
        (configured(quantization_config={"bits": 4}), "its weights are in another precision (quantization_config)"),
        (
            named("model-a.safetensors", "model-b.safetensors"),
            "but model-a.safetensors, model-b.safetensors; name the one",
        ),
        (
            named("adapter_model.safetensors"),
            "it has no weights (model.safetensors or pytorch_model.bin), but an adapter (adapter_model.safetensors); merge",
        ),
        (
            left_by_git("model.safetensors"),
            "model.safetensors: it is a Git LFS pointer instead of the weights; fetch",
        ),
    ],
)
def test_a_damaged_folder_is_one_line(damage: Callable[[Path], None], complaint: str, tmp_path: Path) -> None:
    save(tmp_path, "bert")
    damage(tmp_path)
    with pytest.raises(HwnasError) as caught:
        load_supernet(f"hf:{tmp_path}")
    told = str(caught.value)
    assert complaint in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "change", "complaint"),
    [
        ("electra", {"embedding_size": "wide"}, "embedding_size is 'wide', not a whole number from 1"),
        ("electra", {"embedding_size": 24}, "embeddings/words.weight is 25x16, not 25x24"),
        ("electra", {"embedding_size": 32}, "embeddings/words.weight is 25x16, not 25x32"),
        ("electra", {"position_embedding_type": "relative_key"}, "its positions are relative"),
        ("xlm-roberta", {"max_position_embeddings": 1}, "max_position_embeddings is 1, which leaves no position"),
    ],
)
def test_settings_of_a_family_that_do_not_fit_are_one_line(
    kind: str, change: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    save(tmp_path, kind, **({"embedding_size": 16} if kind == "electra" else {}))
    configured(**change)(tmp_path)
    with pytest.raises(HwnasError) as caught:
        load_supernet(f"hf:{tmp_path}")
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_tokenizer_is_told_where_texts_are_opened(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    (tmp_path / "vocab.txt").unlink()
    net = load_supernet(f"hf:{tmp_path}")
    with pytest.raises(HwnasError, match=r"it has neither tokenizer.json nor vocab.txt; .*: AutoTokenizer"):
        net.open_data(tmp_path)


def test_a_tokenizer_of_another_network_is_refused_before_texts_are_read(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    words = (tmp_path / "vocab.txt").read_text(encoding="utf-8")
    (tmp_path / "vocab.txt").write_text(f"{words}more\n", encoding="utf-8")
    net = load_supernet(f"hf:{tmp_path}")
    with pytest.raises(HwnasError, match="its tokenizer has 26 tokens, its network 25"):
        net.open_data(tmp_path)


def test_a_folder_may_be_named_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "bert", "bert")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_supernet("hf:~/bert").origin == f"hf:{tmp_path}/bert"


def test_other_paths_to_a_network_tell_how_it_is_named(tmp_path: Path) -> None:
    save(tmp_path / "bert", "bert")
    save(tmp_path / "plain", "bert", classes=None)
    torch.save({}, tmp_path / "own.pth")
    with pytest.raises(HwnasError, match=rf"write hf:{tmp_path}/bert"):
        load_supernet(str(tmp_path / "bert"))
    with pytest.raises(
        HwnasError, match=r"name its supernet and add --checkpoint \S+own.pth, or export your own network as ONNX"
    ):
        load_supernet(str(tmp_path / "own.pth"))
    with pytest.raises(HwnasError, match=rf"pass --supernet hf:{tmp_path}/plain alone"):
        load_supernet(f"hf:{tmp_path / 'bert'}", tmp_path / "plain" / "model.safetensors")
    fetch = "hf download bert-base-uncased --local-dir bert-base-uncased"
    with pytest.raises(HwnasError, match=rf"there is no such folder; correct the path, or .*: `{fetch}`"):
        load_supernet("hf:bert-base-uncased")
    with pytest.raises(HwnasError, match=r"`hf download NAME --local-dir /no/where`"):
        load_supernet("hf:/no/where")
    with pytest.raises(HwnasError, match=r"known: digits.*; or write hf:FOLDER"):
        load_supernet("google/vit-base-patch16-224")


def test_a_file_of_a_folder_tells_to_name_the_folder(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    for file in ("config.json", "model.safetensors"):
        with pytest.raises(HwnasError, match=rf"it is a file, and no folder; write hf:{tmp_path}$"):
            load_supernet(f"hf:{tmp_path / file}")
    with pytest.raises(
        HwnasError, match=rf"it holds the weights of a Hugging Face folder; name the folder: hf:{tmp_path}$"
    ):
        load_supernet(str(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("place", ["checkpoint-20", "snapshots/0a1b"])
def test_a_folder_around_the_network_tells_where_it_is(place: str, tmp_path: Path) -> None:
    save(tmp_path / place, "bert")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}", encoding="utf-8")
    meant = f"write hf:{tmp_path / place}, where a network is"
    with pytest.raises(HwnasError, match=f"it has no config.json; {meant}"):
        load_supernet(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(HwnasError, match=f"it states no model_type; {meant}"):
        load_supernet(f"hf:{tmp_path}")


def test_an_adapter_is_told_from_a_network(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(HwnasError, match=r"it holds an adapter \(adapter_config.json\), and no network; merge"):
        load_supernet(f"hf:{tmp_path}")


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_an_adapter_beside_the_weights_is_told(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, "bert")
    (tmp_path / name).write_bytes(b"{}")
    with caplog.at_level("INFO", "hwnas"):
        load_supernet(f"hf:{tmp_path}")
    told = f"{tmp_path / name}: the adapter is left out; to use it, merge it into its network"
    assert [record.message.startswith(told) for record in caplog.records] == [True]


def test_the_only_file_of_weights_may_have_any_name(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    named("model.fp16.safetensors")(tmp_path)
    assert load_supernet(f"hf:{tmp_path}").classes == 3


def test_a_tokenizer_that_git_left_behind_says_how_to_fetch_it(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    left_by_git("tokenizer.json")(tmp_path)
    with pytest.raises(HwnasError, match=r"tokenizer.json: it is a Git LFS pointer .*; fetch it: git -C \S+ lfs pull"):
        load_supernet(f"hf:{tmp_path}").open_data(tmp_path)
