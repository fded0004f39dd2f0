"""Server-side apply as far as it is arithmetic: who manages which fields, and what an apply makes of an object.

A set of fields is what FieldsV1 is on the wire, decoded: nested dicts whose keys are path elements.

    {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:replicas": {}}}

holds `.metadata.labels`, `.metadata.labels.app` and `.spec.replicas`. `fieldset` has their algebra, `places` reads a schema as
merging needs it, `compare` and `merge` walk objects along it, `ownership` keeps metadata.managedFields, `update` has the two
rules by which it changes: an update takes what it changes, an apply says what it wants.

After sigs.k8s.io/structured-merge-diff and k8s.io/apimachinery/pkg/util/managedfields.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""
