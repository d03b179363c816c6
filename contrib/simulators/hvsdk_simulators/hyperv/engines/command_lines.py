"""What a command line asks for."""

from __future__ import annotations

import base64
import binascii
import re

__all__ = ["encoded_script", "is_powershell", "split"]

_ENCODED = re.compile(r"\s-e(?:nc(?:odedcommand)?|c)?\s+\"?([A-Za-z0-9+/=]+)\"?", re.IGNORECASE)
_POWERSHELL = re.compile(r"^\s*\"?(?:[^\"]*\\)?powershell(?:\.exe)?\"?(?=\s|$)", re.IGNORECASE)
_CMD = re.compile(r"^\s*\"?(?:[^\"]*\\)?cmd(?:\.exe)?\"?\s+/c\s+", re.IGNORECASE)


def is_powershell(command_line: str) -> bool:
    """Whether this starts PowerShell, by itself or through `cmd /c`."""
    return _POWERSHELL.match(_CMD.sub("", command_line)) is not None


def encoded_script(command_line: str) -> str | None:
    """Return the script that stands in the command line as `-EncodedCommand`; None when there is none."""
    found = _ENCODED.search(command_line)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return None


def split(command_line: str) -> list[str]:
    """Split a command line as Windows programs do: double quotes hold words together, `\\"` is a quote."""
    words: list[str] = []
    word: list[str] | None = None
    quoted = False
    at = 0
    while at < len(command_line):
        char = command_line[at]
        slashes = len(command_line[at:]) - len(command_line[at:].lstrip("\\"))
        if slashes and command_line[at + slashes : at + slashes + 1] == '"':
            word = (word or []) + ["\\" * (slashes // 2)]
            at += slashes
            if slashes % 2:
                word.append('"')
                at += 1
            continue
        if char == '"':
            quoted, word = not quoted, word or []
        elif char in " \t" and not quoted:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(char)
        at += 1
    return words if word is None else [*words, "".join(word)]
