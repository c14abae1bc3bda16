"""Continue a text with a deployed decoder, in plain onnxruntime: ``python examples/write_text.py deploy "The city of Oslo is" 40``."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

if len(sys.argv) != 4 or not sys.argv[3].isdecimal():
    print('usage: python examples/write_text.py deploy "The city of Oslo is" 40', file=sys.stderr)
    sys.exit(2)
folder, text, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for needed in ("generation_config.json", "model.onnx", "tokenizer.json"):
    if not (folder / needed).is_file():
        sys.exit(f"{folder / needed}: there is no such file; name a folder that hwnas export wrote of a language model")
end = json.loads((folder / "generation_config.json").read_text(encoding="utf-8")).get("eos_token_id")
session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
outputs = [o.name for o in session.get_outputs()]
# One cache per layer with attention, empty at first; layers may differ in their number of heads.
caches = {
    i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in session.get_inputs() if "past" in i.name
}
new, before = tokenizer.encode(text).ids, 0
written: list[int] = []
while len(written) < most:
    total = before + len(new)
    tokens = {"input_ids": np.array([new]), "position_ids": np.arange(before, total)[None]}
    fed = {**tokens, "attention_mask": np.ones((1, total), np.int64), **caches}
    found = dict(zip(outputs, session.run(None, fed), strict=True))
    caches = {name: found[name.replace("past_key_values", "present")] for name in caches}
    new, before = [int(found["logits"][0, -1].argmax())], total
    if new[0] in (end if isinstance(end, list) else [end]):
        break
    written += new
print(text, tokenizer.decode(written), sep="")
