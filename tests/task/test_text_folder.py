"""Labelled texts as users have them: every format, renamed columns, pairs, and what is odd about them said."""

from __future__ import annotations

import csv
import gzip
import io
import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import BertWordPieceTokenizer

from hwnas.errors import DataError, UnknownNameError
from hwnas.space import TensorSpec
from hwnas.task import Sampling, TextColumns, TextFolder, Tokenizer, UserData

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the", ",", "'"]
SPECS = {name: TensorSpec((8,), "int64") for name in ("input_ids", "attention_mask", "token_type_ids")}
ROWS = [
    {"text": "good film", "label": "yes"},
    {"text": "a bad, bad film", "label": "no"},
    {"text": "the 'film'", "label": "yes"},
]
"""A separator and a quote within texts."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    vocabulary = tmp_path_factory.mktemp("words") / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS) + "\n")
    return Tokenizer(BertWordPieceTokenizer(str(vocabulary)).to_str())


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows in the format that the name says."""
    kind = path.name.split(".")[1]
    if kind == "jsonl":
        content = "\n".join(json.dumps(row) for row in rows) + "\n"
    else:
        stream = io.StringIO(newline="")
        lines = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if kind == "tsv" else ",")
        lines.writeheader()
        lines.writerows(rows)
        content = stream.getvalue()
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def opened(
    folder: Path, tokenizer: Tokenizer, head: Any = None, metric: str = "accuracy", **columns: str
) -> TextFolder:
    return TextFolder(
        folder,
        tokenizer,
        head,
        Sampling(99, 9, 2),
        metric=metric,
        columns=TextColumns(**columns),
    )


def seen(data: TextFolder) -> list[tuple[list[int], list[int], int]]:
    """``(ids, segments, label)`` of every validation text, sorted."""
    return sorted(
        (ids, segments, label)
        for inputs, labels in data.validation(SPECS)
        for ids, segments, label in zip(
            inputs["input_ids"].tolist(), inputs["token_type_ids"].tolist(), labels.tolist(), strict=True
        )
    )


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "csv.gz", "tsv.gz", "jsonl.gz"])
def test_every_format_holds_the_same_texts(ending: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    for split in ("train", "validation"):
        write(tmp_path / f"{split}.{ending}", ROWS)
    data = opened(tmp_path, tokenizer)
    assert data.labels == ("no", "yes")
    assert data.has_training
    padded = [[2, 5, 7, 3, 0, 0, 0, 0], [2, 8, 6, 10, 6, 7, 3, 0], [2, 9, 11, 7, 11, 3, 0, 0]]
    assert seen(data) == sorted(zip(padded, [[0] * 8] * 3, (1, 0, 1), strict=True))


def test_pairs_are_two_segments_and_columns_have_the_names_that_are_given(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"first": "good", "second": "bad film", "stars": "1"}, {"first": "film", "second": "a", "stars": "0"}]
    write(tmp_path / "dev.csv", rows)
    data = opened(tmp_path, tokenizer, text="first", pair="second", label="stars")
    assert not data.has_training
    assert seen(data) == [
        ([2, 5, 3, 6, 7, 3, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0], 1),
        ([2, 7, 3, 8, 3, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0, 0], 0),
    ]
    with pytest.raises(DataError, match=r"no column 'text' and none 'label' \(it has 'first', 'second', 'stars'\)"):
        opened(tmp_path, tokenizer)
    write(tmp_path / "train.csv", [{"text": "good", "stars": "1"}, {"text": "bad", "stars": "0"}])
    write(tmp_path / "dev.csv", [{"text": "good", "text_pair": "a film", "stars": "1"}])
    with pytest.raises(DataError, match=r"dev.csv has second texts, and train.csv has none"):
        opened(tmp_path, tokenizer, label="stars")


def test_a_column_that_may_be_second_texts_is_told_if_it_is_not_read(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [{"text": "good", "other": "bad film", "label": str(i), "id": f"n{i}"} for i in range(2)]
    write(tmp_path / "validation.csv", rows)
    told = "validation.csv: texts in 'other' are not read; --pair-column names the column of second texts"
    (note,) = opened(tmp_path, tokenizer).notes
    assert note.endswith(told)
    assert not opened(tmp_path, tokenizer, pair="other").notes


def test_labels_that_are_numbers_stand_by_size_and_words_by_alphabet(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.jsonl", [{"text": "film", "label": n} for n in (10, 9, -1)])
    assert opened(tmp_path, tokenizer).labels == ("-1", "9", "10")
    write(tmp_path / "validation.jsonl", [{"text": "film", "label": n} for n in ("b", "10", "9")])
    assert opened(tmp_path, tokenizer).labels == ("10", "9", "b")
    write(tmp_path / "validation.jsonl", [{"text": "film", "label": n} for n in ("²", "9", "+-1")])
    assert opened(tmp_path, tokenizer).labels == ("+-1", "9", "²")


def test_signs_that_end_a_line_elsewhere_are_part_of_a_text(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = [f"good{sign}film" for sign in "\u2028\x85\x0c"]
    rows = [json.dumps({"text": text, "label": text[4] == "\x85"}, ensure_ascii=False) for text in texts]
    (tmp_path / "validation.jsonl").write_text("\r\n".join(rows), encoding="utf-8", newline="")
    assert opened(tmp_path, tokenizer).n_available == len(texts)


def test_tells_beforehand_how_many_texts_calibration_has(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", ROWS)
    data = opened(tmp_path, tokenizer)
    assert data.n_calibration == sum(len(inputs["input_ids"]) for inputs in data.calibration(SPECS))
    sampling = Sampling(1, 9, 2)  # an export in int8 measures on few
    few = TextFolder(tmp_path, tokenizer, None, sampling, metric="accuracy", columns=TextColumns())
    assert (few.n_validation, few.n_calibration) == (1, len(ROWS))


def test_a_trained_head_takes_its_words_and_their_numbers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", [{"text": "good", "label": "1"}, {"text": "bad", "label": "no"}])
    numbered = opened(tmp_path, tokenizer, (("no", "yes"), 2))
    assert [label for *_, label in seen(numbered)] == [1, 0]
    assert numbered.digest() != opened(tmp_path, tokenizer).digest()
    with pytest.raises(DataError, match="label 'no', and the network's classes are 0, 1"):
        opened(tmp_path, tokenizer, ((), 2))
    write(tmp_path / "validation.csv", [{"text": "good", "label": "1"}, {"text": "bad", "label": "0"}])
    with pytest.raises(DataError, match="label '0', and the network's classes are 1, 2"):
        opened(tmp_path, tokenizer, (("1", "2"), 2))


def test_what_is_odd_is_counted_and_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [*ROWS, {"text": "a", "label": "maybe"}, {"text": "  ", "label": "yes"}, {"text": "film", "label": ""}]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "validation.csv", ROWS[:2])
    data = opened(tmp_path, tokenizer)
    assert data.notes == [
        f"{tmp_path}: 4 texts to learn from, 2 to measure on, 3 classes: yes 50 %, no 25 %, maybe 25 %",
        f"{tmp_path / 'train.csv'}: left out 2 rows without text or label",
        f"{tmp_path / 'validation.csv'} has no text of maybe: nothing is measured on them",
    ]
    for split, stars in (("train", "123"), ("validation", "13")):
        write(tmp_path / f"{split}.csv", [{"text": "film", "label": each} for each in stars])
    assert opened(tmp_path, tokenizer).notes[1:] == [
        f"{tmp_path / 'validation.csv'} has no text of 2: nothing is measured on them"
    ]
    write(tmp_path / "validation.csv", ROWS[:2])
    write(tmp_path / "train.csv", ROWS[:1])
    with pytest.raises(DataError, match="validation texts have the label 'no', which no training text has"):
        opened(tmp_path, tokenizer)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("validation.csv", b"text,label\n,\n", "no row has both a text and a label"),
        ("validation.csv", b"text,label\nfilm,yes\nbad,film,no\n", "row 2 has 3 fields, the header 2"),
        ("validation.csv", b"text,label,text\na,b,c\n", "two columns are named 'text'"),
        ("validation.csv", b"text,label\nfilm,yes\n", "all its labels are 'yes'"),
        ("validation.csv", b"", "it is empty"),
        ("validation.csv", b"text,label\n", "it holds no rows"),
        ("validation.jsonl", b"", "it holds no rows"),
        ("validation.jsonl", b'{"text": "a", "label": NaN}\n', "no row has both a text and a label"),
        (
            "validation.csv",
            "text,label\nschön,ja\n".encode("latin-1"),
            r"not text in UTF-8; convert it, from Latin-1 with",
        ),
        ("validation.csv.gz", gzip.compress(b"text,label\n" * 99, mtime=0)[:20], "gzip data is cut short or damaged"),
        ("validation.jsonl", b'{"text": "a", "label": 1}\n{"text"\n', "line 2: it is no JSON"),
        ("validation.jsonl", b"[1]\n", "it is no JSON object"),
        ("validation.jsonl", b'{"text": ["a", "b"], "label": 1}\n', "'text' is neither text nor number"),
        ("validation.csv", b"text;label\nfilm;yes\n", "semicolons separate its columns; put commas in their place"),
        ("validation.csv", b"text\tlabel\nfilm\tyes\n", r"tabs \(as of a .tsv file\) separate its columns"),
        (
            "validation.tsv",
            b'text\tlabel\n"good film\tyes\n"bad\tno\n',
            "line 3 is no row of a table .* double those within",
        ),
        ("validation.csv", b'text,label\nfilm,yes\n"bad,no\n', "line 3 is no row of a table"),
        ("validation.tsv", b"text,label\nfilm,yes\n", "commas separate its columns; put tabs"),
        ("train.csv", b"text,label\nfilm,yes\n", "it has no validation.csv, .tsv, .jsonl"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    name: str, content: bytes, complaint: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        opened(tmp_path, tokenizer)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_in_place_of_its_folder_is_told(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", ROWS)
    with pytest.raises(
        DataError, match=r"validation.csv: it is a file, and no folder; give a folder that holds train.c"
    ):
        opened(tmp_path / "validation.csv", tokenizer)


def test_a_folder_of_images_is_told_from_one_without_validation_texts(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no validation.csv, .tsv, .jsonl; give a folder that holds train.csv and"):
        opened(tmp_path, tokenizer)
    write(tmp_path / "train.csv", ROWS)
    with pytest.raises(DataError, match=r"no validation.csv, .tsv, .jsonl; keep some rows of train.csv back as it"):
        opened(tmp_path, tokenizer)
    (tmp_path / "photos" / "val" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="it holds folders, as of images, and the network is fed texts"):
        opened(tmp_path / "photos", tokenizer)


def test_texts_to_measure_on_are_enough_where_nothing_is_learned(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", ROWS)
    data = opened(tmp_path, tokenizer)
    assert isinstance(data, UserData)
    assert data.steps_per_epoch == 1
    with pytest.raises(DataError, match=r"it has no train.csv to learn from"):
        data.training_batch(0, 0)


def test_tables_of_another_kind_are_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "validation.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"no validation.csv, .tsv, .jsonl, but validation.parquet; write it as CSV"):
        opened(tmp_path, tokenizer)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"pair": "sentense2"}, "it has no column 'sentense2' .* name the column with --pair-column"),
        ({"label": "text"}, "--label-column text: one column cannot serve as two"),
        ({"text": "Text"}, "it has no column 'Text' .* name the column with --text-column"),
        (
            {"text": "Text", "label": "Label"},
            r"it has no column 'Text' and none 'Label' \(.*; name them with --text-column and --label-column",
        ),
    ],
)
def test_columns_that_are_named_are_there_and_apart(
    columns: dict[str, str], complaint: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    write(tmp_path / "validation.csv", ROWS)
    with pytest.raises(DataError, match=complaint):
        opened(tmp_path, tokenizer, **columns)


def test_of_two_files_of_one_split_none_is_taken_silently(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", ROWS)
    write(tmp_path / "dev.csv", ROWS)
    with pytest.raises(DataError, match=r"it has both validation.csv and dev.csv; keep the one that is meant"):
        opened(tmp_path, tokenizer)


def test_an_unknown_metric_is_refused_with_a_suggestion(tokenizer: Tokenizer, tmp_path: Path) -> None:
    write(tmp_path / "validation.csv", ROWS)
    with pytest.raises(UnknownNameError, match="did you mean 'mcc'"):
        opened(tmp_path, tokenizer, metric="mc")


def test_an_epoch_shows_every_text_once_in_batches_of_like_length(tokenizer: Tokenizer, tmp_path: Path) -> None:
    lengths = [1 + 7 * i % 5 for i in range(40)]
    rows = [{"text": " ".join(["good"] * n), "label": str(i % 2)} for i, n in enumerate(lengths)]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "validation.csv", rows[:2])
    data = opened(tmp_path, tokenizer)
    assert data.steps_per_epoch == 20

    def batches(epoch: int) -> list[list[int]]:
        """Tokens of the texts of each batch, without the two that every text has."""
        found = []
        for step in range(20 * epoch, 20 * epoch + 20):
            batch = data.training_batch(step, seed=3)[0](SPECS)
            assert isinstance(batch, dict)
            found.append((batch["attention_mask"].sum(1) - 2).tolist())
        return found

    first, second = batches(0), batches(1)
    for epoch in (first, second):
        assert sorted(chain(*epoch)) == sorted(lengths)
        assert sum(max(batch) - min(batch) for batch in epoch) <= 8, "two pools, each in steps through five lengths"
        assert epoch != sorted(epoch), "lengths come in random order"
    assert first == batches(0) != second


def test_altered_texts_hold_words_of_others_at_the_same_positions(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": "x" if i % 2 else "y"}
        for i, text in enumerate(["good film a the", "bad a film , the"] * 8)
    ]
    for split in ("train", "validation"):
        write(tmp_path / f"{split}.csv", rows)
    data = TextFolder(tmp_path, tokenizer, None, Sampling(9, 9, 16), metric="accuracy", columns=TextColumns())
    batch = data.training_batch(0, seed=0)[0](SPECS)
    short = data.training_batch(0, seed=0)[0]({name: TensorSpec((6,), "int64") for name in SPECS})
    altered = data.altered(batch, step=0, seed=0)
    assert isinstance(batch, dict)
    assert isinstance(short, dict)
    assert isinstance(altered, dict)
    before, after = batch["input_ids"], altered["input_ids"]
    special = (before < WORDS.index("good")).numpy()
    assert torch.equal(before[special], after[special])
    replaced = (before != after).float()[~special].mean()
    assert 0 < replaced < 0.5
    for column in range(before.shape[1]):
        assert set(after[:, column].tolist()) <= set(before[:, column].tolist())
    assert all(torch.equal(altered[name], batch[name]) for name in ("attention_mask", "token_type_ids"))
    again = data.altered(short, step=0, seed=0)
    assert isinstance(again, dict)
    assert torch.equal(again["input_ids"][:, :5], after[:, :5]), "shorter inputs are altered alike"
    assert not torch.equal(data.altered(batch, step=1, seed=0)["input_ids"], after)  # type: ignore[index]


def test_some_samples_are_those_of_all(tmp_path: Path, tokenizer: Tokenizer) -> None:
    write(tmp_path / "validation.csv", ROWS)
    data = opened(tmp_path, tokenizer)
    every, some = list(data.validation(SPECS)), list(data.validation_of(SPECS, [2, 0]))
    labels, of_some = (torch.cat([labels for _, labels in batches]) for batches in (every, some))
    assert data.n_validation == len(labels) == 3
    assert of_some.tolist() == labels[[2, 0]].tolist()
    for name in SPECS:
        ids, of_those = (torch.cat([inputs[name] for inputs, _ in batches]) for batches in (every, some))
        assert of_those.tolist() == ids[[2, 0]].tolist()


def test_validation_texts_come_from_short_to_long_and_keep_their_labels(tmp_path: Path, tokenizer: Tokenizer) -> None:
    word = next(word for word in WORDS if word.isalpha())
    lengths = [5, 1, 4, 2, 3, 1]
    write(tmp_path / "validation.csv", [{"text": " ".join([word] * n), "label": str(n % 2)} for n in lengths])
    every = list(opened(tmp_path, tokenizer).validation(SPECS))
    counts = [(batch["attention_mask"].sum(1) - 2).tolist() for batch, _ in every]
    assert counts == [[1, 1], [2, 3], [4, 5]]
    assert [labels.tolist() for _, labels in every] == [[n % 2 for n in batch] for batch in counts]
