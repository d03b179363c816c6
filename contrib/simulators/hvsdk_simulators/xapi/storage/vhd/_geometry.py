"""Cylinders, heads and sectors: what the VHD format says a disk's size is, rounded down."""

SECTOR = 512
_MOST_SECTORS = 65535 * 16 * 255


def chs(size: int) -> tuple[int, int, int]:
    """Geometry of a disk, by the algorithm of the VHD specification.

    Cylinders x heads x sectors is at most the real size: a reader that believes it loses the disk's tail.
    """
    sectors = min(size // SECTOR, _MOST_SECTORS)
    if sectors >= 65535 * 16 * 63:
        per_track, heads = 255, 16
        return sectors // per_track // heads, heads, per_track
    per_track = 17
    cylinder_heads = sectors // per_track
    heads = max((cylinder_heads + 1023) // 1024, 4)
    if cylinder_heads >= heads * 1024 or heads > 16:
        per_track, heads = 31, 16
        cylinder_heads = sectors // per_track
    if cylinder_heads >= heads * 1024:
        per_track, heads = 63, 16
        cylinder_heads = sectors // per_track
    return cylinder_heads // heads, heads, per_track
