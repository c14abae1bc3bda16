"""A loop of your own: hwnas proposes subnets, you evaluate them, and hwnas learns from the results.

Here four threads evaluate subnets of ``digits`` on its validation images. A queue, a cluster or a lab bench would do as well.

    python examples/ask_tell.py
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import hwnas
from hwnas.supernet import evaluate, load_supernet

ROUNDS, BATCH = 4, 8

if __name__ == "__main__":
    net = load_supernet("digits")
    data = net.data()
    assert data is not None
    study = hwnas.Study("digits", objectives=["top1", "macs"])
    with ThreadPoolExecutor(max_workers=4) as pool:
        for number in range(ROUNDS):
            x = study.ask(BATCH)
            accuracies = [found.value for found in pool.map(partial(evaluate, net, data=data), x)]
            study.tell(x, {"top1": accuracies})  # MACs are known without being told
            print(f"round {number + 1}: {len(x)} evaluated, {len(study.front())} on the front")
    front = study.front()
    front.save("asked.csv")
    print(front.to_frame()[["top1", "macs"]].to_string(index=False))
