"""`VM.import`: VMs made from an XVA archive that the pool fetches from a web server itself."""

import shutil
import ssl
import tempfile
import threading
from http.client import HTTPException
from typing import IO
from urllib.parse import urlsplit
from urllib.request import urlopen

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import NULL, Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

from .connections import assert_attached
from .transfers import Progress
from .xva_import import import_archive

_LONGEST_SILENCE = 30.0
_LONGEST = 24 * 3600.0


class _Fetch:
    """Brings a file in a thread of its own, for a call that lets others use the pool meanwhile."""

    def __init__(self, call: Call, url: str, file: IO[bytes]) -> None:
        self._world = call.world
        self._url = url
        self._file = file
        self.ended = False
        self.error: Exception | None = None
        threading.Thread(target=self._run, name="fetch", daemon=True).start()

    def _run(self) -> None:
        # The product does not check the certificate of a server that it fetches from.
        context = ssl._create_unverified_context()
        try:
            with urlopen(self._url, timeout=_LONGEST_SILENCE, context=context) as answer:
                shutil.copyfileobj(answer, self._file)
        except (OSError, HTTPException, ValueError) as error:
            self.error = error
        with self._world.lock:
            self.ended = True
            self._world.lock.notify_all()


@message(
    "VM.import(string url, SR ref sr, bool full_restore, bool force) -> VM ref set", role="pool-operator", since="2.5"
)
def import_from(call: Call, url: str, sr: Object | None, full_restore: bool, force: bool) -> list[Object]:
    """Fetch an archive over HTTP, and make its VMs. When anything fails, nothing is left of them."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Failure("INTERNAL_ERROR", f"unsupported URI scheme: {url}")
    if sr is None:
        raise Failure("HANDLE_INVALID", "SR", NULL)
    assert_attached(call.world, sr)
    with tempfile.TemporaryFile() as file:
        fetch = _Fetch(call, url, file)
        call.wait_for(lambda: fetch.ended, _LONGEST)
        if fetch.error is not None:
            raise Failure("INTERNAL_ERROR", f"cannot fetch {url}: {fetch.error}")
        file.seek(0)
        return import_archive(call.world, file.read, sr, Progress(call), restore=full_restore, force=force)
