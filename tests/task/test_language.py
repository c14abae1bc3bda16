"""Running text as users have it, in windows; perplexity and divergence against their definitions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Engine
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from hwnas.errors import DataError
from hwnas.space import TensorSpec
from hwnas.task import Divergence, LanguageModelling, Parent, Sampling, Tokenizer, perplexity
from hwnas.task._language import CALIBRATION_TOKENS

WORDS = 50
SPECS = {"input_ids": TensorSpec((8,), "int64")}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    engine = Engine(WordLevel({str(i): i for i in range(WORDS)}, unk_token="0"))
    engine.pre_tokenizer = WhitespaceSplit()
    return Tokenizer(engine.to_str())


def words(n: int, first: int = 0) -> str:
    return " ".join(str((first + i) % WORDS) for i in range(n))


def opened(path: Path, tokenizer: Tokenizer, vocabulary: int = WORDS, **options: int) -> LanguageModelling:
    sampling = Sampling(**{"n_validation": 99, "n_calibration": 2, "batch_size": 3, **options})
    return LanguageModelling(path, tokenizer, sampling, vocabulary=vocabulary, length=8)


def test_each_token_is_told_from_those_before_it(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(words(43))
    other = opened(tmp_path / "a.txt", tokenizer)
    (tmp_path / "a.txt").write_text(words(42))
    data = opened(tmp_path / "a.txt", tokenizer)
    assert data.digest() == opened(tmp_path / "a.txt", tokenizer).digest() != other.digest()
    batches = list(data.validation(SPECS))
    ids, following = (torch.cat([batch[i] for batch in ((x["input_ids"], y) for x, y in batches)]) for i in (0, 1))
    assert (data.n_available, [len(y) for _, y in batches]) == (5, [3, 2])
    assert ids.flatten().tolist() == list(range(40))
    assert following.flatten().tolist() == list(range(1, 41))


@pytest.mark.parametrize("other", ["valid.txt", "validation/a.txt"])
def test_a_split_that_is_there_twice_is_refused(other, tokenizer, tmp_path):
    for name in ("validation.txt", "test.txt", other):  # the text of a test may stand beside: it is not looked at
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(words(20))
    twice = other.removesuffix("a.txt")
    with pytest.raises(DataError, match=f"it has both validation.txt and {twice}; keep the one that is meant"):
        opened(tmp_path, tokenizer)
    (tmp_path / "validation.txt").unlink()
    assert opened(tmp_path, tokenizer).n_available == 2


def test_splits_stand_in_files_or_in_folders(tokenizer, tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.txt").write_text(words(20))
    (tmp_path / "train" / "2.txt").write_text(words(20, 20))
    (tmp_path / "val.txt").write_text(words(9))
    data = opened(tmp_path, tokenizer, n_calibration=99)
    assert data.has_training
    assert sum(len(x["input_ids"]) for x in data.calibration(SPECS)) == 4
    assert data.n_available == 1
    inputs, following = data.training_batch(0, 0)
    drawn = inputs(SPECS)
    assert isinstance(drawn, Mapping)
    assert torch.equal(drawn["input_ids"] + 1, following)


def test_precisions_are_compared_on_so_many_tokens(tokenizer, tmp_path):
    (tmp_path / "t.txt").write_text(words(4 * CALIBRATION_TOKENS))
    data = opened(tmp_path / "t.txt", tokenizer, n_calibration=10**6, batch_size=1000)
    for length in (8, 3000):
        specs = {"input_ids": TensorSpec((length,), "int64")}
        shown = sum(x["input_ids"].numel() for x in data.calibration(specs))
        assert CALIBRATION_TOKENS <= shown < CALIBRATION_TOKENS + length
    assert sum(len(ids) for ids, _ in data.judged(8)) > CALIBRATION_TOKENS / 8  # scores are of as many as asked for


def test_windows_are_drawn_from_the_seed(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(words(401))
    drawn = [
        [
            x["input_ids"][:, 0].tolist()
            for x, _ in opened(tmp_path / "a.txt", tokenizer, n_validation=6, seed=seed).validation(SPECS)
        ]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_batches_of_a_large_vocabulary_are_lowered_and_said_so(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(words(401))
    data = opened(tmp_path / "a.txt", tokenizer, vocabulary=2**20, batch_size=100)
    assert data.notes == ["batches have 4 windows, not 100: logits of 1,048,576 words for 8 tokens each"]
    assert {len(y) for _, y in data.validation(SPECS)} == {4, 2}
    assert not opened(tmp_path / "a.txt", tokenizer).notes


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", "1 2 3 4 5 6 7 8", "its validation text has 8 tokens, and a window needs 9"),
        ("a.txt", "", "has 0 tokens"),
        ("a.csv", words(99), "running text is a .txt file"),
        ("b/a.md", words(99), "it holds no .txt files"),
    ],
)
def test_bad_texts_get_one_line(tokenizer, tmp_path, name, content, complaint):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(DataError, match=complaint) as caught:
        opened(path if path.parent == tmp_path else path.parent, tokenizer)
    assert "\n" not in str(caught.value)


def test_text_to_learn_from_alone_measures_nothing(tokenizer, tmp_path):
    (tmp_path / "train.txt").write_text(words(42))
    data = opened(tmp_path, tokenizer)
    assert (data.n_available, len(list(data.judged(8)))) == (0, 1)
    with pytest.raises(DataError, match=r"it has no validation\.txt"):
        list(data.validation(SPECS))


def test_text_that_is_no_utf8_or_missing_is_refused(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xfa" * 99)
    with pytest.raises(DataError, match="not text in UTF-8"):
        opened(tmp_path / "a.txt", tokenizer)
    with pytest.raises(DataError, match="no such file or folder"):
        opened(tmp_path / "b.txt", tokenizer)


def test_perplexity_of_a_uniform_guess_is_the_vocabulary():
    tokens = torch.arange(6).reshape(2, 3)
    assert perplexity([(torch.zeros(2, 3, WORDS), tokens)]) == pytest.approx(WORDS)
    assert math.isnan(perplexity([]))


def test_divergence_is_the_sum_it_is_defined_as():
    torch.manual_seed(0)
    parent, other = 3 * torch.randn(2, 2, 5, WORDS).double()
    tokens = torch.randint(WORDS, (2, 5))
    p, q = parent.softmax(-1), other.softmax(-1)
    found = Parent(parent.clone(), tokens)(other)
    assert found.kl == pytest.approx(float((p * (p.log() - q.log())).sum(-1).mean()))
    assert found.agreement_pct == pytest.approx(float((p.argmax(-1) == q.argmax(-1)).double().mean()) * 100)
    assert found.perplexity == pytest.approx(perplexity([(other, tokens)]))
    same = Parent(parent.clone(), tokens)(parent)
    assert same.kl == pytest.approx(0, abs=1e-12)
    assert same.agreement_pct == 100
    assert (found + same).kl == pytest.approx(found.kl / 2)
    assert math.isnan(Divergence().kl)


def test_a_divergence_of_hardly_anything_is_not_lost_in_rounding():
    # As of a block in int8 in a large vocabulary: some 1e-5 nats a token, in single precision.
    torch.manual_seed(0)
    parent = 3 * torch.randn(1, 8, 49_152)
    parent[..., 0] += 20
    other = parent + 0.01 * torch.randn_like(parent)
    log_p, log_q = parent.double().log_softmax(-1), other.double().log_softmax(-1)
    tokens = torch.zeros(1, 8, dtype=torch.long)
    found = Parent(parent.clone(), tokens)(other)
    assert 0 < found.kl == pytest.approx(float((log_p.exp() * (log_p - log_q)).sum(-1).mean()), rel=0.02)
