"""The scripted server: an OpenAI-compatible server whose answers, judgements and faults are planned.

    python -m generators.scripted --port 0 --latency-ms 200 --slots 64 --script demo

prints `listening on http://127.0.0.1:PORT` as its first line. In a test, in this process:

    with ScriptedServer(DEMO) as server:
        ...  # ask server.url, then look at server.counts() and server.ledger()

See docs/scripted_server.md.
"""

from generators.plant import Model
from generators.scripted.script import DEMO, Faults, Script, load_script
from generators.scripted.server import ScriptedServer
from generators.scripted.tally import Served

__all__ = ["DEMO", "Faults", "Model", "Script", "ScriptedServer", "Served", "load_script"]
