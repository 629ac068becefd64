"""A country at work on tasks for weeks: what people, clocks, lines and machines do, and what must then be true."""
