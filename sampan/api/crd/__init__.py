"""CustomResourceDefinitions, as far as they are rules: what a definition may say, and what its objects may be.

`build_resources` makes of a definition what every kind is, one `Resource` for each served version; the generic registry does
the rest, as for built-in kinds:

    from sampan.api.crd.resources import build_resources

    for resource in build_resources(crd):            # crd: an admitted CustomResourceDefinition
        tree, strict = resource.schema.admit(body, kind=resource.kind, version=resource.group_version)
        resource.default(tree)
        errors = resource.strategy.validate(tree)

After k8s.io/apiextensions-apiserver (pkg/apis/apiextensions/validation, pkg/apiserver/{schema,validation}). The words of
errors are upstream's.
"""
