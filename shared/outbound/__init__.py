"""Requests to addresses that strangers chose: webhooks, and pictures given as links."""
