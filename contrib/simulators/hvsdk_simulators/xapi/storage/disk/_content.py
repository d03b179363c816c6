"""Content that follows from a seed, so that it needs no storage and every reader can compute it."""

import hashlib
from collections.abc import Iterator
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ._arena import BLOCK

_ZEROS = bytes(BLOCK)
_CIPHER_BLOCK = 16


def generated(seed: str, block: int) -> bytes:
    """The content of one block: AES-128-CTR's key stream at the block's place.

    The key is the beginning of the seed's SHA-256; the counter of the disk's first byte is 0.
    """
    counter = (block * BLOCK // _CIPHER_BLOCK).to_bytes(_CIPHER_BLOCK, "big")
    key = hashlib.sha256(seed.encode()).digest()[:16]
    return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(_ZEROS)


def planned(seed: str, size: int, share: float) -> Iterator[int]:
    """The blocks that are written on a disk which looks used: a boot area, then runs of up to 4 MiB with holes between.

    Args:
        seed: Same seed, same blocks.
        size: Bytes of the disk.
        share: About which part of it is written, 0 to 1.
    """
    last = -(-size // BLOCK)
    if share <= 0:
        return
    if share >= 1:
        yield from range(last)
        return
    random = Random(seed)
    block, wanted = 0, max(1, int(last * share))
    while block < last and wanted > 0:
        run = min(random.randint(1, 64), wanted, last - block)
        yield from range(block, block + run)
        wanted -= run
        block += run + max(1, int(run * (1 - share) / share * random.uniform(0.5, 1.5)))
