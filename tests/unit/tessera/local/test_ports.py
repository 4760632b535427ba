"""Ports are free ones, and a data directory keeps them."""

import socket
from pathlib import Path

from tessera.local.ports import (
    HOST,
    SEAWEED_GRPC_OFFSET,
    free_ports,
    port_is_free,
    remembered_ports,
)


def test_free_ports_differ_and_have_free_partners():
    ports = free_ports(["a", "b", "c"])
    assert list(ports) == ["a", "b", "c"]
    assert len(set(ports.values())) == 3
    for port in ports.values():
        assert port_is_free(port)
        assert port_is_free(port + SEAWEED_GRPC_OFFSET)


def test_a_listening_port_is_not_free():
    with socket.create_server((HOST, 0)) as server:
        assert not port_is_free(server.getsockname()[1])


def test_a_directory_keeps_its_ports(tmp_path: Path):
    file = tmp_path / "ports.json"
    first = remembered_ports(file, ["a", "b"])
    assert remembered_ports(file, ["a", "b"]) == first


def test_another_set_of_names_gets_new_ports(tmp_path: Path):
    file = tmp_path / "ports.json"
    remembered_ports(file, ["a"])
    assert set(remembered_ports(file, ["a", "b"])) == {"a", "b"}
