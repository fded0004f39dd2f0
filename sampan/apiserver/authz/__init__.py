"""Authorization: who may do what. `authorizer.py` asks the node authorizer and RBAC in turn; `rules.py` is the arithmetic."""
