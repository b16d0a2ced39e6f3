"""Which addresses belong together, and which are the public internet's."""

import pytest

from providers.addresses import https_host, is_public, same_origin

VENDOR_URL = "https://api.vendor.test/v1"


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.vendor.test/else", True),
        ("https://api.vendor.test:443/x", True),
        ("http://api.vendor.test/v1", False),
        ("https://api.vendor.test:8443/v1", False),
        ("https://api.vendor.test.evil.test/v1", False),
        ("https://api.vendor.test@evil.test/v1", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_origin_is_scheme_host_and_port(url, same):
    assert same_origin(url, VENDOR_URL) is same


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://cdn.test/a.png", "cdn.test"),
        ("https://cdn.test:443/a.png", "cdn.test"),
        ("https://user@cdn.test/a.png", "cdn.test"),
        ("https://cdn.test@evil.test/a.png", "evil.test"),
        ("https://cdn.test:8443/a.png", None),
        ("http://cdn.test/a.png", None),
        ("http://cdn.test:443/a.png", None),
        ("https://[::1", None),
        ("a.png", None),
    ],
)
def test_host_of_an_https_url_at_its_usual_port(url, host):
    assert https_host(url) == host


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_address_is_public(address, public):
    assert is_public(address) is public
