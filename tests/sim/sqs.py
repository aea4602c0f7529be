"""Amazon SQS, standard queues, by its JSON protocol.

Owns: queues with their keys, messages, receipt handles, visibility, long polling, and SQS' errors.
Messages come in no order and may come again. Thread safe.
"""

import hashlib
import random
import secrets
import threading
import time
import urllib.parse
import uuid

import jsontext
import sigv4
from calls import Answer

TARGET = "AmazonSQS."
LONGEST_BODY = 1_048_576
_KIND = "application/x-amz-json-1.0"
_NAMES = {  # of an error -> what the older protocol calls it
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
}
_NOT_FAULTS = ("QueueDoesNotExist", "ReceiptHandleIsInvalid", "MessageNotInflight")
_PARAMETERS = {
    "SendMessage": ("QueueUrl", "MessageBody", "DelaySeconds"),
    "ReceiveMessage": (
        "QueueUrl",
        "MaxNumberOfMessages",
        "WaitTimeSeconds",
        "VisibilityTimeout",
        "AttributeNames",
        "MessageSystemAttributeNames",
        "MessageAttributeNames",
    ),
    "DeleteMessage": ("QueueUrl", "ReceiptHandle"),
    "DeleteMessageBatch": ("QueueUrl", "Entries"),
    "ChangeMessageVisibility": ("QueueUrl", "ReceiptHandle", "VisibilityTimeout"),
    "GetQueueAttributes": ("QueueUrl", "AttributeNames"),
}


class SqsError(Exception):
    def __init__(self, kind, message, status=400):
        super().__init__(message)
        self.kind = kind
        self.status = status


class Message:
    def __init__(self, body, now, visible_from):
        self.id = str(uuid.uuid4())
        self.body = body
        self.sent = now
        self.first = None  # time of the first receive
        self.received = 0
        self.visible_from = visible_from
        self.handle = None  # the newest receipt handle
        self.deleted = False

    def attributes(self):
        return {
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "SentTimestamp": str(int(self.sent * 1000)),
            "ApproximateReceiveCount": str(self.received),
            "ApproximateFirstReceiveTimestamp": str(int((self.first or self.sent) * 1000)),
        }


class Queue:
    def __init__(self, spec):
        self.name = spec["name"]
        self.account = spec.get("account", "123456789012")
        self.region = spec.get("region", "eu-west-1")
        self.visibility = int(spec.get("visibility_timeout", 30))
        self.wait = int(spec.get("wait_seconds", 0))
        self.keys = {
            spec["access_key"]: (spec["secret_key"], spec.get("session_token")),
        }
        self.messages = {}
        self.handles = {}  # receipt handle -> message id

    @property
    def path(self):
        return f"/{self.account}/{self.name}"


class Sqs:
    def __init__(self, clock, ledger):
        self._clock = clock
        self._ledger = ledger
        self._changed = threading.Condition(threading.RLock())
        self._random = random.Random(1)
        self._queues = {}  # path -> Queue
        self._closed = False

    # -- the scene --------------------------------------------------------------------------------

    def add(self, spec):
        with self._changed:
            queue = Queue(spec)
            self._queues[queue.path] = queue
            return queue.path

    def send(self, name, body, delay=0):
        """Puts a message into the queue of this name; its id."""
        with self._changed:
            return self._put(self._named(name), body, delay).id

    def redeliver(self, message_id):
        """A message is delivered once more, also a deleted one: at least once is all that is
        promised."""
        with self._changed:
            for queue in self._queues.values():
                if message_id in queue.messages:
                    message = queue.messages[message_id]
                    message.deleted = False
                    message.visible_from = 0
                    self._changed.notify_all()
                    return
        raise KeyError(f"no message {message_id}")

    def messages(self, name):
        """Everything that was ever sent to a queue."""
        now = self._clock.now()
        with self._changed:
            return [
                {
                    "message_id": one.id,
                    "body": one.body,
                    "received": one.received,
                    "state": "deleted"
                    if one.deleted
                    else "visible"
                    if one.visible_from <= now
                    else "hidden",
                }
                for one in self._named(name).messages.values()
            ]

    def close(self):
        """Ends all polls: the state is about to be replaced."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _named(self, name):
        for queue in self._queues.values():
            if name in (None, queue.name):
                return queue
        raise KeyError(f"no queue {name}")

    # -- calls ------------------------------------------------------------------------------------

    def handle(self, call, fault=None):
        action = call.headers.get("X-Amz-Target", "")[len(TARGET) :]
        request_id = {"x-amzn-RequestId": str(uuid.uuid4())}
        try:
            if action not in _PARAMETERS:
                raise SqsError("UnknownOperationException", "")
            queue, body = self._admit(call, action)
            answer = getattr(self, "_" + _snake(action))(queue, body, fault)
        except SqsError as error:
            if error.status == 400 and error.kind not in _NOT_FAULTS:
                self._ledger.violation("schema", call.entry, f"{error.kind}: {error}")
            elif error.status == 403:
                self._ledger.violation("signature", call.entry, f"{error.kind}: {error}")
            space = "com.amazonaws.sqs#" if error.status == 400 else "com.amazon.coral.service#"
            told = jsontext.text({"__type": space + error.kind, "message": str(error)})
            name = _NAMES.get(error.kind, error.kind)
            headers = {**request_id, "x-amzn-query-error": f"{name};Sender"}
            return Answer(error.status, told.encode(), headers, _KIND)
        body = jsontext.text(answer).encode() if answer is not None else b""
        return Answer(200, body, request_id, _KIND)

    def _admit(self, call, action):
        """(queue, parameters) of a call that is signed by the queue's key."""
        if call.path != "/" or call.method != "POST":
            raise SqsError("UnknownOperationException", "the JSON protocol is POST /")
        if call.headers.get("Content-Type") != _KIND:
            raise SqsError("UnknownOperationException", f"the content type is {_KIND}")
        try:
            body = jsontext.parse(call.body)
        except ValueError as error:
            raise SqsError("SerializationException", str(error)) from None
        if not isinstance(body, dict):
            raise SqsError("SerializationException", "the body is no object")
        unknown = set(body) - set(_PARAMETERS[action])
        if unknown:
            self._ledger.violation("unknown_parameter", call.entry, sorted(unknown)[0])
        url = body.get("QueueUrl")
        if not isinstance(url, str):
            raise SqsError("MissingParameter", "The request must contain the parameter QueueUrl.")
        with self._changed:
            queue = self._queues.get(urllib.parse.urlsplit(url).path)
            keys = {key: one for each in self._queues.values() for key, one in each.keys.items()}
            region = (queue or next(iter(self._queues.values()))).region
        try:
            call.entry["client"] = sigv4.verify(call, keys, region, "sqs", time.time())
        except sigv4.BadSignature as bad:
            raise SqsError(bad.code, str(bad), 403) from None
        if queue is None:
            raise SqsError("QueueDoesNotExist", "The specified queue does not exist.")
        call.entry["tenant"] = queue.name
        if call.entry["client"] not in queue.keys:
            raise SqsError("AccessDeniedException", "Access to the resource is denied.", 403)
        return queue, body

    # -- operations -------------------------------------------------------------------------------

    def _send_message(self, queue, body, _fault):
        text = body.get("MessageBody")
        if not isinstance(text, str) or not text:
            raise SqsError(
                "MissingParameter", "The request must contain the parameter MessageBody."
            )
        if len(text.encode()) > LONGEST_BODY:
            raise SqsError("InvalidParameterValue", "the message is longer than it may be")
        with self._changed:
            message = self._put(queue, text, _number(body, "DelaySeconds", 0, 0, 900))
        return {"MD5OfMessageBody": _md5(text), "MessageId": message.id}

    def _put(self, queue, text, delay):
        now = self._clock.now()
        message = Message(text, now, now + delay)
        queue.messages[message.id] = message
        self._changed.notify_all()
        return message

    def _receive_message(self, queue, body, _fault):
        most = _number(body, "MaxNumberOfMessages", 1, 1, 10)
        wait = _number(body, "WaitTimeSeconds", queue.wait, 0, 20)
        visibility = _number(body, "VisibilityTimeout", queue.visibility, 0, 43200)
        asked = _names(body, "AttributeNames") + _names(body, "MessageSystemAttributeNames")
        deadline = time.monotonic() + wait
        with self._changed:
            while True:
                found = self._take(queue, most, visibility)
                left = deadline - time.monotonic()
                if found or left <= 0 or self._closed:
                    break
                # short naps: messages also become visible when a test moves the clock
                self._changed.wait(min(left, 0.05))
        if not found:
            return {}
        return {"Messages": [_told(one, asked) for one in found]}

    def _take(self, queue, most, visibility):
        now = self._clock.now()
        visible = [
            one for one in queue.messages.values() if not one.deleted and one.visible_from <= now
        ]
        self._random.shuffle(visible)
        for message in visible[:most]:
            message.received += 1
            message.first = message.first or now
            message.visible_from = now + visibility
            message.handle = secrets.token_urlsafe(96)
            queue.handles[message.handle] = message.id
        return visible[:most]

    def _delete_message(self, queue, body, _fault):
        with self._changed:
            self._delete(queue, body.get("ReceiptHandle"))

    def _delete(self, queue, handle):
        """Only the newest handle deletes; with an older one SQS says yes and may keep it."""
        message = self._held(queue, handle)
        if message.handle == handle:
            message.deleted = True

    def _held(self, queue, handle):
        if not isinstance(handle, str) or handle not in queue.handles:
            raise SqsError("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", 400)
        return queue.messages[queue.handles[handle]]

    def _delete_message_batch(self, queue, body, fault):
        entries = body.get("Entries")
        if not isinstance(entries, list) or not entries:
            raise SqsError("EmptyBatchRequest", "There should be at least one entry.")
        if len(entries) > 10:
            raise SqsError("TooManyEntriesInBatchRequest", "Maximum number of entries is 10.")
        ids = [entry.get("Id") for entry in entries]
        if len(set(ids)) != len(ids) or None in ids:
            raise SqsError("BatchEntryIdsNotDistinct", "Two or more entries have the same Id.")
        answer = {"Failed": [], "Successful": []}
        with self._changed:
            for index, entry in enumerate(entries):
                hit = fault and fault["fault"] == "element_error" and fault.get("index", 0) == index
                try:
                    if hit:
                        raise SqsError("InternalError", fault.get("message", "try again"))
                    self._delete(queue, entry.get("ReceiptHandle"))
                    answer["Successful"].append({"Id": entry["Id"]})
                except SqsError as error:
                    answer["Failed"].append(
                        {
                            "Id": entry["Id"],
                            "Code": error.kind,
                            "Message": str(error),
                            "SenderFault": not hit,
                        }
                    )
        return answer

    def _change_message_visibility(self, queue, body, _fault):
        if "VisibilityTimeout" not in body:
            raise SqsError(
                "MissingParameter", "The request must contain the parameter VisibilityTimeout."
            )
        seconds = _number(body, "VisibilityTimeout", 0, 0, 43200)
        with self._changed:
            message = self._held(queue, body.get("ReceiptHandle"))
            now = self._clock.now()
            if (
                message.deleted
                or message.handle != body["ReceiptHandle"]
                or (message.visible_from <= now)
            ):
                raise SqsError("MessageNotInflight", "The message is not in flight.")
            message.visible_from = now + seconds
            self._changed.notify_all()

    def _get_queue_attributes(self, queue, body, _fault):
        now = self._clock.now()
        with self._changed:
            kept = [one for one in queue.messages.values() if not one.deleted]
            hidden = [one for one in kept if one.visible_from > now]
        known = {
            "QueueArn": f"arn:aws:sqs:{queue.region}:{queue.account}:{queue.name}",
            "ApproximateNumberOfMessages": str(len(kept) - len(hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(sum(one.received > 0 for one in hidden)),
            "ApproximateNumberOfMessagesDelayed": str(sum(not one.received for one in hidden)),
            "VisibilityTimeout": str(queue.visibility),
            "ReceiveMessageWaitTimeSeconds": str(queue.wait),
        }
        asked = _names(body, "AttributeNames")
        unknown = [name for name in asked if name != "All" and name not in known]
        if unknown:
            raise SqsError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
        shown = {name: text for name, text in known.items() if "All" in asked or name in asked}
        return {"Attributes": shown} if shown else {}


def _told(message, asked):
    told = {
        "MessageId": message.id,
        "ReceiptHandle": message.handle,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
    attributes = {
        name: text for name, text in message.attributes().items() if "All" in asked or name in asked
    }
    if attributes:
        told["Attributes"] = attributes
    return told


def _number(body, name, default, least, most):
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SqsError(
            "InvalidParameterValue", f"{name} must be between {least} and {most}, it is {value}"
        )
    return value


def _names(body, name):
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SqsError("SerializationException", f"{name} is a list of texts")
    return value


def _snake(action):
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in action)[1:]


def _md5(text):
    return hashlib.md5(text.encode()).hexdigest()
