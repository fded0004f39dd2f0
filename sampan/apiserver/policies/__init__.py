"""ValidatingAdmissionPolicies: rules in CEL that writes are held to."""
