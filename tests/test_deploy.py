"""The deployment files: one version in a cluster, a health check that tells."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from raygrad.scheduler.config import load

ROOT = Path(__file__).resolve().parent.parent
HEALTHCHECK = ROOT / "deploy" / "healthcheck.py"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_the_cluster_runs_the_pinned_ray() -> None:
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    docker = yaml.safe_load((ROOT / "deploy" / "cluster.yaml").read_text())["docker"]
    for image in (docker["head_image"], docker["worker_image"]):
        assert image.startswith(f"rayproject/ray:{pinned[1]}-py311")


def test_the_cluster_starts_the_server_on_its_head_only() -> None:
    cluster = yaml.safe_load((ROOT / "deploy" / "cluster.yaml").read_text())
    (serve,) = (command for command in cluster["head_start_ray_commands"] if "raygrad serve" in command)
    assert not any("raygrad serve" in command for command in cluster["worker_start_ray_commands"])
    words = shlex.split(serve)
    options = words[words.index("serve") + 1 : words.index(">")]
    settings = load(**{k[2:].replace("-", "_"): v for k, v in zip(options[::2], options[1::2], strict=True)})
    gpu = cluster["available_node_types"]["gpu"]
    assert settings.workers == gpu["min_workers"]
    assert settings.gpus_per_worker == gpu["resources"]["GPU"]  # Ray knows of none yet when the server starts
    assert settings.join_seconds >= 900  # until the nodes are there


def test_constraints_name_versions_only() -> None:
    """No paths, no addresses, no builds for one kind of machine: the file serves every machine."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(lines) > 50
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []


@pytest.fixture
def server() -> Iterator[tuple[str, health.HealthServicer]]:
    """The address of a gRPC server that has only the standard health service, and that service."""
    servicer = health.HealthServicer()
    with ThreadPoolExecutor(2) as pool:
        grpc_server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, grpc_server)
        port = grpc_server.add_insecure_port("127.0.0.1:0")
        grpc_server.start()
        yield f"127.0.0.1:{port}", servicer
        grpc_server.stop(grace=None).wait(10)


def healthcheck(target: str) -> int:
    command = [sys.executable, str(HEALTHCHECK), target]
    return subprocess.run(command, check=False, timeout=60, capture_output=True).returncode


@pytest.mark.parametrize(("status", "code"), [(SERVING, 0), (NOT_SERVING, 1)])
def test_healthcheck_tells(
    server: tuple[str, health.HealthServicer],
    status: "health_pb2.HealthCheckResponse.ServingStatus",
    code: int,
) -> None:
    target, servicer = server
    servicer.set("", status)
    assert healthcheck(target) == code


def test_healthcheck_of_nobody() -> None:
    assert healthcheck("127.0.0.1:1") == 1
