from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from login_toy import LoginToy

import hvsdk
from hvsdk import _recipe, errors
from hvsdk.driver import KerberosCredentials, KeyCredentials, PasswordCredentials, TokenCredentials


def copy(thing):
    return pickle.loads(pickle.dumps(thing))


def elsewhere(payload, code):
    """Unpickle in another process, which knows the toy too."""
    script = (
        "import sys, pickle, login_toy, hvsdk\n"
        "hvsdk.register(login_toy.plugin(login_toy.backend()))\n"
        "payload = sys.stdin.buffer.read()\n" + code
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], input=payload, capture_output=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split()


def test_a_round_trip_gives_the_same_host(toy_backend):
    toy_backend()
    hosts = [hvsdk.connect("toy://server"), hvsdk.connect("toy://server")]
    assert [copy(host) for host in hosts] == hosts
    assert len(LoginToy.targets) == 2


def test_another_process_connects_once_for_a_pickled_list(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://server?size=5", readonly=True, deadline=7, allow={"native"})
    payload = pickle.dumps([host, host, host.domain("web")])
    code = (
        "one, two, web = pickle.loads(payload)\n"
        "again = pickle.loads(payload)[0]\n"
        "target = login_toy.LoginToy.targets[-1]\n"
        "print(one is two is again is web.host, len(login_toy.LoginToy.targets), target.options['size'], one.readonly, one.url)"
    )
    assert elsewhere(payload, code) == ["True", "1", "5", "True", "toy://server"]


def test_another_process_binds_to_a_host_that_it_has_itself(toy_backend):
    toy_backend()
    payload = pickle.dumps(hvsdk.connect("toy://me@server", color="red"))
    code = (
        "own = hvsdk.connect('toy://me@server?color=red'); other = hvsdk.connect('toy://me@server')\n"
        "print(pickle.loads(payload) is own)"
    )
    assert elsewhere(payload, code) == ["True"]


@pytest.mark.parametrize(
    "changes",
    [
        {"readonly": True},
        {"allow": {"console"}},
        {"username": "you"},
        {"size": 9},
        {"port": 1},
        {"timeout": 5},
        {"deadline": 5},
        {"tls": "legacy"},
        {"verify": "sha256:" + "ab" * 32},
        {"password": hvsdk.SecretRef("env:HOME")},
    ],
)
def test_hosts_with_other_arguments_do_not_stand_for_each_other(toy_backend, changes):
    toy_backend()
    one = hvsdk.connect("toy://server")
    other = hvsdk.connect("toy://server", **changes)
    assert one._recipe.key != other._recipe.key
    assert copy(one) is one
    assert copy(other) is other


def test_arguments_and_urls_that_say_the_same_are_the_same(toy_backend):
    toy_backend()
    one = hvsdk.connect("TOY://me@SERVER:5?size=4&loud=yes")
    other = hvsdk.connect("toy://server", username="me", port=5, size=4, loud=True, backend="toy")
    assert one._recipe.key == other._recipe.key
    assert hash(one._recipe.key) == hash(other._recipe.key)


@pytest.mark.parametrize(
    "password",
    [
        "Hunter2",
        PasswordCredentials(password="Hunter2"),
        TokenCredentials(token="Hunter2"),
        KeyCredentials(key_file="/k", passphrase="Hunter2"),
    ],
)
def test_a_literal_secret_does_not_go_into_a_pickle(toy_backend, password):
    toy_backend()
    host = hvsdk.connect("toy://server", password=password)
    with pytest.raises(pickle.PicklingError, match="SecretRef") as caught:
        pickle.dumps(host)
    assert "Hunter2" not in str(caught.value)


def test_a_password_in_the_url_is_literal_too(toy_backend):
    toy_backend()
    with pytest.raises(pickle.PicklingError, match="keyring"):
        pickle.dumps(hvsdk.connect("toy://me:Hunter2@server"))


@pytest.mark.parametrize(
    "password", [KerberosCredentials(), KeyCredentials(key_file="/k"), hvsdk.SecretRef("env:HOME"), None]
)
def test_references_go_into_a_pickle(toy_backend, password, monkeypatch):
    toy_backend()
    monkeypatch.setenv("HOME", "Hunter2")
    host = hvsdk.connect("toy://server", password=password)
    payload = pickle.dumps(host)
    assert b"Hunter2" not in payload
    assert pickle.loads(payload) is host


def test_a_closed_host_is_made_again(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://server")
    payload = pickle.dumps(host)
    host.close()
    again = pickle.loads(payload)
    assert again is not host
    assert not again.closed
    assert _recipe.live_host(host._recipe) is again


def test_hosts_are_not_kept_alive(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://server")
    recipe = host._recipe
    assert _recipe.live_host(recipe) is host
    del host
    gc.collect()
    assert _recipe.live_host(recipe) is None


def test_threads_that_unpickle_share_one_connection(toy_backend):
    toy_backend()
    host = hvsdk.connect("toy://server")
    payload = pickle.dumps(host)
    host.close()
    found = []
    barrier = threading.Barrier(6, timeout=10)

    def work():
        barrier.wait()
        found.append(pickle.loads(payload))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(found)) == 1
    assert len(LoginToy.targets) == 2


def test_a_world_of_one_process_is_found_there_only(toy_backend):
    toy_backend(driver="login_toy:LonelyToy")
    first, second = hvsdk.connect("toy://server"), hvsdk.connect("toy://server")
    payload = pickle.dumps(first)
    assert pickle.loads(payload) is first
    code = (
        "own = hvsdk.connect('toy://server')\n"
        "try: pickle.loads(payload)\n"
        "except hvsdk.errors.UnsupportedError as exc: print(exc.capability)"
    )
    assert elsewhere(payload, code) == ["multiprocess"]
    first.close()
    with pytest.raises(errors.UnsupportedError, match="another process"):
        pickle.loads(payload)
    assert copy(second) is second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_finds_its_hosts_even_if_a_lock_was_held():
    script = (
        "import os, pickle, login_toy, hvsdk\n"
        "from hvsdk import _recipe\n"
        "hvsdk.register(login_toy.plugin(login_toy.backend()))\n"
        "host = hvsdk.connect('toy://server'); payload = pickle.dumps(host)\n"
        "_recipe._lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if pickle.loads(payload) is host else 1)\n"
        "_recipe._lock.release()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert done.stdout.split() == ["0"]


def test_a_recipe_shows_no_secret_and_can_be_pickled(toy_backend):
    toy_backend()
    recipe = hvsdk.connect("toy://me:Hunter2@server", size=4)._recipe
    assert recipe.literal_secret
    assert "Hunter2" not in repr(recipe)
    assert b"Hunter2" not in pickle.dumps(recipe)
    assert copy(recipe).key == recipe.key


def test_what_lives_on_a_connection_says_that_it_cannot_be_pickled():
    with hvsdk.connect("fake://demo") as host, host.watch() as watch:
        domain = host.domains(state="shutoff", full=True)[0]
        pool = host.storage_pools()[0]
        with (
            domain.open_disk(domain.disks[0]) as reader,
            pool.create_volume(name="v", size="1MiB").open_writer() as writer,
        ):
            for thing in (watch, reader, writer, host.native()):
                with pytest.raises(TypeError, match=r"cannot be pickled or copied.*; pickle .* over there"):
                    pickle.dumps(thing)
