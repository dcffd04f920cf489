"""Names agree: pods, certificates, approvals and protos; a region is one trust domain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.wire import rpcs
from runtime import identity

if TYPE_CHECKING:
    from tests.deploy.conftest import Rendered, Resource

SERVICES = {"account", "audit", "portal", "sharing"}
_PREFIX = "csi.cert-manager.io/"


def _identity(pod: Resource) -> dict[str, str]:
    (attributes,) = (
        volume["csi"]["volumeAttributes"]
        for volume in pod["spec"]["volumes"]
        if volume["name"] == "identity"
    )
    account = pod["spec"]["serviceAccountName"]
    return {
        name.removeprefix(_PREFIX): value.replace("${SERVICE_ACCOUNT_NAME}", account)
        for name, value in attributes.items()
    }


def test_every_pod_asks_for_the_identity_of_its_service(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        service = name.partition("/")[2].removeprefix("migrate-").removesuffix("-backup")
        wanted = _identity(pod)
        caller = identity.parse(wanted["uri-sans"])
        assert caller is not None, name
        assert (caller.kind, caller.name, caller.region) == ("svc", service, rendered.region)
        # grpcio checks a host name: clients override it with exactly this one.
        assert wanted["dns-names"] == f"{service}.{rendered.region}.accord.internal"


def test_keys_are_small_short_lived_and_never_in_a_secret(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        wanted = _identity(pod)
        assert (wanted["key-algorithm"], wanted["key-size"]) == ("ECDSA", "256"), name
        assert wanted["key-usages"].split(",") == [
            "digital signature",
            "client auth",
            "server auth",
        ]
        lifetime, renewal = (
            int(re.fullmatch(r"(\d+)(h|m)", wanted[key])[1])  # type: ignore[index]  # fails as wished
            * (60 if wanted[key].endswith("h") else 1)
            for key in ("duration", "renew-before")
        )
        assert lifetime <= 60, name
        # Half of the life and more is left for a signer that is away.
        assert lifetime / 2 <= renewal < lifetime, name


def test_the_approver_gives_each_service_account_its_own_name_alone(rendered: Rendered) -> None:
    policy = rendered.named("CertificateRequestPolicy", "accord-services")["spec"]
    domain = f"{rendered.region}.accord.internal"
    own = "ServiceAccount(cr.username).getName()"
    (uri,), (host,) = (policy["allowed"][key]["validations"] for key in ("uris", "dnsNames"))
    assert uri["rule"] == f"self == 'spiffe://{domain}/svc/' + {own}"
    assert host["rule"] == f"self == {own} + '.{domain}'"
    assert policy["allowed"]["uris"]["required"]
    assert "commonName" not in policy["allowed"]
    assert "isCA" not in policy["allowed"]
    assert policy["selector"]["namespace"] == {"matchNames": ["accord"]}
    (_, pod), *_ = rendered.pods()
    wanted = _identity(pod)
    assert policy["selector"]["issuerRef"]["name"] == wanted["issuer-name"]
    assert policy["selector"]["issuerRef"]["kind"] == wanted["issuer-kind"]


def test_only_the_services_may_ask(rendered: Rendered) -> None:
    binding = rendered.named("RoleBinding", "request-certificate")
    assert {subject["name"] for subject in binding["subjects"]} == SERVICES
    assert {subject["namespace"] for subject in binding["subjects"]} == {"accord"}
    role = rendered.named("Role", "request-certificate")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"create", "use"}
    assert rendered.of("ClusterRole", "ClusterRoleBinding") == []


def test_pods_trust_the_bundle_that_is_written_for_them(rendered: Rendered) -> None:
    bundle = rendered.named("Bundle", "trust-bundle")
    told = rendered.named("ConfigMap", "mesh")["data"]["ACCORD_TRUST_BUNDLE_FILE"]
    assert told == f"/run/accord/trust/{bundle['spec']['target']['configMap']['key']}"
    for name, pod in rendered.pods():
        (trust,) = (volume for volume in pod["spec"]["volumes"] if volume["name"] == "trust")
        assert trust["configMap"]["name"] == bundle["metadata"]["name"], name


def test_the_names_in_the_protos_are_those_of_the_pods(rendered: Rendered) -> None:
    deployed = {deployment["metadata"]["name"] for deployment in rendered.of("Deployment")}
    assert deployed == SERVICES
    assert {rpc.server for rpc in rpcs()} <= deployed
    assert {service for rpc in rpcs() for service in rpc.rule.services} <= deployed


def test_a_region_knows_no_trust_domain_but_its_own(rendered: Rendered) -> None:
    domains = re.findall(r"\b([a-z]{2})\.accord\.internal", str(rendered.resources))
    assert set(domains) == {rendered.region}
    assert "TRUST-DOMAIN" not in str(rendered.resources)
    assert "REGION.accord" not in str(rendered.resources)
