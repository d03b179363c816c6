from __future__ import annotations

import sys
import threading
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import login_toy
import pytest

import hvsdk
from hvsdk import _registry, errors
from hvsdk._plugins import PluginSet


class Point:
    """An entry point without a distribution on disk."""

    def __init__(self, name, load, distribution="hvsdk-thing", version="1.2"):
        self.name = name
        self.value = f"{name}_plugin"
        self.load = load
        self.dist = SimpleNamespace(name=distribution, version=version)
        self.loaded = 0


def brings(*backends, **hooks):
    return lambda: login_toy.plugin(*backends, **hooks)


def breaks(error):
    def load():
        raise error

    return load


@pytest.fixture
def installed(monkeypatch):
    """Replace the plugins of this process by a set of its own, with these entry points."""

    def install(*points):
        plugins = PluginSet(lambda: points)
        monkeypatch.setattr(_registry, "plugins", plugins)
        return plugins

    return install


def backend(name, *schemes, **more):
    return login_toy.backend(name=name, schemes=schemes, **more)


def test_a_scheme_finds_its_backend(installed):
    installed(Point("one", brings(backend("one", "one", "uno"))), Point("two", brings(backend("two", "two"))))
    assert _registry.find_backend("uno").name == "one"
    assert _registry.find_backend("two").name == "two"


def test_transports_are_the_backends_own_business(installed):
    installed(
        Point("kvm", brings(backend("kvm", "qemu", transports=True))),
        Point("hv", brings(backend("hv", "hv", "hv+http"))),
    )
    assert _registry.find_backend("qemu+ssh").name == "kvm"
    assert _registry.find_backend("hv+http").name == "hv"
    with pytest.raises(errors.UnknownBackendError, match=r"hv://, hv\+http://"):
        _registry.find_backend("hv+ssh")


def test_an_unknown_scheme_names_the_installed_backends_and_the_extra(installed):
    installed(Point("one", brings(backend("one", "one"))))
    with pytest.raises(errors.UnknownBackendError) as caught:
        _registry.find_backend("vsphere")
    assert str(caught.value) == ("no backend for vsphere://; installed: fake, one (try: pip install 'hvsdk[vmware]')")


@pytest.mark.parametrize(
    ("scheme", "extra"),
    [
        ("qemu+ssh", "kvm"),
        ("xen", "kvm"),
        ("test", "kvm"),
        ("kvm", "kvm"),
        ("xenapi", "xen"),
        ("xenapi+http", "xen"),
        ("vmware", "vmware"),
        ("esxi", "vmware"),
        ("hyperv", "hyperv"),
        ("hyperv+http", "hyperv"),
    ],
)
def test_each_known_scheme_has_its_extra(installed, scheme, extra):
    installed()
    with pytest.raises(errors.UnknownBackendError, match=rf"hvsdk\[{extra}\]"):
        _registry.find_backend(scheme)


def test_two_backends_for_one_scheme_ask_for_a_name(installed):
    installed(Point("one", brings(backend("one", "x"))), Point("two", brings(backend("two", "x"))))
    with pytest.raises(errors.UnknownBackendError, match='backend="one" or backend="two"'):
        _registry.find_backend("x")
    assert _registry.find_backend("x", "two").name == "two"


def test_two_backends_of_one_name_cannot_be_told_apart(installed):
    installed(Point("a", brings(backend("one", "x"))), Point("b", brings(backend("one", "x"))))
    with pytest.raises(errors.UnknownBackendError, match="unregister one"):
        _registry.find_backend("x", "one")


def test_a_name_that_does_not_fit_says_so(installed):
    installed(Point("one", brings(backend("one", "x"))))
    with pytest.raises(errors.UnknownBackendError, match="one does not take y://; it takes x://"):
        _registry.find_backend("y", "one")
    with pytest.raises(errors.UnknownBackendError, match="'two'; installed: fake, one"):
        _registry.find_backend("x", "two")


def test_a_broken_plugin_breaks_itself_only(installed):
    reason = ModuleNotFoundError("No module named 'vendor'", name="vendor")
    installed(Point("acme", breaks(reason)), Point("one", brings(backend("one", "one"))))
    assert _registry.find_backend("one").name == "one"
    with pytest.raises(errors.BackendLoadError, match="vendor is not installed") as caught:
        _registry.find_backend("acme")
    assert caught.value.__cause__ is reason
    with pytest.raises(errors.UnknownBackendError, match="could not be loaded: acme"):
        _registry.find_backend("other")


def test_a_broken_plugin_is_known_by_the_extra_that_brings_the_scheme(installed):
    installed(Point("kvm", breaks(RuntimeError("no"))))
    with pytest.raises(
        errors.BackendLoadError, match="backend kvm is installed but could not be loaded: RuntimeError: no"
    ):
        _registry.find_backend("qemu+ssh")


@pytest.mark.parametrize("answer", [7, ["not a backend"], None])
def test_a_plugin_that_answers_nonsense_is_a_load_failure(installed, answer):
    def hvsdk_backends():
        return answer

    installed(Point("acme", brings(hvsdk_backends=hvsdk_backends)))
    [status] = [status for status in hvsdk.backends() if status.name == "acme"]
    assert "TypeError" in status.error
    with pytest.raises(errors.BackendLoadError):
        _registry.find_backend("acme")


def test_entry_points_are_loaded_once_and_only_when_needed(installed):
    loads = []

    def load():
        loads.append(1)
        return login_toy.plugin(backend("one", "one"))

    installed(Point("one", load))
    assert _registry.find_backend("fake").name == "fake"
    assert loads == []
    for _ in range(3):
        _registry.find_backend("one")
    assert loads == [1]


def test_a_registered_plugin_that_takes_fake_is_an_ambiguity(installed):
    plugins = installed()
    plugins.register(login_toy.plugin(backend("mine", "fake")))
    with pytest.raises(errors.UnknownBackendError, match="2 backends"):
        _registry.find_backend("fake")
    assert _registry.find_backend("fake", "fake").name == "fake"


def test_statuses_tell_where_a_backend_comes_from(installed):
    installed(Point("acme", breaks(OSError("disk"))), Point("one", brings(backend("one", "one", "uno"))))
    statuses = {status.name: status for status in hvsdk.backends()}
    assert list(statuses) == ["acme", "fake", "one"]
    one = statuses["one"]
    assert (one.schemes, one.summary, one.version, one.distribution, one.error) == (
        ("one", "uno"),
        "For tests",
        "1.2",
        "hvsdk-thing",
        None,
    )
    assert statuses["acme"].error == "OSError: disk"
    assert statuses["acme"].schemes == ()


def test_the_cores_own_entry_point_is_not_loaded_twice(installed):
    point = Point("fake", lambda: pytest.fail("loaded"), "hvsdk", "9")
    point.value = "hvsdk.testing.fake"
    installed(point)
    [status] = hvsdk.backends()
    assert (status.name, status.distribution, status.version) == ("fake", "hvsdk", "9")


def test_registered_plugins_come_before_entry_points_whenever_those_are_scanned(installed):
    plugins = installed(Point("b", brings(backend("b", "b"))), Point("a", brings(backend("a", "a"))))

    def order():
        return [impl.call()[0].name for impl in plugins.implementations("hvsdk_backends")]

    plugins.register(login_toy.plugin(backend("early", "early")))
    assert order() == ["early", "fake", "b", "a"]
    plugins.register(login_toy.plugin(backend("late", "late")))
    assert order() == ["early", "late", "fake", "b", "a"]


def test_real_entry_points_are_sorted_by_name(monkeypatch):
    import importlib.metadata

    from hvsdk._plugins import installed as find

    points = [EntryPoint("b", "x", "hvsdk"), EntryPoint("a", "y", "hvsdk")]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    assert [point.name for point in find()] == ["a", "b"]


def test_tryfirst_and_trylast_are_kept(installed):
    plugins = installed()
    calls = []

    def make(name, **marks):
        def hvsdk_event(event):
            calls.append(name)

        return type("P", (), {"hvsdk_event": staticmethod(hvsdk.hookimpl(**marks)(hvsdk_event))})()

    for plugin in (make("last", trylast=True), make("one"), make("first", tryfirst=True), make("two")):
        plugins.register(plugin)
    for implementation in plugins.implementations("hvsdk_event"):
        implementation.call(event=None)
    assert calls == ["first", "one", "two", "last"]


@pytest.mark.parametrize("mark", ["wrapper", "hookwrapper"])
def test_wrappers_are_refused(installed, mark):
    def hvsdk_event(event):
        yield

    plugin = type("P", (), {"hvsdk_event": staticmethod(hvsdk.hookimpl(**{mark: True})(hvsdk_event))})()
    plugins = installed(Point("wraps", lambda: plugin))
    assert "wrapper" in {status.name: status.error for status in hvsdk.backends()}["wraps"]
    with pytest.raises(ValueError, match="hvsdk_event is a hook wrapper"):
        plugins.register(plugin)
    assert plugins.implementations("hvsdk_event") == ()


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"hvsdk_before_operatoin": lambda operation: None}, "no hook hvsdk_before_operatoin"),
        ({"hvsdk_event": lambda happening: None}, "cannot be used"),
        ({}, "@hvsdk.hookimpl"),
    ],
)
def test_what_would_never_be_called_is_refused(installed, hooks, said):
    plugins = installed()
    plugin = login_toy.plugin(**hooks)
    for _ in range(2):
        with pytest.raises(ValueError, match=said):
            plugins.register(plugin)


def test_a_hook_of_another_version_may_be_optional(installed):
    plugins = installed()
    later = hvsdk.hookimpl(optionalhook=True)(lambda: None)
    plugins.register(type("P", (), {"hvsdk_later": staticmethod(later)})())


def test_a_plugin_is_registered_once_and_can_be_taken_back(installed):
    plugins = installed()
    plugin = login_toy.plugin(backend("one", "one"))
    plugins.register(plugin)
    with pytest.raises(ValueError, match="already registered"):
        plugins.register(plugin)
    plugins.unregister(plugin)
    with pytest.raises(ValueError, match="not registered"):
        plugins.unregister(plugin)
    with pytest.raises(errors.UnknownBackendError):
        _registry.find_backend("one")
    plugins.register(plugin)
    assert _registry.find_backend("one").name == "one"


def test_two_registered_plugins_cannot_share_a_name(installed):
    plugins = installed()
    plugins.register(login_toy.plugin(backend("one", "one")), "policy")
    with pytest.raises(ValueError, match="already registered as policy"):
        plugins.register(login_toy.plugin(backend("two", "two")), "policy")


def test_a_registered_module_is_not_loaded_again_from_its_entry_point(installed):
    module = ModuleType("both")
    module.hvsdk_backends = hvsdk.hookimpl(specname="hvsdk_backends")(lambda: [backend("both", "both")])
    plugins = installed(Point("both", lambda: module))
    plugins.register(module)
    assert [status.name for status in hvsdk.backends()] == ["both", "fake"]


def test_a_plugin_may_ask_for_backends_while_it_is_imported(installed):
    def load():
        assert "fake" in [status.name for status in hvsdk.backends()]
        return login_toy.plugin(backend("one", "one"))

    installed(Point("one", load))
    assert _registry.find_backend("one").name == "one"


def test_threads_wait_for_the_scan_of_another_one(installed):
    begun, go_on = threading.Event(), threading.Event()

    def load():
        begun.set()
        assert go_on.wait(10)
        return login_toy.plugin(hvsdk_event=lambda event: None)

    plugins = installed(Point("slow", load))
    found = []
    threads = [threading.Thread(target=lambda: found.append(plugins.implementations("hvsdk_event"))) for _ in range(4)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    plugins.register(login_toy.plugin(backend("x", "x")))  # is not kept waiting by the import
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert [len(implementations) for implementations in found] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        ("login_toy:Nothing", "Nothing"),
        ("no_such_module:Driver", "no_such_module is not installed"),
        ("login_toy:backend", "not a hvsdk.driver.Driver"),
        ("toy:World", "not a hvsdk.driver.Driver"),
        ("login_toy:FutureToy", "version 2 of the driver contract, this hvsdk has 1.*upgrade hvsdk"),
        ("login_toy", "could not be loaded"),
        ("login_toy:MisspeltVerbToy", "'power_of' in unguarded, which is no verb.*did you mean 'power_off'"),
        ("login_toy:MisspeltVariantToy", "'snapshot_memry' in variants, which is no.*'snapshot_memory'"),
    ],
)
def test_a_driver_that_cannot_be_used_says_why(driver, said):
    with pytest.raises(errors.BackendLoadError, match=said) as caught:
        _registry.load_driver(login_toy.backend(driver=driver))
    assert caught.value.backend == "toy"


def test_a_driver_whose_library_crashes_has_that_as_its_cause(tmp_path, monkeypatch):
    (tmp_path / "crashing_driver.py").write_text("raise OSError('libvirt.so.0: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(errors.BackendLoadError, match=r"libvirt\.so\.0") as caught:
        _registry.load_driver(login_toy.backend(driver="crashing_driver:Driver"))
    assert isinstance(caught.value.__cause__, OSError)
    assert "crashing_driver" not in sys.modules
