"""The parts of a URL, and what is refused for how it is written."""

import pytest

from shared.errors import OutboundRefused
from shared.outbound.target import Target, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/")),
        ("HTTPS://Example.COM:8443/a?b=c#d", Target("https", "example.com", 8443, "/a?b=c")),
        ("http://10.0.0.1:80/", Target("http", "10.0.0.1", 80, "/")),
        ("https://[2001:DB8::1]/", Target("https", "2001:db8::1", 443, "/")),
        ("https://müller.de/ä", Target("https", "xn--mller-kva.de", 443, "/%C3%A4")),
        ("https://a_b.example.com./", Target("https", "a_b.example.com", 443, "/")),
    ],
)
def test_parts(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/"),
        *(
            "https://0177.0.0.1/",
            "https://1.2.3.256/",
            "https://example.123/",
            "https://[::1%25lo]/",
        ),
        *("https://[::1%lo]/", "https://a@example.com/", "https://:@example.com/"),
        *("https://example.com\\@a.com/", "https://exa mple.com/", "https://ex%61mple.com/"),
        *("https://example.com\n/", "https://-a.com/", "https://a..com/", "https:///", "https://"),
        *("ftp://example.com/", "example.com", "https://a.com:0/", "https://a.com:65536/", ""),
        *("https://①.com/", "https://" + "a" * 64 + ".com/", "https://a.com/" + "a" * 2048),
    ],
)
def test_refused(text):
    with pytest.raises(OutboundRefused):
        parse_target(text)


def test_authority_leaves_out_the_usual_port():
    assert parse_target("https://example.com:443/").authority == "example.com"
    assert parse_target("https://[2001:db8::1]:444/").authority == "[2001:db8::1]:444"
