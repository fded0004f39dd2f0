"""The admission plugins that are on, in upstream's order."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.apiserver.admission.certificateapproval import CertificateApproval
from sampan.apiserver.admission.certificaterequester import CertificateRequester
from sampan.apiserver.admission.certificatesigning import CertificateSigning
from sampan.apiserver.admission.certificatesubjectrestriction import CertificateSubjectRestriction
from sampan.apiserver.admission.chain import Plugin
from sampan.apiserver.admission.claimresize import PersistentVolumeClaimResize
from sampan.apiserver.admission.defaultclasses import DefaultIngressClass, DefaultStorageClass
from sampan.apiserver.admission.defaulttolerations import DefaultTolerationSeconds
from sampan.apiserver.admission.limitranger import LimitRanger
from sampan.apiserver.admission.namespacelifecycle import NamespaceLifecycle
from sampan.apiserver.admission.noderestriction import NodeRestriction
from sampan.apiserver.admission.paramaccess import ParamAccess
from sampan.apiserver.admission.podsecurity import PodSecurity
from sampan.apiserver.admission.priority import Priority
from sampan.apiserver.admission.resourcequota import ResourceQuota
from sampan.apiserver.admission.runtimeclass import RuntimeClass
from sampan.apiserver.admission.serviceaccount import ServiceAccount
from sampan.apiserver.admission.storageprotection import StorageObjectInUseProtection
from sampan.apiserver.admission.taintnodes import TaintNodesByCondition
from sampan.apiserver.authz.escalation import EscalationCheck
from sampan.apiserver.context import Context
from sampan.apiserver.policies.plugin import ValidatingPolicies
from sampan.apiserver.webhooks.hooks import MUTATING, VALIDATING, Hooks
from sampan.apiserver.webhooks.mutating import MutatingWebhooks
from sampan.apiserver.webhooks.validating import ValidatingWebhooks


def default_plugins(context: Context) -> Sequence[Plugin]:
    namespaces = context.registry("", "namespaces").cache
    storage_classes = context.registry("storage.k8s.io", "storageclasses").cache
    settings = context.config.admission
    plugins: Sequence[Plugin] = (
        EscalationCheck(context.authorizer),
        NamespaceLifecycle(namespaces),
        LimitRanger(context.registry("", "limitranges").cache),
        ServiceAccount(context.registry("", "serviceaccounts").cache, context.clock),
        NodeRestriction(context.registry("", "pods").cache),
        TaintNodesByCondition(),
        PodSecurity(namespaces, context.registry("", "pods").cache, context.clock, settings.pod_security),
        Priority(context.registry("scheduling.k8s.io", "priorityclasses").cache),
        DefaultTolerationSeconds(),
        DefaultStorageClass(storage_classes),
        StorageObjectInUseProtection(),
        PersistentVolumeClaimResize(storage_classes),
        RuntimeClass(context.registry("node.k8s.io", "runtimeclasses").cache),
        CertificateApproval(context.authorizer),
        CertificateSigning(context.authorizer),
        CertificateSubjectRestriction(),
        DefaultIngressClass(context.registry("networking.k8s.io", "ingressclasses").cache),
        MutatingWebhooks(Hooks(context, MUTATING)),
        CertificateRequester(),
        ParamAccess(
            context.authorizer,
            context.scheme,
            context.registry("admissionregistration.k8s.io", "validatingadmissionpolicies").cache,
        ),
        ValidatingPolicies(context),
        ValidatingWebhooks(Hooks(context, VALIDATING)),
        ResourceQuota(context.registry("", "resourcequotas"), context.clock, context.tasks, settings.limited),
    )
    return [plugin for plugin in plugins if plugin.name not in settings.off]
