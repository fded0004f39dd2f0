"""The file of --admission-control-config-file, and the flags that turn plugins on and off."""

from __future__ import annotations

import pytest

from sampan.api.podsecurity import LevelVersion, Policy
from sampan.api.quota.charging import Limited
from sampan.api.quota.scopes import Scope
from sampan.apiserver.admission.configuration import AdmissionSettings, PodSecuritySettings, plugins_off, read_settings

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"
POD_SECURITY = """
apiVersion: pod-security.admission.config.k8s.io/v1
kind: PodSecurityConfiguration
defaults: {enforce: baseline, enforce-version: v1.30, warn: restricted}
exemptions: {usernames: [root], runtimeClasses: [gvisor], namespaces: [kube-system]}
"""
QUOTA = """
apiVersion: apiserver.config.k8s.io/v1
kind: ResourceQuotaConfiguration
limitedResources:
- resource: pods
  matchScopes: [{scopeName: PriorityClass, operator: In, values: [cluster-services]}]
- {resource: persistentvolumeclaims, matchContains: [.storageclass.storage.k8s.io/requests.storage]}
"""


def test_plugins_are_configured_in_the_file_or_in_one_that_it_names() -> None:
    indented = QUOTA.replace("\n", "\n    ")
    text = f"{HEAD}- {{name: PodSecurity, path: pods.yaml}}\n- name: ResourceQuota\n  configuration:{indented}\n"
    found = read_settings(text.encode(), {"pods.yaml": POD_SECURITY.encode()}.__getitem__)
    policy = Policy(LevelVersion("baseline", 30), LevelVersion("restricted"), LevelVersion())
    assert found.pod_security == PodSecuritySettings(
        policy, frozenset({"root"}), frozenset({"gvisor"}), frozenset({"kube-system"})
    )
    assert found.limited == (
        Limited("", "pods", (), (Scope("PriorityClass", "In", ("cluster-services",)),)),
        Limited("", "persistentvolumeclaims", (".storageclass.storage.k8s.io/requests.storage",)),
    )
    assert read_settings(HEAD.replace(":\n", ": []\n").encode(), {}.__getitem__) == AdmissionSettings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod", "no AdmissionConfiguration"),
        ("[", "yaml: "),
        (HEAD.replace("/v1", "/v9"), 'no kind "AdmissionConfiguration" is registered for version "apiserver.config.k8s.io/v9"'),
        (HEAD + "- {name: Nope}", "plugins[0].name: 'Nope' is no plugin that is on"),
        (HEAD + "- {name: PodSecurity, x: 1}", 'unknown field "plugins[0].x"'),
        (HEAD + "- {name: Priority, configuration: {}}", "Priority takes no configuration"),
        (HEAD + "- {name: PodSecurity, path: a}", 'defaults[warn]: Invalid value: "loose"'),
        (HEAD + "- {name: PodSecurity, path: b}", 'exemptions.namespaces[0]: Invalid value: "A"'),
        (HEAD + "- {name: PodSecurity, path: c}", 'exemptions.usernames[1]: Duplicate value: "root"'),
        (HEAD + "- {name: ResourceQuota, path: d}", "limitedResources[1].resource: Required value"),
    ],
)
def test_a_file_that_is_wrong_is_refused(text: str, said: str) -> None:
    files = {
        "a": POD_SECURITY.replace("warn: restricted", "warn: loose"),
        "b": POD_SECURITY.replace("kube-system", "A"),
        "c": POD_SECURITY.replace("[root]", "[root, root]"),
        "d": QUOTA.replace("resource: persistentvolumeclaims, ", ""),
    }
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is looked at below
        read_settings(text.encode(), lambda name: files[name].encode())
    assert said in str(refused.value)


def test_plugins_are_turned_off_by_their_names() -> None:
    assert plugins_off([], ["PodSecurity", "AlwaysPullImages"]) == {"PodSecurity"}
    for enable, disable, said in (
        (["Nope"], [], 'enable-admission-plugins plugin "Nope" is unknown'),
        ([], ["Nope"], 'disable-admission-plugins plugin "Nope" is unknown'),
        (["Priority"], ["Priority"], "[Priority] in enable-admission-plugins and disable-admission-plugins overlapped"),
        (["AlwaysPullImages"], [], 'enable-admission-plugins plugin "AlwaysPullImages" is not available'),
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is looked at below
            plugins_off(enable, disable)
        assert str(refused.value) == said
