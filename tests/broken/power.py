"""Power verbs that do something else, or in states where they must not."""

from __future__ import annotations

from broken.cases import Insider, Reshaping, caught_by
from hvsdk.driver import PowerState
from hvsdk.testing.fake._driver import FakeDriver
from hvsdk.testing.fake._errors import FakeError
from hvsdk.testing.fake._power import switch_off, switch_on


@caught_by("test_power_table[RUNNING-pause]")
class PausedIsRunning(Reshaping):
    """A wrong state mapping."""

    def reshape(self, info):
        return info.replace(power_state=PowerState.RUNNING) if info.power_state is PowerState.PAUSED else info


@caught_by("test_power_table[RUNNING-suspend]")
class SuspendedIsShutoff(Reshaping):
    """A saved memory that is not seen."""

    def reshape(self, info):
        return info.replace(power_state=PowerState.SHUTOFF) if info.power_state is PowerState.SUSPENDED else info


@caught_by("test_shutdown_never_cuts_the_power")
class ShutdownCuts(Insider):
    """The power cut as a way to shut down."""

    def shutdown(self, native_id, *, deadline):
        super().power_off(native_id, discard_memory=False, deadline=deadline)


@caught_by("test_shutdown_repeats_its_request", patience=4.0)
class ShutdownAsksOnce(FakeDriver):
    """Further requests are swallowed."""

    def __init__(self, target):
        super().__init__(target)
        self.asked = set()

    def shutdown(self, native_id, *, deadline):
        if native_id in self.asked:
            return
        self.asked.add(native_id)
        super().shutdown(native_id, deadline=deadline)


@caught_by("test_shutdown_then_power_off_cuts_what_cannot_be_asked[PAUSED]")
class PowerOffOnlyRunning(Insider):
    """A paused domain is left as it is."""

    def power_off(self, native_id, *, discard_memory, deadline):
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.PAUSED:
                raise FakeError("INTERNAL_ERROR", "cannot cut a paused domain")
        return super().power_off(native_id, discard_memory=discard_memory, deadline=deadline)


@caught_by("test_saved_memory_is_restored[start]")
class StartDiscardsMemory(Insider):
    """A start that boots a suspended domain anew."""

    def start(self, native_id, *, deadline):
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.SUSPENDED:
                switch_off(self._world, domain)
        return super().start(native_id, deadline=deadline)


@caught_by("test_saved_memory_is_restored[resume]")
class ResumeDiscardsMemory(Insider):
    """A resume that boots anew."""

    def resume(self, native_id, *, deadline):
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.SUSPENDED:
                switch_off(self._world, domain)
                switch_on(self._world, domain)
                return None
        return super().resume(native_id, deadline=deadline)


@caught_by("test_power_table[SUSPENDED-power_off]")
class PowerOffDiscardsAnyway(FakeDriver):
    """Saved memory is given up without being told to, and the verb is not among the unguarded."""

    def power_off(self, native_id, *, discard_memory, deadline):
        return super().power_off(native_id, discard_memory=True, deadline=deadline)


@caught_by("test_power_off_gives_up_a_saved_memory_when_told_to")
class PowerOffKeepsMemory(FakeDriver):
    """Saved memory cannot be given up."""

    def power_off(self, native_id, *, discard_memory, deadline):
        return super().power_off(native_id, discard_memory=False, deadline=deadline)


@caught_by("test_power_table[RUNNING-delete]")
class DeletesRunning(Insider):
    """A running domain's definition goes, and the verb is not among the unguarded."""

    def delete(self, native_id, *, disks, deadline):
        with self.inside(native_id) as (domain, _):
            switch_off(self._world, domain)
        return super().delete(native_id, disks=disks, deadline=deadline)


@caught_by("test_power_table[SHUTOFF-resume]")
class ResumeBoots(FakeDriver):
    """A resume of what was never suspended boots it."""

    def resume(self, native_id, *, deadline):
        return super().start(native_id, deadline=deadline)


@caught_by("test_power_table[PAUSED-reset]")
class ResetsPaused(Insider):
    """A paused domain is reset."""

    def reset(self, native_id, *, deadline):
        with self.inside(native_id) as (domain, _):
            if domain.state is PowerState.PAUSED:
                switch_on(self._world, domain)
                return None
        return super().reset(native_id, deadline=deadline)


@caught_by("test_power_table[RUNNING-reset]")
class ResetLeavesOff(Insider):
    """A reset that forgets to start again."""

    def reset(self, native_id, *, deadline):
        super().reset(native_id, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            switch_off(self._world, domain)


@caught_by("test_reset_boots_anew")
class ResetDoesNothing(FakeDriver):
    """A reset that only looks."""

    def reset(self, native_id, *, deadline):
        return self.get_domain(native_id, frozenset({"config"}), deadline=deadline)


@caught_by("test_pause_keeps_the_memory")
class UnpauseReboots(Insider):
    """A domain that boots when it is let go on."""

    def unpause(self, native_id, *, deadline):
        super().unpause(native_id, deadline=deadline)
        with self.inside(native_id) as (domain, _):
            switch_on(self._world, domain)


@caught_by("test_power_table[RUNNING-start]")
class StateErrorsHaveNoCode(FakeDriver):
    """Refusals by state that are told as any failure."""

    @staticmethod
    def translate(exc, operation):
        if isinstance(exc, FakeError) and exc.code == "BAD_POWER_STATE":
            exc = FakeError("INTERNAL_ERROR", exc.message)
        return FakeDriver.translate(exc, operation)


@caught_by("test_why_not_agrees_with_the_table[SHUTOFF-start]")
class LimitsThatAreNone(FakeDriver):
    """A reason against a verb that works."""

    def domain_limits(self, info):
        from hvsdk.driver import Capability, Unsupported

        return {Capability.START: Unsupported("it is Tuesday")}


@caught_by("test_a_verb_costs_a_call_and_a_few_looks_at_most[pause-running]")
class LooksTooOften(FakeDriver):
    """Four looks before each verb."""

    def pause(self, native_id, *, deadline):
        for _ in range(4):
            self.get_domain(native_id, frozenset(), deadline=deadline)
        return super().pause(native_id, deadline=deadline)


@caught_by("test_a_change_whose_answer_was_lost_is_not_repeated[before]")
class RepeatsBlindly(FakeDriver):
    """A start that is sent again when the connection broke."""

    def start(self, native_id, *, deadline):
        try:
            return super().start(native_id, deadline=deadline)
        except FakeError as exc:
            if exc.code != "CONNECTION_LOST":
                raise
            self.open(deadline=deadline)
            return super().start(native_id, deadline=deadline)


@caught_by("test_a_suspended_domain_is_not_changed[reconfigure]")
class ReconfiguresSuspended(Insider):
    """Hardware is changed under a saved memory."""

    def reconfigure(self, native_id, changes, *, deadline):
        from hvsdk.driver import Applied

        with self.inside(native_id) as (domain, _):
            domain.vcpus = changes.vcpus or domain.vcpus
        return Applied(live=changes.asked)
