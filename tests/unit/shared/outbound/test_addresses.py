"""Which numeric addresses may be dialled."""

from ipaddress import ip_address

import pytest

from shared.outbound.addresses import is_public, may_dial, parse_ranges
from shared.outbound.settings import OutboundSettings

PUBLIC = ("93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e")
NOT_PUBLIC = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "192.168.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1"),
    *("203.0.113.5", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address):
    assert is_public(ip_address(address))
    assert may_dial(address, 443, encrypted=True)
    assert may_dial(address, 8443, encrypted=True)
    assert not may_dial(address, 443, encrypted=False)
    assert not may_dial(address, 25, encrypted=True)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_not_public(address):
    assert not is_public(ip_address(address))
    assert not may_dial(address, 443, encrypted=True)


def test_an_opened_range_is_its_network_and_its_ports():
    opened = parse_ranges("10.0.0.0/8:80,8000-8999 [fd00::/8]:*")
    for address, port in (("10.1.1.1", 80), ("10.1.1.1", 8500), ("fd00::1", 22)):
        assert may_dial(address, port, encrypted=False, opened=opened)
    for address, port in (("10.1.1.1", 81), ("11.1.1.1", 80), ("fe00::1", 22)):
        assert not may_dial(address, port, encrypted=False, opened=opened)
    assert not may_dial("::ffff:10.1.1.1", 80, encrypted=True, opened=opened)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1/8:80", "10.0.0.0/8:0", "x:80", "::1:x"])
def test_a_wrong_range_is_refused(text):
    with pytest.raises(ValueError):
        parse_ranges(text)


def test_the_setting_is_read_from_the_environment(monkeypatch):
    assert OutboundSettings().outbound_allow == ()
    monkeypatch.setenv("TESSERA_OUTBOUND_ALLOW", "127.0.0.0/8:1-100,200")
    (opened,) = OutboundSettings().outbound_allow
    assert opened.ports == ((1, 100), (200, 200))
