"""What holds of everything that the chart makes, read as a program reads it.

python properties.py CHART RENDERED

RENDERED is a folder with NAME.yaml for each recipe CHART/ci/NAME-values.yaml, and `subchart.yaml`.
Each function in TESTS is a test, named by its docstring, and holds of each of them.
"""

import base64
import re
import sys
from pathlib import Path

import yaml


class Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; Kubernetes and Helm take the last and say nothing."""


def mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"twice: {twice}", node.start_mark)
    return {loader.construct_object(k): loader.construct_object(v, deep=True) for k, v in node.value}


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
# Of the plain words, only those that Kubernetes' own reader takes for booleans.
Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path):
    return [item for item in yaml.load_all(path.read_text(), Loader) if item]


CHART, RENDERED = Path(sys.argv[1]), Path(sys.argv[2])
RECIPES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
VALUES = {name: yaml.load(path.read_text(), Loader) for name, path in RECIPES.items()}
VALUES["subchart"] = yaml.load((CHART / "ci/subchart/values.yaml").read_text(), Loader)["talon"]
OBJECTS = {name: read(RENDERED / f"{name}.yaml") for name in [*RECIPES, "subchart"]}


def of_kind(name, *kinds):
    return [item for item in OBJECTS[name] if item["kind"] in kinds]


def workload(name):
    (found,) = of_kind(name, "StatefulSet", "Deployment")
    return found


def pod(name):
    return workload(name)["spec"]["template"]["spec"]


def pods(name):
    return [pod(name)] + [item["spec"] for item in of_kind(name, "Pod")]


def containers(name):
    return [one for spec in pods(name) for one in spec.get("initContainers", []) + spec["containers"]]


def bridge(name):
    (found,) = pod(name)["containers"]
    return found


def configuration(name):
    (found,) = [item for item in of_kind(name, "ConfigMap") if "talon.yaml" in item.get("data", {})]
    return yaml.load(found["data"]["talon.yaml"], Loader)


def flat(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def selects(selector, labels):
    return selector.items() <= labels.items()


def statefulset(name):
    """a StatefulSet is the default, with all pods at once and a place of its own on Kafka by the pod's name"""
    if VALUES[name].get("kind") == "Deployment":
        assert workload(name)["kind"] == "Deployment"
        return
    found = workload(name)
    assert found["kind"] == "StatefulSet" and found["spec"]["podManagementPolicy"] == "Parallel"
    settings = dict(flat(configuration(name)))
    if any(key.startswith("bus.kafka.") for key in settings):
        assert settings["bus.kafka.group.instance.id"] == "${env:TALON_POD_NAMESPACE}.${env:TALON_POD_NAME}"
        names = {one["name"]: one for one in bridge(name)["env"]}
        assert names["TALON_POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def no_place(name):
    """a Deployment and NATS have no such place"""
    settings = dict(flat(configuration(name)))
    if workload(name)["kind"] == "Deployment" or not any(key.startswith("bus.kafka.") for key in settings):
        assert "bus.kafka.group.instance.id" not in settings


def replicas(name):
    """a number of replicas is rendered unless something else scales"""
    values = VALUES[name]
    wanted = None if values.get("keda", {}).get("enabled") else values.get("replicas", 1)
    assert workload(name)["spec"].get("replicas") == (None if wanted == "" else wanted)


def grace(name):
    """the time to stop is shutdown.timeout.ms, rounded up, and the margin"""
    timeout = int(dict(flat(configuration(name))).get("shutdown.timeout.ms", 25_000))
    assert pod(name)["terminationGracePeriodSeconds"] == -(-timeout // 1000) + 10


def probes(name):
    """liveness asks for the process and readiness for its work, each within a second; startup has the largest recovery"""
    one = bridge(name)
    paths = {probe: one[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    assert all(one[f"{probe}Probe"]["timeoutSeconds"] == 1 for probe in paths)
    startup = one["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= VALUES[name].get("recoverySeconds", 600)


def port(name):
    """the port is that of http.listen, which is set once, and probes, service and policy name it"""
    settings = dict(flat(configuration(name)))
    (opened,) = bridge(name)["ports"]
    assert str(opened["containerPort"]) == settings["http.listen"].rsplit(":", 1)[1]
    assert opened["name"] == "http" and bridge(name)["livenessProbe"]["httpGet"]["port"] == "http"
    (service,) = of_kind(name, "Service")
    assert [one["targetPort"] for one in service["spec"]["ports"]] == ["http"]


def disruption(name):
    """evictions of pods that are not ready are always allowed, and the budget is a whole number"""
    (budget,) = of_kind(name, "PodDisruptionBudget")
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert isinstance(budget["spec"]["maxUnavailable"], int)


def selectors(name):
    """every selector finds the pods that run connectors, and the policy that of `helm test` too"""
    labels = workload(name)["spec"]["template"]["metadata"]["labels"]
    check = [item["metadata"]["labels"] for item in of_kind(name, "Pod")]
    found = [workload(name)["spec"]["selector"]["matchLabels"]]
    found += [item["spec"]["selector"]["matchLabels"] for item in of_kind(name, "PodDisruptionBudget", "PodMonitor")]
    found += [item["spec"]["selector"] for item in of_kind(name, "Service")]
    found += [one["labelSelector"]["matchLabels"] for one in pod(name).get("topologySpreadConstraints", [])]
    for selector in found:
        assert selects(selector, labels) and not any(selects(selector, other) for other in check), selector
    for policy in of_kind(name, "NetworkPolicy"):
        assert all(selects(policy["spec"]["podSelector"]["matchLabels"], other) for other in [labels, *check])
    for monitor in of_kind(name, "ServiceMonitor"):
        (service,) = of_kind(name, "Service")
        assert selects(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])


def spread(name):
    """pods are spread over nodes"""
    assert pod(name)["topologySpreadConstraints"]


def restricted(name):
    """pods are restricted: no root, no writable root, no capabilities, the runtime's seccomp, no token"""
    for spec in pods(name):
        outer = spec["securityContext"]
        assert spec["automountServiceAccountToken"] is False
        assert outer["runAsNonRoot"] is True and outer["runAsUser"] == 65532
        assert outer["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        allowed = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "csi", "downwardAPI"}
        assert all(volume.keys() - {"name"} <= allowed for volume in spec["volumes"])
    for one in containers(name):
        inner = one["securityContext"]
        assert inner["allowPrivilegeEscalation"] is False and inner["readOnlyRootFilesystem"] is True
        assert inner["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"] and one["resources"]["requests"]["cpu"]
    for account in of_kind(name, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def checked(name):
    """the configuration is checked before each start, and with a probe by `helm test`"""
    (init,) = pod(name)["initContainers"]
    assert init["args"][0] == "check" and "--probe" not in init["args"]
    (test,) = of_kind(name, "Pod")
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert "--probe" in test["spec"]["containers"][0]["args"]
    same = ("image", "env", "volumeMounts", "resources")
    assert all(init[key] == bridge(name)[key] == test["spec"]["containers"][0][key] for key in same)


def mounts(name):
    """secrets and the configuration are whole directories, so that what changes arrives"""
    for spec in pods(name):
        volumes = {volume["name"] for volume in spec["volumes"]}
        for one in spec.get("initContainers", []) + spec["containers"]:
            assert not any("subPath" in mount or "subPathExpr" in mount for mount in one["volumeMounts"])
            assert {mount["name"] for mount in one["volumeMounts"]} == volumes
    places = {mount["mountPath"] for mount in bridge(name)["volumeMounts"]}
    for secret in VALUES[name].get("existingSecrets", []):
        assert f"/run/secrets/talon/{secret}" in places
    for _, value in flat(configuration(name)):
        for path in re.findall(r"/run/secrets/talon/[^/}]+", str(value)):
            assert path in places, f"{path} is mounted nowhere"


def secret(name):
    """what the chart's own secret holds is `data` in base64"""
    for item in of_kind(name, "Secret"):
        assert "stringData" not in item
        decoded = {key: base64.b64decode(text, validate=True).decode() for key, text in item["data"].items()}
        assert decoded == VALUES[name]["secretData"]


def numbers(name):
    """the configuration is that of the values: numbers, texts that look like numbers, and all else"""
    got = dict(flat(configuration(name)))
    wanted = dict(flat(VALUES[name]["config"]))
    added = {"http.listen", "bus.kafka.group.instance.id"}
    assert {key: got.get(key) for key in wanted} == wanted and got.keys() - wanted.keys() <= added
    text = (RENDERED / f"{name}.yaml").read_text()
    assert not re.search(r"[0-9]e\+[0-9]", text), "a number became a power of ten"


def network(name):
    """the network is closed but for what is listed"""
    values = VALUES[name].get("networkPolicy", {})
    (policy,) = of_kind(name, "NetworkPolicy")
    spec, egress = policy["spec"], values.get("egress", [])
    assert spec["policyTypes"] == (["Ingress", "Egress"] if egress else ["Ingress"])
    came = [peer for rule in spec["ingress"] for peer in rule["from"]]
    assert came == values.get("ingressFrom", [])
    assert all(rule["ports"] == [{"port": "http", "protocol": "TCP"}] for rule in spec["ingress"])
    if egress:
        dns, *others = spec["egress"]
        assert others == egress and {(one["port"], one["protocol"]) for one in dns["ports"]} == {(53, "UDP"), (53, "TCP")}


def off(name):
    """what is off is not there"""
    values = VALUES[name]
    switches = {
        "Ingress": "ingress", "HTTPRoute": "httpRoute", "PodMonitor": "podMonitor", "ServiceMonitor": "serviceMonitor",
        "PrometheusRule": "prometheusRule", "ScaledObject": "keda",
    }
    for kind, switch in switches.items():
        assert len(of_kind(name, kind)) == values.get(switch, {}).get("enabled", False), kind
    maps = [item["metadata"].get("labels", {}) for item in of_kind(name, "ConfigMap")]
    dashboards = [labels for labels in maps if labels.get("grafana_dashboard") == "1"]
    assert len(dashboards) == (2 if values.get("dashboards", {}).get("enabled") else 0)


def scaled(name):
    """what scales, scales by commands alone and never to none"""
    for item in of_kind(name, "ScaledObject"):
        assert item["spec"]["minReplicaCount"] >= 1
        assert all("talon_command_lag_records" in one["metadata"]["query"] for one in item["spec"]["triggers"])
        assert item["spec"]["scaleTargetRef"] == {"kind": workload(name)["kind"], "name": workload(name)["metadata"]["name"]}


def labelled(name):
    """each object has a name that is short enough, once, and the labels of the chart, which common labels do not replace"""
    seen = set()
    common = VALUES[name].get("commonLabels", {})
    for item in OBJECTS[name]:
        key = (item["kind"], item["metadata"]["name"])
        assert key not in seen and len(key[1]) <= 63 and "talon-talon" not in key[1], key
        seen.add(key)
        labels = item["metadata"].get("labels", {})
        if "helm.sh/chart" in labels:
            assert labels["app.kubernetes.io/part-of"] == "talon"
            assert labels["app.kubernetes.io/managed-by"] == "Helm"
            assert common.items() - {("app.kubernetes.io/part-of", "overridden")} <= labels.items()


def rolls(name):
    """pods carry the checksum of their configuration"""
    assert len(workload(name)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]) == 64


def doubles(name):
    """no environment variable, port, volume or mount is there twice; a server refuses that and no tool says so"""
    for spec in pods(name):
        for one in spec.get("initContainers", []) + spec["containers"]:
            for part, key in (("env", "name"), ("ports", "name"), ("volumeMounts", "mountPath")):
                names = [entry[key] for entry in one.get(part, [])]
                assert len(names) == len(set(names)), names
        names = [volume["name"] for volume in spec["volumes"]]
        assert len(names) == len(set(names)), names


def wrong(test, name):
    """What is wrong with a recipe, or none."""
    try:
        test(name)
        return None
    except (AssertionError, KeyError, ValueError, TypeError) as error:
        line = error.__traceback__
        while line.tb_next:
            line = line.tb_next
        return f"{name}: line {line.tb_lineno}: {type(error).__name__} {error}"


TESTS = [
    statefulset, no_place, replicas, grace, probes, port, disruption, selectors, spread, restricted, checked, mounts,
    secret, numbers, network, off, scaled, labelled, rolls, doubles,
]
for one in TESTS:
    found = [line for line in (wrong(one, name) for name in OBJECTS) if line]
    print("FAILED " if found else "ok     ", one.__doc__)
    for line in found:
        print("         ", line)
