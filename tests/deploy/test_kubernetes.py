"""The manifests of `deploy/kubernetes`: valid, and in agreement with AI News and each other."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.urls import resolve

from tests.deploy.manifests import check_command, unknown_settings
from tests.workers import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = ("cloud", "backup", "keda")
NAME = "app.kubernetes.io/name"
Manifest = dict[str, Any]
pytestmark = pytest.mark.skipif(
    not (shutil.which("kubectl") or shutil.which("kustomize")), reason="kubectl is not installed"
)


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    """Return what an overlay makes of the base."""
    kustomize = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    command = [*kustomize, str(KUBERNETES / "overlays" / request.param)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the name and the template of each kind of pod."""
    for manifest in of_kind(manifests, "Deployment", "Job"):
        yield manifest["metadata"]["name"], manifest["spec"]["template"]
    for manifest in of_kind(manifests, "CronJob"):
        template = manifest["spec"]["jobTemplate"]["spec"]["template"]
        yield manifest["metadata"]["name"], template


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, template in pods(manifests):
        for container in template["spec"]["containers"]:
            yield name, container


def test_the_schemas_of_kubernetes_accept_the_manifests(manifests: list[Manifest]) -> None:
    version = kubernetes_validate.latest_version()
    for manifest in manifests:
        if manifest["apiVersion"].startswith("keda.sh/"):
            assert {"scaleTargetRef", "triggers"} <= set(manifest["spec"])
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
        assert manifest["metadata"].get("namespace", "ainews") == "ainews"


def test_pods_are_restricted_and_have_limits(manifests: list[Manifest]) -> None:
    (namespace,) = of_kind(manifests, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template in pods(manifests):
        context = template["spec"]["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] == 10001, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert template["spec"]["automountServiceAccountToken"] is False, name
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        for container in template["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"], name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert ":" in container["image"], "an overlay names its version"


def test_commands_exist(manifests: list[Manifest]) -> None:
    commands = [container["command"] for _, container in containers(manifests)]
    assert len(commands) >= 5
    for command in commands:
        check_command(command)


def test_settings_exist(manifests: list[Manifest]) -> None:
    (settings,) = of_kind(manifests, "ConfigMap")
    assert unknown_settings(list(settings["data"])) == []
    for _, container in containers(manifests):
        sources = container["envFrom"]
        assert sources == [{"configMapRef": {"name": "ainews"}}, {"secretRef": {"name": "ainews"}}]
        assert unknown_settings([item["name"] for item in container.get("env", [])]) == []
    assert not of_kind(manifests, "Secret"), "secrets do not belong into a repository"


def test_selectors_match_pods(manifests: list[Manifest]) -> None:
    names = {name for name, _ in pods(manifests)}
    for name, template in pods(manifests):
        assert template["metadata"]["labels"][NAME] == name
    for manifest in of_kind(manifests, "Deployment", "PodDisruptionBudget"):
        labels = manifest["spec"]["selector"]["matchLabels"]
        assert labels == {NAME: manifest["metadata"]["name"]}
        assert labels[NAME] in names
    for manifest in of_kind(manifests, "NetworkPolicy"):
        for expression in manifest["spec"]["podSelector"].get("matchExpressions", []):
            assert expression["key"] == NAME
            assert set(expression["values"]) <= names
    deployments = {each["metadata"]["name"] for each in of_kind(manifests, "Deployment")}
    assert {each["metadata"]["name"] for each in of_kind(manifests, "PodDisruptionBudget")} == (
        deployments
    )
    for manifest in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        assert manifest["spec"]["scaleTargetRef"]["name"] in deployments


def test_prometheus_reads_each_pod_that_counts(manifests: list[Manifest]) -> None:
    (job,) = yaml.safe_load((KUBERNETES / "prometheus-scrape.yaml").read_text())
    names, ports, _ = (each.get("regex", "").split("|") for each in job["relabel_configs"])
    admitted = {
        (name, port["port"])
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if "monitoring" in str(rule["from"])
        for name in policy["spec"]["podSelector"]["matchExpressions"][0]["values"]
        for port in rule["ports"]
    }
    of_deployments = [
        (each["metadata"]["name"], each["spec"]["template"]["spec"]["containers"][0])
        for each in of_kind(manifests, "Deployment")
    ]
    assert sorted(name for name, _ in of_deployments) == sorted(names)
    for name, container in of_deployments:
        (port,) = container["ports"]
        assert port["name"] in ports and (name, port["name"]) in admitted
        settings = {each["name"]: each["value"] for each in container.get("env", [])}
        if port["name"] == "metrics":
            assert settings["METRICS_LISTEN"] == f"0.0.0.0:{port['containerPort']}"


def test_ports_match(manifests: list[Manifest]) -> None:
    ports = {
        name: {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        for name, container in containers(manifests)
    }
    services = {each["metadata"]["name"]: each["spec"] for each in of_kind(manifests, "Service")}
    for service in services.values():
        assert service["ports"][0]["targetPort"] in ports[service["selector"][NAME]]
    (ingress,) = of_kind(manifests, "Ingress")
    for path in ingress["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        names = {port["name"] for port in services[backend["name"]]["ports"]}
        assert backend["port"]["name"] in names
    for name, container in containers(manifests):
        if port := ports[name].get("http"):
            assert re.search(rf"\b{port}\b", " ".join(container["command"]))
    assert ingress["spec"]["rules"][0]["host"] in ingress["spec"]["tls"][0]["hosts"]


def test_probes_ask_what_answers(manifests: list[Manifest]) -> None:
    """Their Host must be one that AI News serves, as that of a pod is not in ALLOWED_HOSTS."""
    probed = set()
    for name, container in containers(manifests):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe := container.get(kind):
                probed.add((name, kind))
                asked = probe["httpGet"]
                resolve(asked["path"])
                assert asked["port"] == "http"
                assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
    assert probed == {
        (name, f"{kind}Probe")
        for name in ("web", "live")
        for kind in ("startup", "liveness", "readiness")
    }


def test_pods_have_time_to_stop(manifests: list[Manifest]) -> None:
    for manifest in of_kind(manifests, "Deployment"):
        spec = manifest["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] > 35
        (container,) = spec["containers"]
        if "readinessProbe" in container:  # something sends requests to it
            assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]


def test_workers_are_scaled_by_the_depth_of_their_queue(manifests: list[Manifest]) -> None:
    text = yaml.safe_dump(of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"))
    assert text.count("ainews_queue_depth") == 2
    adapter = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())
    assert adapter["rules"]["external"][0]["name"]["as"] == "ainews_queue_depth"


def test_the_socket_goes_to_daphne(manifests: list[Manifest]) -> None:
    (ingress,) = of_kind(manifests, "Ingress")
    paths = {
        path["path"]: path["backend"]["service"]["name"]
        for path in ingress["spec"]["rules"][0]["http"]["paths"]
    }
    assert paths == {"/ws/": "live", "/": "web"}
