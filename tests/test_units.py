import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvsdk._units import format_size, parse_size
from hvsdk.errors import InvalidSpecError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("512", 512),
        ("512B", 512),
        ("8GiB", 8 * 1024**3),
        ("8 GiB", 8 * 1024**3),
        (" 1.5KiB ", 1536),
        ("1GB", 10**9),
        ("0.1GB", 10**8),
        ("2Ki", 2048),
        ("1PiB", 1024**5),
        ("9007199254740993B", 9007199254740993),
    ],
)
def test_sizes_mean_what_people_mean(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "4G", "4 G", "GiB", "-1GiB", "1e3", "1..5KiB", "0.3KiB", "1KIB", "1 KiB KiB", "٤GiB", "1\0", "nan"]
)
def test_a_size_that_could_mean_two_things_or_nothing_is_refused(text):
    with pytest.raises(InvalidSpecError):
        parse_size(text)


@pytest.mark.parametrize("value", [True, -1, 1.5, None, b"8GiB", [8]])
def test_what_is_no_size_at_all_is_refused(value):
    with pytest.raises(InvalidSpecError):
        parse_size(value)


@given(st.integers(min_value=0, max_value=2**70), st.sampled_from(["", "B", "KiB", "MiB", "GiB", "TiB", "KB", "GB"]))
def test_whole_numbers_are_exact_in_every_unit(number, unit):
    factor = parse_size(f"1{unit}")
    assert parse_size(f"{number}{unit}") == number * factor


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (4 * 1024**3, "4 GiB"),
        (5000 * 1024**5, "5000 PiB"),
    ],
)
def test_sizes_are_shown_short(size, text):
    assert format_size(size) == text
