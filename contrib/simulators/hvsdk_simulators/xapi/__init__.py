"""A XAPI server: the messages, HTTP handlers and rules of a pool of hosts.

The core is here; each package below adds the messages of its subject by being imported.
"""

from importlib import import_module
from pkgutil import iter_modules

for _found in iter_modules(__path__):
    if _found.ispkg:
        import_module(f"{__name__}.{_found.name}")
for _name in ("sessions", "tasks", "events", "roles", "control"):
    import_module(f"{__name__}.{_name}")
