"""What people might ask the ledger to record: drawn from small pools, so that things collide.

Each family has a module with a function for each kind, which draws the public fields: what
fits the model's present state mostly, and something wrong now and then.
"""
