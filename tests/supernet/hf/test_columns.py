"""Texts in columns of any name: named once, at training, and by each command where they differ."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

from hwnas.cli import main
from hwnas.supernet.hf._carried import CarriedTexts
from hwnas.supernet.hf.decoder import CarriedDecoder
from tests.supernet.hf.conftest import save, write_texts


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a network without head, and texts in columns of other names."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    for file in (tmp_path / "data").iterdir():
        pd.read_csv(file).rename(columns={"text": "words", "label": "mood"}).to_csv(file, index=False)
    return tmp_path


def ran(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(args))
    return int(caught.value.code or 0), capsys.readouterr().err


COLUMNS = ("--text-column", "words", "--label-column", "mood")
TRAINED = ("--supernet", "own.safetensors", "--images", "9")
SEARCH = ("search", *TRAINED, "--evaluate", "--evals", "8", "--objectives", "accuracy,macs")


def test_they_are_remembered_and_can_be_named_anew(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ("train", "--supernet", "hf:net", "--data", "data", "--steps", "2", "--out", "own.safetensors")
    code, told = ran(capsys, *train)
    assert (code, told.count("\n")) == (2, 1)
    found = "it has no column 'text' and none 'label' (it has 'words', 'mood')"
    assert f"{found}; name them with --text-column and --label-column" in told
    assert ran(capsys, *train, *COLUMNS)[0] == 0
    evaluate = ("evaluate", *TRAINED, "--sample", "2", "--data")
    assert ran(capsys, *evaluate, "data", "--out", "a.csv")[0] == 0

    write_texts(desk / "usual")
    code, told = ran(capsys, *evaluate, "usual", "--out", "b.csv")
    assert code == 2
    assert "it has no column 'words'" in told
    usual = ("--text-column", "text", "--label-column", "label")
    assert ran(capsys, *evaluate, "usual", *usual, "--out", "b.csv")[0] == 0
    assert pd.read_csv("a.csv")["accuracy"].tolist() == pd.read_csv("b.csv")["accuracy"].tolist()

    with pytest.raises(SystemExit, match="0"):
        main([*SEARCH, "--data", "usual", *usual, "--out", "front.csv"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "hwnas export" in line)
    assert json.loads(Path("front.json").read_text())["evaluator"]["columns"]["text"] == "text"
    code, told = ran(capsys, *shlex.split(line.partition("   (")[0])[1:], "--images", "9")
    assert code == 0
    assert "measured on 9 texts of usual" in told


def test_a_network_without_head_is_refused_before_a_machine_is_profiled(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = ran(capsys, "search", "--supernet", "hf:net", "--data", "data", "--evaluate", "--latency", "2ms")
    assert code == 2
    assert told == (
        "error: --supernet hf:net: it comes without a classification head; "
        "train it first: hwnas train --supernet hf:net --data data --out own.safetensors\n"
    )
    assert sorted(path.name for path in desk.iterdir()) == ["data", "net"]


def test_data_that_do_not_fit_are_refused_before_a_machine_is_profiled(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(desk / "tuned", "bert", classes=2)
    search = ("search", "--supernet", "hf:tuned", "--data", "data", "--evaluate", "--latency", "2ms")
    code, told = ran(capsys, *search, "--text-column", "words", "--label-column", "feeling")
    assert code == 2
    complaint = "it has no column 'feeling' (it has 'words', 'mood'); name the column with --label-column"
    assert told.splitlines()[-1] == f"error: file data/train.csv: {complaint}"
    assert "of its subnets" not in told
    assert sorted(path.name for path in desk.iterdir()) == ["data", "net", "tuned"]


def test_columns_are_of_texts_and_of_evaluations(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = ran(capsys, "search", "--objectives", "macs,params", *COLUMNS)
    assert (code, "--text-column: only a search that evaluates subnets reads texts" in told) == (2, True)
    code, told = ran(capsys, "evaluate", "--supernet", "digits", "--sample", "2", *COLUMNS, "--out", "x.csv")
    assert (
        code,
        "--text-column words: only networks that classify texts read columns; drop --text-column" in told,
    ) == (2, True)


def test_subnets_that_were_never_trained_are_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "net", "bert", classes=2)
    write_texts(tmp_path / "data")
    frame = pd.read_csv(tmp_path / "data" / "validation.csv")
    for split in ("train", "validation"):
        frame.assign(label=(frame["label"] == "positive").astype(int)).to_csv(tmp_path / "data" / f"{split}.csv")
    reference, data = f"hf:{tmp_path / 'net'}", str(tmp_path / "data")
    out = str(tmp_path / "a.csv")
    code, told = ran(capsys, "evaluate", "--supernet", reference, "--data", data, "--sample", "1", "--out", out)
    assert code == 0
    assert f"the others are worth little before: hwnas train --supernet {reference} --data {data}" in told
    (tmp_path / "data" / "train.csv").unlink()
    code, told = ran(capsys, "evaluate", "--supernet", reference, "--data", data, "--sample", "1", "--out", out)
    assert code == 0
    assert f"worth little before: hwnas train --supernet {reference} --data FOLDER" in told


def test_the_same_name_elsewhere_is_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of classes that are made once: notebooks change folders."""
    for description in (CarriedTexts("{}", False, "m"), CarriedDecoder("{}", "m")):
        found = []
        for words in ("a b", "c"):
            place = tmp_path / words
            (place / "m").mkdir(parents=True, exist_ok=True)
            (place / "m" / "vocab.txt").write_text(
                "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words.split()])
            )
            monkeypatch.chdir(place)
            tokenizer = description.complete().tokenizer
            assert tokenizer is not None
            found.append(tokenizer.vocabulary_size)
        assert found == [7, 6]


def test_a_network_of_pairs_is_not_measured_on_single_texts(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_texts(desk / "single")
    write_texts(desk / "pairs")
    for file in (desk / "pairs").iterdir():
        frame = pd.read_csv(file)
        frame.assign(text_pair=frame["text"][::-1].to_numpy()).to_csv(file, index=False)
    options = ("--steps", "2", "--out", "own.safetensors")
    assert ran(capsys, "train", "--supernet", "hf:net", "--data", "pairs", *options)[0] == 0
    evaluate = ("evaluate", *TRAINED, "--sample", "2", "--out", "a.csv", "--data")
    assert ran(capsys, *evaluate, "pairs")[0] == 0
    code, told = ran(capsys, *evaluate, "single")
    assert (code, told.count("\n")) == (2, 1)
    assert "trained on pairs of texts, and its files have no column 'text_pair'; name the column" in told
