"""A Ray cluster of two nodes on this machine, as a process of its own: ``python -m tests.executor.two_nodes``.

Prints its address. A line on stdin kills everything of the second node with SIGKILL; the end of stdin ends the cluster.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024, "include_dashboard": False}


def main() -> None:
    """Run it."""
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    second = cluster.add_node(num_cpus=1, object_store_memory=NODE["object_store_memory"])
    cluster.wait_for_nodes()
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        cluster.remove_node(second, allow_graceful=False)
        sys.stdout.write("gone\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
