"""Classify texts with a deployed network, in plain onnxruntime: ``python examples/classify_texts.py deploy "Where is Oslo?" ...``."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

if len(sys.argv) < 3:
    print('usage: python examples/classify_texts.py deploy "Where is Oslo?" ...', file=sys.stderr)
    sys.exit(2)
folder, texts = Path(sys.argv[1]), sys.argv[2:]
for needed in ("config.json", "model.onnx", "tokenizer.json"):
    if not (folder / needed).is_file():
        sys.exit(
            f"{folder / needed}: there is no such file; name a folder that hwnas export wrote of an encoder of texts"
        )
labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
found = Tokenizer.from_file(str(folder / "tokenizer.json")).encode_batch(texts)
names = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
inputs = {i.name: np.array([getattr(one, names[i.name]) for one in found]) for i in session.get_inputs()}
for text, logits in zip(texts, session.run(["logits"], inputs)[0], strict=True):
    print(labels[str(logits.argmax())], text, sep="\t")
