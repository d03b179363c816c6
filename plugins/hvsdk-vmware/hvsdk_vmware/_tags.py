"""Where tags are kept: vCenter has some of its own, those of hvsdk's category are plain, others are `category:tag`.

An ESXi host has none, and a vCenter may have the service for them switched off, or not let this user in: then tags lie in
`extraConfig`, and only there. Those that lie there are shown on every server, so that a host which joins a vCenter keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from hvsdk.driver import Deadline, Target, errors

from hvsdk_vmware._answer import AnswerError
from hvsdk_vmware._calls import CLOSE_SECONDS
from hvsdk_vmware._login import credentials_of
from hvsdk_vmware._rest import Rest, RestAbsentError, RestRefusedError
from hvsdk_vmware._vcenter_tags import VcenterTags
from hvsdk_vmware._views import ViewReads

__all__ = ["TagReads"]

_NO_ANSWER = (
    AnswerError,
    errors.AuthenticationError,
    errors.OperationFailedError,
    errors.PermissionDeniedError,
    errors.NotFoundError,
    errors.BusyError,
)
_LEFT_ALONE_SECONDS = 60.0
"""How long a service that does not answer is not asked for tags: each read would wait for it."""

_SILENT = "vCenter's REST service did not answer in time"


class TagReads(ViewReads):
    """Reads and writes vCenter's tags, for listings and `set_tags`."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._vcenter_tags: VcenterTags | None = None
        self._tags_silent_until = 0.0

    def close(self) -> None:
        tags, self._vcenter_tags = self._vcenter_tags, None
        if tags is not None:
            tags.rest.close(Deadline(min(CLOSE_SECONDS, self.target.timeout)))
        super().close()

    def abandon(self) -> None:
        tags, self._vcenter_tags = self._vcenter_tags, None
        if tags is not None:
            tags.rest.forget()
        super().abandon()

    def keeps_tags(self, deadline: Deadline) -> bool:
        """Whether the server has tags of its own that this user gets at."""
        return self.is_vcenter and self._tags().rest.available(deadline)

    def read_tags_of(
        self, domains: Sequence[str], deadline: Deadline
    ) -> tuple[Mapping[str, frozenset[str]], str | None]:
        """Return vCenter's tags of these domains by the domain's id, and why they cannot be told, if so.

        The service for them is a process of its own: reads do without it, when it is down or hangs.
        """
        if not self.is_vcenter:
            return {}, None
        if time.monotonic() < self._tags_silent_until:
            return {}, _SILENT
        limit = Deadline(min(deadline.remaining(), self.target.timeout) / 2)
        try:
            return self._tags().of(domains, limit), None
        except RestRefusedError as exc:
            return {}, str(exc)
        except RestAbsentError:
            return {}, None
        except TimeoutError:
            self._tags_silent_until = time.monotonic() + _LEFT_ALONE_SECONDS
            return {}, _SILENT
        except _NO_ANSWER as exc:
            return {}, str(exc)

    def write_tags_of(self, domain: str, tags: Collection[str], deadline: Deadline) -> None:
        """Give a domain these tags of vCenter's; `keeps_tags` says whether that is possible."""
        self._tags().give(domain, tags, deadline)

    def _tags(self) -> VcenterTags:
        tags = self._vcenter_tags
        if tags is None:
            rest = Rest(self.stub.pool, lambda: credentials_of(self.target))
            others = bool(self.target.options.get("detach_other_tags"))
            tags = self._vcenter_tags = VcenterTags(rest, self.target.timeout, detach_others=others)
        return tags
