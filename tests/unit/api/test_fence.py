"""Open mode's fence, where a client library cannot be made to send it: headers that come twice."""

import pytest

from api.fence import refusal

OURS, FOREIGN = b"127.0.0.1:8080", b"attacker.example"


@pytest.mark.parametrize("hosts", [(OURS, FOREIGN), (FOREIGN, OURS), (OURS, OURS), ()])
def test_there_is_one_host(hosts):
    assert refusal([(b"host", host) for host in hosts]) is not None


def test_each_origin_is_our_own():
    own = (b"origin", b"http://" + OURS)
    assert refusal([(b"host", OURS), own]) is None
    assert refusal([(b"host", OURS), own, (b"origin", b"http://" + FOREIGN)]) is not None
