"""The CRDs as code: what tools/gen_crds.py writes as YAML into the package."""
