"""Waits until Ray's head and the first nodes with cores are there, then becomes `main.py run`.

    wait_for_nodes.py NODES SECONDS COMMAND...

The driver starts together with Ray's head, before any worker. Without a core it would exit, and Kubernetes would
start it again ever more rarely. After SECONDS it starts with what is there, and `main.py run` says what is missing.
"""

import logging
import os
import sys
import time

import ray

LOOK_EVERY_SECONDS = 1.0


def joined() -> bool:
    try:
        ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        print(f"Ray's head does not answer yet: {error}", flush=True)
        return False
    return True


def nodes_with_cores() -> int:
    return sum(1 for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1)


def main() -> None:
    wanted, deadline = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    while not joined() and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_SECONDS)
    said = None
    while ray.is_initialized():
        found = nodes_with_cores()
        if found != said:
            print(f"nodes with cores: {found} of {wanted}", flush=True)
            said = found
        if found >= wanted or time.monotonic() > deadline:
            ray.shutdown()
        else:
            time.sleep(LOOK_EVERY_SECONDS)
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 - this process becomes the driver: one to signal, one to probe


if __name__ == "__main__":
    main()
