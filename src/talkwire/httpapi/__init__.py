"""HTTP routes: one file per topic, each with `routes(services…)`; refusals become answers in one middleware."""
