"""What guests call their drives."""


def device_name(userdevice: str) -> str:
    """What a guest calls the drive at a position: xvda, xvdb and so on; a name stays as it is."""
    if not userdevice.isdecimal():
        return userdevice
    tens, ones = divmod(int(userdevice), 26)
    return "xvd" + (chr(ord("a") + tens - 1) if tens else "") + chr(ord("a") + ones)
