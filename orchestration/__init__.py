"""How assets become runs: a pure core of values and functions, and a shell that runs them."""
