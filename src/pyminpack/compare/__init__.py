"""How pyminpack compares with other solvers: `python -m pyminpack.compare`."""
