import pytest

import hvsdk
from hvsdk.driver import boot_places
from hvsdk.errors import InvalidSpecError
from hvsdk.models import Changes, CloudInit, CpuTopology, DiskSpec, DomainSpec, NicSpec, VolumeSpec
from hvsdk.models._checks import check_metadata, check_name, check_tags

HOSTILE_NAMES = ["a'b\"c", "$(reboot)", "a\nb", "<x>&amp;", "ünïcödé 机", "../../etc/passwd", "x" * 80, "-rf", "%s{0}"]


def spec(**more):
    return DomainSpec(**{"name": "db-2", "memory": "4GiB", **more})


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_odd_names_are_names(name):
    assert spec(name=name).name == name


@pytest.mark.parametrize("name", ["", "  ", "\n", "a\0b", "a\ud800", None, 7, b"x"])
def test_what_no_product_can_store_is_no_name(name):
    with pytest.raises(InvalidSpecError):
        check_name(name)
    with pytest.raises(InvalidSpecError):
        VolumeSpec(name=name, size=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"memory": "4G"},
        {"memory": 0},
        {"memory": -1},
        {"memory": None},
        {"vcpus": 0},
        {"vcpus": True},
        {"vcpus": "2"},
        {"vcpus": 2.0},
        {"vcpus": 4, "max_vcpus": 2},
        {"max_memory": "1GiB"},
        {"secure_boot": True},
        {"uuid": "not-a-uuid"},
        {"cpu_topology": CpuTopology(sockets=1, cores=2)},
        {"nics": [NicSpec(mac="52:54:00:00:00:01"), NicSpec(mac="52-54-00-00-00-01")]},
        {"disks": [DiskSpec(size="1GiB", boot_order=1), DiskSpec(size="1GiB", boot_order=1)]},
        {"metadata": {"a b": "x"}},
        {"metadata": {"k": "a\x00b"}},
        {"metadata": {"k": 7}},
        {"notes": "a\x1bb"},
        {"notes": None},
        {"tags": "web"},
        {"tags": ["a,b"]},
        {"tags": [" a"]},
        {"tags": [7]},
        {"firmware": "UEFI"},
        {"firmware": None},
        {"firmware": []},
        {"secure_boot": 1},
        {"autostart": "yes"},
        {"pci_order": None},
        {"clock": "UTC"},
        {"clock": True},
        {"clock": 1.5},
        {"machine": 35},
        {"guest_os": ["linux"]},
        {"template": 7},
        {"cloud_init": "#cloud-config"},
        {"cpu_topology": (1, 2, 1)},
        {"smbios": "serial"},
        {"smbios": {"serial": 7}},
        {"metadata": ["a"]},
        {"hints": {"cpu_mode": "host"}},
        {"hints": {"kvm.": 1}},
        {"hints": {".x": 1}},
        {"hints": {7: 1}},
        {"hints": "kvm.x"},
        {"disks": DiskSpec(size="1GiB")},
        {"disks": "1GiB"},
        {"disks": 7},
        {"disks": [NicSpec()]},
        {"nics": NicSpec()},
        {"nics": ["default"]},
    ],
)
def test_a_domain_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidSpecError):
        spec(**wrong)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (DiskSpec, {"device": "floppy"}),
        (DiskSpec, {"device": None}),
        (DiskSpec, {"bus": 7}),
        (DiskSpec, {"format": b"raw"}),
        (DiskSpec, {"serial": 7}),
        (DiskSpec, {"readonly": "no"}),
        (DiskSpec, {"shareable": 1}),
        (DiskSpec, {"copy": "yes"}),
        (DiskSpec, {"hints": {"iops": 1}}),
        (NicSpec, {"mac": 7}),
        (NicSpec, {"model": 7}),
        (NicSpec, {"link_up": "up"}),
        (NicSpec, {"vlan": "7"}),
        (NicSpec, {"vlan": 4096}),
        (NicSpec, {"mtu": 0}),
        (NicSpec, {"hints": {"type": "bridge"}}),
        (VolumeSpec, {"format": 7}),
        (VolumeSpec, {"hints": {"x": 1}}),
        (Changes, {"cpu_topology": 4}),
        (Changes, {"hints": {"cpu_mode": 1}}),
    ],
    ids=str,
)
def test_each_field_takes_its_own_kind_of_value(kind, wrong):
    needed = {DiskSpec: {"size": 1}, VolumeSpec: {"name": "v", "size": 1}}.get(kind, {})
    (field,) = wrong
    with pytest.raises(InvalidSpecError, match=field):
        kind(**{**needed, **wrong})


def test_a_refusal_says_what_the_field_takes():
    with pytest.raises(InvalidSpecError, match=r"^firmware is 'bios' or 'uefi', not 'UEFI'$"):
        spec(firmware="UEFI")
    with pytest.raises(InvalidSpecError, match=r"^disks are several DiskSpecs, not one \(write disks=\[DiskSpec"):
        spec(disks=DiskSpec(size="1GiB"))
    with pytest.raises(InvalidSpecError, match=r"^hints are named for a product, such as kvm\.cpu_mode"):
        spec(hints={"cpu_mode": "host"})


@pytest.mark.parametrize("field", ["user_data", "meta_data", "network_config"])
def test_a_refused_secret_is_not_shown(field):
    with pytest.raises(InvalidSpecError, match=field) as caught:
        CloudInit(**{"user_data": "x", field: b"password: s3cret"})
    assert "s3cret" not in str(caught.value)
    with pytest.raises(InvalidSpecError, match="user_data"):
        CloudInit(user_data=None)


def test_defaults_are_the_documented_ones():
    made = spec()
    assert (made.vcpus, made.firmware, made.secure_boot, made.clock) == (1, "bios", False, "utc")
    assert made.memory_bytes == 4 * 1024**3


def test_lists_become_tuples_and_mappings_are_frozen():
    made = spec(disks=[DiskSpec(size="1GiB")], hints={"kvm.cpu_mode": "host"})
    assert made.disks == (DiskSpec(size=2**30),)
    with pytest.raises(TypeError):
        made.hints["x"] = 1
    assert hash(made) == hash(spec(disks=[DiskSpec(size="1GiB")]))


@pytest.mark.parametrize(
    "text", ["52:54:00:12:34:56", "52-54-00-12-34-56", " 52:54:00:12:34:56 ", "52:54:00:12:34:56".upper()]
)
def test_mac_addresses_are_read_in_every_usual_form(text):
    assert NicSpec(mac=text).mac == "52:54:00:12:34:56"


@pytest.mark.parametrize(
    "text", ["", "52:54:00", "zz:54:00:12:34:56", "01:00:5e:00:00:01", "52:54:00:12:34:56\n<x/>", "52540012345"]
)
def test_what_cannot_be_an_adapters_address_is_refused(text):
    with pytest.raises(InvalidSpecError):
        NicSpec(mac=text)


def test_a_uuid_is_kept_in_lower_case():
    assert spec(uuid="{8D7DDB4D-4F1D-4A4B-9C3E-000000000001}").uuid == "8d7ddb4d-4f1d-4a4b-9c3e-000000000001"


@pytest.mark.parametrize(
    "wrong", [{}, {"size": 1, "source": "x"}, {"size": 1, "copy": True}, {"size": 0}, {"size": 1, "boot_order": 0}]
)
def test_a_disk_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidSpecError):
        DiskSpec(**wrong)


def test_a_disk_is_new_present_or_a_grown_copy():
    assert DiskSpec(size="1GiB").size_bytes == 2**30
    assert DiskSpec(source="/a.qcow2").size_bytes is None
    assert DiskSpec(source="/a.qcow2", size="2GiB", copy=True).copy
    assert DiskSpec(device="cdrom").source is None


@pytest.mark.parametrize("key", ["", " ", "a b", "<k>", "k" * 129, ".x", "hvsdk.fence", "a\n", "ключ"])
def test_metadata_keys_fit_every_product(key):
    with pytest.raises(InvalidSpecError):
        check_metadata({key: "x"})


def test_metadata_values_may_be_anything_that_xml_can_hold():
    check_metadata({"team.owner": "ünï <&> \t\n 机", "gone": None})
    for value in ("a\x00", "a\x08", "a\r", "\ud800", "\uffff"):
        with pytest.raises(InvalidSpecError):
            check_metadata({"k": value})


def test_tags_are_a_set():
    assert check_tags(["a", "a", "b"]) == {"a", "b"}
    for tag in ("", " ", "a\nb", "a" * 129, "a\tb"):
        with pytest.raises(InvalidSpecError):
            check_tags([tag])


def test_user_data_is_in_no_repr():
    made = spec(cloud_init=CloudInit(user_data="password: hunter2", meta_data="hunter2", network_config="hunter2"))
    assert "hunter2" not in repr(made)


def test_changes_name_what_is_asked():
    asked = Changes(vcpus=2, max_memory="8GiB", hints={"kvm.cpu_mode": "host"}).asked
    assert asked == {"vcpus", "max_memory", "kvm.cpu_mode"}
    assert Changes().asked == frozenset()
    for wrong in ({"vcpus": 0}, {"memory": 0}, {"memory": "1G"}):
        with pytest.raises(InvalidSpecError):
            Changes(**wrong)


def test_disks_are_booted_from_first_and_then_drives_with_an_image_where_nothing_else_is_said():
    disk, empty, image = DiskSpec(size="1GiB"), DiskSpec(device="cdrom"), DiskSpec(device="cdrom", source="a.iso")
    assert boot_places([image, empty, disk, disk]) == [3, None, 1, 2]
    assert boot_places([]) == []


def test_where_an_order_is_given_nothing_else_is_booted_from():
    assert boot_places([DiskSpec(size="1GiB"), DiskSpec(size="1GiB", boot_order=4)]) == [None, 4]


def test_a_handle_in_place_of_a_name_is_refused_with_its_name():
    with hvsdk.connect("fake://demo") as host:
        volume = host.storage_pools()[0].create_volume(name="data", size="1GiB")
        network = host.networks()[0]
        with pytest.raises(InvalidSpecError, match="source is a text") as refused:
            DiskSpec(source=volume)
        assert refused.value.hint == "name it: source='data'"
        with pytest.raises(InvalidSpecError) as refused:
            NicSpec(network=network)
        assert repr(network.name) in (refused.value.hint or "")
        with pytest.raises(InvalidSpecError) as refused:
            DiskSpec(source=7)
        assert refused.value.hint is None
