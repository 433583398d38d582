"""Fills a gallery without end and says after each batch how far it is; made to be killed."""

from __future__ import annotations

import sys

from pipeline.gallery import store as gallery_store
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.intake import Intake
from tests.fakes_gallery import BEGAN_NS, SECOND, direction, result, subject

PER_BATCH = 5
gallery_store.SEAL_RECORDS = 60  # so that it is killed while it seals, too


def main(folder: str) -> None:
    config = GalleryConfig(store=folder, same_above=1.0)
    store = gallery_store.GalleryStore(config)
    intake = Intake(config, store)
    number = int(store.position.get("topic/0", "0"))
    while True:
        bodies = [result(seq, subject(direction(seq))) for seq in range(number, number + PER_BATCH)]
        number += PER_BATCH
        intake.take(bodies, {"topic/0": str(number)}, BEGAN_NS + number * SECOND)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
