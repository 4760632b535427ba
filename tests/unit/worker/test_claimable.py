"""The list of models that a worker claims for."""

import threading

from worker.claimable import ClaimableModels


def test_models_come_and_go_in_order():
    models = ClaimableModels(["a", "b"])
    models.add("c")
    models.withdraw("b")

    assert models.ids == ("a", "c")
    assert models.idle_seconds("c") <= models.idle_seconds("a")


def test_none_leaves_while_a_claim_is_under_way():
    models = ClaimableModels(["a"])
    withdrawn = threading.Event()

    def withdraw():
        models.withdraw("a")
        withdrawn.set()

    with models.lending() as ids:
        thread = threading.Thread(target=withdraw)
        thread.start()
        assert not withdrawn.wait(0.05)
        assert ids == models.ids == ("a",)
    assert withdrawn.wait(10)
    thread.join()
    assert models.ids == ()
