"""The spool: what is written is read again; it is bounded, and gives its room back."""

from worker.spool import Spool


def test_contents_are_read_in_any_order_and_leave_nothing(tmp_path):
    spool = Spool(tmp_path, limit_bytes=10)
    with spool.opened() as file:
        first, second = file.write(b"abc"), file.write(b"defg")
        assert file.read(second, 4) == b"defg"
        assert file.read(first, 3) == b"abc"
        assert spool.used_bytes == 7
        assert list(tmp_path.iterdir()) == []  # no name, so nothing to be left behind
    assert spool.used_bytes == 0


def test_the_bound_is_for_all_files_together(tmp_path):
    spool = Spool(tmp_path, limit_bytes=10)
    with spool.opened() as one, spool.opened() as other:
        assert one.write(b"123456") is not None
        assert other.write(b"123456") is None
        one.clear()
        place = other.write(b"654321")
        assert other.read(place, 6) == b"654321"


def test_a_disk_that_takes_nothing_is_like_a_full_one(tmp_path):
    spool = Spool(tmp_path / "missing", limit_bytes=10)
    with spool.opened() as file:
        assert file.write(b"abc") is None
    assert spool.used_bytes == 0
