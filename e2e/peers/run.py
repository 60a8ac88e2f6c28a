"""Measures Parliament Explorer, Dagster and Prefect in turn, with the same sources and the same kind of database.

    python3 e2e/peers/run.py                    all three, each with an environment of its own
    python3 e2e/peers/run.py explorer dagster   these

Needs Go, Python 3.10 or later with venv, and the binaries of Postgres; as root, also a user `postgres`. Packages come
from PyPI; folders of environments are kept in PEERS_CACHE (default: .cache below this folder). Prints a table in
Markdown. Each figure is the median of three rounds, or of as many as PEERS_ROUNDS says.
"""

import concurrent.futures
import contextlib
import glob
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("PEERS_CACHE", HERE / ".cache"))
ROUNDS = int(os.environ.get("PEERS_ROUNDS", "3"))
LATENCY = "50ms"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


connections = threading.local()


def call(address, body=None):
    """Sends a request, a POST if there is a body, and returns the JSON of the answer. Each thread keeps a connection."""
    url = urllib.parse.urlsplit(address)
    kept = vars(connections).setdefault("kept", {})
    for again in (True, False):
        connection = kept.setdefault(url.netloc, http.client.HTTPConnection(url.netloc, timeout=60))
        try:
            path = url.path + (f"?{url.query}" if url.query else "")
            headers = {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            break
        except (OSError, http.client.HTTPException):
            kept.pop(url.netloc).close()
            if not again:  # a kept connection may have been closed meanwhile
                raise
    if answer.status >= 300:
        raise OSError(f"{address}: {answer.status} {text[:300]!r}")
    return json.loads(text)


def wait_for(what, condition, timeout=120.0, every=0.25):
    """Calls a condition until it returns something, and returns that."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            if found := condition():
                return found
        time.sleep(every)
    raise TimeoutError(what)


class Front(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the sources and notes when each arrives."""

    protocol_version = "HTTP/1.1"
    sources = ""
    arrivals: list[float] = []

    def do_GET(self):
        self.arrivals.append(time.monotonic())
        request = urllib.request.Request(self.sources + self.path, headers={"User-Agent": self.headers["User-Agent"] or ""})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, kind, body = answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as e:
            status, kind, body = e.code, e.headers.get("Content-Type", ""), e.read()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Machine:
    """A Postgres, the simulated sources, and the processes of the system that is measured."""

    def __init__(self, explorer: str, folder: Path):
        self.folder, self.explorer, self.processes = folder, explorer, []
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [os.path.dirname(shutil.which("initdb") or "")]
        self.bin, self.data, port = Path(binaries[-1]), folder / "postgres", free_port()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.data.mkdir()
        if self.as_user:
            shutil.chown(self.data, "postgres")
        self.control([self.bin / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres"])
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={self.data}"
        self.control([self.bin / "pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", options, "start"])
        self.database = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        simulated = free_port()
        self.start([explorer, "simulate", "--addr", f"127.0.0.1:{simulated}", "--latency", LATENCY], {})
        Front.sources = f"http://127.0.0.1:{simulated}"
        self.front = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
        threading.Thread(target=self.front.serve_forever, daemon=True).start()
        sources = f"http://127.0.0.1:{self.front.server_port}"
        self.environment = {
            "DATABASE_URL": self.database, "OPENPARLIAMENT_URL": sources, "LEGISINFO_URL": sources + "/legisinfo",
        }
        wait_for("the sources", lambda: call(Front.sources + "/bills/?limit=1&format=json"))
        self.own = len(self.processes)

    def control(self, command):
        subprocess.run([*self.as_user, *map(str, command)], check=True, stdout=subprocess.DEVNULL)

    def start(self, command, environment):
        log = open(self.folder / f"log{len(self.processes)}", "wb")
        self.processes.append(subprocess.Popen(
            [str(c) for c in command], env={**os.environ, **environment}, stdout=log, stderr=log, cwd=self.folder,
            start_new_session=True,
        ))

    def system(self):
        """Returns the ids of the processes of the system, with their children."""
        groups = {p.pid for p in self.processes[self.own:]}
        found = []
        for status in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = Path(status).read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) in groups:  # its session
                    found.append(int(status.split("/")[2]))
        return found

    def memory(self) -> float:
        """Returns the memory of the system in MB, each shared page counted once in all."""
        total = 0
        for pid in self.system():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1000

    def transactions(self) -> int:
        statement = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database"
        answer = subprocess.run([self.bin / "psql", self.database, "-Atc", statement], check=True, capture_output=True)
        return int(answer.stdout)

    def stop(self):
        for p in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
        self.front.shutdown()
        self.control([self.bin / "pg_ctl", "-D", self.data, "-m", "immediate", "stop"])


class Explorer:
    """Parliament Explorer. Its asset that does least is monitor_fetch_operations, which reads the log of fetches."""

    name, many = "Parliament Explorer", 2000

    def __init__(self, machine: Machine):
        self.address = f"127.0.0.1:{free_port()}"
        environment = {
            **machine.environment, "ADDR": self.address, "OPENPARLIAMENT_RPS": "0", "LEGISINFO_RPS": "0", "LOG_LEVEL": "warn",
        }
        machine.start([machine.explorer, "dev"], environment)
        self.url = "http://" + self.address
        wait_for("the server", lambda: call(self.url + "/assets"))

    def launch(self, what: str) -> str:
        asset = {"nothing": "monitor_fetch_operations", "latest_bills": "fetch_latest_bills"}[what]
        return call(f"{self.url}/assets/{asset}/materialize", {})["id"]

    def ended(self, run: str) -> bool:
        status = call(f"{self.url}/runs/{run}")["status"]
        if status in ("failure", "canceled"):
            raise RuntimeError(f"run {run}: {status}")
        return status == "success"

    def all_ended(self, runs: list[str]) -> bool:
        return call(self.url + "/runs?status=queued&status=started&limit=1&count=true")["total"] == 0


LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class Dagster:
    """Dagster with its web server and its daemon."""

    name, many = "Dagster", 10

    def __init__(self, machine: Machine):
        bin = environment_of("dagster")
        home = machine.folder / "home"
        home.mkdir()
        shutil.copy(HERE / "dagster_project/dagster.yaml", home)
        environment = {**machine.environment, "DAGSTER_HOME": str(home), "PATH": f"{bin}:{os.environ['PATH']}"}
        port, code = free_port(), ["-f", HERE / "dagster_project/definitions.py"]
        self.url = f"http://127.0.0.1:{port}/graphql"
        machine.start([bin / "dagster-webserver", "-p", port, *code], environment)
        wait_for("the web server", lambda: self.ask("{ version }", {}))
        machine.start([bin / "dagster-daemon", "run", *code], environment)
        healthy = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
        wait_for("the daemon", lambda: all(
            d["healthy"] or not d["required"]
            for d in self.ask(healthy, {})["instance"]["daemonHealth"]["allDaemonStatuses"]
        ))

    def ask(self, query, variables):
        answer = call(self.url, {"query": query, "variables": variables})
        if "errors" in answer:
            raise RuntimeError(answer["errors"])
        return answer["data"]

    def launch(self, what: str) -> str:
        selector = {
            "repositoryName": "__repository__", "repositoryLocationName": "definitions.py", "jobName": what + "_job",
        }
        answer = self.ask(LAUNCH, {"p": {"selector": selector, "runConfigData": {}}})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(answer)
        return answer["run"]["runId"]

    def ended(self, run: str) -> bool:
        status = self.ask(STATUS, {"id": run})["runOrError"]["status"]
        if status in ("FAILURE", "CANCELED"):
            raise RuntimeError(f"run {run}: {status}")
        return status == "SUCCESS"


class Prefect:
    """Prefect with its server and a process that serves the flows."""

    name, many = "Prefect", 20

    def __init__(self, machine: Machine):
        bin, port = environment_of("prefect"), free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        environment = {
            **machine.environment, "PATH": f"{bin}:{os.environ['PATH']}", "PREFECT_HOME": str(machine.folder / "home"),
            "PREFECT_API_URL": self.url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
            "PREFECT_API_DATABASE_CONNECTION_URL": machine.database.replace("postgresql://", "postgresql+asyncpg://"),
        }
        machine.start([bin / "prefect", "server", "start", "--host", "127.0.0.1", "--port", port], environment)
        wait_for("the server", lambda: call(self.url + "/health"))
        machine.start([bin / "python", HERE / "prefect_project/flows.py"], environment)
        self.deployments = wait_for("the flows", self.served)

    def served(self):
        found = {d["name"]: d["id"] for d in call(self.url + "/deployments/filter", {})}
        return found if len(found) == 2 else None

    def launch(self, what: str) -> str:
        return call(f"{self.url}/deployments/{self.deployments[what]}/create_flow_run", {})["id"]

    def ended(self, run: str) -> bool:
        status = call(f"{self.url}/flow_runs/{run}")["state_type"]
        if status in ("FAILED", "CRASHED", "CANCELLED"):
            raise RuntimeError(f"run {run}: {status}")
        return status == "COMPLETED"


def environment_of(name: str) -> Path:
    """Returns the folder of programs of an environment, which is made if it is not there."""
    folder = CACHE / name
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", HERE / f"{name}_project/requirements.txt"], check=True)
        (folder / "ready").touch()
    return folder / "bin"


def measure(kind, explorer: str) -> dict[str, float]:
    """Measures a system on a machine of its own."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        os.chmod(folder, 0o755)
        machine = Machine(explorer, Path(folder))
        try:
            return figures(kind(machine), machine)
        finally:
            machine.stop()


def figures(system, machine: Machine) -> dict[str, float]:
    found = {}
    wait_for("a first run", lambda run=system.launch("nothing"): system.ended(run), every=0.05)
    starts, lengths, requests = [], [], []
    for _ in range(3):
        Front.arrivals.clear()
        began = time.monotonic()
        run = system.launch("latest_bills")
        wait_for("a fetch", lambda: system.ended(run), every=0.02)
        lengths.append(time.monotonic() - began)
        if Front.arrivals:
            starts.append(Front.arrivals[0] - began)
        requests.append(len(Front.arrivals))
    found["from the request to the first request at the source, ms"] = 1000 * statistics.median(starts)
    found["a first fetch of 50 bills, 50 ms a request, s"] = lengths[0]
    found["the same again, nothing new, s"] = lengths[-1]
    found["requests of a first fetch"] = requests[0]
    found["requests of the same again"] = requests[-1]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: system.launch("nothing"), range(system.many)))
    if hasattr(system, "all_ended"):
        wait_for("all runs", lambda: system.all_ended(runs), timeout=600, every=0.02)
    else:
        for run in runs:
            wait_for("a run", lambda run=run: system.ended(run), timeout=600, every=0.02)
    found["runs that do nothing, a second"] = system.many / (time.monotonic() - began)
    time.sleep(20)
    before, began = machine.transactions(), time.monotonic()
    time.sleep(30)
    found["idle: transactions a minute"] = 60 * (machine.transactions() - before) / (time.monotonic() - began)
    found["idle: memory, MB"] = machine.memory()
    return found


def main(names: list[str]) -> None:
    kinds = {"explorer": Explorer, "dagster": Dagster, "prefect": Prefect}
    if unknown := [n for n in names if n not in kinds]:
        sys.exit(f"unknown: {', '.join(unknown)}; known are {', '.join(kinds)}")
    chosen = [kinds[n] for n in names or kinds]
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        os.chmod(folder, 0o755)
        explorer = os.environ.get("EXPLORER_BIN") or str(Path(folder) / "explorer")
        if "EXPLORER_BIN" not in os.environ:
            subprocess.run(["go", "build", "-buildvcs=false", "-o", explorer, "."], cwd=ROOT, check=True)
        rounds = [{kind.name: measure(kind, explorer) for kind in chosen} for _ in range(ROUNDS)]
    print("| figure |", " | ".join(kind.name for kind in chosen), "|")
    print("|---|" + "---|" * len(chosen))
    for figure in rounds[0][chosen[0].name]:
        middle = [statistics.median(r[kind.name][figure] for r in rounds) for kind in chosen]
        cells = [f"{m:.3g}" + (f" ({m / middle[0]:.3g} ×)" if i and middle[0] else "") for i, m in enumerate(middle)]
        print(f"| {figure} |", " | ".join(cells), "|")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    main(sys.argv[1:])
