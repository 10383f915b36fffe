"""What runs inside the sandbox, on the standard library alone: nothing here imports the server.

`zygote` waits for calls and forks `monitor` for each, which sets `confinement` up around a child
and watches it; the child runs `call`.
"""
