CALLS_NOTHING = {
    "GET /health": "The load balancer asks whether this process runs, not whether its dependencies do.",
    "GET /ping": "The runtime asks whether this process runs, not whether its dependencies do.",
}
