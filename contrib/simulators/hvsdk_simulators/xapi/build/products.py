"""Which product speaks which API version, as a host's `software_version` tells it."""

from __future__ import annotations

from attrs import frozen

from hvsdk_simulators.xapi.schema import Api


@frozen
class Product:
    """One release."""

    api: Api
    brand: str
    version: str
    text: str
    platform: str
    xapi: str
    xen: str
    linux: str
    build: str
    date: str


_PRODUCTS = (
    Product((1, 1), "XenServer", "5.6.100", "5.6 Feature Pack 1", "1.0.0", "1.3", "3.4.2", "2.6.32.12", "39265p", "2010-11-16"),
    Product((1, 9), "XenServer", "6.0.2", "6.0", "1.4.90", "1.3", "4.1.2", "2.6.32.12", "53456p", "2012-01-19"),
    Product((2, 0), "XenServer", "6.2.0", "6.2", "1.8.0", "1.3", "4.1.5", "2.6.32.43", "70446c", "2013-06-21"),
    Product((2, 3), "XenServer", "6.5.0", "6.5", "1.9.0", "1.3", "4.4.1", "3.10.0+2", "90233c", "2014-12-22"),
    Product((2, 5), "XenServer", "7.0.0", "7.0", "2.1.0", "1.9", "4.6.1", "3.10.0+10", "125380c", "2016-05-10"),
    Product((2, 6), "XenServer", "7.1.0", "7.1", "2.2.0", "1.14", "4.7.1", "4.4.0+2", "137272c", "2017-02-09"),
    Product((2, 8), "XenServer", "7.3.0", "7.3", "2.5.0", "1.59", "4.7.4", "4.4.0+10", "143384c", "2017-11-20"),
    Product((2, 11), "XCP-ng", "7.6.0", "7.6", "2.7.1", "1.110", "4.7.6", "4.4.0+10", "lima/7", "2018-11-08"),
    Product((2, 12), "XCP-ng", "8.0.0", "8.0", "3.0.0", "1.160", "4.11.1", "4.19.0+1", "naples/45", "2019-07-16"),
    Product((2, 14), "XCP-ng", "8.1.0", "8.1", "3.1.0", "1.214", "4.13.0", "4.19.0+1", "quebec/9", "2020-03-31"),
    Product((2, 15), "XCP-ng", "8.2.1", "8.2", "3.2.1", "1.249", "4.13.4", "4.19.0+1", "stockholm/7", "2022-02-28"),
    Product((2, 20), "XenServer", "8.0.0", "8", "3.3.0", "22.33", "4.13.5", "4.19.0+1", "preview/nile/9", "2022-12-12"),
    Product((2, 21), "XCP-ng", "8.3.0", "8.3", "3.4.0", "24.11", "4.17.5", "4.19.0+1", "8.3.0", "2024-10-07"),
    Product((2, 23), "XenServer", "9.0.0", "9", "3.5.0", "26.17", "4.20.1", "6.6.98+1", "preview/orinoco/3", "2026-08-12"),
)  # fmt: skip
LATEST: Api = _PRODUCTS[-1].api
"""The newest API version that a release is known for."""


def product_of(api: Api) -> Product:
    """Return the newest release that speaks no newer API."""
    return [product for product in _PRODUCTS if product.api <= api][-1]


def software_version(api: Api) -> dict[str, str]:
    """What a host of this API version tells of its software."""
    product = product_of(api)
    told = {
        "product_version": product.version,
        "product_version_text": product.text,
        "product_version_text_short": product.text,
        "product_brand": product.brand,
        "platform_name": "XCP",
        "platform_version": product.platform,
        "build_number": product.build,
        "hostname": "localhost",
        "date": product.date,
        "dbv": f"{product.date.replace('-', '.')}",
        "xapi": product.xapi,
        "xen": product.xen,
        "linux": product.linux,
        "xencenter_min": "2.0",
        "xencenter_max": "2.21",
        "network_backend": "openvswitch",
        "db_schema": f"5.{600 + product.api[0] * 10 + product.api[1]}",
    }
    if product.xapi[0] == "2" and "." in product.xapi:
        told["xapi_build"] = f"{product.xapi}.0"
    return told
