"""Tickets from one thread: all of them, in few batches, dropped where nobody takes them."""

from api.metrics import GatewayMetrics
from api.ticket_sender import TicketSender
from shared.queue import TicketQueue
from shared.request import Priority
from shared.settings import RedisSettings
from tessera.local.ports import free_ports


def test_all_are_sent_when_it_stops(redis_settings: RedisSettings):
    queue = TicketQueue(redis_settings)
    sender = TicketSender(queue, GatewayMetrics())
    sender.start()
    for _ in range(30):
        sender.send("tiny", Priority.NORMAL)
    sender.send("tiny", Priority.HIGH)
    sender.stop()
    counts = queue.counts(["tiny"])
    assert counts["tiny", Priority.NORMAL] == 30
    assert counts["tiny", Priority.HIGH] == 1
    queue.close()


def test_without_a_server_they_are_counted_and_dropped():
    port = free_ports(["none"])["none"]
    queue = TicketQueue(RedisSettings(redis_url=f"redis://127.0.0.1:{port}/0"))
    metrics = GatewayMetrics()
    sender = TicketSender(queue, metrics)
    sender.start()
    sender.send("tiny", Priority.NORMAL)
    sender.stop()
    assert metrics.registry.get_sample_value("tessera_tickets_dropped_total") == 1
    queue.close()
