"""The keeper: the pump that reaps, expires, sweeps and sends missing tickets, and the webhooks."""
