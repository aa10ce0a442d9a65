"""How pyminpack compares with other solvers: ``python -m pyminpack.compare``.

All solvers are in one table, `SOLVERS`. To add one, write a function that hands a `Task` to it and
returns an `Outcome`, and append a `Solver` with that function and the module that it needs:

>>> from pyminpack.compare import SOLVERS, Outcome, Solver, Task
>>> def fmin(optimize, task: Task) -> Outcome:
...     def cost(x):
...         return (task.residual(x) ** 2).sum()
...
...     x, _, _, calls, _ = optimize.fmin(
...         cost, task.x0, maxfun=task.limit, full_output=True, disp=False
...     )
...     return Outcome(x, nfev=calls)
>>> SOLVERS.append(Solver("scipy-fmin", "scipy.optimize", fmin))
"""

from .solvers import SOLVERS, Outcome, Solver, Task

__all__ = ["SOLVERS", "Outcome", "Solver", "Task"]
