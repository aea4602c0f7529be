"""What is shipped to run the two programs: Kubernetes, compose, the image and Redis' configuration."""

import os
import pathlib
import re
import socket
import subprocess

import pytest
import yaml

import lib

ROOT = lib.ROOT
BUILD = lib.BUILD
PROGRAMS = ["receiver", "worker"]
SETTINGS = ROOT / "k8s" / "base" / "ledgerhook.env"


# ---- what the programs know ----

def variables(program):
    """The LH_ variables that the program's own --help lists."""
    out = subprocess.run([BUILD / f"ledgerhook-{program}", "--help"], capture_output=True, text=True,
                         timeout=30, check=True)
    found = set(re.findall(r"\bLH_[A-Z0-9_]+", out.stdout + out.stderr))
    assert len(found) > 10, f"ledgerhook-{program} --help lists no variables"
    return found


def is_known(name, known):
    return name in known or name.removesuffix("_FILE") in known


def settings_file():
    """Every variable that the file names, commented out or not; and those it sets."""
    named, values = set(), {}
    for line in SETTINGS.read_text().splitlines():
        match = re.match(r"(#\s?)?(LH_[A-Z0-9_]+)=(.*)", line)
        if match:
            named.add(match[2])
            if not match[1]:
                values[match[2]] = match[3]
    return named, values


# ---- Kubernetes ----

@pytest.fixture(scope="module", params=["base", "overlays/dev"])
def rendered(request):
    out = subprocess.run(["kubectl", "kustomize", str(ROOT / "k8s" / request.param)],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return [doc for doc in yaml.safe_load_all(out.stdout) if doc]


def objects(rendered, kind):
    return {doc["metadata"]["name"]: doc for doc in rendered if doc["kind"] == kind}


def pod_specs(rendered):
    for kind in ("Deployment", "StatefulSet"):
        for name, doc in objects(rendered, kind).items():
            yield name, doc["spec"]["template"]["spec"]


def deployment(rendered, program):
    spec = objects(rendered, "Deployment")[f"ledgerhook-{program}"]["spec"]
    container, = spec["template"]["spec"]["containers"]
    return spec, spec["template"]["spec"], container


def test_every_pod_meets_the_restricted_standard(rendered):
    names = []
    for name, pod in pod_specs(rendered):
        names.append(name)
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            assert key not in pod, name
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
            assert "memory" in container["resources"]["limits"], name
    assert {"ledgerhook-receiver", "ledgerhook-worker"} <= set(names)


@pytest.mark.parametrize("program", PROGRAMS)
def test_probes_ask_the_operations_port(rendered, program):
    _, _, container = deployment(rendered, program)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["ops"] == 9090
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    for probe, path in paths.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "ops"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_pod_has_longer_to_stop_than_the_program_drains(rendered, program):
    _, pod, container = deployment(rendered, program)
    drain = {e["name"]: e["value"] for e in container["env"]}["LH_DRAIN"]
    assert pod["terminationGracePeriodSeconds"] >= int(drain) + 10


@pytest.mark.parametrize("program", PROGRAMS)
def test_pods_run_the_image_and_program_of_this_version(rendered, program):
    _, _, container = deployment(rendered, program)
    version = re.search(r"^VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)[1]
    assert container["image"] == f"ledgerhook:{version}"
    assert container["command"] == [f"/usr/bin/ledgerhook-{program}"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_pods_set_only_variables_that_the_program_knows(rendered, program):
    known = variables("receiver") | variables("worker")
    _, _, container = deployment(rendered, program)
    config, = (e["configMapRef"]["name"] for e in container["envFrom"])
    names = [e["name"] for e in container["env"]] + list(objects(rendered, "ConfigMap")[config]["data"])
    assert [n for n in names if not is_known(n, known)] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_secret_file_is_in_a_mounted_secret(rendered, program):
    _, pod, container = deployment(rendered, program)
    mount, = container["volumeMounts"]
    name = pod["volumes"][0]["secret"]["secretName"]
    secrets = objects(rendered, "Secret")
    if secrets:
        keys = secrets[name]["data"].keys()
    else:  # the base brings none: the example is what people copy
        example = yaml.safe_load_all((ROOT / "k8s/base/secret.example.yaml").read_text())
        keys = {doc["metadata"]["name"]: doc["stringData"] for doc in example}[name].keys()
    wanted = {e["value"].removeprefix(mount["mountPath"] + "/")
              for e in container["env"] if e["name"].endswith("_FILE")}
    assert wanted == set(keys)


def test_the_receiver_is_never_given_the_master_key(rendered):
    _, pod, container = deployment(rendered, "receiver")
    assert "master" not in yaml.safe_dump(pod).lower()
    secret = objects(rendered, "Secret").get(pod["volumes"][0]["secret"]["secretName"])
    if secret:
        assert "master_key" not in secret["data"]


def test_services_reach_the_pods_and_keep_the_api_apart(rendered):
    labels = {}
    for program in PROGRAMS:
        spec, _, container = deployment(rendered, program)
        labels[program] = (spec["template"]["metadata"]["labels"], container["ports"])
    for name, service in objects(rendered, "Service").items():
        if name == "ledgerhook-redis":
            continue
        selector = service["spec"]["selector"].items()
        hit = [ports for have, ports in labels.values() if selector <= have.items()]
        assert hit, f"{name} selects nothing"
        for port in service["spec"]["ports"]:
            assert all(port["targetPort"] in [p["name"] for p in ports] for ports in hit), name
    webhooks = objects(rendered, "Service")["ledgerhook-webhooks"]["spec"]["ports"]
    assert [p["targetPort"] for p in webhooks] == ["webhooks"]


def test_the_dev_overlay_runs_redis_with_the_configuration_of_the_tree():
    out = subprocess.run(["kubectl", "kustomize", str(ROOT / "k8s/overlays/dev")], capture_output=True,
                         text=True, timeout=60, check=True)
    docs = [doc for doc in yaml.safe_load_all(out.stdout) if doc]
    pod = objects(docs, "StatefulSet")["ledgerhook-redis"]["spec"]["template"]["spec"]
    volumes = {v["name"]: v for v in pod["volumes"]}
    data = objects(docs, "ConfigMap")[volumes["conf"]["configMap"]["name"]]["data"]
    assert data["redis.conf"] == (ROOT / "deploy/redis.conf").read_text()
    assert data["redis-start.sh"] == (ROOT / "deploy/redis-start.sh").read_text()
    passwords = objects(docs, "Secret")[volumes["secrets"]["secret"]["secretName"]]["data"]
    assert set(passwords) == {"redis_receiver_password", "redis_worker_password"}
    assert objects(docs, "StatefulSet")["ledgerhook-redis"]["spec"]["volumeClaimTemplates"]


# ---- settings, compose, image ----

def test_every_variable_is_named_where_the_programs_are_started():
    named, _ = settings_file()
    known = variables("receiver") | variables("worker")
    assert named <= known
    there = named | {name.removesuffix("_FILE")
                     for path in ("k8s/base/receiver.yaml", "k8s/base/worker.yaml")
                     for name in re.findall(r"\bLH_[A-Z0-9_]+", (ROOT / path).read_text())}
    assert {name for name in known if not name.endswith("_PREVIOUS")} <= there


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_settings_file_is_accepted_as_it_stands(program, tmp_path):
    _, values = settings_file()
    env = {"PATH": os.environ["PATH"], **values}
    out = subprocess.run([BUILD / f"ledgerhook-{program}", "--check"], env=env, capture_output=True,
                         text=True, timeout=30)
    assert out.returncode == 2, "without secrets the configuration is refused"
    for name in values:
        assert name not in out.stdout + out.stderr, f"{name} of ledgerhook.env is refused"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())


def test_compose_services_have_no_power_they_do_not_use(compose):
    assert set(compose["services"]) == {"redis", "receiver", "worker"}
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["healthcheck"]["test"], name
        assert "privileged" not in service, name
    assert compose["networks"]["queue"]["internal"] is True
    assert compose["services"]["redis"]["networks"] == ["queue"]
    assert "ports" not in compose["services"]["redis"]
    api, = [p for p in compose["services"]["receiver"]["ports"] if p.endswith(":8081")]
    assert api.startswith("127.0.0.1:")


@pytest.mark.parametrize("program", PROGRAMS)
def test_compose_sets_only_known_variables_and_mounts_their_files(compose, program):
    service = compose["services"][program]
    known = variables(program)
    assert [n for n in service["environment"] if not is_known(n, known)] == []
    files = {v.removeprefix("/run/secrets/") for n, v in service["environment"].items()
             if n.endswith("_FILE")}
    assert files == set(service["secrets"]) <= set(compose["secrets"])
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace >= int(service["environment"]["LH_DRAIN"]) + 10
    for path in service["env_file"]:
        assert (ROOT / "deploy" / path).resolve() == SETTINGS
    assert service["healthcheck"]["test"] == ["CMD", f"/usr/bin/ledgerhook-{program}", "--health"]


def test_secrets_sh_makes_every_secret_once(compose, tmp_path):
    folder = tmp_path / "secrets"
    subprocess.run([ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True, timeout=30)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == {pathlib.Path(s["file"]).name for s in compose["secrets"].values()}
    assert made["redis_worker_password"].strip() in made["redis_worker_url"]
    subprocess.run([ROOT / "deploy/secrets.sh", folder], check=True, capture_output=True, timeout=30)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert folder.stat().st_mode & 0o077 == 0


def test_the_image_runs_without_root_and_checks_its_health():
    text = re.sub(r"\\\n\s*", " ", (ROOT / "deploy/Dockerfile").read_text())
    last = text[text.rindex("\nFROM "):]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert re.search(r'^HEALTHCHECK .*CMD \["/usr/bin/ledgerhook-receiver", "--health"\]$', last, re.M)
    assert "debian:bookworm-slim" in last.splitlines()[1]
    assert "-dev" not in last, "no compiler or header in the image"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_image_installs_every_library_the_program_is_linked_with(program):
    text = (ROOT / "deploy/Dockerfile").read_text()
    needed = subprocess.run(["objdump", "-p", BUILD / f"ledgerhook-{program}"], check=True, timeout=30,
                            capture_output=True, text=True).stdout
    for so in re.findall(r"NEEDED\s+(lib(?:civetweb|curl|hiredis|crypto|zstd)\S*)", needed):
        paths = [p for p in pathlib.Path("/usr/lib").glob(f"*/{so}")]
        owner = subprocess.run(["dpkg-query", "-S", paths[0]], check=True, timeout=30,
                               capture_output=True, text=True).stdout.split(":")[0]
        assert re.search(rf"\b{re.escape(owner)}\b", text[text.rindex("\nFROM "):]), (so, owner)


# ---- Redis ----

class Redis:
    """A real redis-server with deploy/redis.conf, started the way compose and the pods start it."""

    def __init__(self, folder):
        self.secrets = secrets = folder / "secrets"
        subprocess.run([ROOT / "deploy/secrets.sh", secrets], check=True, capture_output=True, timeout=30)
        self.passwords = {user: (secrets / f"redis_{user}_password").read_text().strip()
                          for user in ("receiver", "worker")}
        self.socket = folder / "redis.sock"
        self.log = (folder / "redis.log").open("w+")
        env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "REDIS_SECRETS": str(secrets),
               "REDIS_CONF": str(ROOT / "deploy/redis.conf")}
        self.process = subprocess.Popen(
            [ROOT / "deploy/redis-start.sh", "--dir", folder, "--port", "0", "--unixsocket", self.socket],
            env=env, stdout=self.log, stderr=subprocess.STDOUT)
        lib.wait_until(self.connects, "Redis listens")

    def connects(self):
        assert self.process.poll() is None, self.output()
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.socket)) == 0

    def output(self):
        self.log.seek(0)
        return self.log.read()

    def cli(self, user, *words):
        command = ["redis-cli", "-s", self.socket, "--no-auth-warning"]
        env = {"PATH": os.environ["PATH"]}
        if user:
            command += ["--user", user]
            env["REDISCLI_AUTH"] = self.passwords[user]
        return subprocess.run([*command, *words], env=env, capture_output=True, text=True,
                              timeout=20).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def test_redis_keeps_every_write_and_evicts_nothing(redis):
    for name, value in (("appendonly", "yes"), ("appendfsync", "always"),
                        ("maxmemory-policy", "noeviction"), ("no-appendfsync-on-rewrite", "no")):
        assert redis.cli("worker", "config", "get", name).split() == [name, value]


def test_nobody_gets_in_without_a_password(redis):
    assert redis.cli(None, "ping").startswith("NOAUTH")
    assert redis.cli("worker", "ping") == redis.cli("receiver", "ping") == "PONG"


def test_the_receivers_user_cannot_reach_a_grant(redis):
    grant, store = "lh:{0}:grant:x", "lh:{0}:store:shopify/a.example"
    assert redis.cli("worker", "hset", grant, "access", "sealed") == "1"
    assert redis.cli("receiver", "hset", store, "version", "1") == "1"
    assert redis.cli("receiver", "hgetall", grant).startswith("NOPERM")
    script = "return redis.call('HGETALL', KEYS[1] .. ARGV[1])"
    by_script = redis.cli("receiver", "eval", script, "1", "lh:{0}:", "grant:x")
    assert "can't access" in by_script and "sealed" not in by_script
    assert redis.cli("receiver", "eval", script, "1", "lh:{0}:", "store:shopify/a.example") == "version\n1"
    assert "sealed" in redis.cli("worker", "hgetall", grant)


@pytest.mark.parametrize("user", ["receiver", "worker"])
def test_users_cannot_do_what_no_program_does(redis, user):
    for words in (["keys", "*"], ["flushall"], ["config", "set", "appendfsync", "no"], ["acl", "list"],
                  ["shutdown"], ["client", "list"], ["replicaof", "no", "one"],
                  ["monitor"], ["save"], ["function", "list"]):
        assert redis.cli(user, *words).startswith("NOPERM"), words
    assert redis.cli(user, "get", "another:key").startswith("NOPERM")


def scripts():
    return sorted((ROOT / "queue/scripts").glob("*.lua"))


def test_each_user_has_the_commands_that_the_scripts_call_and_the_list_is_not_longer(redis):
    called = set()
    for path in scripts():
        called |= {name.lower() for name in
                   re.findall(r"""\bp?call\(\s*['"]([A-Za-z]+)['"]""", path.read_text())}
    assert called, "no script calls Redis"
    sent = {word.lower() for folder in ("queue", "handlers", "service")
            for path in (ROOT / folder).rglob("*.c")
            for word in re.findall(r'"([A-Z]{3,16})"', path.read_text())}
    conf = (ROOT / "deploy/redis.conf").read_text()
    always = {"auth", "hello", "ping", "client|setname", "eval", "evalsha", "script|load", "config|get"}
    for user in ("receiver", "worker"):
        allowed = set(re.findall(r" \+(\S+)", re.search(rf"^user {user} .*$", conf, re.M)[0]))
        assert called <= allowed
        assert allowed <= called | sent | always, "commands that nothing calls"


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_start_with_what_is_shipped(redis, compose, program):
    """compose's variables, secrets.sh's files, redis.conf's user: --check has nothing to say."""
    _, env = settings_file()
    env["PATH"] = os.environ["PATH"]
    for name, value in compose["services"][program]["environment"].items():
        env[name] = value.replace("/run/secrets/", f"{redis.secrets}/")
    del env["LH_REDIS_URL_FILE"]  # names the host "redis", which is not here
    env["LH_REDIS_URL"] = f"unix://{program}:{redis.passwords[program]}@{redis.socket}"
    out = subprocess.run([BUILD / f"ledgerhook-{program}", "--check"], env=env, capture_output=True,
                         text=True, timeout=60)
    assert out.returncode == 0, out.stdout + out.stderr
    assert redis.passwords[program] not in out.stdout + out.stderr
