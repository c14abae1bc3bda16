"""Classify texts with a folder that ``hwnas export --out deploy/`` wrote: python classify_texts.py deploy "Who wrote it?"."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder, texts = Path(sys.argv[1]), sys.argv[2:]
session = onnxruntime.InferenceSession(folder / "model.onnx")
labels = json.loads((folder / "config.json").read_text())["id2label"]
tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode_batch(texts)  # cut and filled up as in training
fields = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
feed = {each.name: np.array([getattr(text, fields[each.name]) for text in tokens]) for each in session.get_inputs()}
for text, logits in zip(texts, session.run(None, feed)[0], strict=True):
    print(f"{labels[str(logits.argmax())]}: {text}")
