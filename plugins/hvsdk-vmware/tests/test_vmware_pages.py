"""Pages of bulk reads: the next one is on its way while one is read, and what is given up is told to the server."""

from __future__ import annotations

import threading

import pytest
from hvsdk.driver import Operation, errors
from hvsdk_simulators import Running
from pyVmomi import vim
from vmware_disks import called
from vmware_support import domain_calls, opened, soon

PROPERTIES = {vim.VirtualMachine: ("name",)}


def nobody_fetches() -> bool:
    """Whether the threads that fetch pages end; one that has just told its result takes a moment for it."""
    fetching = [thread for thread in threading.enumerate() if thread.name == "hvsdk-task"]
    for thread in fetching:
        thread.join(10)
    return not [thread for thread in fetching if thread.is_alive()]


def test_every_page_is_asked_for_once(center: Running) -> None:
    with opened(center, options={"page_size": 4}) as driver:
        list(driver.read_view(PROPERTIES, deadline=soon()))  # makes the view
        found: list[str] = []
        calls = domain_calls(
            center,
            lambda: found.extend(one.id for page in driver.read_view(PROPERTIES, deadline=soon()) for one in page),
        )
    assert len(found) == len(set(found)) > 8
    assert calls == {"RetrievePropertiesEx": 1, "ContinueRetrievePropertiesEx": (len(found) + 3) // 4 - 1}


def test_the_next_page_comes_while_one_is_read(center: Running) -> None:
    with opened(center, options={"page_size": 4}) as driver:
        list(driver.read_view(PROPERTIES, deadline=soon()))
        center.reset_counts()
        pages = driver.read_view(PROPERTIES, deadline=soon())
        next(pages)
        called(center, "ContinueRetrievePropertiesEx")
        assert center.counts()["ContinueRetrievePropertiesEx"] == 1
        pages.close()  # type: ignore[attr-defined]


def test_a_read_that_is_given_up_leaves_nothing_at_the_server(center: Running) -> None:
    with opened(center, options={"page_size": 4}) as driver:
        list(driver.read_view(PROPERTIES, deadline=soon()))
        center.reset_counts()
        pages = driver.read_view(PROPERTIES, deadline=soon())
        next(pages)
        pages.close()  # type: ignore[attr-defined]
        assert center.counts()["CancelRetrievePropertiesEx"] == 1
        assert nobody_fetches()


def test_the_last_page_but_one_needs_no_telling(center: Running) -> None:
    with opened(center, options={"page_size": 12}) as driver:
        list(driver.read_view(PROPERTIES, deadline=soon()))
        center.reset_counts()
        pages = driver.read_view(PROPERTIES, deadline=soon())
        next(pages)
        pages.close()  # type: ignore[attr-defined]
        assert not center.counts().get("CancelRetrievePropertiesEx")


@pytest.mark.parametrize("fault", ["error=NoPermission,no", "http-500", "drop-after"])
def test_a_page_that_fails_is_what_the_read_fails_with(center: Running, fault: str) -> None:
    with opened(center, options={"page_size": 4}) as driver:
        list(driver.read_view(PROPERTIES, deadline=soon()))
        center.fault(f"ContinueRetrievePropertiesEx:{fault}:1")
        pages = driver.read_view(PROPERTIES, deadline=soon())
        assert len(next(pages)) == 4
        with pytest.raises(Exception) as caught:  # noqa: PT011
            next(pages)
        assert isinstance(driver.translate(caught.value, Operation(id="1", verb="list_domains")), errors.HvsdkError)
        assert nobody_fetches()
