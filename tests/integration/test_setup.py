"""The README's set-up of stores, step by step: its commands are taken out of it and typed into a shell,
against a real receiver and worker, with the simulator in place of Xero, Shopify and Amazon."""

import json
import os
import re
import subprocess
import uuid

import pytest
import yaml

import lib
import orders
import readme
from sellers import DATA, again, ago, order_id

README = readme.TEXT
TEMPLATE = lib.ROOT / "deploy/amazon/orders.yaml"
FIRST, LAST = "## Setting it up", "## REST API"

# Every command of these sections, by words that no other has. A test below holds that it is all of them.
STEPS = {
    "variables": "ADMIN=$(cat", "xero": '"grant":"client_credentials"', "consent": '"grant":"authorization_code"',
    "store": "<the secret that Shopify shows>",
    "admin secret": '{"secrets":{"webhook":"<the secret that the page shows>"}}',
    "pair": '"webhook":"<client secret>", "api_client_id":"<client id>", "api_client_secret":"<client secret>"',
    "log": "/log?q=", "webhooks": '"create_webhooks":true', "both secrets": '"webhook_previous":"<old secret>"',
    "one secret": '{"secrets":{"webhook_previous":null}}',
    "seller": 'KEY=$(', "queue": "Address=", "destination": "/notifications/v1/destinations",
    "subscription": "/notifications/v1/subscriptions", "notification": "/webhooks/amazon\" -H",
    "both keys": '"api_key_previous":"', "pipe's key": '--parameter-overrides ApiKey="$NEW"',
    "one key": '{"secrets":{"api_key_previous":null}}', "backfill": "/backfill", "check": "-d '{}'",
}


def commands():
    """The shell commands between the two headings, in their order."""
    return [text for text, _ in readme.commands(FIRST, LAST)]


def command(step):
    found = [text for text in commands() if STEPS[step] in text]
    assert len(found) == 1, f"{len(found)} commands of the README have {STEPS[step]}"
    return found[0]


AWS = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done >>"$AWS_CALLS"
echo >>"$AWS_CALLS"
"""


class Terminal(readme.Shell):
    """A shell that knows what stands for the README's placeholders."""

    def __init__(self, stack, folder, **values):
        """VALUES: what stands for a placeholder, or for a name in the README's examples."""
        self.stack, self.folder, self.values = stack, folder, values
        (folder / "aws").write_text(AWS)
        (folder / "aws").chmod(0o755)
        env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "AWS_CALLS": str(folder / "aws-calls"),
               "API": f"http://{stack.receiver.api_address}/api/v1", "ADMIN": lib.ADMIN,
               **{k: v for k, v in stack.env.items() if k.startswith("LH_AMAZON_CLIENT")}}
        super().__init__(folder, **env)

    def type(self, text):
        """Types TEXT with its placeholders filled in."""
        hosts = {"https://<public name>/webhooks": f"http://{self.stack.receiver.hooks}/webhooks",
                 "https://api.amazon.com": self.stack.sim.url,
                 "https://sellingpartnerapi-eu.amazon.com": self.stack.sim.url + "/eu"}
        if "create_webhooks" in text:
            hosts = {"<public name>": "ledgerhook.example.com"}
        if "aws " in text:
            hosts = {"<public name>": "hooks.example.com"}
        for name, value in {**hosts, **self.values}.items():
            text = text.replace(name, value)
        assert not re.search(r"<[a-zA-Z ]+>", text), text
        return super().type(text)

    def step(self, name):
        """Types the command of a step; whatever it calls must have done what was asked for."""
        said = self.type(command(name))
        assert '"about:blank"' not in said and '"errors"' not in said, said
        if '"secrets"' in command(name):
            lib.wait_until(lambda: self.stack.redis.call("ZCARD", lib.PREFIX + "tasks") == 0, "a worker has them")
        return said

    def aws_calls(self):
        """What `aws` was called with: its words, and its parameters."""
        found = []
        for call in (self.folder / "aws-calls").read_text().split("\n\n")[:-1]:
            words = call.split("\n")
            found.append((words, dict(w.split("=", 1) for w in words if re.match(r"[A-Z]\w+=", w))))
        return found


class Books(lib.Shop):
    """A store that the README sets up, not this class; what it has of a Shop is the looking."""

    def __init__(self, stack, store):
        mark = uuid.uuid4().hex[:10]
        self.stack, self.domain, self.platform = stack, store, store.partition(".")[1] and "shopify" or "amazon"
        self.connection, self.tenant = f"conn-{mark}", str(uuid.uuid4())
        self.client = (f"id-{mark}", f"secret-{mark}", self.tenant, f"Company {mark}")
        self.add_client()

    def key(self, order):
        return f"{self.platform}/{self.domain}/{order}"

    def log(self, q):
        return self.stack.receiver.api("GET", f"/log?connection={self.connection}&q={q}")[1]["rows"]

    def names(self):
        """The connection's part of a terminal's values."""
        return {"acme-uk": self.connection, "<tenant id>": self.tenant, "<id>": self.client[0],
                "<secret>": self.client[1]}


@pytest.fixture(scope="module")
def stack():
    """A stack whose time may be moved."""
    made = lib.Stack(LH_PUBLIC_URL="https://ledgerhook.example.com")
    yield made
    made.close()


@pytest.fixture
def terminal(tmp_path):
    made = []

    def make(stack, **values):
        made.append(Terminal(stack, tmp_path, **values))
        return made[-1]

    yield make
    for one in made:
        one.close()


def sold(**fields):
    return orders.order(**{"created_at": ago(minutes=30), "processed_at": ago(minutes=30), "updated_at": ago(minutes=5),
                           **fields})


# ---- the README itself ----

def test_every_command_of_the_set_up_is_known_here():
    assert len(commands()) == len(STEPS)
    assert [name for name in STEPS if command(name) is None] == []


def test_the_variables_are_those_of_the_running_programs(stack, terminal, tmp_path):
    made = subprocess.run([lib.ROOT / "deploy/secrets.sh", tmp_path / "secrets"], capture_output=True, timeout=60)
    assert made.returncode == 0
    t = terminal(stack, **{"deploy/secrets": str(tmp_path / "secrets")})
    t.step("variables")
    assert len(t.type('printf "%s" "$ADMIN"').strip()) == 48
    assert t.type('printf "%s" "$API"').strip() == "http://127.0.0.1:8081/api/v1"


def test_xero_by_consent_in_a_browser(stack, terminal):
    s = Books(stack, "set-up.myshopify.com")
    assert '{"url":"' + stack.sim.url in terminal(stack, **s.names()).step("consent")


# ---- Shopify ----

@pytest.fixture
def shopify(stack, terminal):
    """A shop that Shopify has, and a terminal whose README is about it."""
    def make(**spec):
        s = Books(stack, f"set-up-{uuid.uuid4().hex[:10]}.myshopify.com")
        stack.sim.control("POST", "shopify/shops", {"shop": s.domain, "client_id": s.domain, "client_secret": "shpss_app-1",
                                                    **spec})
        t = terminal(stack, **s.names(), **{
            "acme.myshopify.com": s.domain, "<the secret that Shopify shows>": "first-of-the-admin",
            "<the secret that the page shows>": "secret-of-the-admin", "<client id>": s.domain,
            "<client secret>": "shpss_app-1", "<old secret>": "shpss_app-1", "<new secret>": "shpss_app-2"})
        t.step("xero")
        t.step("store")
        return s, t
    return make


def test_webhooks_of_the_shops_admin(shopify):
    s, t = shopify()
    assert s.send("orders/paid", sold(), secret="secret-of-the-admin")[0] == 401
    t.step("admin secret")
    body, headers = lib.load_sample("01_doc_test_order_cancelled_voided")
    told = s.send(headers["X-Shopify-Topic"], body, secret="secret-of-the-admin")
    assert told == (200, {"result": "skipped", "reason": "test_order"})
    assert '{"result":"skipped","reason":"test_order"}' in README
    order = sold()
    assert s.send("orders/paid", order, secret="secret-of-the-admin")[1]["result"] == "queued"
    s.wait_done(order["id"])
    assert len(s.invoices()) == 1


def test_an_app_of_ones_own(shopify):
    s, t = shopify()
    missed = sold()
    s.stack.sim.control("POST", "shopify/orders", {"shop": s.domain, "orders": [missed]})
    t.step("pair")
    again(s.stack, f"shopify/{s.domain}")
    s.wait_done(missed["id"])  # which no webhook ever told of
    order = sold()
    assert s.send("orders/paid", order, secret="shpss_app-1")[1]["result"] == "queued"
    s.wait_done(order["id"])
    states = lambda said: {(row["topic"], row["state"]) for row in json.loads(said)["result"]["webhooks"]["topics"]}
    made = t.step("webhooks")
    assert json.loads(made)["result"]["orders"]["readable"] and {state for _, state in states(made)} == {"created"}
    assert states(t.step("check")) == {(topic, "subscribed") for topic, _ in states(made)}
    assert "webhooks_created" in t.step("log") and "shop_held" not in t.step("log")
    # The next day the token has ended, and nobody has to do anything.
    s.stack.sim.control("POST", "clock", {"advance_seconds": 86400})
    assert s.stack.receiver.api("POST", f"/orders/shopify/{s.domain}/{missed['id']}/export?wait=20")[0] == 200


def test_both_kinds_of_webhooks_at_once(shopify):
    s, t = shopify()
    both = re.search(r'"webhook_admin":"<[^>]*>"', README)[0]
    t.type(command("pair").replace('"}}', '", ' + both + "}}"))
    for secret, status in (("shpss_app-1", 200), ("secret-of-the-admin", 200), ("first-of-the-admin", 401)):
        assert s.send("orders/create", sold(status="pending"), secret=secret)[0] == status


def test_an_app_that_shopify_refuses_a_token_is_told_in_the_log(shopify):
    s, t = shopify()
    t.values["<client secret>"] = "shpss_wrong"
    t.step("pair")
    row = lib.wait_until(lambda: s.log("shop_held"), "the log says it")[0]
    assert row["level"] == "error" and "the client secret is not the app's. Enter secrets.api_client_id" in row["message"]
    t.values["<client secret>"] = "shpss_app-1"
    t.step("pair")
    assert json.loads(t.step("check"))["result"]["orders"]["readable"]


@pytest.mark.parametrize("scope", ["read_orders", "read_customers", "read_products", "read_payment_terms"])
def test_a_scope_that_is_missing_is_named(shopify, scope):
    scopes = {"read_orders", "read_customers", "read_products", "read_payment_terms"}
    assert f"`{scope}`" in README
    s, t = shopify(scopes=sorted(scopes - {scope}))
    order = sold()
    s.stack.sim.control("POST", "shopify/orders", {"shop": s.domain, "orders": [order]})
    t.step("pair")
    s.stack.receiver.api("POST", f"/orders/shopify/{s.domain}/{order['id']}/export")
    row = lib.wait_until(lambda: s.log("shop_held"), "the log says it")[0]
    assert row["level"] == "error" and scope in row["message"] and "See which scopes" in row["message"]


def test_the_secret_is_changed_without_losing_a_delivery(shopify):
    s, t = shopify()
    t.step("pair")

    def taken(secret):
        return s.send("orders/create", sold(status="pending"), secret=secret)[0]

    assert (taken("shpss_app-1"), taken("shpss_app-2")) == (200, 401)
    t.step("both secrets")
    assert (taken("shpss_app-1"), taken("shpss_app-2")) == (200, 200)
    s.stack.sim.control("POST", "shopify/shops", {"shop": s.domain, "client_id": s.domain, "client_secret": "shpss_app-2"})
    assert json.loads(t.step("check"))["result"]["orders"]["readable"]
    # The old one is revoked at Shopify; deliveries that it signed are still on their way.
    assert (taken("shpss_app-2"), taken("shpss_app-1")) == (200, 200)
    t.step("one secret")
    assert (taken("shpss_app-2"), taken("shpss_app-1")) == (200, 401)


# ---- Amazon ----

ORDER = json.loads((DATA / "orders_2026-01-01/getOrder_01_gbp_103_97.json").read_text())
ORDER = ORDER.get("order", ORDER)
HEADERS = json.loads((DATA / "envelopes/02_pipes_api_destination_wrapped.headers.json").read_text())["headers"]


class Tagged(yaml.SafeLoader):
    """CloudFormation's short forms: !Ref X is {"Ref": X}, !GetAtt X.Y is {"GetAtt": "X.Y"}."""


def tagged(loader, suffix, node):
    make = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: lambda n: loader.construct_sequence(n, True),
            yaml.MappingNode: lambda n: loader.construct_mapping(n, True)}
    return {suffix: make[type(node)](node)}


Tagged.add_multi_constructor("!", tagged)


@pytest.fixture(scope="module")
def template():
    return yaml.load(TEMPLATE.read_text(), Tagged)


def piped(template, body):
    """What a Pipe makes of a message for its target: <$.body> is the message's text, parsed where it is JSON (a
    Pipe does so by itself), else in quotes."""
    record = {"messageId": str(uuid.uuid4()), "body": body, "eventSource": "aws:sqs"}

    def value(match):
        text = record[match[1]]
        try:
            json.loads(text)
            return text
        except ValueError:
            return json.dumps(text)
    made = re.sub(r"<\$\.(\w+)>", value, template)
    json.loads(made)
    return made.encode()


@pytest.fixture
def amazon(stack, terminal):
    """A seller whom Amazon has, with an order there, and a terminal whose README is about it."""
    def make(on=stack, created=None):
        s = Books(on, f"A{uuid.uuid4().hex[:12].upper()}")
        refresh = f"Atzr|{uuid.uuid4().hex}"
        on.sim.control("POST", "amazon/sellers", {"seller_id": s.domain, "refresh_token": refresh, "region": "eu"})
        s.order = order_id()
        on.sim.control("POST", "amazon/orders", {"seller_id": s.domain, "orders": [
            {**ORDER, "orderId": s.order, "createdTime": created or ago(minutes=30), "lastUpdatedTime": created or ago(seconds=1)}]})
        t = terminal(on, **s.names(), **{
            "A3TH9S8BH6GOGM": s.domain, "<refresh token>": refresh, "<order number>": s.order,
            "<QueueArn>": "arn:aws:sqs:eu-west-1:123456789012:orders"})
        t.step("xero")
        t.step("seller")
        return s, t
    return make


def notification(s, order=None):
    body = json.loads((DATA / "notifications/02_unshipped_mfn.json").read_text())
    body["NotificationMetadata"]["NotificationId"] = str(uuid.uuid4())
    body["Payload"]["OrderChangeNotification"].update(SellerId=s.domain, AmazonOrderId=order or s.order)
    return body


def deliver(s, body, header, key):
    """As an API destination sends it."""
    headers = {k: v for k, v in HEADERS.items() if k not in ("Host", "x-api-key")}
    status, _, raw = lib.request(s.stack.receiver.hooks, "POST", "/webhooks/amazon", body, {**headers, header: key})
    return status, json.loads(raw)


def pipe_of(template, parameters):
    """(input template, header, key) of the Pipe that the template makes with these parameters."""
    def filled(value):
        name = value["Ref"]
        return parameters.get(name, template["Parameters"][name].get("Default"))
    key = template["Resources"]["Key"]["Properties"]["AuthParameters"]["ApiKeyAuthParameters"]
    target = template["Resources"]["Pipe"]["Properties"]["TargetParameters"]
    return target["InputTemplate"], filled(key["ApiKeyName"]), filled(key["ApiKeyValue"])


@pytest.mark.parametrize("form", ["JSON", "text that holds JSON"])
def test_a_pipe_posts_the_notifications(amazon, template, form):
    s, t = amazon()
    t.step("queue")
    words, parameters = t.aws_calls()[0]
    assert parameters["Address"].endswith("/webhooks/amazon")
    made, header, key = pipe_of(template, parameters)
    text = json.dumps(notification(s))
    body = piped(made, text if form == "JSON" else json.dumps(text))
    assert deliver(s, body, header, key) == (200, {"result": "queued", "reason": "waiting_for_fetch"})
    s.wait_done(s.order)
    invoice, = s.invoices()
    assert str(invoice["Total"]) == "103.97"
    assert deliver(s, body, header, "another-key")[0] == 401


def test_amazon_is_told_of_the_queue_and_the_seller(amazon):
    s, t = amazon()
    t.values["<destinationId>"] = json.loads(t.step("destination"))["payload"]["destinationId"]
    assert "subscriptionId" in t.step("subscription")
    assert s.domain in s.stack.sim.control("GET", "amazon/notices")["subscriptions"]
    assert '"result":"queued","reason":"waiting_for_fetch"' in t.step("notification")
    s.wait_done(s.order)
    assert s.order in t.step("notification")


def test_days_of_the_past_are_read_on_request(amazon):
    s, t = amazon(created="2026-01-15T12:00:00Z")
    ask, look = command("backfill").splitlines()
    t.values["<task>"] = json.loads(t.type(ask))["task"]
    lib.wait_until(lambda: json.loads(t.type(look))["status"] == "done", "the task ends")
    assert s.wait_state(s.order, "skipped")["reason"] == "before_start_date"


def test_the_key_is_changed_without_losing_a_notification(amazon, template):
    s, t = amazon()
    t.step("queue")

    def taken(parameters):
        made, header, key = pipe_of(template, parameters)
        return deliver(s, piped(made, json.dumps(notification(s))), header, key)[0]

    old = t.aws_calls()[0][1]
    assert taken(old) == 200
    t.step("both keys")
    assert taken(old) == 200
    t.step("pipe's key")
    new = {**old, **t.aws_calls()[-1][1]}
    assert old["ApiKey"] != new["ApiKey"] and (taken(new), taken(old)) == (200, 200)
    t.step("one key")
    assert (taken(new), taken(old)) == (200, 401)


def test_the_workers_take_the_notifications_out_of_the_queue(amazon, own_stack, template):
    outputs = template["Outputs"]
    assert outputs["QueueUrl"]["Description"] == "LH_AMAZON_SQS_URL" and "`QueueUrl`" in README
    stack = own_stack(LH_RECONCILE=0, AWS_REGION="eu-west-1", AWS_ACCESS_KEY_ID="AKIDDEMO",
                      AWS_SECRET_ACCESS_KEY="demo-aws-secret", worker=False)
    stack.worker = stack.start_worker(LH_AMAZON_SQS_URL=stack.sim.url + "/123456789012/orders")
    s, _ = amazon(on=stack)
    stack.sim.control("POST", "amazon/notify", {"seller_id": s.domain, "order_id": s.order})
    s.wait_done(s.order)
    assert str(s.invoices()[0]["Total"]) == "103.97"


# ---- deploy/amazon/orders.yaml ----

def statements(template, resource):
    properties = template["Resources"][resource]["Properties"]
    documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else [
        policy["PolicyDocument"] for policy in properties["Policies"]]
    return [(s.get("Principal"), set(s["Action"]), s["Resource"]) for d in documents for s in d["Statement"]]


def test_the_template_gives_the_rights_that_are_needed_and_no_others(template):
    queue = {"GetAtt": "Orders.Arn"}
    assert statements(template, "AmazonMayWrite") == [
        ({"AWS": "437568002678"}, {"sqs:SendMessage", "sqs:GetQueueAttributes"}, queue)]
    assert statements(template, "PollerPolicy") == [(None, {"sqs:ReceiveMessage", "sqs:DeleteMessage"}, queue)]
    assert statements(template, "PipeRole") == [
        (None, {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, queue),
        (None, {"events:InvokeApiDestination"}, [{"GetAtt": "Receiver.Arn"}, {"GetAtt": "Receiver.ArnForPolicy"}])]
    assert "FifoQueue" not in template["Resources"]["Orders"]["Properties"]


def test_the_template_and_the_readme_say_the_same(template, amazon):
    pipe = template["Resources"]["Pipe"]["Properties"]
    assert f"`{pipe['TargetParameters']['InputTemplate']}`" in README
    assert pipe["SourceParameters"]["SqsQueueParameters"]["BatchSize"] == 1
    assert f"`{template['Parameters']['ApiKeyHeader']['Default']}`" in README
    assert template["Resources"]["Key"]["Properties"]["AuthorizationType"] == "API_KEY"
    _, t = amazon()
    t.step("queue")
    t.type("NEW=another")
    t.step("pipe's key")
    for words, parameters in t.aws_calls():
        if words[1] == "deploy":
            assert set(parameters) <= set(template["Parameters"]) and "CAPABILITY_IAM" in words
            assert (lib.ROOT / words[words.index("--template-file") + 1]).samefile(TEMPLATE)
    address = t.aws_calls()[0][1]["Address"]
    assert re.fullmatch(template["Parameters"]["Address"]["AllowedPattern"], address)


# ---- what people get wrong ----

STORE = {"mappings": lib.DEFAULT_MAPPINGS, "secrets": {"webhook": "0123456789abcdef"}}
SELLER = {"mappings": lib.DEFAULT_MAPPINGS, "secrets": {"api_key": "0123456789abcdef"}}
SHOP_ID = "must be the shop's domain as Shopify names it, x.myshopify.com, without https://"
SELLER_ID = "must be the seller's id, 5 to 32 capital letters and digits"
COPY = "begins or ends with a blank, or holds a control character such as a line feed: copy it again"

MISTAKES = [
    ("shopify/acme", STORE, 422, "id", SHOP_ID),
    ("shopify/www.acme.com", STORE, 422, "id", SHOP_ID),
    ("shopify/.myshopify.com", STORE, 422, "id", SHOP_ID),
    ("shopify/https://acme.myshopify.com", STORE, 404, None, "A name within an address goes without \"https://\"."),
    ("shopify/https:%2F%2Facme.myshopify.com", STORE, 400, None, "stands for a slash"),
    ("amazon/A3TH%209S8BH6GOGM", SELLER, 422, "id", SELLER_ID),
    ("amazon/a3th9s8bh6gogm", SELLER, 422, "id", SELLER_ID),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "secrets": {"api_key": "short"}}, 422, "secrets.api_key", "8 to 256"),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "secrets": {"api_key": "0123456789abcdef\n"}}, 422, "secrets.api_key", COPY),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "secrets": {"api_key_header": "x-api-key"}}, 422, "secrets", "secrets.api_key"),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "secrets": {"api_key_header": "x-api-key: "}}, 422, "secrets.api_key_header",
     "a header's name"),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "secrets": {"refresh_token": "Atzr|x y \n"}}, 422, "secrets.refresh_token", COPY),
    ("amazon/A3TH9S8BH6GOGM", {**SELLER, "settings": {"region": "EU"}}, 422, "settings.region", '"na", "eu", "fe"'),
    ("shopify/acme.myshopify.com", {**STORE, "secrets": {"webhook": "0123456789abcdef\n"}}, 422, "secrets.webhook", COPY),
    ("shopify/acme.myshopify.com", {**STORE, "secrets": {"webhook": " 0123456789abcdef"}}, 422, "secrets.webhook", COPY),
    ("shopify/acme.myshopify.com", {**STORE, "connection": "acme-de"}, 422, "connection", "set it up first"),
]


@pytest.mark.parametrize("store, body, status, field, message", MISTAKES)
def test_a_mistake_is_told(shopify, store, body, status, field, message):
    s, _ = shopify()
    got, answer = s.stack.receiver.api("PUT", f"/stores/{store}", {"connection": s.connection, **body})
    assert got == status
    if field is None:
        assert message in answer["detail"]
    else:
        found = {e["field"]: e["message"] for e in answer["errors"]}
        assert message in found[field]


def test_capital_letters_name_the_same_shop(shopify):
    s, _ = shopify()
    status, told = s.stack.receiver.api("GET", f"/stores/shopify/{s.domain.upper()}")
    assert (status, told["id"]) == (200, s.domain)


def test_a_refresh_token_that_is_none_is_told_in_the_log(amazon):
    s, t = amazon()
    assert s.stack.receiver.api("PATCH", f"/stores/amazon/{s.domain}", {"secrets": {"refresh_token": "Atzr|none-of-it"}})[0] == 200
    row = lib.wait_until(lambda: s.log("secrets.refresh_token"), "the log says it")[0]
    assert (row["event"], row["level"]) == ("shop_held", "error") and "invalid_grant" in row["message"]


def test_a_seller_of_another_region_is_told_in_the_log(amazon):
    s, t = amazon()
    s.stack.sim.fault(tenant=s.domain, method="GET", path="/orders/", fault="status", status=403, count=-1)
    t.step("notification")
    assert "settings.region" in lib.wait_until(lambda: s.log("shop_held"), "the log says it")[0]["message"]


def test_a_wrong_access_token_is_told_in_the_log(shopify):
    s, _ = shopify()
    assert s.patch({"secrets": {"api_token": "shpat_wrong-one"}})[0] == 200
    s.stack.receiver.api("POST", f"/orders/shopify/{s.domain}/77/export")
    assert "Enter a new secrets.api_token" in lib.wait_until(lambda: s.log("shop_held"), "the log says it")[0]["message"]


def test_a_key_without_its_header_goes_by_the_usual_one(amazon):
    s, t = amazon()
    assert s.stack.receiver.api("PATCH", f"/stores/amazon/{s.domain}", {"secrets": {"api_key_header": None}})[0] == 200
    assert '"result":"queued"' in t.step("notification")
