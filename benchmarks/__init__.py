"""How fast pyminpack is, beside what it could be and what users would take instead: `./dev bench`."""
