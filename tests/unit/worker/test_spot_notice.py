"""A file tells the worker to drain."""

from worker.spot_notice import SpotNotice


def test_the_file_is_the_notice(tmp_path):
    told = []
    notice = SpotNotice(tmp_path / "notice", lambda: told.append(1))
    notice.look()
    assert not told
    (tmp_path / "notice").touch()
    notice.look()
    assert told


def test_without_a_path_nobody_looks():
    notice = SpotNotice(None, lambda: None)
    notice.start()
    notice.stop()
