"""Classify images with a deployed network, in plain onnxruntime: ``python examples/classify_images.py deploy cat.jpg ...``."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image, ImageOps

if len(sys.argv) < 3:
    print("usage: python examples/classify_images.py deploy cat.jpg ...", file=sys.stderr)
    sys.exit(2)
folder, files = Path(sys.argv[1]), sys.argv[2:]
for needed in ("config.json", "model.onnx", "preprocessor_config.json"):
    if not (folder / needed).is_file():
        sys.exit(
            f"{folder / needed}: there is no such file; name a folder that hwnas export wrote of a network of images"
        )
labels = json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"]
how = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
size, shorter = how["crop_size"]["height"], how["size"].get("shortest_edge")
for file in files:
    if not Path(file).is_file():
        sys.exit(f"{file}: there is no such file; give images")
    image = ImageOps.exif_transpose(Image.open(file))  # upright, as in training
    image = image.convert("RGB" if len(how["image_mean"]) == 3 else "L")
    whole = (how["size"].get("width"), how["size"].get("height"))
    width, height = (int(shorter * side / min(image.size)) for side in image.size) if shorter else whole
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), how["resample"]).crop((left, top, left + size, top + size))
    pixels = np.asarray(image, dtype=np.float32).reshape(size, size, -1)  # adds the channel of grey images
    pixels = (pixels * how["rescale_factor"] - how["image_mean"]) / how["image_std"]
    logits = session.run(["logits"], {"pixel_values": pixels.astype(np.float32).transpose(2, 0, 1)[None]})[0]
    print(labels[str(logits.argmax())], file, sep="\t")
