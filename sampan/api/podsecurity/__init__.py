"""The Pod Security Standards: privileged, baseline, restricted, in every version since v1.0. Pure.

    policy, errors = policy_of({"pod-security.kubernetes.io/enforce": "restricted"})
    evaluate(policy.enforce, metadata, spec).detail   # "runAsNonRoot != true (pod or container "c" must set …)"; "": fine

After k8s.io/pod-security-admission. https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from sampan.api.podsecurity.evaluation import Verdict, evaluate
from sampan.api.podsecurity.policy import BASELINE, PRIVILEGED, RESTRICTED, LevelVersion, Policy, policy_of

__all__ = ["BASELINE", "PRIVILEGED", "RESTRICTED", "LevelVersion", "Policy", "Verdict", "evaluate", "policy_of"]
