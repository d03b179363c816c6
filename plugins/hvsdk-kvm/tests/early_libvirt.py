"""Loads libvirt so that it logs nowhere: an embedded driver would write its warnings on stderr, between the tests' dots.

libvirt reads the environment when it is loaded, and so do the daemons that tests start: theirs is left as it was.
`LIBVIRT_LOG_OUTPUTS=3:stderr pytest …` shows the lines.
"""

from __future__ import annotations

import os

_NAME = "LIBVIRT_LOG_OUTPUTS"

if _NAME not in os.environ:
    os.environ[_NAME] = "3:file:/dev/null"
    import libvirt  # noqa: F401

    del os.environ[_NAME]
