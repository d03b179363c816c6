"""Bytes, figures, pictures, errors and secrets."""

from __future__ import annotations

from broken.cases import Insider, Reshaping, caught_by
from hvsdk import errors
from hvsdk.driver import Extent
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._errors import FakeError


class Altered(FakeDriver):
    """A driver whose readers are altered."""

    def alter(self, reader):
        raise NotImplementedError

    def open_disk(self, native_id, disk_id, *, snapshot_id, deadline):
        reader = super().open_disk(native_id, disk_id, snapshot_id=snapshot_id, deadline=deadline)
        self.alter(reader)
        return reader


@caught_by("test_extents_cover_the_disk_exactly")
class ExtentsLeaveHolesOut(Altered):
    """Only what is stored is told."""

    def alter(self, reader):
        whole = reader.extents
        reader.extents = lambda: [extent for extent in whole() if not extent.zero]


@caught_by("test_extents_cover_the_disk_exactly")
class ExtentsLie(Altered):
    """All of the disk is said to be zeros."""

    def alter(self, reader):
        reader.extents = lambda: [Extent(offset=0, length=reader.size, zero=True)]


@caught_by("test_what_was_written_is_read")
class ReadsShifted(Altered):
    """A header in front of the data is not taken off."""

    def alter(self, reader):
        read = reader.read
        reader.read = lambda offset, length: (b"\0" * 512 + read(offset, length))[:length]


@caught_by("test_zeroed_ranges_read_as_zeros")
class ZeroDoesNothing(FakeDriver):
    """Old data shines through."""

    def open_volume(self, pool_id, volume_id, *, deadline):
        writer = super().open_volume(pool_id, volume_id, deadline=deadline)
        writer.zero = lambda offset, length: None
        return writer


@caught_by("test_a_volume_is_made_and_found")
class RoundsVolumes(FakeDriver):
    """A volume is a little larger."""

    def create_volume(self, pool_id, spec, *, deadline):
        return super().create_volume(pool_id, spec.replace(size=spec.size_bytes + 512), deadline=deadline)


@caught_by("test_a_volume_in_use_is_not_deleted")
class DeletesVolumesInUse(Insider):
    """A disk's volume goes."""

    def delete_volume(self, pool_id, volume_id, *, deadline):
        with self._world.lock:
            self._world.pool(pool_id).volumes.pop(volume_id, None)


@caught_by("test_a_screenshot_is_a_png")
class ScreenshotIsPpm(FakeDriver):
    """The product's own format."""

    def screenshot(self, native_id, *, deadline):
        super().screenshot(native_id, deadline=deadline)
        return b"P6 1 1 255\n\0\0\0"


@caught_by("test_a_screenshot_is_a_png")
class ScreenshotIsALie(FakeDriver):
    """Declared, and never there."""

    def screenshot(self, native_id, *, deadline):
        raise errors.UnsupportedError("no screenshots here")


@caught_by("test_a_running_domain_has_figures")
class RatesWithoutInterval(FakeDriver):
    """A rate, and nobody knows over what time."""

    def stats(self, native_ids, *, deadline):
        return [item.replace(cpu_ratio=0.5) for item in super().stats(native_ids, deadline=deadline)]


@caught_by("test_counters_do_not_go_back")
class CountersGoBack(FakeDriver):
    """A counter that is none."""

    left = 10**9

    def stats(self, native_ids, *, deadline):
        type(self).left -= 1000
        return [item.replace(net_rx_bytes=self.left) for item in super().stats(native_ids, deadline=deadline)]


@caught_by("test_a_console_shows_no_secret")
class PasswordInTheUrl(FakeDriver):
    """The console's password is part of its URL."""

    def console(self, native_id, *, deadline):
        console = super().console(native_id, deadline=deadline)
        return console.replace(url=f"vnc://:{console.password}@127.0.0.1:{console.port}")


@caught_by("test_no_record_has_a_secret")
class SecretInTheRecord(Reshaping):
    """The password is among the details."""

    def reshape(self, info):
        found = self.target.credentials("password")
        return info.replace(details={"fake.login": repr(found.password)}) if info.has("config") else info


@caught_by("test_no_error_has_a_secret")
class SecretInTheError(FakeDriver):
    """The password is in the vendor's message, turned round so that nobody finds it, and in ours."""

    def resume(self, native_id, *, deadline):
        password = self.target.credentials("password").password
        error = FakeError("INTERNAL_ERROR", "resume failed")
        error.request = {"session": password}
        raise error


@caught_by("test_no_log_has_a_secret")
class SecretInTheLog(FakeDriver):
    """The request is logged as it is."""

    def list_domains(self, include, *, deadline):
        import logging

        logging.getLogger("acme").debug("login %s", self.target.credentials("password").password)
        return super().list_domains(include, deadline=deadline)


@caught_by("test_a_domain_that_is_gone_is_not_found[refresh]")
class NotFoundIsAnyFailure(FakeDriver):
    """Absent and failed are the same."""

    @staticmethod
    def translate(exc, operation):
        return errors.OperationFailedError(str(exc)) if isinstance(exc, FakeError) else None


@caught_by("test_the_vendors_error_is_the_cause")
class SwallowsTheCause(FakeDriver):
    """Our error in place of the vendor's, and nobody learns what that was."""

    def get_domain(self, native_id, include, *, deadline):
        try:
            return super().get_domain(native_id, include, deadline=deadline)
        except FakeError:
            raise errors.DomainNotFoundError("no such domain") from None


@caught_by("test_an_expired_session_is_renewed")
class ForgetsToRenew(FakeDriver):
    """An expired session is told as a lost permission."""

    @staticmethod
    def translate(exc, operation):
        if isinstance(exc, FakeError) and exc.code == "SESSION_INVALID":
            return errors.PermissionDeniedError("not logged in")
        return FakeDriver.translate(exc, operation)


@caught_by("test_a_host_says_what_it_is")
class HostInfoChanges(FakeDriver):
    """A host that is another one each time."""

    asked = 0

    def host_info(self, *, deadline):
        type(self).asked += 1
        return super().host_info(deadline=deadline).replace(version=str(self.asked))
