"""Secrets are seen nowhere."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hvsdk import errors
from hvsdk.capability import Capability
from hvsdk.testing.conformance._fixtures import Kit, MakeDomain
from hvsdk.testing.conformance._helpers import Names

if TYPE_CHECKING:
    from hvsdk._domain import Domain
    from hvsdk._host import Host

__all__ = ["Secrets"]


class Secrets(Kit):
    """Neither in what is shown, nor in errors, logs and pickles."""

    def check_hidden(self, secrets: tuple[str, ...], *texts: object) -> None:
        """Check that no secret is in any of the texts."""
        for text in texts:
            for secret in secrets:
                assert secret not in str(text), "a secret is shown"

    def test_nothing_shown_has_a_secret(self, host: Host, secrets: tuple[str, ...]) -> None:
        listed = host.domains(templates=True, control=True)
        info = host.info()
        self.check_hidden(secrets, host, repr(host), host.url, listed, repr(listed), info.to_dict(), vars_of(host))

    def test_no_record_has_a_secret(self, host: Host, secrets: tuple[str, ...], domain: Domain) -> None:
        self.check_hidden(secrets, domain, repr(domain), domain.info.to_dict(), domain.info.details)

    def test_no_error_has_a_secret(self, host: Host, secrets: tuple[str, ...], names: Names, domain: Domain) -> None:
        tried: list[Callable[[], object]] = [lambda: host.domain(names("nobody"))]
        if host.supports(Capability.RESUME):
            tried.append(domain.resume)
        if host.supports(Capability.LIST_SNAPSHOTS):
            tried.append(lambda: domain.snapshot("nothing"))
        for failing in tried:
            with pytest.raises(errors.HvsdkError) as failed:
                failing()
            error: BaseException | None = failed.value
            while error is not None:
                self.check_hidden(secrets, error, repr(error), vars(error), *getattr(error, "__notes__", ()))
                error = error.__cause__ or error.__context__
            self.check_hidden(secrets, "".join(traceback.format_exception(failed.value)), pickle.dumps(failed.value))

    def test_no_log_has_a_secret(
        self, host: Host, secrets: tuple[str, ...], caplog: pytest.LogCaptureFixture, make_domain: MakeDomain
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            host.domains(full=True)
            make_domain().refresh()
            with pytest.raises(errors.DomainNotFoundError):
                host.domain("kit-nobody")
        self.check_hidden(secrets, caplog.text, [record.__dict__ for record in caplog.records])

    def test_no_pickle_has_a_secret(self, host: Host, secrets: tuple[str, ...]) -> None:
        try:
            data = pickle.dumps(host)
        except (errors.HvsdkError, TypeError, pickle.PicklingError) as exc:
            self.check_hidden(secrets, exc)
            return
        for secret in secrets:
            assert secret.encode() not in data, "a secret is in the pickle"


def vars_of(thing: object) -> dict[str, object]:
    """Return what `vars` shows of an object, as a debugger would."""
    return dict(getattr(thing, "__dict__", {}))
