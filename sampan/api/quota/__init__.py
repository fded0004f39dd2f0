"""Resource quotas: what an object uses, which quotas count it, whether they have room for it. Pure; who admits and who recounts
share it.

After k8s.io/apiserver/pkg/quota/v1 and pkg/quota/v1/evaluator/core.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""
