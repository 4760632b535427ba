"""Signals become a wish; the handlers of before come back."""

import os
import signal

import pytest

from tessera.local.signals import SIGNALS, stop_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_event_and_nothing_else(number: signal.Signals):
    before = signal.getsignal(number)
    with stop_signals() as stopping:
        os.kill(os.getpid(), number)
        assert stopping.wait(5)
    assert signal.getsignal(number) is before
