"""The Helm chart: rendered by Helm's own engine, valid for Kubernetes, wrong values refused."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from helm_python import Chart, HelmError, lint

from deploy.prometheus.build import RULES
from tests.unit.deploy.test_deployment import KNOWN

HELM = Path(__file__).parents[3] / "deploy" / "helm"
EXAMPLES = sorted(path.stem for path in (HELM / "examples").glob("*.yaml"))
# Kinds of operators, which kubernetes-validate has no schema of.
FOREIGN = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}
OURS = ("gateway", "keeper", "worker")


def values_of(example):
    return yaml.safe_load((HELM / "examples" / f"{example}.yaml").read_text())


def rendered(values):
    with Chart.load(HELM / "tessera") as chart:
        chart.validate_schema(values)
        files = chart.render(values, name="demo", namespace="pictures")
    documents = (
        one
        for path, text in files.items()
        if path.endswith(".yaml")
        for one in yaml.safe_load_all(text)
    )
    return {(one["kind"], one["metadata"]["name"]): one for one in documents if one}


@pytest.fixture(scope="module", params=EXAMPLES)
def objects(request):
    return rendered(values_of(request.param))


@pytest.fixture(scope="module")
def everything():
    return rendered(values_of("everything"))


def container(objects, component):
    [one] = objects["Deployment", f"demo-{component}"]["spec"]["template"]["spec"]["containers"]
    return one


def test_every_object_is_valid(objects):
    for (kind, _), one in objects.items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(one, "1.37", strict=True)


def test_helm_itself_finds_nothing_to_say():
    report = lint(HELM / "tessera", values_of("everything"), strict=True)
    assert [message for message in report["messages"] if message["severity"] > 1] == []


def test_every_setting_is_one_of_ours(objects):
    for component in OURS:
        names = {one["name"] for one in container(objects, component)["env"]}
        assert {name for name in names if name.startswith("TESSERA_")} <= KNOWN


def test_containers_are_closed(objects):
    for component in OURS:
        closed = container(objects, component)["securityContext"]
        assert closed["readOnlyRootFilesystem"]
        assert closed["capabilities"] == {"drop": ["ALL"]}
        pod = objects["Deployment", f"demo-{component}"]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False


def test_a_pod_outlives_its_drain(objects):
    pod = objects["Deployment", "demo-worker"]["spec"]["template"]["spec"]
    grace = {one["name"]: one.get("value") for one in container(objects, "worker")["env"]}
    assert pod["terminationGracePeriodSeconds"] > float(grace["TESSERA_GRACE_SECONDS"])


def test_each_process_has_its_own_way_into_redis(everything):
    for component in OURS:
        [url] = [
            one["valueFrom"]["secretKeyRef"]
            for one in container(everything, component)["env"]
            if one["name"] == "TESSERA_REDIS_URL"
        ]
        assert url == {"name": f"redis-{component}", "key": "url"}


def test_workers_with_a_gpu_ask_for_one(everything):
    assert container(everything, "worker")["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_workers_scale_to_zero_by_what_waits_and_what_is_in_work(everything):
    scaled = everything["ScaledObject", "demo-worker"]["spec"]
    assert scaled["minReplicaCount"] == 0
    [trigger] = scaled["triggers"]
    assert "tessera_queue_cost" in trigger["metadata"]["query"]
    assert "tessera_running_cost" in trigger["metadata"]["query"]
    assert "replicas" not in everything["Deployment", "demo-worker"]["spec"]


def test_workers_reach_redis_s3_and_the_collector_alone(everything):
    egress = everything["NetworkPolicy", "demo-worker"]["spec"]["egress"]
    ports = [port["port"] for rule in egress for port in rule["ports"]]
    assert ports == [53, 53, 6379, 443, 4318]
    assert egress[1]["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]


def test_workers_reach_the_sentinels():
    egress = rendered(values_of("external"))["NetworkPolicy", "demo-worker"]["spec"]["egress"]
    ports = [port["port"] for rule in egress for port in rule["ports"]]
    assert ports == [53, 53, 6380, 6381, 26380, 443]


def test_large_numbers_stay_whole(everything):
    environment = {one["name"]: one.get("value") for one in container(everything, "keeper")["env"]}
    assert environment["TESSERA_MAX_QUEUED_JOBS"] == "2000000"


def test_the_rules_and_dashboards_are_ours(everything):
    groups = everything["PrometheusRule", "demo"]["spec"]["groups"]
    files = [yaml.safe_load(path.read_text())["groups"] for path in sorted(RULES.glob("*.yml"))]
    ours = [group["name"] for each in files for group in each]
    assert [group["name"] for group in groups] == ours
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    for alert in alerts:
        page = f"https://wiki.example.com/runbooks/{alert['alert']}.md"
        assert alert["annotations"]["runbook_url"] == page
    boards = everything["ConfigMap", "demo-dashboards"]["data"]
    assert "tessera-overview.json" in boards


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"worker": {"gpus": 2}}, "gpus"),
        ({"worker": {"slots": "many"}}, "slots"),
        ({"gateway": {"replica": 3}}, "replica"),
        ({"publicUrl": "pictures.example.com"}, "publicUrl"),
        ({"storage": {"bucket": ""}}, "bucket"),
        ({"redis": {"existingSecrets": {"gateway": ""}}}, "gateway"),
        ({"models": {"file": ""}}, "file"),
        ({"models": {"cache": {"accessMode": "Shared"}}}, "accessMode"),
        ({"settings": {"max-jobs": 1}}, "max-jobs"),
        ({"tracing": {"endpoint": "collector:4318"}}, "endpoint"),
        ({"worker": {"autoscaling": {"costPerWorker": 0}}}, "costPerWorker"),
        ({"models": {"prefetch": {"enabled": True}}}, "models.cache.enabled"),
        ({"gateway": {"ingress": {"enabled": True}}}, "gateway.ingress.host"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values, field):
    with pytest.raises(HelmError, match=field):
        rendered(values)
