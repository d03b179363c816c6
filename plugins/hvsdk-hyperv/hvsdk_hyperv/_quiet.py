"""No logins in logs: at DEBUG the libraries write down whole messages, from which a password can be guessed at leisure."""

from __future__ import annotations

import logging

__all__ = ["keep_logins_out_of_logs"]

_TALKATIVE = ("spnego", "smbprotocol")


def keep_logins_out_of_logs() -> None:
    """Let these libraries log from INFO on, also where all else is logged from DEBUG on; who gave them a level keeps it."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
